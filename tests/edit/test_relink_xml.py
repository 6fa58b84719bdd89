"""XML relinked in place: one URL a media changes, and OpenTimelineIO reads the same cut."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("opentimelineio")

from helpers.command import scumble
from helpers.numbered import numbered_movie, numbers_in

from scumble.edit.documents import read_edits
from scumble.edit.events import Event, events_of

FCPXML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.11">
  <resources>
    <format id="r1" frameDuration="100/2400s"/>
    <asset name="A" id="r2" start="3600s" duration="4s" hasVideo="1" format="r1"><media-rep
      src="file:///old/A%20one.mov" kind="original-media" sig="x"/><media-rep kind="proxy-media" src="file:///old/proxy.mov"/></asset>
    <asset id="r3" name="B" start="0s" duration="4s" hasVideo="1" format="r1" src="file:///old/B.mov"/>
  </resources>
  <library><event><project name="cut"><sequence format="r1"><spine>
    <asset-clip ref="r2" name="a" start="3601s" duration="1s"/><!-- kept -->
    <asset-clip ref="r3" name="b" start="1s" duration="1s"/>
    <asset-clip ref="r2" name="a again" start="3602s" duration="1s"/>
  </spine></sequence></project></event></library>
</fcpxml>
"""

XMEML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="5"><sequence id="s"><name>cut</name><duration>48</duration><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>
<timecode><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate><string>01:00:00:00</string><frame>86400</frame><displayformat>NDF</displayformat></timecode>
<media><video><track>
  <clipitem id="c1"><name>a</name><enabled>TRUE</enabled><duration>96</duration><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>
    <start>0</start><end>24</end><in>24</in><out>48</out>
    <file id="f1"><name>A one.mov</name><pathurl>file://localhost/old/A%20one.mov</pathurl><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>
      <duration>96</duration><timecode><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate><string>01:00:00:00</string><frame>86400</frame></timecode>
      <media><video/></media></file></clipitem>
  <clipitem id="c2"><name>b</name><enabled>TRUE</enabled><duration>96</duration><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>
    <start>24</start><end>48</end><in>12</in><out>24</out>
    <file id="f2"><name>B.mov</name><pathurl>file://localhost/old/B.mov</pathurl><rate><timebase>24</timebase><ntsc>FALSE</ntsc></rate>
      <duration>96</duration><media><video/></media></file>
    <filter><effect><name>Time Remap</name><effectid>timeremap</effectid><effecttype>motion</effecttype>
      <parameter><parameterid>variablespeed</parameterid><value>0</value></parameter>
      <parameter><parameterid>speed</parameterid><value>50</value></parameter>
      <parameter><parameterid>reverse</parameterid><value>FALSE</value></parameter></effect></filter></clipitem>
</track></video></media></sequence></xmeml>
"""


@pytest.fixture
def media(tmp_path: Path) -> Path:
    numbered_movie(tmp_path / "A one.mov", 96, "01:00:00:00")
    numbered_movie(tmp_path / "B.mov", 96)
    return tmp_path


def painted(folder: Path, name: str, text: str, *words: str) -> tuple[list[Event], list[Event], dict[str, str], str]:
    """Events before and after, the lines that differ, and what was said."""
    (folder / name).write_text(text)
    done = scumble(
        "edit",
        folder / name,
        "-o",
        folder / "out",
        "--progress",
        "none",
        "--no-reports",
        *(words or ("--look", "identity")),
    )
    assert done.returncode == 0, done.stderr
    after = (folder / "out" / name).read_text()
    changed = {a: b for a, b in zip(text.splitlines(), after.splitlines(), strict=True) if a != b}
    before_edit, after_edit = read_edits(folder / name)[0], read_edits(folder / "out" / name)[0]
    old, new = (events_of(read.timeline, read.rate) for read in (before_edit, after_edit))
    return old, new, changed, done.stderr


def same_cut(old: list[Event], new: list[Event]) -> bool:
    return [(e.id, e.record, e.begins, e.count, e.speed) for e in old] == [
        (e.id, e.record, e.begins, e.count, e.speed) for e in new
    ]


def file_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def test_fcpxml(media: Path) -> None:
    old, new, changed, _ = painted(media, "cut.fcpxml", FCPXML)
    assert same_cut(old, new)
    assert len(changed) == 2
    for before, after in changed.items():
        assert before.split("file:///old/")[0] == after.split("file:///")[0]
    assert [numbers_in(file_of(event.source.url)) for event in new] == [
        list(range(24, 72)),  # both events of a media in one file
        list(range(24, 48)),
        list(range(24, 72)),
    ]
    assert "proxy.mov" in (media / "out" / "cut.fcpxml").read_text()


def test_final_cut_pro_7_with_a_slow_clip(media: Path) -> None:
    old, new, changed, _ = painted(media, "cut.xml", XMEML)
    assert [event.speed for event in old] == [1, 0.5]
    assert same_cut(old, new)
    assert len(changed) == 2
    assert [numbers_in(file_of(event.source.url)) for event in new] == [list(range(24, 48)), list(range(6, 18))]


def test_a_media_with_two_looks_keeps_its_plate_in_the_document(media: Path) -> None:
    (media / "looks.toml").write_text('[default]\nlook = "identity"\n[[rule]]\nshot = "a again"\nstrength = 0.5\n')
    _, new, changed, said = painted(media, "cut.fcpxml", FCPXML, "-c", str(media / "looks.toml"))
    assert len(changed) == 1
    assert "media r2 has 2 paintings and is named once: it keeps its plate" in said
    assert new[0].source.url == "file:///old/A%20one.mov"


def test_a_media_that_is_also_seen_as_it_is_keeps_its_plate(media: Path) -> None:
    (media / "looks.toml").write_text('[default]\nlook = "identity"\n[[rule]]\nshot = "a again"\nskip = true\n')
    _, _, changed, said = painted(media, "cut.fcpxml", FCPXML, "-c", str(media / "looks.toml"))
    assert len(changed) == 1
    assert "media r2 is also seen where nothing was painted: it keeps its plate" in said
