"""What to look at in the morning: a report of quality for each shot, and a page of all, the worst first."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scumble.core.errors import ScumbleError
from scumble.core.files import written_whole
from scumble.core.pixels import resized
from scumble.core.progress import Progress, ignore
from scumble.core.working_space import to_working
from scumble.edit.shots import Shot
from scumble.edit.table import Row
from scumble.media.open import open_plate
from scumble.quality import qc
from scumble.quality.html_report import Block, Link, Picture, Section, Table, Text, jpeg, write

REPORTS = "reports"

INDEX = "index.html"

WIDTH = 320  # of the picture of a shot, in pixels


@dataclass(frozen=True)
class Judged:
    """A shot with what its report says."""

    shot: Shot
    facts: dict[str, Any]

    @property
    def report(self) -> str:
        return f"{REPORTS}/{self.shot.name}.html"

    @property
    def passes(self) -> bool:
        return bool(self.facts["passes"])

    @property
    def nearest(self) -> float:
        """How near the figure that is nearest to its limit is; more than 1 is beyond it."""
        ratios = [0.0]
        for name, value in self.facts["summary"].items():
            limit = self.facts["limits"][name]
            if value is None or self.facts["verdicts"][name] is None:
                continue
            if name == "sharpness":
                ratios.append(limit / max(value, 1e-6))
            else:
                ratios.append(value / limit if limit else float(value > 0) * 2)
        return max(ratios)

    @property
    def failing(self) -> str:
        """Names of the figures that do not keep their limits."""
        return ", ".join(name for name, kept in self.facts["verdicts"].items() if kept is False)


def judge(shot: Shot, folder: Path, limits: qc.Limits, tell: Callable[[Progress], None] = ignore) -> Judged:
    """A shot's report, measured where there is none of this render. Raises ScumbleError."""
    path = folder / REPORTS / f"{shot.name}.json"
    facts = _known(path, shot)
    if facts is None:
        first, last = shot.frames
        media = shot.row.found.media
        plate = open_plate(shot.plate)
        is_still = media is not None and media.is_still
        numbers = plate.numbers if is_still else [n for n in plate.numbers if first <= n <= last]
        options = shot.assigned.settings
        done = qc.examine(
            shot.plate,
            shot.output,
            frames=numbers,
            tell=tell,
            cuts=options.cuts,
            plate_options=options.plate_options,
        )
        facts = {"shot": shot.identity, **qc.as_json(done, limits)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path.with_suffix(".html"), *qc.page(done, limits))
        with written_whole(path) as part:
            part.write_text(json.dumps(facts, indent=1), "utf-8")
    return Judged(shot, facts)


def _known(path: Path, shot: Shot) -> dict[str, Any] | None:
    try:
        facts = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    is_ours = isinstance(facts, dict) and facts.get("shot") == shot.identity and path.with_suffix(".html").is_file()
    return facts if is_ours else None


def write_index(
    folder: Path, title: str, judged: Sequence[Judged], failed: Sequence[tuple[Row, str]], rows: Sequence[Row]
) -> Path:
    """The page of all shots: the worst first, then what was not painted."""
    ordered = sorted(judged, key=lambda j: (j.passes, -j.nearest, j.shot.name))
    bad = sum(not j.passes for j in judged)
    table = Table(
        ["shot", "verdict", "nearest to a limit", "frames", "beyond its limit"],
        [
            (
                Link(j.shot.name, j.report),
                "passes" if j.passes else "FAILS",
                f"{j.nearest:.2f}",
                str(len(j.facts["frames"])),
                j.failing,
            )
            for j in ordered
        ],
        words=True,
    )
    pictures: list[Block] = [picture for j in ordered if (picture := _picture(j)) is not None]
    left: list[tuple[str, ...]] = [(row.event.id, row.event.name, "failed", words) for row, words in failed]
    left += [(row.event.id, row.event.name, row.state, row.reason) for row in rows if row.state != "painted"]
    sections = [
        Section("Shots, the worst first", [table] if ordered else [Text("No shot was painted.")]),
        Section("Pictures", pictures),
        Section(
            "Not painted",
            [Table(["event", "name", "state", "why"], left, words=True)] if left else [Text("All events are painted.")],
        ),
    ]
    lead = f"{len(judged)} shots: {len(judged) - bad} pass, {bad} fail; {len(left)} events are not painted."
    write(folder / INDEX, title, lead, sections)
    return folder / INDEX


def _picture(judged: Judged) -> Picture | None:
    """The middle frame of a shot."""
    try:
        plate = open_plate(judged.shot.output)
        frame = next(iter(plate.read([plate.numbers[len(plate.numbers) // 2]])))
    except ScumbleError:
        return None
    pixels = to_working(frame.pixels, frame.colour_space).pixels
    height = max(1, round(WIDTH * pixels.shape[0] / pixels.shape[1]))
    verdict = "" if judged.passes else f": {judged.failing}"
    return Picture(jpeg(resized(pixels, (WIDTH, height))), f"{judged.shot.name}, frame {frame.number}{verdict}")
