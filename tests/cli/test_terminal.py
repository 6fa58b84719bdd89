"""What commands say while they work: lines in a log, JSON lines, and what the studio makes of those."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from scumble.cli import terminal
from scumble.cli.terminal import Display, as_json
from scumble.core.progress import Progress, note, said
from scumble.studio.work import _tell_event

FIGURES = Progress("training", 0.5, 1, step=7, figures={"style": 0.1}, judged="val", is_best=True)

EVENTS = [
    (note("a note"), {"event": "note", "text": "a note"}),
    (said("a sentence"), {"event": "text", "text": "a sentence"}),
    (Progress("packing", 2, 5), {"event": "progress", "task": "packing", "done": 2, "total": 5}),
    (
        Progress("training", 0.123456, 1, step=7),
        {"event": "progress", "task": "training", "step": 7, "done": 0.12346, "total": 1},
    ),
    (
        Progress("1001-1010", 3, 10, seconds=1.23456, frame=1003),
        {"event": "frame", "shot": "1001-1010", "frame": 1003, "seconds": 1.235, "done": 3, "total": 10},
    ),
    (
        FIGURES,
        {"event": "figures", "on": "val", "step": 7, "done": 0.5, "total": 1, "figures": {"style": 0.1}, "best": True},
    ),
]


@pytest.mark.parametrize(("event", "line"), EVENTS, ids=[line["event"] for _, line in EVENTS])
def test_an_event_is_one_json_object(event: Progress, line: dict[str, Any]) -> None:
    """These keys are a contract: the studio and others read them."""
    assert as_json(event) == line


def test_json_lines_are_printed_as_they_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SECONDS_AN_EVENT", 0.0)
    with Display("json") as tell:
        for event, _ in EVENTS:
            tell(event)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [line for _, line in EVENTS]


def test_files_of_one_count_share_its_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is a task of its own: lines go on over all of them, with the time that is left."""
    monkeypatch.setattr(terminal, "SECONDS_A_LINE", -1.0)
    with Display("bar") as tell:
        for place, name in enumerate("abc"):
            tell(Progress(name, place, 3))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("b: 1 of 3")
    assert second.startswith("c: 2 of 3")
    assert "min left" in second


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (FIGURES, {"done": 50, "message": "step 7  val: style 0.100"}),
        (Progress("training", 0.25, 1, step=3), {"done": 25, "message": None}),
        (Progress("packing", 2, 5), {"done": None, "message": "packing: 2 of 5"}),
        (said("a sentence"), {"done": None, "message": "a sentence"}),
    ],
)
def test_the_studio_shows_each_event_on_its_card(event: Progress, told: dict[str, Any]) -> None:
    heard: list[dict[str, Any]] = []
    store = SimpleNamespace(tell=lambda job, **facts: heard.append({"job": job, **facts}))
    _tell_event(SimpleNamespace(id="1"), SimpleNamespace(store=store), as_json(event))  # type: ignore[arg-type]
    assert heard == [{"job": "1", "total": 100, **told}]
