"""Numbered sequences and single stills as plates, and their writer."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Literal

from scumble.core.errors import BadOutput, BadPlate
from scumble.core.frames import NO_MARGIN, Frame, Margin, Metadata, format_frames
from scumble.media.colour_tags import plate_space
from scumble.media.pattern import Pattern, folder_pattern, parse_pattern
from scumble.media.picture_reader import read_frame, read_header, sizes_of_pages
from scumble.media.picture_writer import write_picture
from scumble.media.plate import STILLS, Plate, PlateOptions, WriterSettings, formats, not_a_format
from scumble.media.timecode import later


def open_stills(path: Path, first_frame: int | None = None, options: PlateOptions = PlateOptions()) -> StillsPlate:
    """A pattern, a folder with one sequence, or a single picture. Raises BadPlate."""
    if options.timecode:
        raise BadPlate(f"{path}: --timecode is for movies, pictures have their numbers; leave it out")
    pattern = parse_pattern(path)
    if path.is_dir():
        pattern = folder_pattern(path, STILLS)
    elif pattern is None or path.is_file():
        if path.suffix.lower() not in STILLS:
            raise BadPlate(f"{path}: {path.suffix or 'no suffix'} is not a format that Scumble reads; {formats()}")
        if not path.is_file():
            raise BadPlate(f"{path}: no such file; check its name and folder")
        return StillsPlate(path, "still", {1 if first_frame is None else first_frame: path}, None, options)
    files = pattern.find()
    if not files:
        raise BadPlate(f"{pattern}: no frame of this sequence found; check the folder and the number of digits")
    if first_frame is not None:
        moved = first_frame - min(files)
        files = {number + moved: file for number, file in files.items()}
    return StillsPlate(path, "sequence", files, pattern, options)


class StillsPlate(Plate):
    """See `Plate`."""

    def __init__(
        self,
        path: Path,
        kind: Literal["sequence", "still"],
        files: dict[int, Path],
        pattern: Pattern | None = None,
        options: PlateOptions = PlateOptions(),
    ) -> None:
        self.path, self.kind, self.files, self.pattern, self.options = path, kind, files, pattern, options
        self.layer, self.view = options.layer, options.view
        self.numbers = tuple(files)
        first = next(iter(files.values()))
        if options.layer and first.suffix.lower() != ".exr":
            raise BadPlate(f"{first}: layers are for EXR; leave --layer out")
        if options.view and first.suffix.lower() != ".exr":
            raise BadPlate(f"{first}: views are for EXR; leave --view out")
        header = read_header(first, options.layer, options.view)
        self.views, self._channels = header.views, header.channels
        if kind == "still" and first.suffix.lower() in (".tif", ".tiff"):
            self.other_pictures = len(sizes_of_pages(first)) - 1
        self.size, self.bits, self.has_alpha = header.size, header.bits, header.has_alpha
        self.colour_space, self.colour_origin = plate_space(first, header, options)
        self.frame_rate = header.metadata.frame_rate
        self.pixel_aspect = header.metadata.pixel_aspect

    @property
    def own_name(self) -> str:
        """See `Plate.own_name`."""
        return self.path.name if self.kind == "still" or self.pattern is None else Path(str(self.pattern)).name

    @property
    def shot_name(self) -> str:
        """A sequence's name without numbers, or its folder's."""
        if self.pattern is None:
            return self.path.stem
        return self.pattern.before.rstrip("._-") or self.pattern.folder.absolute().name

    @property
    def channels(self) -> Mapping[int, Path]:  # type: ignore[override]
        """See `Plate.channels`."""
        return self.files if self.file_of(self.numbers[0]).suffix.lower() == ".exr" else {}

    def repeating(self, holes: Sequence[int]) -> StillsPlate:
        """See `Plate.repeating`."""
        files = dict(self.files)
        for hole in holes:
            before = bisect_right(self.numbers, hole) - 1
            files[hole] = self.files[self.numbers[max(0, before)]]
        whole = copy(self)
        whole.files, whole.repeated = dict(sorted(files.items())), frozenset(holes)
        whole.numbers = tuple(whole.files)
        return whole

    def with_view(self, view: str) -> StillsPlate:
        """See `Plate.with_view`."""
        kind: Literal["sequence", "still"] = "still" if self.kind == "still" else "sequence"
        own = StillsPlate(self.path, kind, self.files, self.pattern, replace(self.options, view=view))
        own.repeated, own.margin = self.repeated, self.margin
        return own

    def file_of(self, number: int) -> Path:
        """See `Plate.file_of`."""
        return self.files[number]

    def metadata(self, number: int) -> Metadata:
        """See `Plate.metadata`."""
        return self._counted(number, read_header(self.files[number], self.layer, self.view).metadata)

    def _counted(self, number: int, metadata: Metadata) -> Metadata:
        """A frame that repeats another one has a timecode of its own."""
        if number not in self.repeated or metadata.timecode is None or metadata.frame_rate is None:
            return metadata
        source = next(n for n in self.numbers if n not in self.repeated and self.files[n] == self.files[number])
        return replace(metadata, timecode=later(metadata.timecode, number - source, metadata.frame_rate))

    def check(self, numbers: Sequence[int]) -> None:
        """See `Plate.check`."""
        for number in numbers if self.kind == "sequence" else ():
            file = self.files[number]
            try:
                own = read_header(file, self.layer, self.view)
                space, _ = plate_space(file, own, self.options)
            except BadPlate as error:
                raise self._named(number, error) from error
            self._check_size(number, own.size)
            if space != self.colour_space:
                raise BadPlate(
                    f"{file}: frame {number} is {space}, the plate {self.colour_space}; write all frames in one space,"
                    " or name it with --in-space"
                )
            if own.channels != self._channels:
                other = sorted(own.channels ^ self._channels)[0]
                has = "has a channel" if other in own.channels else "lacks the channel"
                raise BadPlate(
                    f"{file}: frame {number} {has} {other}, unlike the first; write all frames with the same channels,"
                    " or leave it out with --frames"
                )

    def _named(self, number: int, error: BadPlate) -> BadPlate:
        """What is wrong with a frame, with its number where there are several."""
        return BadPlate(f"frame {number}: {error}" if self.pattern else str(error))

    def _check_size(self, number: int, size: tuple[int, int]) -> None:
        if size != self.size:
            raise BadPlate(
                f"{self.files[number]}: frame {number} is {size[0]}x{size[1]},"
                f" the plate {self.size[0]}x{self.size[1]}; a plate has one size: leave it out with --frames"
            )

    def window(self, numbers: Sequence[int], wanted: Sequence[int] = ()) -> Margin:
        """See `Plate.window`."""
        windows, must = set(), set(wanted)
        for number in numbers:
            if self.files[number].suffix.lower() != ".exr":
                windows.add(NO_MARGIN)
                continue
            try:
                windows.add(read_header(self.files[number], self.layer, self.view).window)
            except BadPlate as error:
                if number in must:
                    raise self._named(number, error) from error
        return Margin(*map(max, zip(*windows, strict=True))) if windows else NO_MARGIN

    def within(self, margin: Margin) -> StillsPlate:
        """See `Plate.within`."""
        part = copy(self)
        part.margin = margin
        return part

    def read(self, numbers: Sequence[int], margin: Margin = NO_MARGIN) -> Iterator[Frame]:
        """See `Plate.read`."""
        missing = [n for n in numbers if n not in self.files]
        if missing:
            raise BadPlate(
                f"{self.path}: frame {missing[0]} is missing ({format_frames(missing[:50])});"
                f" the plate has {format_frames(self.numbers)}"
            )
        for number in numbers:
            yield self._read(number, self.margin if margin == NO_MARGIN else margin)

    def _read(self, number: int, margin: Margin) -> Frame:
        try:
            frame = read_frame(self.files[number], number, self.colour_space, self.layer, margin, self.view)
        except BadPlate as error:
            raise self._named(number, error) from error
        height, width = frame.pixels.shape[:2]
        left, top, right, bottom = margin
        self._check_size(number, (width - left - right, height - top - bottom))
        return replace(frame, metadata=self._counted(number, frame.metadata))


class StillsWriter:
    """See `scumble.media.plate.Writer`; one picture per frame, by the output's pattern, or a single still."""

    def __init__(self, path: Path, settings: WriterSettings) -> None:
        if path.suffix.lower() not in STILLS:
            raise BadOutput(not_a_format(path))
        self.path, self.settings = path, settings
        self.pattern: Pattern | None = parse_pattern(path)

    def file(self, number: int) -> Path:
        """Where a frame goes."""
        return self.path if self.pattern is None else self.pattern.path(number)

    def write(self, frame: Frame) -> None:
        """Encode one frame; integers are rounded, float formats keep every value."""
        write_picture(self.file(frame.number), frame, self.settings)

    def close(self) -> None:
        """Every file is whole already."""

    def abort(self) -> None:
        """Frames that are done stay: a farm goes on from them."""
