"""Flags of a render in a file: the same bytes, the command line wins, what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture, random_look

from scumble.cli.settings_file import as_toml, words_of
from scumble.core.colour import DISPLAY
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    (tmp_path / "show").mkdir()
    for n in range(1001, 1004):
        write_picture(tmp_path / f"show/p.{n}.png", Frame(n, picture(48, 64, n), DISPLAY), WriterSettings())
        matte = Frame(n, (picture(48, 64, 2)[:, :, :1] > 0.5).astype("float32").repeat(3, axis=2), DISPLAY)
        write_picture(tmp_path / f"show/m.{n}.png", matte, WriterSettings())
    random_look(1).save(tmp_path / "show/my.look")
    return tmp_path / "show"


def test_a_file_gives_the_bytes_of_the_command_that_it_was_dumped_from(shot: Path, tmp_path: Path) -> None:
    flags = ["--look", "show/my.look", "--strength", "1001:0.2,1003:1", "--matte", "show/m.####.png", "--feather", "3"]
    flags += ["--keep-color", "0.5", "--frames", "1001-1003", "--stabilise", "flow", "--progress", "none"]
    command = ["render", "show/p.####.png", *flags]
    assert scumble(*command, "-o", "show/a.####.png", cwd=tmp_path).returncode == 0
    dumped = scumble(*command, "-o", "show/b.####.png", "--dump-settings", cwd=tmp_path)
    assert dumped.returncode == 0, dumped.stderr
    assert not list(shot.glob("b.*"))
    (shot / "b.toml").write_text(dumped.stdout)
    (tmp_path / "elsewhere").mkdir()
    done = scumble("render", "--settings", shot / "b.toml", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    for n in range(1001, 1004):
        assert (shot / f"b.{n}.png").read_bytes() == (shot / f"a.{n}.png").read_bytes()
    # it says of itself what it was given
    again = scumble("render", "--settings", shot / "b.toml", "--dump-settings", cwd=tmp_path)
    assert again.stdout == dumped.stdout
    # the command line wins
    done = scumble("render", "--settings", shot / "b.toml", "--matte", shot / "m.1001.png", "--dump-settings")
    assert "m.1001.png" in done.stdout
    assert "m.####.png" not in done.stdout
    assert 'stabilize = "flow"' in done.stdout


def test_paths_are_as_seen_from_the_file(shot: Path, tmp_path: Path) -> None:
    (shot / "s.toml").write_text(
        'input = "p.####.png"\noutput = "out.####.png"\nlook = "my.look"\nprogress = "none"\n'
        'matte-look = ["m.####.png=auvers"]\nframes = "1002"\n'
    )
    done = scumble("render", "--settings", "show/s.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [f.name for f in shot.glob("out.*")] == ["out.1002.png"]
    # another plate with the same settings
    done = scumble(
        "render",
        shot / "p.1001.png",
        "--settings",
        shot / "s.toml",
        "-o",
        tmp_path / "x.png",
        "--frames",
        "1001",
        "--first-frame",
        "1001",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.png").is_file()


def test_styles_keep_their_weights(tmp_path: Path) -> None:
    one, two = SAMPLES / "vangogh_auvers.jpg", SAMPLES / "hiroshige_mackerel.jpg"
    command = ["render", "p.png", "-o", "o.png", "--style", f"{one}:0.7", str(two), "--dump-settings"]
    dumped = scumble(*command, cwd=tmp_path).stdout
    assert f'style = ["{one}:0.7", "{two}"]' in dumped


def test_what_is_wrong_is_named(shot: Path) -> None:
    flags = {"strength": False, "overwrite": True}
    for text, words in (
        ("strenght = 0.5", "strenght: no such setting; did you mean strength"),
        ("overwrite = 1", "overwrite: give true or false"),
        ("strength = {a = 1}", "strength: give text or a number"),
        ("strength = ", "not a file of settings"),
    ):
        (shot / "bad.toml").write_text(text)
        with pytest.raises(BadSettings, match=words):
            words_of(shot / "bad.toml", flags, ())
    done = scumble("render", "--settings", shot / "bad.toml")
    assert done.returncode == 2
    assert "bad.toml: not a file of settings" in done.stderr
    assert as_toml({"strength": 'a"b\\c'}) == 'strength = "a\\"b\\\\c"\n'


def test_a_flag_takes_the_place_of_what_excludes_it(shot: Path, tmp_path: Path) -> None:
    (shot / "s.toml").write_text(
        'look = "auvers"\nmatte = "m.####.png"\nstart = 1001\nend = 1002\ninput = "p.####.png"\noutput = "o"\n'
    )
    done = scumble(
        "render",
        "--settings",
        shot / "s.toml",
        "--style",
        shot / "p.1001.png",
        "--crypto",
        "x",
        "--frames",
        "1003",
        "--dump-settings",
    )
    assert done.returncode == 0, done.stderr
    for gone in ("look", "matte", "start", "end"):
        assert f"\n{gone} =" not in f"\n{done.stdout}"
    for given in ("style", "crypto", "frames"):
        assert f"\n{given} =" in f"\n{done.stdout}"


def test_words_of_mattes_and_parts_of_a_range_stay(shot: Path, tmp_path: Path) -> None:
    given = ["--matte", "channel:mask.Y", "--matte-look", "auto:person=auvers", "--start", "1002", "--step", "2"]
    dumped = scumble(
        "render", shot / "p.####.png", "--look", "auvers", "-o", "o.####.png", *given, "--dump-settings", cwd=tmp_path
    )
    assert dumped.returncode == 0, dumped.stderr
    assert 'matte = "channel:mask.Y"' in dumped.stdout
    assert '"auto:person=auvers"' in dumped.stdout
    (shot / "s.toml").write_text(dumped.stdout)
    again = scumble("render", "--settings", shot / "s.toml", "--end", "1003", "--dump-settings", cwd=tmp_path)
    for line in ('matte = "channel:mask.Y"', "start = 1002", "step = 2", "end = 1003"):
        assert line in again.stdout


def test_a_switch_of_the_file_is_turned_off(shot: Path) -> None:
    (shot / "s.toml").write_text(
        'input = "p.####.png"\noutput = "o.####.png"\nlook = "auvers"\nburn-in = true\nhold-blacks = true\n'
    )
    done = scumble("render", "--settings", shot / "s.toml", "--no-burn-in", "--dump-settings")
    assert done.returncode == 0, done.stderr
    assert "hold-blacks = true" in done.stdout
    assert "burn-in" not in done.stdout
    assert "no such file" in scumble("render", "--settings", shot / "none.toml").stderr.lower()
