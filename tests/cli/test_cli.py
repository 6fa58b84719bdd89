"""The command line's own grammar."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from helpers.outgoing import watched
from helpers.pictures import SAMPLES

from scumble.cli.grammar import one_value_each, weighted
from scumble.core.errors import BadSettings
from scumble.core.frames import parse_rate


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("in.mp4 --style a.jpg b.jpg -o out.mp4", "in.mp4 --style a.jpg --style b.jpg -o out.mp4"),
        ("--style a.jpg b.jpg in.mp4 -o out.mp4", "--style a.jpg --style b.jpg in.mp4 -o out.mp4"),
        ("--style a.jpg in.mp4 -o out.mp4", "--style a.jpg in.mp4 -o out.mp4"),
        ("--style a.jpg --style b.jpg in.mp4", "--style a.jpg --style b.jpg in.mp4"),
        ("--overwrite in.mp4 --style=a.jpg -o out.mp4", "--overwrite in.mp4 --style=a.jpg -o out.mp4"),
        ("-o out.mp4 in.mp4 --first-frame -5", "-o out.mp4 in.mp4 --first-frame -5"),
    ],
)
def test_style_takes_several_words(given: str, parsed: str) -> None:
    assert one_value_each(given.split(), {"--style", "--content"}, {"--overwrite"}, 1) == parsed.split()


def test_content_and_style_without_positional_words() -> None:
    given = ["--content", "a", "b", "--style", "c", "d", "-o", "set"]
    assert one_value_each(given, {"--style", "--content"}, set(), 0) == (
        ["--content", "a", "--content", "b", "--style", "c", "--style", "d", "-o", "set"]
    )


def test_weights(tmp_path: Path) -> None:
    assert weighted("a.jpg") == ("a.jpg", 1.0)
    assert weighted("a.jpg:0.25") == ("a.jpg", 0.25)
    assert weighted("C:\\art\\a.jpg") == ("C:\\art\\a.jpg", 1.0)
    (tmp_path / "b:2").touch()
    assert weighted(str(tmp_path / "b:2")) == (str(tmp_path / "b:2"), 1.0)
    for text in ("a.jpg:0", "a.jpg:-1", "a.jpg:inf", "a.jpg:nan"):
        with pytest.raises(BadSettings, match="above 0"):
            weighted(text)


def test_frame_rates() -> None:
    assert parse_rate("23.976") == Fraction(24000, 1001)
    assert parse_rate("24000/1001") == Fraction(24000, 1001)
    assert parse_rate("12.5") == Fraction(25, 2)
    for text in ("0", "-24", "fast", "24/0"):
        with pytest.raises(BadSettings, match="24000/1001"):
            parse_rate(text)


def test_a_render_speaks_to_nobody(tmp_path: Path) -> None:
    """A plate's machine is often cut off, and should be: libraries that report their use are kept from it."""
    log = tmp_path / "outgoing.txt"
    environment = {**os.environ, **watched(tmp_path, log)}
    program = (
        "import sys, time, scumble\n"
        "scumble.render(sys.argv[1], 'auvers', sys.argv[2], frames='1')\n"
        "time.sleep(2)  # what reports does so in a thread or process of its own\n"
    )
    words = [sys.executable, "-c", program, str(SAMPLES / "sintel_walk.mp4"), str(tmp_path / "one.png")]
    subprocess.run(words, check=True, env=environment)
    assert not log.exists(), log.read_text()
    talking = "import socket; s = socket.socket(); s.settimeout(0.01); s.connect_ex(('192.0.2.1', 9))"  # the watch itself works
    subprocess.run([sys.executable, "-c", talking], check=True, env=environment)
    assert "192.0.2.1" in log.read_text()
