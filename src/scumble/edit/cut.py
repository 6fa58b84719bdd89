"""An edit with all that is wanted of it: its documents, what becomes of every event, the shots to paint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from scumble.edit.assign import Assignment
from scumble.edit.documents import Edit, read_edits
from scumble.edit.media import Library
from scumble.edit.shots import SHOTS, Shot, check_shots, shots_of
from scumble.edit.table import Row, counts, rows_of


@dataclass(frozen=True)
class Wishes:
    """How an edit is to be painted."""

    assignment: Assignment | None
    """None leaves everything as it is: for a table alone."""
    rate: Fraction | None = None
    """Of an EDL."""
    handles: int = 0
    media: tuple[Path, ...] = ()
    """Folders of footage; the document's own where there are none."""
    mapped: tuple[tuple[str, str], ...] = ()
    """Beginnings of paths on the editor's machine, and here."""
    suffix: str = ""
    """Format of the shots, as in .mov."""


@dataclass(frozen=True)
class Cut:
    """What a document holds, and what is painted of it."""

    checked: tuple[tuple[Edit, Sequence[Row]], ...]
    """Timelines with their events."""
    shots: tuple[Shot, ...]
    library: Library
    """Where its media were found, and sound is looked for."""

    @property
    def counts(self) -> dict[str, int]:
        """Of events, by state."""
        return counts(self.checked)

    @property
    def notes(self) -> list[str]:
        return [note for edit, _ in self.checked for note in edit.notes]

    @property
    def offline(self) -> list[Row]:
        return [row for _, rows in self.checked for row in rows if row.state == "offline"]


def read_cut(document: Path, wishes: Wishes, folder: Path) -> Cut:
    """A document read, its media found, its shots settled; nothing is written. Raises ScumbleError."""
    edits = read_edits(document, wishes.rate)
    library = Library(wishes.media or (document.absolute().parent,), wishes.mapped, folder / SHOTS)
    checked: list[tuple[Edit, Sequence[Row]]] = []
    shots: list[Shot] = []
    for n, edit in enumerate(edits, start=1):
        rows: Sequence[Row] = rows_of(edit, library, wishes.handles)
        if wishes.assignment is not None:
            prefix = "" if len(edits) == 1 else f"{n}_"
            mine, rows = shots_of(edit, rows, wishes.assignment, folder, wishes.suffix, prefix)
            shots += mine
        checked.append((edit, rows))
    check_shots(shots)
    return Cut(tuple(checked), tuple(shots), library)
