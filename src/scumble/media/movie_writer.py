"""Movies written through PyAV, with the plate's sound and what else goes along."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from scumble.core import colour
from scumble.core.files import new_part, not_written, part_of, to_disk
from scumble.core.frames import Frame
from scumble.media import yuv
from scumble.media.codecs import CONTAINERS, EXACT, codec_of
from scumble.media.h273 import FULL, NO_TAGS, tags_for
from scumble.media.movie_pixels import matrix_of
from scumble.media.picture_writer import quantised
from scumble.media.plate import WriterSettings
from scumble.media.tracks import TrackCopier

ORDERED = 2  # frames that are decoded in the order in which they are shown, whatever the encoder


class MovieWriter:
    """A movie with the plate's sound, timecode and times; written beside the output and renamed at the end."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        self.path, self.settings = path, settings
        self.part = part_of(path)
        _, self.codec = codec_of(path, settings.bits, settings.codec)
        self.space = settings.out_space or colour.DISPLAY
        self.tags = settings.tags or tags_for(self.space)
        muxer = CONTAINERS[path.suffix.lower()].muxer
        self.copier: TrackCopier | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new_part(path)
            colr = "+write_colr" if self.tags != NO_TAGS else ""  # else it would state a range
            options = {"movflags": f"+faststart{colr}"} if muxer != "matroska" else {}
            self.container = av.open(f"file:{self.part}", "w", format=muxer, container_options=options)
        except (OSError, FFmpegError) as error:
            with suppress(OSError):  # a folder that cannot be made has nothing in it
                self.part.unlink(missing_ok=True)
            raise not_written(path, error) from error
        try:
            self._begin()
        except FFmpegError as error:
            self.abort()
            raise not_written(path, error) from error
        except BaseException:  # nothing half-written stays, whatever the reason
            self.abort()
            raise

    def _begin(self) -> None:
        """Add the picture's stream, what the header says, and the plate's other tracks."""
        settings = self.settings
        options = dict(self.codec.options)
        if self.codec.has_crf:
            options["crf"] = str(round(40 - 0.3 * settings.quality) + self.codec.crf_more)
        for name, words in (settings.hdr.options(self.codec.encoder) if settings.hdr else {}).items():
            options[name] = ":".join(filter(None, (options.get(name, ""), words)))
        stream: Any = self.container.add_stream(self.codec.encoder, rate=settings.frame_rate, options=options)
        self.pixels = self.codec.with_alpha if settings.alpha and self.codec.with_alpha else self.codec.pixels
        width, height = settings.size
        self.matrix = matrix_of(self.tags, height)
        # an odd side that must be even is coded with its last row or column repeated
        stream.width, stream.height = self.codec.coded((width, height))
        self.sides = ((0, stream.height - height), (0, stream.width - width), (0, 0))
        stream.pix_fmt = self.pixels
        if settings.metadata.pixel_aspect:
            stream.sample_aspect_ratio = settings.metadata.pixel_aspect
            stream.codec_context.sample_aspect_ratio = settings.metadata.pixel_aspect
        context = stream.codec_context
        self.time_base = settings.time_base if settings.times else 1 / settings.frame_rate
        context.time_base = self.time_base
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = self.tags
        if self.codec.tag and self.path.suffix.lower() != ".mkv":
            context.codec_tag = self.codec.tag
        if settings.metadata.timecode:
            self.container.metadata["timecode"] = settings.metadata.timecode
            stream.metadata["timecode"] = settings.metadata.timecode
        if settings.metadata.reel:
            stream.metadata["reel_name"] = settings.metadata.reel
        self.stream = stream
        self.reformatter = VideoReformatter()
        self.count = 0
        self.lengths: dict[int, int] = {}  # of frames by their stamps, where times are given
        if settings.stamp:
            self.container.metadata["comment"] = settings.stamp
        if settings.tracks_from is not None:
            self.copier = TrackCopier(settings.tracks_from, settings.tracks, settings.span, self.container)

    def write(self, frame: Frame) -> None:
        """Encode one frame; sound up to its time goes with it."""
        pixels = frame.margin.of(frame.pixels)
        if frame.alpha is not None and self.pixels != self.codec.with_alpha:
            pixels = colour.over_black(pixels, frame.margin.of(frame.alpha), frame.colour_space)
        pixels = colour.converted(pixels, frame.colour_space, self.space)
        if yuv.known(self.pixels):
            alpha = None if frame.alpha is None else np.pad(frame.margin.of(frame.alpha), self.sides, mode="edge")
            picture = yuv.picture_of(
                np.pad(pixels, self.sides, mode="edge"), alpha, self.pixels, self.matrix, self.tags.range == FULL
            )
        else:
            codes = np.pad(quantised(pixels, 8), self.sides, mode="edge")
            picture = self.reformatter.reformat(
                av.VideoFrame.from_ndarray(codes, format="rgb24"), format=self.pixels, interpolation=EXACT
            )
        # ProRes takes its tags from every picture, the others from the stream
        picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = self.tags
        seconds = self._seconds(self.count)
        picture.pts = round(seconds / self.time_base)
        picture.time_base = self.time_base
        self.count += 1
        if self.settings.times:  # the last frame may be held
            self.lengths[picture.pts] = round(self._seconds(self.count) / self.time_base) - picture.pts
        try:
            self._mux(self.stream.encode(picture))
            if self.copier is not None:
                self.container.mux(self.copier.until(self._seconds(self.count)))
        except FFmpegError as error:
            raise not_written(self.path, error, f"frame {frame.number}") from error

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if packet.pts in self.lengths:
                packet.duration = self.lengths.pop(packet.pts)
            self.container.mux(packet)

    def _seconds(self, place: int) -> Fraction:
        """When the picture at a place is shown: as in the plate where its times vary, else by the rate."""
        times = self.settings.times
        return times[place] if times else place / self.settings.frame_rate

    def close(self) -> None:
        """See `scumble.media.plate.Writer.close`."""
        try:
            packets = self.stream.encode(None)
            if self.count <= ORDERED:  # x265 leaves decoding times of so short a movie to chance
                for packet in packets:
                    packet.dts = packet.pts
            self._mux(packets)
            if self.copier is not None:
                self.container.mux(self.copier.until(None))
            self._close()
            to_disk(self.part)
            self.part.replace(self.path)
        except (OSError, FFmpegError) as error:
            raise not_written(self.path, error, "the end of the movie") from error
        finally:
            self.part.unlink(missing_ok=True)

    def _close(self) -> None:
        if self.copier is not None:
            self.copier.close()
        self.container.close()

    def abort(self) -> None:
        """See `scumble.media.plate.Writer.abort`."""
        with suppress(FFmpegError):  # the file is thrown away
            self._close()
        self.part.unlink(missing_ok=True)
