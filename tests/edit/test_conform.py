"""An edit painted from outside: the numbers in the pixels say whether each event got its frames."""

from __future__ import annotations

import json
import re
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentimelineio")

import opentimelineio as otio
from helpers.command import scumble
from helpers.numbered import numbered_movie, numbered_sequence, numbers_in
from opentimelineio.opentime import RationalTime, TimeRange

HEAD = "TITLE: cut\nFCM: NON-DROP FRAME\n\n"


def edit(folder: Path, document: str, *words: str | Path, code: int = 0, reports: bool = False) -> str:
    more = ("--progress", "none", *(() if reports else ("--no-reports",)))
    done = scumble("edit", folder / document, "-o", folder / "out", *more, *words)
    assert done.returncode == code, done.stderr
    return str(done.stderr)


def checked(folder: Path, document: str, *words: str) -> list[dict[str, Any]]:
    done = scumble("edit", folder / document, "--check", "--json", *words)
    assert done.returncode == 0, done.stderr
    return [event for timeline in json.loads(done.stdout)["timelines"] for event in timeline["events"]]


def shot(folder: Path, start: str) -> Path:
    (found,) = (path for path in (folder / "out" / "shots").iterdir() if path.name.startswith(start))
    return found


def write_cut(tmp_path: Path) -> Path:
    """An EDL with a dissolve, a slow clip, one that runs backwards, a freeze and one that is not there."""
    numbered_movie(tmp_path / "A001.mov", 100, "01:00:00:00")
    numbered_movie(tmp_path / "B002C003_170614_R287.mov", 120, "10:00:00:00")
    (tmp_path / "cut.edl").write_bytes(
        (
            HEAD + "001  A001     V     C        01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n"
            "* FROM CLIP NAME:  first\n* SOURCE FILE: A001.mov\n"
            "002  A001     V     C        01:00:02:00 01:00:02:00 01:00:01:00 01:00:01:00\n"
            "002  B002C003 V     D    012 10:00:01:00 10:00:02:00 01:00:01:00 01:00:02:00\n"
            "* FROM CLIP NAME:  first\n* TO CLIP NAME:  second\n"
            "003  B002C003 V     C        10:00:02:00 10:00:02:06 01:00:02:00 01:00:02:12\n"
            "M2   B002C003       012.0                10:00:02:00\n* FROM CLIP NAME:  slow\n"
            "004  B002C003 V     C        10:00:03:00 10:00:03:12 01:00:02:12 01:00:03:00\n"
            "M2   B002C003      -024.0                10:00:03:00\n* FROM CLIP NAME:  back\n"
            "005  B002C003 V     C        10:00:04:00 10:00:04:01 01:00:03:00 01:00:04:00\n"
            "M2   B002C003       000.0                10:00:04:00\n* FROM CLIP NAME:  still\n"
            "006  GONE     V     C        00:00:00:00 00:00:00:10 01:00:04:00 01:00:04:10\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )
    return tmp_path


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """Not painted yet."""
    return write_cut(tmp_path)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Painted with handles of four frames, and what was said."""
    folder = write_cut(tmp_path_factory.mktemp("painted"))
    return folder, edit(folder, "cut.edl", "--look", "identity", "--rate", "24", "--handles", "4", code=1)


def test_every_event_gets_its_frames_with_handles(painted: tuple[Path, str]) -> None:
    cut, said = painted
    assert "6 events: 5 painted (5 now), 0 skipped, 1 offline, 0 failed" in said
    assert "V1/006: GONE is not there; give its folder by --media" in said
    expected = {
        "V1_001": range(20, 60),  # 12 frames of the dissolve are more than the handles
        "V1_002": range(20, 52),
        "V1_003": range(46, 56),  # handles of a slow clip are fewer frames
        "V1_004": range(68, 88),
        "V1_005": range(96, 97),
    }
    assert {name: numbers_in(shot(cut, name)) for name in expected} == {k: list(v) for k, v in expected.items()}


def test_the_timeline_shows_the_paintings_where_the_plates_were(painted: tuple[Path, str]) -> None:
    cut, _ = painted
    timeline = otio.adapters.read_from_file(str(cut / "out" / "timeline.otio"))
    first, second, slow, back, still, gone = timeline.find_clips()
    assert [clip.active_media_reference_key for clip in (first, gone)] == ["painted", "DEFAULT_MEDIA"]
    for clip, start in ((first, 20), (second, 20), (slow, 46), (back, 68), (still, 96)):
        media = clip.media_reference
        assert (cut / "out" / media.target_url).is_file()
        assert clip.media_references()["plate"].available_range is None
        into = clip.source_range.start_time - media.available_range.start_time
        frames = numbers_in(cut / "out" / media.target_url)
        assert frames[round(into.value)] == start + round(into.value)
        assert len(frames) == media.available_range.duration.value
    assert timeline.duration() == RationalTime(4 * 24 + 10, 24)


def test_the_editors_document_comes_back_with_other_names_only(painted: tuple[Path, str]) -> None:
    cut, _ = painted
    before, after = (path.read_bytes().split(b"\r\n") for path in (cut / "cut.edl", cut / "out" / "cut.edl"))
    changed = {a: b for a, b in zip(before, after, strict=True) if a != b}
    assert changed == {
        b"* FROM CLIP NAME:  first": b"* FROM CLIP NAME:  V1_001_first.mov",
        b"* SOURCE FILE: A001.mov": b"* SOURCE FILE: V1_001_first.mov",
        b"* TO CLIP NAME:  second": b"* TO CLIP NAME:  V1_002_second.mov",
        b"* FROM CLIP NAME:  slow": b"* FROM CLIP NAME:  V1_003_slow.mov",
        b"* FROM CLIP NAME:  back": b"* FROM CLIP NAME:  V1_004_back.mov",
        b"* FROM CLIP NAME:  still": b"* FROM CLIP NAME:  V1_005_still.mov",
    }
    # and leads to the paintings, by their own names and timecode
    found = checked(cut / "out", "cut.edl", "--rate", "24")
    assert [Path(event["media"]).name for event in found[:5]] == [
        name.split(b": ")[1].strip().decode() for name in [*changed.values()][1:]
    ]


def test_what_is_done_is_kept_and_a_changed_look_paints_its_shots_alone(cut: Path) -> None:
    (cut / "looks.toml").write_text(
        '[default]\nlook = "identity"\n\n[[rule]]\nshot = "s*"\nstrength = 0.5\n\n[[rule]]\nreel = "GONE"\nskip = true\n'
    )
    words = ("-c", cut / "looks.toml", "--rate", "24")
    assert "5 painted (5 now), 1 skipped, 0 offline" in edit(cut, "cut.edl", *words)
    times = {path: path.stat().st_mtime_ns for path in (cut / "out" / "shots").iterdir()}
    assert "5 painted (0 now)" in edit(cut, "cut.edl", *words)
    dry = scumble("edit", cut / "cut.edl", "-o", cut / "out", *words, "--dry-run")
    assert (dry.stdout, "0 of 5 shots to paint, 0 frames" in dry.stderr) == ("", True)
    (cut / "looks.toml").write_text((cut / "looks.toml").read_text().replace("0.5", "0.25"))
    dry = scumble("edit", cut / "cut.edl", "-o", cut / "out", *words, "--dry-run", "--json")
    assert [s["shot"] for s in json.loads(dry.stdout)["shots"]] == ["V1_002_second", "V1_003_slow", "V1_005_still"]
    assert "5 painted (3 now)" in edit(cut, "cut.edl", *words)
    now = {path: path.stat().st_mtime_ns for path in (cut / "out" / "shots").iterdir()}
    assert {path.name for path in now if now[path] != times[path]} == {
        "V1_002_second.mov",
        "V1_003_slow.mov",
        "V1_005_still.mov",
    }


def test_the_page_of_all_shots_has_the_worst_first(cut: Path) -> None:
    """A shot that lost a frame's pixels is on top; what is not painted stands below; nothing is measured twice."""
    (cut / "looks.toml").write_text('[default]\nlook = "identity"\n[[rule]]\nshot = "back"\nlook = "auvers"\n')
    edit(cut, "cut.edl", "-c", cut / "looks.toml", "--rate", "24", code=1, reports=True)
    page = (cut / "out" / "index.html").read_text()
    links = re.findall(r'<a href="(reports/[^"]*)">', page)
    assert sorted(links) == sorted(f"reports/{path.stem}.html" for path in (cut / "out" / "shots").iterdir())
    assert links[0] == "reports/V1_004_back.html"
    assert all((cut / "out" / link).is_file() for link in links)
    assert "GONE is not there" in page
    facts = json.loads((cut / "out" / "reports" / "V1_001_first.json").read_text())
    assert facts["passes"]
    assert [frame["number"] for frame in facts["frames"]] == list(range(25, 61))
    kept = [*(cut / "out" / "reports").iterdir(), cut / "out" / "review.mp4"]
    times = {path: path.stat().st_mtime_ns for path in kept}
    edit(cut, "cut.edl", "-c", cut / "looks.toml", "--rate", "24", code=1)
    edit(cut, "cut.edl", "-c", cut / "looks.toml", "--rate", "24", code=1, reports=True)
    assert times == {path: path.stat().st_mtime_ns for path in kept}
    # the cut as it is seen: a dissolve, then a slow clip, one backwards, a still, and black where nothing is
    seen = numbers_in(cut / "out" / "review.mp4")
    assert seen[:24] == list(range(24, 48))
    assert seen[24:30] == list(range(48, 54))
    assert seen[36:48] == list(range(36, 48))
    assert seen[48:60] == [n for n in range(48, 54) for _ in "12"]
    assert seen[72:96] == [96] * 24
    assert seen[96:] == [0] * 10


@pytest.mark.full
def test_a_command_of_the_dry_run_paints_that_shot(cut: Path) -> None:
    dry = scumble(
        "edit", cut / "cut.edl", "--look", "identity", "--rate", "24", "-o", cut / "out", "--dry-run", "--json"
    )
    first = json.loads(dry.stdout)["shots"][0]
    (cut / "out" / "shots").mkdir(parents=True)
    done = scumble(*shlex.split(first["command"])[1:])
    assert done.returncode == 0
    by_hand = Path(first["output"]).read_bytes()
    Path(first["output"]).unlink()
    edit(cut, "cut.edl", "--look", "identity", "--rate", "24", code=1)
    assert Path(first["output"]).read_bytes() == by_hand


@pytest.mark.parametrize(
    ("rate", "timecode", "source", "expected"),
    [
        ("30000/1001", "00:00:59;28", "00:01:00;02 00:01:00;12", range(2, 12)),  # 28, 29, then 02: two numbers dropped
        ("24000/1001", "01:00:00:00", "01:00:01:00 01:00:01:10", range(24, 34)),
        ("60000/1001", "00:00:59;58", "00:01:00;04 00:01:00;14", range(2, 12)),
    ],
)
def test_rates_that_are_no_whole_numbers(
    rate: str, timecode: str, source: str, expected: range, tmp_path: Path
) -> None:
    numbered_movie(tmp_path / "A001.mov", 60, timecode, Fraction(rate))
    record = "01:00:00;00 01:00:00;10" if ";" in timecode else "01:00:00:00 01:00:00:10"
    (tmp_path / "cut.edl").write_text(f"001  A001  V  C  {source} {record}\n")
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", rate)
    assert numbers_in(shot(tmp_path, "V1_001")) == list(expected)


def test_media_of_23_976_in_an_edit_of_24_count_alike(tmp_path: Path) -> None:
    """At ten hours of timecode a clock of seconds would be 864 frames away."""
    numbered_movie(tmp_path / "A001.mov", 60, "10:00:00:00", Fraction(24000, 1001))
    (tmp_path / "cut.edl").write_text("001  A001  V  C  10:00:01:00 10:00:02:00 01:00:00:00 01:00:01:00\n")
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24")
    assert numbers_in(shot(tmp_path, "V1_001")) == list(range(24, 48))


def test_a_sequence_that_was_renamed_and_moved(tmp_path: Path) -> None:
    """By a mapped path, by name below --media, and its own numbers stay."""
    numbered_sequence(tmp_path / "new" / "sh010" / "sh010.####.png", range(1001, 1041))
    there = TimeRange(RationalTime(1001, 24), RationalTime(40, 24))
    media = otio.schema.ImageSequenceReference(
        "/Volumes/RAID/old/sh010/",
        "sh010.",
        ".png",
        start_frame=1001,
        rate=24,
        frame_zero_padding=4,
        available_range=there,
    )
    clip = otio.schema.Clip("sh010", media, TimeRange(RationalTime(1011, 24), RationalTime(10, 24)))
    timeline = otio.schema.Timeline("cut", tracks=[otio.schema.Track("V1", children=[clip])])
    timeline.to_json_file(str(tmp_path / "cut.otio"))
    edit(tmp_path, "cut.otio", "--look", "identity", "--handles", "2", "--map", f"/Volumes/RAID/old={tmp_path}/new")
    folder = shot(tmp_path, "V1_1")
    assert sorted(path.name[-8:-4] for path in folder.iterdir()) == [str(n) for n in range(1009, 1023)]
    assert numbers_in(next(folder.iterdir()).with_name(f"{folder.name}.####.png")) == list(range(1009, 1023))
    found = checked(tmp_path, "cut.otio")
    assert found[0]["frames"] == [1011, 1020]


def test_the_wrong_media_of_the_right_name_is_offline(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "A001.mov", 30, "05:00:00:00")
    (tmp_path / "cut.edl").write_text("001  A001  V  C  01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n")
    (event,) = checked(tmp_path, "cut.edl", "--rate", "24")
    assert event["state"] == "offline"
    assert "does not hold the frames that are asked for" in event["reason"]


def test_media_without_timecode_begin_at_the_hour(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "A001.mov", 60)
    (tmp_path / "cut.edl").write_text("001  A001  V  C  01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n")
    (event,) = checked(tmp_path, "cut.edl", "--rate", "24")
    assert (event["frames"], event["reason"]) == ([25, 48], "A001.mov has no timecode: taken to begin at 01:00:00:00")


def test_a_shot_that_fails_does_not_stop_the_rest(cut: Path) -> None:
    (cut / "out" / "shots").mkdir(parents=True)
    (cut / "out" / "shots" / "V1_001_first.mov").write_text("the editor's own")
    said = edit(cut, "cut.edl", "--look", "identity", "--rate", "24", code=1)
    assert "failed: V1/001:" in said
    assert "6 events: 4 painted (4 now), 0 skipped, 1 offline, 1 failed" in said
    assert (cut / "out" / "shots" / "V1_001_first.mov").read_text() == "the editor's own"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "give one of --looks FILE.toml, --look FILE|NAME and --style PICTURE"),
        (("--look", "identity", "--style", "x.png"), "give one of --looks"),
        (("--look", "nothing"), "no such look file"),
        (("--look", "identity", "--format", "xyz"), "not a format that Scumble writes"),
        (("--look", "identity", "--media", "nowhere"), "no such folder"),
        (("--look", "identity", "--map", "x"), "give OLD=NEW"),
        (("-c", "none.toml"), "none.toml: cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(words: tuple[str, ...], text: str, cut: Path) -> None:
    done = scumble("edit", cut / "cut.edl", "-o", cut / "out", "--rate", "24", *words)
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr
    assert not (cut / "out").exists()


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ("x = 1", "x: no such table; write [default] and [[rule]]"),
        ("[default]\nlok = 'a'", "default: lok: no such key; did you mean look?"),
        ("[[rule]]\nshot = 3", "rule 1: shot is a pattern or a list of them"),
        ("[default]\nstrength = 2", "default: strength"),
        ("[default]\nframes = '1-2'", "default: frames: no such key"),
        ("[default]\nskip = 'no'", "default: skip is true or false"),
        ("[default]\nlook = ''", "default: look is a name or file"),
        ("[default]\nstyle = [1]", "default: style is a picture or a list of them"),
        ("[rule]\nshot = 'a'", "write [default] once, and [[rule]] for each rule"),
        ("[default", "not a file of looks"),
    ],
)
def test_rules_that_are_none(rules: str, text: str, cut: Path) -> None:
    (cut / "looks.toml").write_text(rules)
    done = scumble("edit", cut / "cut.edl", "-o", cut / "out", "--rate", "24", "-c", cut / "looks.toml")
    assert (done.returncode, text in done.stderr) == (2, True), done.stderr


