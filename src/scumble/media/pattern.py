"""File names of sequences: `shot.####.exr`, `shot.%04d.png`, `shot.@@@@.tif`, `shot.$F4.exr`, a folder.

The library `fileseq` (3.4) was tried: it takes `C#_cover.png` for a sequence and `a.####_v2.exr` for none, and reads
`x-0005.exr` as frame -5.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from scumble.core.errors import BadOutput, BadPlate

# One `#` is one digit, as Nuke, Maya and Blender read it; OpenImageIO reads four and is never given one.
# A lone `#` or `@` counts only before a dot: hero@2x.png and C#_cover.png are names.
_MARK = re.compile(r"#{2,}|@{2,}|[#@](?=\.)|%(?:0(\d+))?d|\$F(\d*)")

_TAIL = re.compile(r"(\d+)$")  # a dash before the digits belongs to the name


@dataclass(frozen=True)
class Pattern:
    """Folder, name before the number, least digits, name after it."""

    folder: Path
    before: str
    digits: int
    after: str

    def path(self, number: int) -> Path:
        """The file of a frame; the sign of a negative number is one of its digits, as printf has it."""
        return self.folder / f"{self.before}{number:0{self.digits}d}{self.after}"

    def find(self) -> dict[int, Path]:
        """Files on disk by frame number, ascending."""
        name = re.compile(re.escape(self.before) + r"(-?\d+)" + re.escape(self.after))
        files: dict[int, Path] = {}
        if self.folder.is_dir():
            for entry in self.folder.iterdir():
                match = name.fullmatch(entry.name)
                if not match:
                    continue
                number = int(match[1])
                if self.path(number).name == entry.name:
                    files[number] = entry
                elif number < 0 and match[1] == f"-{-number:0{self.digits}d}":  # the sign beside the digits
                    files.setdefault(number, entry)
        return dict(sorted(files.items()))

    def __str__(self) -> str:
        return str(self.folder / f"{self.before}{'#' * self.digits}{self.after}")


class NamedFolder(type(Path())):  # type: ignore[misc]
    """A path that was written with a slash at its end: a folder, whatever dots are in its name."""


def output_path(text: str) -> Path:
    """An output as it stands on a command line."""
    return NamedFolder(text) if text.endswith(("/", os.sep)) else Path(text)


def parse_pattern(path: Path) -> Pattern | None:
    """The pattern in a path's name, or None when it has none."""
    marks = list(_MARK.finditer(path.name))
    if not marks:
        return None
    mark = marks[-1]
    digits = len(mark[0]) if mark[0][0] in "#@" else int(mark[1] or mark[2] or 1)
    return Pattern(path.parent, path.name[: mark.start()], digits, path.name[mark.end() :])


def folder_pattern(folder: Path, suffixes: set[str]) -> Pattern:
    """The one sequence in a folder. Raises BadPlate when there is none or more than one."""
    sequences: dict[tuple[str, str], list[str]] = {}
    for entry in sorted(folder.iterdir()):
        match = _TAIL.search(entry.stem)
        if match and entry.suffix.lower() in suffixes and not entry.name.startswith("."):
            digits = match[1]
            before = entry.stem[: match.start()]
            sequences.setdefault((before, entry.suffix), []).append(digits)
    if not sequences:
        empty = not any(folder.iterdir())
        what = "an empty folder" if empty else "no numbered pictures in this folder"
        raise BadPlate(f"{folder}: {what}; name a sequence such as shot.%04d.png, or one still")
    if len(sequences) > 1:
        names = ", ".join(f"{before}#{after}" for before, after in sequences)
        raise BadPlate(f"{folder}: several sequences in this folder ({names}); name one of them")
    ((before, after), numbers) = next(iter(sequences.items()))
    twice = next((d for d in numbers if [int(n) for n in numbers].count(int(d)) > 1), None)
    if twice is not None:
        raise BadPlate(
            f"{folder}: several files of frame {int(twice)} ({before}{twice}{after} is one); name a sequence"
        )
    return Pattern(folder, before, min(map(len, numbers)), after)


def output_pattern(path: Path) -> Pattern:
    """The pattern of an output sequence. Raises BadOutput."""
    pattern = parse_pattern(path)
    if pattern is None:
        raise BadOutput(f"{path}: several frames need a numbered name such as {path.stem}.####{path.suffix or '.png'}")
    return pattern
