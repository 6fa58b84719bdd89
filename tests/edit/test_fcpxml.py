"""FCPXML: what is seen of which media, to the frame, at any rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

pytest.importorskip("opentimelineio")

from scumble.core.errors import BadInput
from scumble.edit.documents import read_edits
from scumble.edit.events import Event, events_of

RESOURCES = """
<format id="r1" frameDuration="1001/24000s" width="1920" height="1080"/>
<format id="r2" frameDuration="100/2500s"/>
<format id="r3" name="FFVideoFormatRateUndefined"/>
<asset id="a" name="A" start="3600s" duration="2002/24s" hasVideo="1" format="r1">
  <media-rep kind="proxy-media" src="file:///proxy/a.mov"/><media-rep kind="original-media" src="file:///m/a%20b.mov"/>
  <metadata><md key="com.apple.proapps.studio.reel" value="R1"/></metadata></asset>
<asset id="p" name="P" start="0s" duration="40s" hasVideo="1" format="r2" src="file:///m/pal.mov"/>
<asset id="s" name="S" start="0s" duration="0s" hasVideo="1" format="r3"><media-rep src="file:///m/still.png"/></asset>
<asset id="w" name="W" start="0s" duration="10s" hasAudio="1"><media-rep src="file:///m/w.wav"/></asset>
<effect id="g" name="Clouds"/>
<media id="c" name="C"><sequence format="r1" tcStart="0s"><spine>
  <asset-clip ref="a" offset="0s" start="3610s" duration="24024/24000s"/>
  <asset-clip ref="a" offset="24024/24000s" start="3620s" duration="24024/24000s"/></spine></sequence></media>
<media id="mc" name="M"><multicam format="r1" tcStart="0s">
  <mc-angle angleID="one"><asset-clip ref="p" offset="0s" duration="20s"/></mc-angle>
  <mc-angle angleID="two"><gap offset="0s" duration="1001/1000s"/><asset-clip ref="a" offset="1001/1000s" duration="20s"/></mc-angle>
