"""Final Cut Pro 7 XML by OpenTimelineIO's adapter, and what that one (1.0) leaves out.

It leaves nested sequences empty, and only keeps speeds and `enabled` as metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import opentimelineio as otio

from scumble.edit.clock import seconds

NESTED = 8  # sequences in sequences


def read_xmeml(path: Path) -> Any:
    """What a document holds: a timeline, or several. Raises any kind of error, as the adapter does."""
    read = otio.adapters.read_from_string(_nested_whole(path), adapter_name="fcp_xml")
    timelines = [read] if isinstance(read, otio.schema.Timeline) else list(read)
    for timeline in timelines:
        if isinstance(timeline, otio.schema.Timeline):
            for track in timeline.tracks:
                _complete(track)
    return read


def _nested_whole(path: Path) -> str:
    """Final Cut Pro 7's XML with what OpenTimelineIO's adapter (1.0) misses of nested sequences.

    Later uses only name the first one; and it looks for tracks in the sequence itself, not in its `media`.
    """
    root = ElementTree.parse(path).getroot()  # noqa: S314 - expat bounds entities and fetches nothing
    whole = {own.get("id"): own for own in root.iter("sequence") if own.get("id") and len(own)}
    seen: set[int] = set()
    for _ in range(NESTED):
        uses = [
            (item, own) for item in root.iter("clipitem") for own in item.findall("sequence") if id(own) not in seen
        ]
        for item, own in uses:
            used = deepcopy(whole.get(own.get("id"), own)) if not len(own) else own
            used.extend(list(used.find("media") or ()))
            item[list(item).index(own)] = used
            seen.add(id(used))
    return ElementTree.tostring(root, encoding="unicode")


def _complete(item: Any) -> None:
    """Speeds and `enabled` of an item and all in it."""
    if isinstance(item, otio.schema.Transition | otio.schema.Gap):
        return
    if str(item.metadata.get("fcp_xml", {}).get("enabled", "TRUE")).upper() == "FALSE":
        item.enabled = False
    if isinstance(item, otio.schema.Clip | otio.schema.Stack):
        _retime(item)
    if isinstance(item, otio.schema.Track | otio.schema.Stack):
        for child in item:
            _complete(child)


def _retime(clip: Any) -> None:
    """A filter `timeremap` as an effect; `in` counts frames of the retimed clip, backwards from the media's end."""
    for effect in list(clip.effects):
        words = effect.metadata.get("fcp_xml", {})
        if words.get("effectid") != "timeremap":
            continue
        given = words.get("parameter", [])
        parameters = {p.get("parameterid"): p.get("value") for p in ([given] if isinstance(given, Mapping) else given)}
        speed = Fraction(str(parameters.get("speed") or 100)).limit_denominator(100000) / 100
        if str(parameters.get("variablespeed", "0")) == "1":
            clip.effects.append(otio.schema.TimeEffect("timeremap", "TimeWarp"))
            return
        if str(parameters.get("reverse", "FALSE")).upper() == "TRUE":
            speed = -abs(speed)
        if speed == 1:
            return
        media = clip.media_reference if isinstance(clip, otio.schema.Clip) else None
        seen, there = clip.source_range, None if media is None else media.available_range
        if seen is None:
            return
        zero = Fraction(0) if there is None else seconds(there.start_time)
        into, lasts = seconds(seen.start_time) - zero, seconds(seen.duration)
        begins = zero + into * abs(speed)
        if speed < 0 and there is not None:
            begins = zero + seconds(there.duration) - (into + lasts) * abs(speed)
        rate = seen.start_time.rate
        start = otio.opentime.RationalTime(float(begins * Fraction(rate)), rate)
        clip.source_range = otio.opentime.TimeRange(start, seen.duration)
        warp = otio.schema.LinearTimeWarp("timeremap", time_scalar=float(speed))
        clip.effects.append(warp if speed else otio.schema.FreezeFrame("timeremap"))
