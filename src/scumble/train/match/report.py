"""What became of a match, as `report.html` in its folder: keys, frames that nobody painted, curves, changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scumble.core.frames import Pixels
from scumble.core.pixels import resized
from scumble.look.look import Look
from scumble.quality.html_report import Block, Drawing, Picture, Section, Table, Text, curves, jpeg, write
from scumble.rendering.review import labelled
from scumble.train.journal import JOURNAL, read_journal

WIDTH = 440  # pixels of each picture

LABEL = 22  # lines of its name

HELD_OUT = "held out "

FIGURES = (
    "Of the parts of the key frames that were never trained on. pixels: mean absolute difference from the painting"
    " x 255. features: difference of VGG features over their size. pan: RMS x 255 of the key frame moved by one pixel"
    " and painted, against its painting moved. Lower is better; the best weights are chosen by the three together."
)


def write_match_report(
    run: Path,
    look: Look,
    lead: str,
    pictures: Sequence[tuple[str, Sequence[tuple[str, Pixels]]]],
    changes: Mapping[int, float] | None = None,
) -> Path:
    """Write the page; `lead` is its first sentence.

    `pictures` are rows of named pictures (H, W, 3) in the working space, each under a caption.
    """
    facts = look.facts["training"]
    first, last = facts["held out at first"], facts["held out"]
    rows = [(name, f"{first[name]:.3f}", f"{last[name]:.3f}") for name in last]
    unseen = [
        (f"{split}, {name}", f"{facts['start'][split][name]:.3f}", f"{value:.3f}")
        for split in facts.get("start", {})
        for name, value in facts[split].items()
    ]
    sections = [
        Section("Figures", [Table(["held out", "before", "matched"], rows), Text(FIGURES)]),
        *([Section("Frames of val and test", [Table(["", "before", "matched"], unseen)])] if unseen else []),
        Section("Pictures", [Picture(jpeg(beside(row)), caption) for caption, row in pictures]),
        Section("Curves", _curves(read_journal(run / JOURNAL))),
        Section("Sources", [_keys(look.facts["sources"])]),
        Section("Settings", [Text(json.dumps(facts["settings"], indent=2), preformatted=True)], folded=True),
    ]
    if changes:
        numbers = sorted(changes)
        drawn = Drawing(curves({"change": (numbers, [changes[n] for n in numbers])}, "frame"), "by frame")
        ranked = sorted(changes, key=lambda n: -changes[n])
        table = Table(["frame", "change"], [(str(n), f"{changes[n]:.1f}") for n in ranked])
        words = Text("Mean absolute difference x 255 between each frame as it was painted before and as it is now.")
        sections.insert(1, Section("What changed", [drawn, words, table]))
    target = run / "report.html"
    write(target, f"Look {look.name}, matched", lead, sections)
    return target


def beside(named: Sequence[tuple[str, Pixels]]) -> Pixels:
    """Pictures of one shape in a row, each `WIDTH` pixels wide under its name."""
    shown = []
    for name, pixels in named:
        height = max(1, round(WIDTH * pixels.shape[0] / pixels.shape[1]))
        shown.append(labelled(np.clip(resized(pixels, (WIDTH, height)), 0, 1), name, LABEL))
    least = min(p.shape[0] for p in shown)  # a painting is cut to the network's stride
    return np.concatenate([p[:least] for p in shown], axis=1)


def _keys(sources: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ["frame", "picture"], [(str(s.get("frame", "")), str(s.get("picture", ""))) for s in sources], words=True
    )


def _curves(lines: Sequence[Mapping[str, Any]]) -> list[Block]:
    if len(lines) < 2:
        return [Text("Too few looks at the held-out parts for curves.")]
    names = dict.fromkeys(name for line in lines for name in line if name != "step")
    drawings = []
    for name in sorted(names, key=lambda n: not n.startswith(HELD_OUT)):
        kept = [line for line in lines if name in line]
        drawings.append(Drawing(curves({name: ([x["step"] for x in kept], [x[name] for x in kept])}), name))
    return list(drawings)
