"""The folder of a run: whether it may be used, what goes on in it, what is brought along."""

from __future__ import annotations

import shutil
from pathlib import Path

from scumble.core.errors import BadInput, BadOutput
from scumble.core.progress import Listener, said
from scumble.train.data.dataset import Dataset
from scumble.train.journal import BEST, BOARD, CARD, GRIDS, JOURNAL, MATCH, PREVIEWS, RESUME, TRAVEL, written_or_refused


def beginning_of(
    folder: Path, resume: Path | None, overwrite: bool, again: str, tell: Listener
) -> tuple[Path | None, bool]:
    """The checkpoint that a run in this folder begins with, and whether it goes on with the run that is there.

    Raises BadOutput where another run would be lost, BadInput where there is no checkpoint.
    """
    checkpoint = checkpoint_of(resume, tell)
    goes_on = checkpoint is not None and checkpoint.resolve().parent == folder.resolve()
    if not goes_on and not overwrite:
        refuse_a_run(folder, again)
    return checkpoint, goes_on


def refuse_a_run(folder: Path, again: str) -> None:
    """Raises BadOutput where a folder holds a run that would be lost."""
    if (folder / JOURNAL).exists() and not only_begun(folder):
        raise BadOutput(f"{folder}: holds a run already; go on with {again}, or give --overwrite")


def checkpoint_of(resume: Path | None, tell: Listener) -> Path | None:
    """The checkpoint to go on from: the one given, or a run folder's exact one, else its travel one."""
    if resume is None or not resume.is_dir():
        if resume is not None and not resume.is_file():
            raise BadInput(f"{resume}: no such checkpoint; name {RESUME}, or the folder of a run")
        return resume
    for name in (RESUME, TRAVEL):
        if (resume / name).is_file():
            return resume / name
    if not only_begun(resume):
        raise BadInput(f"{resume}: no run to go on with in this folder; name one that scumble train has written")
    tell(said(f"{resume}: no checkpoint yet, beginning anew"))
    return None


def only_begun(folder: Path) -> bool:
    """A run that was killed before its first checkpoint has nothing to lose."""
    return (folder / JOURNAL).exists() and not any((folder / name).exists() for name in (RESUME, TRAVEL, MATCH, CARD))


def open_folder(folder: Path, checkpoint: Path | None, goes_on: bool) -> None:
    """Make a run's folder, empty of another run unless the run `goes_on` in it. Raises BadOutput.

    A checkpoint of another folder brings the past of its run along.
    """
    with written_or_refused(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part*"):  # of a run that was killed while it wrote
            left.unlink()
        if goes_on:
            return
        clear_run(folder)
        if checkpoint is not None:
            bring_along(checkpoint.parent, folder)


def clear_run(folder: Path) -> None:
    """Take away what a run writes, and nothing else."""
    for name in (BEST, RESUME, TRAVEL, MATCH, CARD, JOURNAL, "report.html", "val.png", "test.png"):
        (folder / name).unlink(missing_ok=True)
    for name in (BOARD, GRIDS, PREVIEWS):
        shutil.rmtree(folder / name, ignore_errors=True)


def bring_along(source: Path, folder: Path) -> None:
    """A run that goes on elsewhere takes its past along: the best weights so far, journal, grids and curves."""
    for name in (BEST, JOURNAL):
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    for name in (BOARD, GRIDS, PREVIEWS):
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name)


def counts_of(dataset: Dataset) -> dict[str, int]:
    counts: dict[str, int] = {}
    for r in dataset.records:
        counts[f"{r.kind} {r.split}"] = counts.get(f"{r.kind} {r.split}", 0) + 1
    return counts
