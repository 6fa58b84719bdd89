"""What a run writes as it goes: `metrics.jsonl`, TensorBoard, grids."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from scumble.core.files import not_written, written_whole

BEST, RESUME, TRAVEL = "best.safetensors", "resume.safetensors", "travel.safetensors"

MATCH = "match.safetensors"  # what a match goes on from

CARD, BOARD = "card.json", "tensorboard"


@contextmanager
def written_or_refused(folder: Path) -> Iterator[None]:
    """Turns failed writes of the run's own files into one sentence."""
    try:
        yield
    except OSError as error:
        raise not_written(folder, error) from error


class Journal:
    """What a run records: TensorBoard, `metrics.jsonl`, and the grid of every evaluation.

    A run that goes on from step `first` drops what was written of later steps: it will see them again.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.folder = folder
        path = folder / JOURNAL
        kept = [line for line in read_journal(path) if line["step"] <= first] if first else []
        self.seen = {(line["step"], line["split"]) for line in kept if "split" in line}
        firsts = [line for line in kept if "split" in line and line["step"] == 0]
        self.start = {str(f["split"]): {k: v for k, v in f.items() if k not in ("step", "split")} for f in firsts}
        """Figures of the weights that the run began with, by split."""
        with written_whole(path) as part:
            part.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        with written_or_refused(folder):
            self.board = SummaryWriter(str(folder / BOARD), purge_step=first + 1 if first else None)
            self.lines = path.open("a", encoding="utf-8")

    def __enter__(self) -> Journal:
        self._hook = threading.excepthook
        threading.excepthook = self._not_of_the_board
        return self

    def _not_of_the_board(self, failed: threading.ExceptHookArgs) -> None:
        """TensorBoard's thread hands its error to the next write, which is refused in a sentence: no traceback too."""
        if type(failed.thread).__name__ != "_AsyncWriterThread":
            self._hook(failed)

    def __exit__(self, kind: object, *_: object) -> None:
        threading.excepthook = self._hook
        with written_or_refused(self.folder) if kind is None else suppress(OSError):
            self.lines.close()
            self.board.close()

    def terms(self, step: int, report: dict[str, float]) -> None:
        """A training step's named terms."""
        with written_or_refused(self.folder):
            for name, value in report.items():
                self.board.add_scalar(f"train/{name}", value, step)
            self._line({"step": step, **report})

    def figures(self, step: int, split: str, figures: dict[str, float], grid: Tensor) -> None:
        """An evaluation: figures and the grid (3, H, W) of content, style, painting; once a step and split."""
        if (step, split) in self.seen:
            return
        self.seen.add((step, split))
        codes = (grid.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with written_or_refused(self.folder):
            for name, value in figures.items():
                self.board.add_scalar(f"{split}/{name}", value, step)
            self.board.add_image(f"{split}/content, style, painting", grid, step)
            (self.folder / GRIDS).mkdir(exist_ok=True)
            Image.fromarray(codes).save(self.folder / f"{split}.png")
            Image.fromarray(codes).save(self.folder / GRIDS / f"{split}_{step:07d}.jpg", quality=90)
            self._line({"step": step, "split": split, **figures})

    def preview(self, step: int, picture: Tensor) -> None:
        """Whole pictures and their paintings (3, H, W)."""
        codes = (picture.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        with written_or_refused(self.folder):
            (self.folder / PREVIEWS).mkdir(exist_ok=True)
            Image.fromarray(codes).save(self.folder / PREVIEWS / f"{step:07d}.jpg", quality=88)
            self.board.add_image("preview", picture, step)

    def _line(self, values: dict[str, Any]) -> None:
        self.lines.write(json.dumps(values) + "\n")
        self.lines.flush()  # every line is there for whoever follows the run, or finds it killed


JOURNAL = "metrics.jsonl"

GRIDS = "grids"

PREVIEWS = "previews"


def read_journal(path: Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`; a last one that a kill has cut short is left out."""
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    for line in path.read_text("utf-8", "replace").splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and isinstance(values.get("step"), int):
            lines.append(values)
    return lines