</multicam></media>
"""


def events(story: str, folder: Path, start: str = "0s") -> list[Event]:
    document = (
        f'<?xml version="1.0"?><!DOCTYPE fcpxml><fcpxml version="1.11"><resources>{RESOURCES}</resources><library><event>'
        f'<project name="cut"><sequence format="r1" tcStart="{start}"><spine>{story}</spine></sequence></project>'
        "</event></library></fcpxml>"
    )
    (folder / "cut.fcpxml").write_text(document)
    (edit,) = read_edits(folder / "cut.fcpxml")
    assert edit.rate == Fraction(24000, 1001)
    return events_of(edit.timeline, edit.rate)


def said(event: Event) -> tuple[tuple[int, int], int, int]:
    seen = event.media_range()
    return event.record, round(seen.first), round(seen.last)


def test_a_clip_of_media_with_a_clock_and_spaces_in_its_name(tmp_path: Path) -> None:
    """24 frames from the 240th on; the original before the proxy."""
    start = Fraction(3600) + Fraction(240 * 1001, 24000)
    (event,) = events(
        f'<gap offset="0s" duration="48048/24000s"/><asset-clip name="x" ref="a" offset="48048/24000s" start="{start}s" duration="24024/24000s"/>',
        tmp_path,
    )
    assert said(event) == ((48, 72), 240, 263)
    assert (event.source.url, event.source.reel) == ("file:///m/a%20b.mov", "R1")


def test_conformed_media_run_frame_for_frame(tmp_path: Path) -> None:
    (event,) = events(
        '<asset-clip ref="p" start="4s" duration="48048/24000s"><conform-rate srcFrameRate="25"/></asset-clip>',
        tmp_path,
    )
    assert said(event) == ((0, 48), 100, 147)
    (event,) = events(
        '<asset-clip ref="p" start="4s" duration="48048/24000s"><conform-rate scaleEnabled="0"/></asset-clip>', tmp_path
    )
    assert said(event) == ((0, 48), 100, 149)


@pytest.mark.parametrize(
    ("points", "speed", "first", "last"),
    [
        ("0s 0s 20s 40s", 2, 2 * 24, 4 * 24 - 1),
        ("0s 40s 40s 0s", -1, 38 * 24, 39 * 24 - 1),
        ("0s 5s 40s 5s", 0, 5 * 24, 5 * 24),
    ],
)
def test_time_maps(points: str, speed: int, first: int, last: int, tmp_path: Path) -> None:
    """Media of 24 frames/s, one second from its own first one on."""
    words = points.split()
    timepts = "".join(f'<timept time="{a}" value="{b}"/>' for a, b in zip(words[::2], words[1::2], strict=True))
    (event,) = events(
        f'<asset-clip ref="b" start="1001/1000s" duration="24024/24000s"><timeMap>{timepts}</timeMap></asset-clip>'.replace(
            'ref="b"', 'ref="p"'
        ),
        tmp_path,
    )
    rate = Fraction(25)
    assert event.speed == speed
    seen = event.media_range(rate=rate)
    assert abs(seen.first / rate - Fraction(first, 24)) < Fraction(1, 20)
    assert abs(seen.last / rate - Fraction(last, 24)) < Fraction(1, 10)


def test_a_ramp_is_read_frame_by_frame(tmp_path: Path) -> None:
    ramp = '<timept time="0s" value="0s"/><timept time="1001/1000s" value="1001/1000s"/><timept time="2002/1000s" value="3003/1000s"/>'
    (event,) = events(f'<asset-clip ref="p" duration="48048/24000s"><timeMap>{ramp}</timeMap></asset-clip>', tmp_path)
    seen = event.media_range()
    assert round(seen.first) == 0
    assert 72.9 <= seen.last <= 75  # 3.003 s at 25 frames/s, less the last frame's double step


def test_lanes_transitions_auditions_and_what_is_disabled(tmp_path: Path) -> None:
    found = events(
        '<asset-clip name="one" ref="a" offset="3600s" start="3605s" duration="48048/24000s">'
        '<asset-clip name="above" lane="1" ref="p" offset="3606s" duration="24024/24000s"/>'
        '<asset-clip name="music" lane="-1" ref="w" offset="3605s" duration="1s"/></asset-clip>'
        f'<transition offset="{Fraction(3600) + Fraction(36 * 1001, 24000)}s" duration="24024/24000s"/>'
        f'<audition offset="{Fraction(3600) + Fraction(48 * 1001, 24000)}s"><asset-clip name="picked" ref="a" start="3630s" duration="48048/24000s"/>'
        '<asset-clip name="other" ref="p" duration="24024/24000s"/></audition>'
        '<asset-clip name="off" ref="p" enabled="0" duration="24024/24000s"/>'
        '<video name="clouds" ref="g" duration="24024/24000s"/><title name="end" ref="g" duration="24024/24000s"/>',
        tmp_path,
        "3600s",
    )
    by_name = {event.name: event for event in found}
    assert list(by_name) == ["one", "picked", "off", "clouds", "end", "above"]
    assert [by_name[name].record for name in ("one", "picked", "above")] == [(0, 48), (48, 96), (24, 48)]
    assert by_name["above"].track == "V2"
    assert (by_name["one"].media_range().after, by_name["picked"].media_range().before) == (12, 12)
    assert [by_name[name].left_out for name in ("off", "clouds", "end")] == [
        "disabled",
        "no media: a generator",
        "no media: title",
    ]


def test_compounds_multicam_and_stills(tmp_path: Path) -> None:
    """A compound is trimmed; of a multicam the angle that shows pictures is seen; a still is one frame."""
    found = events(
        '<ref-clip name="both" ref="c" start="12012/24000s" duration="24024/24000s"/>'
        '<mc-clip ref="mc" start="2002/1000s" duration="24024/24000s"><mc-source angleID="one" srcEnable="audio"/>'
        '<mc-source angleID="two" srcEnable="video"/></mc-clip>'
        '<video ref="s" start="86399s" duration="24024/24000s"/>',
        tmp_path,
    )
    first = round((Fraction(3610) - 3600) * Fraction(24000, 1001))
    second = round((Fraction(3620) - 3600) * Fraction(24000, 1001))
    assert [(event.id, *said(event)) for event in found] == [
        ("V1/1.1", (0, 12), first + 12, first + 23),
        ("V1/1.2", (12, 24), second, second + 11),
        ("V1/2.1", (24, 48), 24, 47),
        ("V1/3", (48, 72), 0, 0),
    ]
    assert found[2].source.url.endswith("a%20b.mov")


def test_a_compound_that_runs_at_double_speed_shows_all_of_its_clips(tmp_path: Path) -> None:
    ramp = '<timeMap><timept time="0s" value="0s"/><timept time="1001/1000s" value="2002/1000s"/></timeMap>'
    found = events(f'<ref-clip ref="c" duration="24024/24000s">{ramp}</ref-clip>', tmp_path)
    assert [(event.id, event.record) for event in found] == [("V1/1.1", (0, 12)), ("V1/1.2", (12, 24))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "<fcpxml><resources/><project><sequence><spine/></sequence></project></fcpxml>",
            "a sequence without a format",
        ),
        ("<fcpxml><resources>", "not whole"),
        ("<fcpxml><resources/></fcpxml>", "no project in it"),
        (
            '<fcpxml><resources/><project><sequence format="r1"><spine><gap duration="x"/></spine></sequence></project></fcpxml>',
            "export the XML again",
        ),
        (
            '<fcpxml><resources><media id="m"><sequence><spine><ref-clip ref="m" duration="1s"/></spine></sequence></media></resources>'
            '<project><sequence format="r1"><spine><ref-clip ref="m" duration="1s"/></spine></sequence></project></fcpxml>',
            "export the XML again",
        ),
    ],
)
def test_what_is_no_whole_project_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "cut.fcpxml").write_text(text)
    with pytest.raises(BadInput, match=words):
        read_edits(tmp_path / "cut.fcpxml")
