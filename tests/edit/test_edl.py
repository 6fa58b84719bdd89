"""EDLs as programs write them: every line that is an event is found, at its frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("opentimelineio")

from scumble.core.errors import BadInput
from scumble.edit.documents import read_edits, supposed_rate
from scumble.edit.edl import read_edl
from scumble.edit.events import Event, events_of
from scumble.media.timecode import later

FILM = Fraction(24)


def events(text: str, rate: Fraction = FILM) -> list[Event]:
    return events_of(read_edl(text, rate, "cut.edl"), rate)


def said(event: Event) -> tuple[str, str, tuple[int, int], int, int]:
    seen = event.media_range()
    return event.id, event.name or event.source.reel, event.record, int(seen.first), int(seen.last)


def test_cuts_gaps_and_names() -> None:
    """Names are of the event above them; record time begins with the first event; reels may hold spaces."""
    found = events(
        "TITLE: cut\nFCM: NON-DROP FRAME\n\n"
        "001  A001 V     C        01:00:00:00 01:00:01:00 10:00:00:00 10:00:01:00\n"
        "* FROM CLIP NAME:  first\n"
        "000002  B002 C003 TAKE   V  C  00:59:59:23 01:00:01:00 10:00:02:00 10:00:03:01\n"
        "*FROM CLIP NAME: second\n* SOURCE FILE: B002.MOV\n"
    )
    assert [said(event) for event in found] == [
        ("V1/001", "first", (0, 24), 86400, 86423),
        ("V1/000002", "second", (48, 73), 86399, 86423),
    ]
    assert found[1].source.reel == "B002 C003 TAKE"
    assert found[1].source.url == "B002.MOV"


def test_a_dissolve_over_two_lines_shows_more_of_what_goes() -> None:
    found = events(
        "001  A V C 00:00:01:00 00:00:02:00 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: a\n"
        "002  A V C 00:00:02:00 00:00:02:00 00:00:01:00 00:00:01:00\n"
        "002  B V D 010 00:00:05:00 00:00:06:00 00:00:01:00 00:00:02:00\n"
        "* FROM CLIP NAME: a\n* TO CLIP NAME: b\n"
    )
    assert [said(event)[:3] for event in found] == [("V1/001", "a", (0, 24)), ("V1/002", "b", (24, 48))]
    goes, comes = (event.media_range(0) for event in found)
    assert (goes.before, goes.after) == (0, 10)
    assert (comes.before, comes.after) == (0, 0)
    assert found[0].media_range(24).after == 24  # handles are wider than the dissolve


@pytest.mark.parametrize(
    ("retime", "speed", "first", "last"),
    [
        ("M2   A   048.0   00:00:10:00", 2, 240, 287),
        ("M2   A   012.0   00:00:10:00", Fraction(1, 2), 240, 251),
        ("M2   A   000.0   00:00:10:00", 0, 240, 240),
        ("M2   A  -024.0   00:00:10:00", -1, 240, 263),
    ],
)
def test_speeds(retime: str, speed: Fraction, first: int, last: int) -> None:
    source = "00:00:10:00 00:00:11:00" if speed else "00:00:10:00 00:00:10:01"
    (event,) = events(f"001  A V C {source} 00:00:00:00 00:00:01:00\n{retime}\n")
    assert event.speed == speed
    assert said(event)[3:] == (first, last)


def test_avid_names_the_frame_from_which_a_clip_runs_backwards() -> None:
    (event,) = events("001  A V C 00:00:10:00 00:00:10:01 00:00:00:00 00:00:01:00\nM2   A  -024.0  00:00:10:00\n")
    assert said(event)[3:] == (217, 240)


def test_a_retime_belongs_to_the_reel_that_it_names() -> None:
    found = events(
        "001  A V C 00:00:01:00 00:00:02:00 00:00:00:00 00:00:01:00\n"
        "002  A V C 00:00:02:00 00:00:02:00 00:00:01:00 00:00:01:00\n"
        "002  B V D 010 00:00:05:00 00:00:07:00 00:00:01:00 00:00:02:00\n"
        "M2   B  048.0  00:00:05:00\n"
    )
    assert [event.speed for event in found] == [1, 2]


def test_tracks_sound_and_order() -> None:
    """A second track keeps its place; sound alone is an event too; the order of lines does not matter."""
    found = events(
        "003  C V2 C 00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n"
        "002  B V  C 00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n"
        "001  A V  C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n"
        "004  D AA C 00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n"
    )
    assert [(event.id, event.record, event.left_out) for event in found] == [
        ("V1/001", (0, 24), ""),
        ("V1/002", (24, 48), ""),
        ("V2/003", (24, 48), ""),
        ("A/004", (0, 0), "sound only"),
    ]


def test_events_that_overlap_stand_in_layers() -> None:
    found = events(
        "001  A V C 00:00:00:00 00:00:02:00 00:00:00:00 00:00:02:00\n"
        "002  B V C 00:00:00:00 00:00:01:00 00:00:01:00 00:00:02:00\n"
        "003  C V C 00:00:00:00 00:00:01:00 00:00:02:00 00:00:03:00\n"
    )
    assert [(event.id, event.record) for event in found] == [
        ("V1/001", (0, 48)),
        ("V1/003", (48, 72)),
        ("V1.2/002", (24, 48)),
    ]


def test_a_source_over_midnight() -> None:
    (event,) = events("001  A V C 23:59:59:00 00:00:01:00 00:00:00:00 00:00:02:00\n")
    assert said(event)[3:] == (24 * 86399, 24 * 86401 - 1)


def test_drop_frame_by_sign_and_by_fcm() -> None:
    rate = Fraction(30000, 1001)
    by_sign = events("001  A V C 00:01:00;02 00:01:01;02 01:00:00;00 01:00:01;00\n", rate)
    by_fcm = events("FCM: DROP FRAME\n001  A V C 00:01:00:02 00:01:01:02 01:00:00:00 01:00:01:00\n", rate)
    assert said(by_sign[0])[3:] == said(by_fcm[0])[3:] == (1800, 1829)


def test_black_is_no_media() -> None:
    (event,) = events("001  BL V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n")
    assert "no media" in event.left_out


@pytest.mark.parametrize("encoded", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_bytes_of_old_and_new_systems(encoded: str, ending: str, tmp_path: Path) -> None:
    text = "TITLE: Schön\n001  A V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: Größe\n"
    (tmp_path / "cut.edl").write_bytes(text.replace("\n", ending).encode(encoded))
    (edit,) = read_edits(tmp_path / "cut.edl", FILM)
    assert edit.timeline.name == "Schön"
    assert [event.name for event in events_of(edit.timeline, FILM)] == ["Größe"]


@pytest.mark.parametrize(
    ("frames", "separator", "rate"),
    [(23, ":", 24), (24, ":", 25), (29, ":", 30), (49, ":", 50), (59, ":", 60), (29, ";", Fraction(30000, 1001))],
)
def test_an_edl_says_no_rate(frames: int, separator: str, rate: Fraction, tmp_path: Path) -> None:
    text = f"001  A V C 00:00:00:00 00:00:10{separator}{frames} 00:00:00:00 00:00:10:{frames}\n"
    assert supposed_rate(text) == rate
    (tmp_path / "cut.edl").write_text(text)
    (edit,) = read_edits(tmp_path / "cut.edl")
    assert "--rate names another" in edit.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no event with four timecodes"),
        ("TITLE: x\n001 A V C 00:00\n", "no event with four timecodes"),
        ("001 A V C 00:00:00:24 00:00:01:00 00:00:00:00 00:00:01:00\n", "line 1: 00:00:00:24 is no timecode at 24"),
        ("a\0b", "not a text"),
    ],
)
def test_what_is_no_edl_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "cut.edl").write_text(text)
    with pytest.raises(BadInput, match=words):
        read_edits(tmp_path / "cut.edl", FILM)


SHOTS = st.lists(
    st.tuples(
        st.integers(0, 2 * 10**6), st.integers(1, 500), st.integers(0, 40), st.sampled_from(["A001", "B 2", "x.y"])
    ),
    min_size=1,
    max_size=12,
)


@given(shots=SHOTS, columns=st.integers(1, 9), number=st.integers(1, 5))
def test_every_event_is_found_at_its_frame_whatever_the_spacing(
    shots: list[tuple[int, int, int, str]], columns: int, number: int
) -> None:
    at, lines, expected = 86400, [], []
    for n, (source, count, gap, reel) in enumerate(shots, start=1):
        at += gap
        codes = " ".join(str(later("00:00:00:00", f, FILM)) for f in (source, source + count, at, at + count))
        lines.append(f"{n:0{number}}{' ' * columns}{reel}{' ' * columns}V{' ' * columns}C{' ' * columns}{codes}")
        expected.append((at - 86400 - shots[0][2], count, source, reel))
        at += count
    found = events("\n".join(lines))
    assert [
        (event.record[0], event.record[1] - event.record[0], int(event.media_range().first), event.source.reel)
        for event in found
    ] == expected
