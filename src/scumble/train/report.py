"""The report of a training run, `report.html`: curves, grids, figures and settings in one file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scumble.core.frames import spread
from scumble.quality.html_report import Drawing, Picture, Section, Table, Text, curves, write
from scumble.train.journal import GRIDS, JOURNAL, PREVIEWS, read_journal

SHOWN_GRIDS = 4


def write_report(folder: Path) -> Path:
    """Read a finished run's journal, card and grids; write `report.html` beside them."""
    lines = read_journal(folder / JOURNAL)
    card = json.loads((folder / "card.json").read_text("utf-8"))
    terms = [line for line in lines if "split" not in line]
    seen = [line for line in lines if line.get("split") == "val"]
    sections = [
        Section("Figures", [_figures(card), Text(FIGURES)]),
        Section("On the validation split", _validation(seen)),
        Section("Losses", _losses(terms)),
        Section("Pictures", _pictures(folder)),
        Section("Settings", [Text(json.dumps(card["settings"], indent=2), preformatted=True)], folded=True),
        Section("Data", [Table(["kind and split", "pictures"], [(k, str(v)) for k, v in card["pictures"].items()])]),
    ]
    minutes = card["seconds"] / 60
    lead = f"{card['step']:,} steps in {minutes:.1f} minutes; the best checkpoint by val is what looks are made from."
    target = folder / "report.html"
    write(target, f"Training run {folder.resolve().name}", lead, sections)
    return target


FIGURES = (
    "content: squared difference of instance-normalised relu4_1. style: squared difference of means and deviations"
    " over their size, mean of relu1_1 to relu4_1. pan: RMS x 255 of a picture moved by one pixel against its"
    " painting moved. composite: what the best checkpoint is chosen by. Lower is better."
)


def _figures(card: dict[str, Any]) -> Table:
    names = list(card["val"])
    splits = [(split, card[split]) for split in ("val", "test")]
    splits += [(f"{split}, of the start", figures) for split, figures in card.get("start", {}).items()]
    rows = [(label, *(f"{figures[name]:.4f}" for name in names)) for label, figures in splits]
    return Table(["split", *names], rows)


def _validation(seen: Sequence[dict[str, Any]]) -> list[Drawing | Text]:
    if len(seen) < 2:
        return [Text("One evaluation only: shorten run.evaluate_every for curves.")]
    names = [name for name in seen[-1] if name not in ("step", "split")]
    steps = [line["step"] for line in seen]
    return [Drawing(curves({name: (steps, [line[name] for line in seen])}), name) for name in names]


def _losses(terms: Sequence[dict[str, Any]]) -> list[Drawing | Text]:
    if len(terms) < 2:
        return [Text("Too few steps were written down: shorten run.log_every for curves.")]

    def series(name: str) -> tuple[list[int], list[float]]:
        kept = [line for line in terms if name in line]
        return [line["step"] for line in kept], [line[name] for line in kept]

    known = list(dict.fromkeys(name for line in terms for name in line if name != "step"))
    of_discriminator = [name for name in known if name.split("_")[0] == "d"]
    drawings = [Drawing(curves({name: series(name)}), name) for name in known if name not in of_discriminator]
    if of_discriminator:
        discriminator = {name.removeprefix("d_"): series(name) for name in of_discriminator if name != "d"}
        drawings += [
            Drawing(curves({"loss": series("d")}), "discriminator's loss"),
            Drawing(curves(discriminator), "discriminator's verdicts: share taken for real"),
        ]
    return list(drawings)


def _pictures(folder: Path) -> list[Picture]:
    grids = sorted((folder / GRIDS).glob("val_*.jpg"))
    kept = [grids[i] for i in spread(range(len(grids)), SHOWN_GRIDS)] + sorted((folder / GRIDS).glob("test_*.jpg"))[-1:]
    places = [path.stem.split("_") for path in kept]
    previews = sorted((folder / PREVIEWS).glob("*.jpg"))
    whole = [previews[i] for i in spread(range(len(previews)), 2)]
    return [Picture(p.read_bytes(), f"step {int(p.stem):,}: frames and their paintings") for p in whole] + [
        Picture(path.read_bytes(), f"{split}, step {int(step):,}: content, style, painting")
        for path, (split, step) in zip(kept, places, strict=True)
    ]
