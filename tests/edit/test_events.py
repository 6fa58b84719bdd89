"""Which frames of its media an event needs."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

pytest.importorskip("opentimelineio")

import opentimelineio as otio
from opentimelineio.opentime import RationalTime, TimeRange

from scumble.edit.events import NEAR, events_of

NTSC = 23.976024627685547  # as Flame writes it

WARPS = {
    "ends early": [2.0, 1.896, 1.768, 1.592, 1.344, 1.0, 0.544, -0.008, -0.632, -1.304, -2.0],
    "beyond": [-5.0, -3.944, -2.852, -1.688, -0.416, 1.0, 2.584, 4.312, 6.148, 8.056, 10.0],
    "of a retime": [2.0, 1.704, 1.432, 1.208, 1.056, 1.0, 1.056, 1.208, 1.432, 1.704, 2.0],
}


# Clips as programs wrote them, and the frames that a conform tool of ten years expects of them: ynput/ayon-core,
# e671f73, tests/client/ayon_core/pipeline/editorial/test_media_range_with_retimes.py (Apache-2.0)
@pytest.mark.parametrize(
    ("source", "available", "first_file", "speed", "warp", "handles", "expected"),
    [
        ((0, 171, 25), (0, 16450, 25), None, 1, "", (10, 10), (0, 170, 0, 10)),
        ((90032, 44, 25), (86400, 100, 24), None, 1, "", (10, 10), (30, 71, 10, 10)),
        ((1937905.9905694576, 82, NTSC), (1937896, 98, 23.976), 1001, 1, "", (8, 8), (1009, 1090, 8, 8)),
        ((0, 171, 25), (0, 16450, 25), None, 2.5, "", (10, 10), (0, 426, 0, 25)),
        ((29.970030784606934, 11, NTSC), (0, 101, 24), None, -2, "", (10, 10), (30, 51, 20, 20)),
        ((909986.0387191772, 11, NTSC), (948674, 301, 25), 948674, 1, "ends early", (0, 10), (948852, 948858, 0, 10)),
        ((0, 101, 25), (0, 101, 25), 1000, 1, "", (10, 10), (1000, 1100, 0, 0)),
        ((34, 39, 25), (0, 101, 25), 1000, 1, "", (10, 10), (1034, 1072, 10, 10)),
        ((91046.625, 74, 25), (87399, 101, 24), 1000, 1, "", (10, 10), (1005, 1075, 5, 10)),
        ((0, 104, 25), (1000, 101, 24), 1000, 1, "", (10, 10), (1000, 1098, 0, 2)),
        ((883159, 108, 23.976), (883750, 755, 24), 883750, 1, "", (0, 0), (884043, 884150, 0, 0)),
        ((20.000000000000004, 41, 24), (0, 100, 24), 1000, -1, "", (0, 0), (1020, 1060, 0, 0)),
        ((1040, 41, 25), (1000, 101, 25), 1000, -0.7, "", (5, 5), (1040, 1068, 4, 4)),
        ((909986.0387191772, 11, NTSC), (948674, 301, 25), 948674, 2, "", (10, 10), (948850, 948871, 20, 20)),
        ((909990.8339241028, 5, NTSC), (948674, 301, 25), 948674, 0, "", (10, 10), (948855, 948855, 0, 0)),
        ((909986.0387191772, 11, NTSC), (948674, 301, 25), 948674, 1, "beyond", (0, 10), (948845, 948870, 0, 10)),
        ((909986.0387191772, 11, NTSC), (948674, 301, 25), 948674, 2, "of a retime", (0, 10), (948854, 948874, 0, 20)),
    ],
)
def test_media_ranges(
    source: tuple[float, float, float],
    available: tuple[float, float, float],
    first_file: int | None,
    speed: float,
    warp: str,
    handles: tuple[int, int],
    expected: tuple[int, int, int, int],
) -> None:
    there = TimeRange(RationalTime(available[0], available[2]), RationalTime(available[1], available[2]))
    if first_file is None:
        media = otio.schema.ExternalReference("a.mov", there)
    else:
        media = otio.schema.ImageSequenceReference(
            "/plates", "a.", ".exr", start_frame=first_file, rate=available[2], available_range=there
        )
    effects: list[otio.schema.Effect] = []
    if speed != 1:
        effects.append(otio.schema.LinearTimeWarp(time_scalar=speed))
    if warp:
        effects.append(otio.schema.TimeEffect("", "TimeWarp", metadata={"lookup": WARPS[warp]}))
    seen = TimeRange(RationalTime(source[0], source[2]), RationalTime(source[1], source[2]))
    timeline = otio.schema.Timeline(
        tracks=[otio.schema.Track(children=[otio.schema.Clip("c", media, seen, effects=effects)])]
    )
    (event,) = events_of(timeline, Fraction(24))
    before, after = (event.media_range(handle) for handle in handles)
    first = first_file or 0
    assert (
        math.floor(before.first + NEAR) + first,
        math.floor(before.last + NEAR) + first,
        before.before,
        after.after,
    ) == expected


def clip(name: str, first: int, count: int, **more: object) -> otio.schema.Clip:
    there = TimeRange(RationalTime(0, 24), RationalTime(1000, 24))
    seen = TimeRange(RationalTime(first, 24), RationalTime(count, 24))
    return otio.schema.Clip(name, otio.schema.ExternalReference(f"{name}.mov", there), seen, **more)


def test_nested_sequences_are_trimmed_and_retimed_with_what_is_around_them() -> None:
    inner = otio.schema.Stack(
        "nest",
        children=[otio.schema.Track(children=[clip("a", 100, 20), clip("b", 200, 20)])],
        source_range=TimeRange(RationalTime(10, 24), RationalTime(10, 24)),
        effects=[otio.schema.LinearTimeWarp(time_scalar=2.0)],
    )
    timeline = otio.schema.Timeline(
        tracks=[otio.schema.Track("V1", children=[clip("first", 0, 5), inner, clip("last", 50, 3)])]
    )
    found = events_of(timeline, Fraction(24))
    assert [(event.id, event.name, event.record) for event in found] == [
        ("V1/1", "first", (0, 5)),
        ("V1/2.1", "a", (5, 10)),
        ("V1/2.2", "b", (10, 15)),
        ("V1/3", "last", (15, 18)),
    ]
    assert [(int(e.media_range().first), int(e.media_range().last)) for e in found[1:3]] == [(110, 119), (200, 209)]


def test_an_empty_nest_is_an_event_too() -> None:
    empty = otio.schema.Stack("nest", source_range=TimeRange(RationalTime(0, 24), RationalTime(10, 24)))
    timeline = otio.schema.Timeline(tracks=[otio.schema.Track("V1", children=[empty])])
    (event,) = events_of(timeline, Fraction(24))
    assert (event.id, event.record, event.left_out) == ("V1/1", (0, 10), "a nested sequence without pictures")


def test_tracks_and_clips_that_are_off_and_speeds_that_are_not_told() -> None:
    off = otio.schema.Track("V2", children=[clip("a", 0, 5)])
    off.enabled = False
    warped = clip("w", 100, 5, effects=[otio.schema.TimeEffect("", "Unknown Time Warp")])
    disabled = clip("d", 0, 5)
    disabled.enabled = False
    timeline = otio.schema.Timeline(tracks=[otio.schema.Track("V1", children=[disabled, warped]), off])
    found = events_of(timeline, Fraction(24))
    assert [(event.name, event.left_out) for event in found] == [("d", "disabled"), ("w", ""), ("a", "disabled track")]
    assert tuple(found[1].media_range())[:2] == (0, 999)  # all of the media may be seen


def test_clips_that_stand_in_a_stack_without_a_track_are_those_of_the_timeline() -> None:
    stack = otio.schema.Stack("s", children=[clip("a", 10, 5)])
    timeline = otio.schema.Timeline(tracks=[otio.schema.Track("V1", children=[clip("x", 0, 3), stack])])
    found = events_of(timeline, Fraction(24))
    assert [(event.name, event.record) for event in found] == [("x", (0, 3)), ("a", (3, 8))]
    found[1].clip.name = "renamed"
    assert [c.name for c in timeline.find_clips()] == ["x", "renamed"]
    alone = otio.schema.Timeline(tracks=[otio.schema.Stack("s", children=[clip("b", 10, 5)])])
    assert [(event.name, event.record) for event in events_of(alone, Fraction(24))] == [("b", (0, 5))]
