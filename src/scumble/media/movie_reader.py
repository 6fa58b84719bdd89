"""Movies read through PyAV: every frame is found by its time stamp."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import ArgumentError, FFmpegError
from av.video.reformatter import VideoReformatter

from scumble.core import colour
from scumble.core.colour import ColourSpace
from scumble.core.errors import BadPlate
from scumble.core.frames import NO_MARGIN, Frame, Margin, Metadata
from scumble.media.h273 import Tags, space_of
from scumble.media.hdr import hdr_of
from scumble.media.movie_pixels import Orientation, is_rgb, rgb_of, same_matrix, tags_of
from scumble.media.movie_times import times_of
from scumble.media.plate import ColourOrigin, Plate, PlateOptions, check_can_be_read, check_size, formats
from scumble.media.timecode import later

TAGS = ColourOrigin("its tags")


class MoviePlate(Plate):
    """See `Plate`. Frames are numbered in order of presentation."""

    kind = "movie"
    has_tracks = True

    def __init__(self, path: Path, first_frame: int = 1, options: PlateOptions = PlateOptions()) -> None:
        self.path, self.options = path, options
        if options.layer:
            raise BadPlate(f"{path}: layers are for EXR; leave --layer out")
        if options.view:
            raise BadPlate(f"{path}: views are for EXR; leave --view out")
        if not path.is_file():
            what = "a folder, not a movie; name a movie" if path.is_dir() else "no such file; check its name and folder"
            raise BadPlate(f"{path}: {what}")
        try:
            if not path.stat().st_size:
                raise BadPlate(f"{path}: the file is empty; take another copy of it")
            with open_container(path) as container:
                if not container.streams.video:
                    raise BadPlate(f"{path}: this movie has no picture; give one with a video stream")
                stream = container.streams.video[0]
                if not stream.codec_context:
                    raise BadPlate(f"{path}: no decoder for its picture; write the movie with another codec")
                check_size(path, stream.width, stream.height)
                check_can_be_read(path, stream.width, stream.height)
                said = (stream.average_rate, stream.guessed_rate, stream.base_rate)
                self.size = (stream.width, stream.height)
                components = stream.format.components if stream.format else ()
                self.bits = max((c.bits for c in components), default=8)
                self.has_sound = bool(container.streams.audio)
                self.pixel_aspect = stream.sample_aspect_ratio or None
                # Time stamps of all packets: numbers are exact for variable rates and after seeking.
                # What an edit list discards is decoded on the way but is no frame of the movie.
                packets = [(p.pts, p.duration or 0, p.is_discard) for p in container.demux(stream) if p.size]
                if len(packets) < stream.frames or _cut_off(path):
                    of = f" of {stream.frames}" if stream.frames else ""
                    raise BadPlate(
                        f"{path}: the file is cut off after frame {len(packets)}{of}; take another copy of it"
                    )
                shown = [(pts, length) for pts, length, is_discarded in packets if pts is not None and not is_discarded]
                self._orientation, self._from_the_start_only = Orientation(), False
                self._alpha_decoder = _alpha_decoder(stream)
                first = self._first()
                if first is not None:
                    self._orientation, self.is_interlaced = Orientation.of(first), bool(first.interlaced_frame)
                    self.tags, self.is_rgb, self.hdr = tags_of(first), is_rgb(first), hdr_of(first)
                    if first.pts is not None:  # what stands before it leans on frames that are not in the file
                        self.undecodable = sum(pts < first.pts for pts, _ in shown)
                        shown = [(pts, length) for pts, length in shown if pts >= first.pts]
                    # a palette comes with the first packet only
                    self._from_the_start_only = first.format.name == "pal8" or len({p for p, _ in shown}) < len(shown)
                metadata = (stream.metadata, *(d.metadata for d in container.streams), container.metadata)
                # Matroska writes TIMECODE
                facts = {name.lower(): text for m in reversed(metadata) for name, text in m.items()}
                self._timecode, self._reel = facts.get("timecode"), facts.get("reel_name")
                self.has_alpha = bool(self._alpha_decoder) or any(c.is_alpha for c in components)
                self.rotation, self.is_mirrored = self._orientation.rotation, self._orientation.is_mirrored
                if self._orientation.is_transposed:
                    self.tags = same_matrix(self.tags, self.size[1], self.size[0])
                    self.size = (self.size[1], self.size[0])
                    self.pixel_aspect = 1 / self.pixel_aspect if self.pixel_aspect else None
                self.time_base = Fraction(stream.time_base or Fraction(1, 90000))
        except (FFmpegError, OSError) as error:
            if isinstance(error, ArgumentError):  # FFmpeg's word for what is not on the list of containers
                why = "not a movie, or of a kind that Scumble does not open; give it the suffix of its format"
                raise BadPlate(f"{path}: {why} ({formats()})") from error
            raise BadPlate(
                f"{path}: not a movie that can be read ({error.strerror}); take another copy of it"
            ) from error
        if not packets:
            raise BadPlate(f"{path}: this movie has no frames; give one that has")
        last = max(shown, default=(0, 0))[1]
        times = times_of([pts for pts, _ in shown], self.time_base, last, said) if shown else None
        if times is None or (len(shown) == 1 and len(packets) > 1):
            raise BadPlate(f"{path}: its frames have no times and no rate; write the movie again, or a sequence of it")
        self._times, self.repeated_stamps = times, times.repeated
        self.is_variable, self.frame_rate = times.is_variable, times.rate
        if self._timecode and later(self._timecode, 0, times.rate) is None:
            self.lost_timecode, self._timecode = self._timecode, None
        if options.timecode and later(options.timecode, 0, times.rate) is None:
            rate = f"{float(times.rate):.5g}"
            raise BadPlate(f"{path}: {options.timecode} is no timecode at {rate} frames/s; give HH:MM:SS:FF")
        self._timecode = self._timecode or options.timecode or None
        self.colour_space, self.colour_origin = _space(self.tags, options)
        self.numbers = tuple(range(first_frame, first_frame + len(times.stamps)))

    def seconds(self, number: int) -> Fraction:
        """See `Plate.seconds`."""
        return self._times.shown[number - self.numbers[0]]

    def file_of(self, number: int) -> Path:
        """See `Plate.file_of`."""
        return self.path

    def metadata(self, number: int) -> Metadata:
        """See `Plate.metadata`."""
        assert self.frame_rate is not None
        code = self._timecode and later(self._timecode, number - self.numbers[0], self.frame_rate)
        return Metadata(code, self.frame_rate, self._reel, self.pixel_aspect)

    def read(self, numbers: Sequence[int], margin: Margin = NO_MARGIN) -> Iterator[Frame]:
        """See `Plate.read`."""
        outside = [n for n in numbers if n not in self.frame_range]
        if outside:
            raise BadPlate(f"{self.path}: frame {outside[0]} is outside the movie's {self.frame_range}")
        if not numbers:
            return
        wanted = list(numbers)
        reformatter = VideoReformatter()  # one for each reader: two threads that share one wait for each other for ever
        try:
            with open_container(self.path) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                while wanted:
                    for number, picture in self._from(container, stream, wanted[0]):
                        if number < wanted[0]:
                            continue
                        if number > wanted[0]:
                            raise BadPlate(f"{self.path}: frame {wanted[0]} cannot be decoded; repair the movie")
                        sound = self._whole_picture(number) if picture.is_corrupt else picture
                        pixels, alpha = self._pixels(sound, number, reformatter)
                        yield Frame(number, pixels, self.colour_space, alpha, self.metadata(number))
                        wanted.pop(0)
                        # go on decoding when the next frame is near, else jump
                        if not wanted or wanted[0] > number + 48:
                            break
                    else:
                        raise BadPlate(f"{self.path}: frame {wanted[0]} cannot be decoded; the file ends before it")
        except FFmpegError as error:
            raise BadPlate(f"{self.path}: frame {wanted[0]} cannot be decoded ({error.strerror})") from error

    def _from(self, container: Any, stream: Any, wanted: int) -> Iterator[tuple[int, Any]]:
        """Decoded frames by number, the first of them at or before `wanted` where that can be had.

        No seek where the first frame is wanted. A seek may land on a key frame behind the leading frames that need
        the one before it (open GOP): then again from further back, at last from the start.
        """
        stamps = self._times.stamps
        target = stamps[wanted - self.numbers[0]]
        for back in (0.0, 2.0, 10.0, None):
            start = None if back is None else target - int(back / self.time_base)
            if start is None or start <= stamps[0] or self._from_the_start_only:
                with open_container(self.path) as anew:
                    anew.streams.video[0].thread_type = "AUTO"
                    yield from self._numbered(self._decoded(anew))
                return
            container.seek(start, stream=stream)
            frames = self._numbered(self._decoded(container))
            decoded = next(frames, None)
            if decoded is None or decoded[0] > wanted:
                continue
            yield decoded
            yield from frames
            return

    def _numbered(self, pictures: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        """Decoded pictures with their numbers; several of one stamp are counted on."""
        place_of: dict[int, int] = {}
        for place, stamp in enumerate(self._times.stamps):
            place_of.setdefault(stamp, place)
        seen: dict[int, int] = {}
        for picture in pictures:
            if picture.pts in place_of:
                again = seen.get(picture.pts, 0)
                seen[picture.pts] = again + 1
                yield self.numbers[0] + place_of[picture.pts] + again, picture

    def _whole_picture(self, number: int) -> Any:
        """A frame that the decoder calls corrupt: after a seek it may only lack the frames that it refers to."""
        with open_container(self.path) as container:
            for place, picture in self._numbered(self._decoded(container)):
                if place == number and not picture.is_corrupt:
                    return picture
        raise BadPlate(f"{self.path}: frame {number} is damaged; leave it out with --frames, or take another copy")

    def _first(self) -> Any:
        """The first picture that can be decoded, None without one."""
        with open_container(self.path) as container:
            return next(self._decoded(container), None)

    def _decoded(self, container: Any) -> Iterator[Any]:
        """The pictures of a movie from where it stands."""
        if not self._alpha_decoder:
            yield from container.decode(video=0)
            return
        stream, decoder = container.streams.video[0], av.CodecContext.create(self._alpha_decoder, "r")
        for packet in container.demux(stream):
            for picture in decoder.decode(packet):  # type: ignore[attr-defined] # of a video decoder
                picture.time_base = stream.time_base
                yield picture

    def _pixels(self, picture: av.VideoFrame, number: int, reformatter: VideoReformatter) -> tuple[Any, Any]:
        coded = self.size[::-1] if self._orientation.is_transposed else self.size
        if (picture.width, picture.height) != coded:
            raise BadPlate(
                f"{self.path}: frame {number} is {picture.width}x{picture.height}, the movie"
                f" {coded[0]}x{coded[1]}; a plate has one size: cut the movie there"
            )
        parts = rgb_of(picture, self.bits, self.has_alpha, reformatter)
        pixels, alpha = (None if p is None else np.ascontiguousarray(self._orientation.upright(p)) for p in parts)
        return pixels, alpha


def _alpha_decoder(stream: Any) -> str:
    """The decoder of a WebM's alpha, which FFmpeg's own ones of VP8 and VP9 pass over; empty where there is none."""
    own = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.name, "")
    says = {name.lower(): value for name, value in stream.metadata.items()}
    return own if says.get("alpha_mode") == "1" and own in av.codecs_available else ""


def _space(tags: Tags, options: PlateOptions) -> tuple[ColourSpace, ColourOrigin]:
    """A movie's colour space by its primaries and curve."""
    if options.in_space:
        return options.colours.space(options.in_space), ColourOrigin("--in-space")
    if not tags.say_space:
        return colour.DISPLAY, ColourOrigin("no tags", is_assumed=True)
    known = space_of(tags.primaries, tags.curve)
    if known is None:
        said = f"primaries {tags.primaries} and curve {tags.curve} have no space here"
        return colour.DISPLAY, ColourOrigin(said, is_assumed=True, is_doubtful=True)
    return known, TAGS


