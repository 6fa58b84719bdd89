"""Movies read through PyAV: every frame is found by its time stamp."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from scumble.core import colour
from scumble.core.colour import ColourSpace
from scumble.core.errors import BadPlate
from scumble.core.frames import NO_MARGIN, Frame, Margin, Metadata
from scumble.media import yuv
from scumble.media.codecs import EXACT
from scumble.media.ocio import CONFIG, Colours
from scumble.media.plate import ColourOrigin, Plate, PlateOptions, check_size
from scumble.media.timecode import later

TAGS = ColourOrigin("its tags")

SD_LINES = 576  # up to here a movie without tags is taken for Rec. 601, above for Rec. 709


class MoviePlate(Plate):
    """See `Plate`. Frames are numbered in order of presentation."""

    kind = "movie"

    def __init__(self, path: Path, first_frame: int = 1, options: PlateOptions = PlateOptions()) -> None:
        self.path, self.options = path, options
        if options.layer:
            raise BadPlate(f"{path}: layers are for EXR; leave --layer out")
        if not path.is_file():
            what = "a folder, not a movie; name a movie" if path.is_dir() else "no such file; check its name and folder"
            raise BadPlate(f"{path}: {what}")
        try:
            if not path.stat().st_size:
                raise BadPlate(f"{path}: the file is empty; take another copy of it")
            with open_container(path) as container:
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
                self.rotation, self.is_interlaced, tags = 0, False, (2, 2)
                if self._times:
                    self.rotation, self.is_interlaced, tags = self._first()
                said = (stream.metadata, *(d.metadata for d in container.streams), container.metadata)
                facts = {name.lower(): text for m in reversed(said) for name, text in m.items()}  # Matroska: TIMECODE
                self._timecode, self._reel = facts.get("timecode"), facts.get("reel_name")
                self.has_alpha = any(c.is_alpha for c in components)
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
        self.colour_space, self.colour_origin = _space(tags, options)
        self._last = 1 / Fraction(rate)  # how long the last frame is shown
        self.numbers = tuple(range(first_frame, first_frame + len(self._times)))

    def seconds(self, number: int) -> Fraction:
        """See `Plate.seconds`."""
        place = number - self.numbers[0]
        if place < len(self._times):
            return self._times[place] * self.time_base
        return self._times[-1] * self.time_base + self._last

    @property
    def is_variable(self) -> bool:  # type: ignore[override]
        """Whether frames are shown for times of more than a tick's difference."""
        steps = [b - a for a, b in pairwise(self._times)]
        return bool(steps) and max(steps) - min(steps) > max(1, int(Fraction(1, 1000) / self.time_base))

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
                        sound = self._from_the_start(number) if picture.is_corrupt else picture
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

        A seek may land on a key frame behind the leading frames that need the one before it (open
        GOP): then again from further back, at last from the start.
        """
        number_at = {t: self.numbers[0] + i for i, t in enumerate(self._times)}
        target, first = self._times[wanted - self.numbers[0]], self._times[0]
        for back in (0.0, 2.0, 10.0, None):
            start = first if back is None else target - int(back / self.time_base)
            container.seek(min(0, first) if start <= first else start, stream=stream)
            frames = ((number_at[p.pts], p) for p in container.decode(stream) if p.pts in number_at)
            decoded = next(frames, None)
            if decoded is None or (decoded[0] > wanted and start > first):
                continue
            yield decoded
            yield from frames
            return

    def _from_the_start(self, number: int) -> Any:
        """A frame that the decoder calls corrupt: after a seek it may only lack the frames that it refers to."""
        with open_container(self.path) as container:
            for picture in container.decode(video=0):
                if picture.pts == self._times[number - self.numbers[0]] and not picture.is_corrupt:
                    return picture
        raise BadPlate(f"{self.path}: frame {number} is damaged; leave it out with --frames, or take another copy")

    def _first(self) -> tuple[int, bool, tuple[int, int]]:
        """Of the first frame: degrees counter-clockwise that a display turns it by, interlace, primaries and curve."""
        with open_container(self.path) as container:
            for picture in container.decode(video=0):
                tags = (int(picture.color_primaries), int(picture.color_trc))
                return int(round(picture.rotation / 90) * 90 % 360), bool(picture.interlaced_frame), tags
        return 0, False, (2, 2)

    def _pixels(self, picture: av.VideoFrame, number: int, reformatter: VideoReformatter) -> tuple[Any, Any]:
        coded = self.size[::-1] if self.rotation % 180 else self.size
        if (picture.width, picture.height) != coded:
            raise BadPlate(
                f"{self.path}: frame {number} is {picture.width}x{picture.height}, the movie"
                f" {coded[0]}x{coded[1]}; a plate has one size: cut the movie there"
            )
        matrix = _matrix(picture)
        if (self.bits > 8 or self.has_alpha) and not yuv.known(picture.format.name):
            picture = self._planar(picture, reformatter)
        if (self.bits > 8 or self.has_alpha) and yuv.known(picture.format.name):
            exact = yuv.rgb_of(picture, matrix, int(picture.color_range) == int(ColorRange.JPEG))
            pixels, alpha = (None if p is None else np.rot90(p, self.rotation // 90) for p in exact)
            return np.ascontiguousarray(pixels), None if alpha is None else np.ascontiguousarray(alpha)
        rgb = reformatter.reformat(
            picture,
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=Colorspace.ITU709,
            interpolation=EXACT,
        )
        codes = np.rot90(rgb.to_ndarray(), self.rotation // 90)
        return codes.astype(np.float32) / np.float32(255), None

    def _planar(self, picture: av.VideoFrame, reformatter: VideoReformatter) -> av.VideoFrame:
        """The nearest format of planes that says the same; a packed one such as p010le, rgba or 8-bit alpha."""
        components = picture.format.components
        a = "a" if self.has_alpha else ""
        if picture.format.is_rgb:
            target = f"gbr{a}p{'16le' if self.bits > 8 else '' if not a else '10le'}"
        else:
            across, down = (
                max(getattr(c, side) for c in components) // max(1, min(getattr(c, side) for c in components))
                for side in ("width", "height")
            )
            sampling = "420" if down > 1 else "422" if across > 1 else "444"
            target = f"yuv{a}{sampling}p{max(10, self.bits)}le"
        if not yuv.known(target):
            return picture
        return reformatter.reformat(picture, format=target, interpolation=EXACT)


def _space(tags: tuple[int, int], options: PlateOptions) -> tuple[ColourSpace, ColourOrigin]:
    """A movie's colour space by primaries and curve, as ITU-T H.273 numbers them."""
    if options.in_space:
        return options.colours.space(options.in_space), ColourOrigin("--in-space")
    primaries, curve = tags
    pinned = Colours(CONFIG)
    if curve == int(ColorTrc.SMPTE2084):
        return pinned.space("Rec.2100-PQ - Display"), TAGS
    if curve == int(ColorTrc.ARIB_STD_B67):
        return pinned.space("Rec.2100-HLG - Display"), TAGS
    if curve == int(ColorTrc.LINEAR):
        return colour.LINEAR, TAGS
    if primaries == int(ColorPrimaries.BT2020):
        return pinned.space("Rec.1886 Rec.2020 - Display"), TAGS
    if primaries == int(ColorPrimaries.SMPTE432):
        return pinned.space("Display P3 - Display"), TAGS
    return colour.DISPLAY, ColourOrigin("no tags", is_assumed=True) if tags == (2, 2) else TAGS


def open_container(path: Path) -> Any:
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
        9: Colorspace.BT2020,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
        10: Colorspace.BT2020,
    }
    if tag in known:
        return known[tag]
    return Colorspace.ITU709 if picture.height > SD_LINES else Colorspace.ITU601