def test_paintings_are_no_footage_and_names_may_be_absurd(tmp_path: Path) -> None:
    """An output folder beside the edit is not searched; a path that no system takes is offline."""
    (tmp_path / "out" / "shots").mkdir(parents=True)
    numbered_movie(tmp_path / "out" / "shots" / "A001.mov", 30, "01:00:00:00")
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C  01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n"
        f"002  B001  V  C  01:00:00:00 01:00:01:00 01:00:01:00 01:00:02:00\n* SOURCE FILE: {'x' * 300}.mov\n"
    )
    said = edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24", code=1)
    assert "2 events: 0 painted (0 now), 0 skipped, 2 offline, 0 failed" in said


def test_nothing_that_is_not_ours_is_written_over(tmp_path: Path) -> None:
    """Not the edit itself, not a page that lies there; what an earlier run wrote is ours."""
    numbered_movie(tmp_path / "A001.mov", 30, "01:00:00:00")
    cut = tmp_path / "cut.edl"
    cut.write_text("001  A001  V  C  01:00:00:00 01:00:01:00 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: A001.mov\n")
    before = cut.read_bytes()
    words = ("edit", cut, "--rate", "24", "--look", "identity", "--progress", "none", "--no-reports", "-o")
    done = scumble(*words, tmp_path)
    assert (done.returncode, "the edit itself lies there" in done.stderr) == (2, True), done.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "timeline.otio").write_text("another show")
    done = scumble(*words, tmp_path / "out")
    assert (done.returncode, "is there already, and is not of this edit" in done.stderr) == (2, True), done.stderr
    assert (cut.read_bytes(), sorted(p.name for p in (tmp_path / "out").iterdir())) == (before, ["timeline.otio"])
    assert scumble(*words, tmp_path / "out", "--overwrite").returncode == 0
    assert scumble(*words, tmp_path / "out").returncode == 0