# FFmpeg's demuxers of files that hold a movie themselves: no playlists and scripts, which name other files
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mxf,mpegts,mpeg,yuv4mpegpipe,gif,apng,asf,flv,ogg,dv,ivf"


def open_container(path: Path) -> Any:
    """Open a movie for reading. Tags in no known encoding are no reason to refuse it.

    As a file whatever its name: a colon in it names no protocol. Raises FFmpegError for what is no movie.
    """
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    return av.open(f"file:{path}", metadata_errors="replace", container_options=options)


def holds_movie(path: Path) -> bool:
    """Whether a file is a movie, by its content."""
    try:
        with open_container(path) as container:
            return bool(container.streams.video)
    except (FFmpegError, OSError):
        return False


def _cut_off(path: Path) -> bool:
    """Whether a Matroska file ends before the size that its segment states [RFC 8794, RFC 9559]."""

    def number(f: BinaryIO) -> int | None:
        first = (f.read(1) or b"\xff")[0]
        more = 8 - first.bit_length()
        value = int.from_bytes(bytes([first & (0x7F >> more)]) + f.read(more), "big")
        return None if value == (1 << 7 * (more + 1)) - 1 else value

    with path.open("rb") as f:
        if f.read(4) != b"\x1a\x45\xdf\xa3":
            return False
        f.seek(number(f) or 0, os.SEEK_CUR)
        if f.read(4) != b"\x18\x53\x80\x67":
            return False
        size = number(f)  # None: a live recording, whose end nobody knew
        return size is not None and f.tell() + size > path.stat().st_size
