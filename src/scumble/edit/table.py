"""The events of an edit with what will become of each, as a table and as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import opentimelineio as otio

from scumble.core.errors import BadInput
from scumble.edit.documents import Edit
from scumble.edit.events import Event, events_of
from scumble.edit.media import Found, Library
from scumble.media.timecode import later

State = Literal["painted", "skipped", "offline"]


@dataclass(frozen=True)
class Row:
    """An event with its media and what becomes of it."""

    event: Event
    found: Found
    state: State
    reason: str = ""


def rows_of(edit: Edit, library: Library, handles: int) -> list[Row]:
    """Every event of an edit: painted, skipped with the reason, or offline with a remedy."""
    rows = []
    try:
        events = events_of(edit.timeline, edit.rate)
    except (otio.exceptions.OTIOError, ValueError, OverflowError, ZeroDivisionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise BadInput(f"{edit.path}: its timeline cannot be followed ({reason}); export it again") from error
    for event in events:
        if event.left_out:
            rows.append(Row(event, Found(), "skipped", event.left_out))
            continue
        found = library.find(event, handles)
        rows.append(Row(event, found, "offline" if found.offline else "painted", found.offline or found.note))
    return rows


def counts(edits: Sequence[tuple[Edit, Sequence[Row]]]) -> dict[str, int]:
    """How many events there are, and how many of each state."""
    states = Counter(row.state for _, rows in edits for row in rows)
    return {"events": sum(states.values()), **{state: states[state] for state in ("painted", "skipped", "offline")}}


def as_json(edit: Edit, rows: Sequence[Row]) -> dict[str, Any]:
    """Plain values."""
    return {
        "edit": str(edit.path),
        "timeline": edit.timeline.name,
        "rate": str(edit.rate),
        "notes": list(edit.notes),
        "events": [_values(edit, row) for row in rows],
    }


def _values(edit: Edit, row: Row) -> dict[str, Any]:
    event, found = row.event, row.found
    seen = found.seen or event.media_range()
    media = found.media
    return {
        "event": event.id,
        "name": event.name,
        "record": [event.record[0], event.record[1] - 1],
        "timecode": timecode(edit, event.record[0]),
        "speed": float(event.speed),
        "reel": event.source.reel,
        "url": event.source.url,
        "first": float(seen.first),
        "last": float(seen.last),
        "handles": [seen.before, seen.after],
        "media": None if media is None else str(media.path),
        "frames": None if media is None else list(found.frames),
        "state": row.state,
        "reason": row.reason,
    }


def timecode(edit: Edit, frame: int) -> str:
    """Of a frame of the timeline."""
    start = edit.timeline.global_start_time
    first = 0 if start is None else round(start.value * float(edit.rate) / start.rate)
    drops = edit.rate.denominator == 1001 and round(edit.rate) % 30 == 0 and edit.drops
    zero = "00:00:00;00" if drops else "00:00:00:00"
    return later(zero, first + frame, edit.rate) or str(first + frame)


def lines_of(edit: Edit, rows: Sequence[Row]) -> list[str]:
    """The table as text, one line an event, widest columns last."""
    head = ("event", "at", "frames", "speed", "source", "handles", "state", "name and media")
    table = [head]
    for row in rows:
        event, found = row.event, row.found
        seen = found.seen or event.media_range()
        source = f"{int(seen.first)}-{int(seen.last)}" if event.count else ""
        if found.media is not None:
            source = "{}-{}".format(*found.frames)
        about = f"{event.name or event.source.reel}: {row.reason}" if row.reason else event.name or event.source.reel
        if found.media is not None:
            about += f" <- {found.media.path.name}"
        speed = "" if event.speed == 1 else "still" if not event.speed else f"{float(event.speed):.4g}"
        table.append(
            (
                event.id,
                timecode(edit, event.record[0]),
                str(event.record[1] - event.record[0]),
                "warped" if event.is_warped or event.warps else speed,
                source,
                f"{seen.before}+{seen.after}" if event.count else "",
                row.state,
                about,
            )
        )
    widths = [max(len(line[i]) for line in table) for i in (0, 1, 2, 3, 4, 5, 6)]
    return ["  ".join([*(w.ljust(n) for w, n in zip(line, widths, strict=False)), line[-1]]).rstrip() for line in table]