def test_a_look_that_was_tried_and_stopped_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the frames in another look, then the first look again: all frames are its own."""
    from scumble.edit import conform as module
    from scumble.edit.assign import one_look
    from scumble.edit.cut import Wishes, read_cut

    numbered_sequence(tmp_path / "A001" / "A001.####.png", range(0, 24))
    (tmp_path / "cut.edl").write_text("001  A001  V  C  00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n")
    out = tmp_path / "out"

    def paint(look: str) -> None:
        wishes = Wishes(one_look(look), Fraction(24))
        module.paint(read_cut(tmp_path / "cut.edl", wishes, out), out, with_reports=False)

    paint("identity")
    first = {path: path.read_bytes() for path in out.rglob("*.png")}
    real = module.run

    def stopped(job: Any, tell: Any) -> Any:
        done = 0

        def count(event: Any) -> None:
            nonlocal done
            done += 1
            if done == 5:
                raise KeyboardInterrupt

        return real(job, count)

    monkeypatch.setattr(module, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        paint("auvers")
    monkeypatch.setattr(module, "run", real)
    assert {path: path.read_bytes() for path in out.rglob("*.png")} != first
    paint("identity")
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == first


def test_a_slow_clip_has_its_last_frame(tmp_path: Path) -> None:
    """25 frames at half speed show 13."""
    numbered_movie(tmp_path / "A001.mov", 30)
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C  00:00:00:00 00:00:00:13 01:00:00:00 01:00:01:01\nM2   A001  012.0  00:00:00:00\n"
    )
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24")
    assert numbers_in(shot(tmp_path, "V1_001")) == list(range(13))


def test_the_painted_media_stand_on_the_clock_of_their_clip(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "A001.mov", 60, "01:00:00:00", Fraction(24000, 1001))
    (tmp_path / "cut.edl").write_text("001  A001  V  C  01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n")
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24000/1001")
    (clip,) = otio.adapters.read_from_file(str(tmp_path / "out" / "timeline.otio")).find_clips()
    there = clip.media_reference.available_range
    assert there == clip.source_range
    assert there.start_time.rate == pytest.approx(24000 / 1001)


def test_a_clip_that_runs_backwards_does_so_in_the_review(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "A001.mov", 60, "01:00:00:00")
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C  01:00:01:00 01:00:01:12 01:00:00:00 01:00:00:12\nM2   A001  -024.0  01:00:01:00\n"
    )
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24", reports=True)
    assert numbers_in(tmp_path / "out" / "review.mp4") == list(range(35, 23, -1))


def test_a_movie_without_timecode_is_found_by_the_relinked_list(tmp_path: Path) -> None:
    """Its painting begins later and says so: by the hour at which the list counts the plate to begin."""
    numbered_movie(tmp_path / "A001.mov", 60)
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C  01:00:01:00 01:00:02:00 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: A001.mov\n"
    )
    edit(tmp_path, "cut.edl", "--look", "identity", "--rate", "24", "--handles", "2")
    (event,) = checked(tmp_path / "out", "cut.edl", "--rate", "24", "--media", str(tmp_path / "out" / "shots"))
    assert (Path(event["media"]).name, event["frames"], event["reason"]) == ("V1_001_A001.mov", [3, 26], "")
