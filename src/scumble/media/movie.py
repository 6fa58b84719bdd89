"""Movies in and out through PyAV: every frame found by its time stamp, sound copied."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from scumble import colour
from scumble.errors import BadOutput, BadPlate
from scumble.files import not_written, part_of
from scumble.frames import Frame, FrameRange
from scumble.media import Plate, WriterSettings, check_size
from scumble.media.stills import quantised

SD_LINES = 576  # up to here a movie without tags is taken for Rec. 601, above for Rec. 709
PRIMING = Fraction(1, 5)  # seconds; AAC's 1024 to 2112 samples are less
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}


class MoviePlate(Plate):
    """See `scumble.media.Plate`. Frames are numbered in order of presentation."""

    kind = "movie"
    colour_space = colour.DISPLAY

    def __init__(self, path: Path, first_frame: int = 1) -> None:
        self.path = path
        if not path.is_file():
            what = "a folder, not a movie; name a movie" if path.is_dir() else "no such file; check its name and folder"
            raise BadPlate(f"{path}: {what}")
        try:
            if not path.stat().st_size:
                raise BadPlate(f"{path}: the file is empty; take another copy of it")
            with _open(path) as container:
                if not container.streams.video:
                    raise BadPlate(f"{path}: this movie has no picture; give one with a video stream")
                if container.format.name.endswith("_pipe"):
                    raise BadPlate(f"{path}: a picture, not a movie; give it the suffix of its format")
                stream = container.streams.video[0]
                if not stream.codec_context:
                    raise BadPlate(f"{path}: no decoder for its picture; write the movie with another codec")
                check_size(path, stream.width, stream.height)
                rate = stream.average_rate or stream.guessed_rate
                self.size = (stream.width, stream.height)
                components = stream.format.components if stream.format else ()
                self.bits = max((c.bits for c in components), default=8)
                self.has_sound = bool(container.streams.audio)
                self.pixel_aspect = stream.sample_aspect_ratio or None
                # Time stamps of all packets: numbers are exact for variable rates and after seeking.
                # What an edit list discards is decoded on the way but is no frame of the movie.
                packets = [(p.pts, p.is_discard) for p in container.demux(stream) if p.size]
                if len(packets) < stream.frames or _cut_off(path):
                    of = f" of {stream.frames}" if stream.frames else ""
                    raise BadPlate(
                        f"{path}: the file is cut off after frame {len(packets)}{of}; take another copy of it"
                    )
                self._times: list[int] = sorted({t for t, discarded in packets if t is not None and not discarded})
                self.rotation = 0
                if self._times:
                    self.rotation = self._rotation()
                if self.rotation % 180:
                    self.size = (self.size[1], self.size[0])
                    self.pixel_aspect = 1 / self.pixel_aspect if self.pixel_aspect else None
                self.time_base = Fraction(stream.time_base or Fraction(1, 90000))
        except (FFmpegError, OSError) as error:
            raise BadPlate(
                f"{path}: not a movie that can be read ({error.strerror}); take another copy of it"
            ) from error
        if not packets:
            raise BadPlate(f"{path}: this movie has no frames; give one that has")
        if not rate or not self._times or (len(self._times) == 1 and len(packets) > 1):
            raise BadPlate(f"{path}: its frames have no times and no rate; write the movie again, or a sequence of it")
        self.frame_rate: Fraction | None = Fraction(rate)
        self._reformatter = VideoReformatter()
        self._last = 1 / Fraction(rate)  # how long the last frame is shown
        self.numbers = tuple(range(first_frame, first_frame + len(self._times)))

    @property
    def frame_range(self) -> FrameRange:
        """All frames of the movie."""
        return FrameRange(self.numbers[0], self.numbers[-1])

    def seconds(self, number: int) -> Fraction:
        """When a frame is shown; the number after the last gives the end."""
        place = number - self.numbers[0]
        if place < len(self._times):
            return self._times[place] * self.time_base
        return self._times[-1] * self.time_base + self._last

    def files_of(self, numbers: Sequence[int]) -> list[Path]:
        """See `scumble.media.Plate.files_of`."""
        return [self.path] if numbers else []

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """See `scumble.media.Plate.read`."""
        outside = [n for n in numbers if n not in self.frame_range]
        if outside:
            raise BadPlate(f"{self.path}: frame {outside[0]} is outside the movie's {self.frame_range}")
        if not numbers:
            return
        wanted = list(numbers)
        try:
            with _open(self.path) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                while wanted:
                    for number, picture in self._from(container, stream, wanted[0]):
                        if number < wanted[0]:
                            continue
                        if number > wanted[0]:
                            raise BadPlate(f"{self.path}: frame {wanted[0]} cannot be decoded; repair the movie")
                        sound = self._from_the_start(number) if picture.is_corrupt else picture
                        yield Frame(number, self._pixels(sound, number), self.colour_space)
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

        A seek may land on a key frame behind the leading frames that need the one before it (open
        GOP): then again from further back, at last from the start.
        """
        number_at = {t: self.numbers[0] + i for i, t in enumerate(self._times)}
        target, first = self._times[wanted - self.numbers[0]], self._times[0]
        for back in (0.0, 2.0, 10.0, None):
            start = first if back is None else target - int(back / self.time_base)
            container.seek(min(0, first) if start <= first else start, stream=stream)
            frames = ((number_at[p.pts], p) for p in container.decode(stream) if p.pts in number_at)
            found = next(frames, None)
            if found is None or (found[0] > wanted and start > first):
                continue
            yield found
            yield from frames
            return

    def _from_the_start(self, number: int) -> Any:
        """A frame that the decoder calls corrupt: after a seek it may only lack the frames that it leans on."""
        with _open(self.path) as container:
            for picture in container.decode(video=0):
                if picture.pts == self._times[number - self.numbers[0]] and not picture.is_corrupt:
                    return picture
        raise BadPlate(f"{self.path}: frame {number} is damaged; leave it out with --frames, or take another copy")

    def _rotation(self) -> int:
        """Degrees counter-clockwise that a display turns the picture by (0, 90, 180, 270)."""
        with _open(self.path) as container:
            for picture in container.decode(video=0):
                return int(round(picture.rotation / 90) * 90 % 360)
        return 0

    def _pixels(self, picture: av.VideoFrame, number: int) -> Any:
        coded = self.size[::-1] if self.rotation % 180 else self.size
        if (picture.width, picture.height) != coded:
            raise BadPlate(
                f"{self.path}: frame {number} is {picture.width}x{picture.height}, the movie"
                f" {coded[0]}x{coded[1]}; a plate has one size: cut the movie there"
            )
        deep = self.bits > 8
        rgb = self._reformatter.reformat(
            picture,
            format="rgb48le" if deep else "rgb24",
            src_colorspace=_matrix(picture),
            dst_colorspace=Colorspace.ITU709,
            interpolation="BICUBIC",
        )
        codes = np.rot90(rgb.to_ndarray(), self.rotation // 90)
        return codes.astype(np.float32) / np.float32(65535 if deep else 255)


def _open(path: Path) -> Any:
    """For reading; tags in no known encoding are no reason to refuse a movie."""
    return av.open(str(path), metadata_errors="replace")


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


def _matrix(picture: av.VideoFrame) -> Colorspace:
    """The YUV matrix: the frame's own tag, else by size as players do."""
    tag = int(picture.colorspace)
    known = {
        1: Colorspace.ITU709,
        4: Colorspace.FCC,
        5: Colorspace.ITU601,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
    }
    if tag in known:
        return known[tag]
    return Colorspace.ITU709 if picture.height > SD_LINES else Colorspace.ITU601


class MovieWriter:
    """H.264, 4:2:0, Rec. 709, sound copied from the plate; written beside the output and renamed at the end."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        self.path, self.settings = path, settings
        self.part = part_of(path)
        width, height = settings.size
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"movflags": "+faststart"} if FORMATS[path.suffix.lower()] != "matroska" else {}
            self.container = av.open(
                str(self.part), "w", format=FORMATS[path.suffix.lower()], container_options=options
            )
        except (OSError, FFmpegError) as error:
            raise not_written(path, error) from error
        crf = round(40 - 0.3 * settings.quality)
        stream = self.container.add_stream(
            "libx264", rate=settings.frame_rate, options={"crf": str(crf), "preset": "medium"}
        )
        # 4:2:0 needs even sides: an odd one is coded with its last row or column repeated
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        if settings.pixel_aspect:
            stream.sample_aspect_ratio = settings.pixel_aspect
        context = stream.codec_context
        context.time_base = 1 / settings.frame_rate
        context.colorspace, context.color_primaries = Colorspace.ITU709, ColorPrimaries.BT709
        context.color_trc, context.color_range = ColorTrc.BT709, ColorRange.MPEG
        self.stream = stream
        self.reformatter = VideoReformatter()
        self.count = 0
        self.sound: _Sound | None = None
        self.container.metadata.update(settings.notes)
        try:
            self.sound = _sound(settings, self.container)
        except BaseException:
            self.abort()
            raise

    def write(self, frame: Frame) -> None:
        """Encode one frame; sound up to its time goes with it."""
        pixels = frame.pixels
        if frame.colour_space == colour.LINEAR:
            pixels = colour.linear_to_srgb(pixels)
        codes = quantised(pixels, 8)
        codes = np.pad(codes, ((0, codes.shape[0] % 2), (0, codes.shape[1] % 2), (0, 0)), mode="edge")
        picture = self.reformatter.reformat(
            av.VideoFrame.from_ndarray(codes, format="rgb24"),
            format="yuv420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation="BICUBIC",
        )
        picture.pts = self.count
        picture.time_base = 1 / self.settings.frame_rate
        self.count += 1
        try:
            self.container.mux(self.stream.encode(picture))
            if self.sound is not None:
                self.container.mux(self.sound.until(self.count / self.settings.frame_rate))
        except FFmpegError as error:
            raise not_written(self.path, error, f"frame {frame.number}") from error

    def close(self) -> None:
        """See `scumble.media.Writer.close`."""
        try:
            self.container.mux(self.stream.encode(None))
            if self.sound is not None:
                self.container.mux(self.sound.until(None))
            self._close()
            self.part.replace(self.path)
        except (OSError, FFmpegError) as error:
            raise not_written(self.path, error, "the end of the movie") from error
        finally:
            self.part.unlink(missing_ok=True)

    def _close(self) -> None:
        if self.sound is not None:
            self.sound.source.close()
        self.container.close()

    def abort(self) -> None:
        """See `scumble.media.Writer.abort`."""
        with suppress(FFmpegError):  # the file is thrown away
            self._close()
        self.part.unlink(missing_ok=True)


class _Sound:
    """Packets of a movie's sound within a span, shifted to start at 0."""

    def __init__(self, source: Any, output: Any, settings: WriterSettings) -> None:
        self.source = source
        self.start, self.end = settings.sound_span
        for stream in source.streams.audio:
            if stream.codec_context.name not in output.supported_codecs:
                raise BadOutput(
                    f"{settings.sound_from}: its sound ({stream.codec_context.name}) does not go into"
                    f" {output.format.name}; write an .mkv"
                )
        self.streams = {s.index: output.add_stream_from_template(s) for s in source.streams.audio}
        self.packets = source.demux(*source.streams.audio)
        self.waiting: Any = None

    def until(self, seconds: Fraction | None) -> list[Any]:
        """Packets that start before `seconds` of the output; None for all that are left."""
        found: list[Any] = []
        while True:
            packet = self.waiting or next(self.packets, None)
            self.waiting = None
            if packet is None:
                return found
            if packet.dts is None or packet.pts is None:
                continue
            at = packet.pts * packet.time_base - self.start
            # from the first frame on; a codec's priming, just before 0, belongs to a movie's start
            if at < -PRIMING or (at < 0 < self.start) or (self.end is not None and at >= self.end - self.start):
                continue
            if seconds is not None and at >= seconds:
                self.waiting = packet
                return found
            shift = round(self.start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self.streams[packet.stream.index]
            found.append(packet)


def _sound(settings: WriterSettings, output: Any) -> _Sound | None:
    if settings.sound_from is None:
        return None
    try:
        source = _open(settings.sound_from)
    except FFmpegError:
        return None
    if not source.streams.audio:
        source.close()
        return None
    return _Sound(source, output, settings)
