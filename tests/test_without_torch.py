"""The base install paints: looks made, mixed, inspected and rendered while `import torch` is impossible."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.pictures import SAMPLES

from scumble.look.shipped import shipped

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "tensorboard", "PIL", "gradio", "ray", "h5py"}:
            raise ModuleNotFoundError(name + " is blocked")
sys.meta_path.insert(0, Block())
from scumble.cli import main
main()
"""


def scumble(*arguments: str | Path, fails: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process that cannot import torch."""
    command = [sys.executable, "-c", BLOCK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == fails, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_look_make_info_mix_and_render(tmp_path: Path) -> None:
    one, two, both = (tmp_path / f"{n}.look" for n in ("one", "two", "both"))
    scumble("look", "make", SAMPLES / "vangogh_auvers.jpg", "-o", one)
    scumble("look", "make", f"{SAMPLES / 'hiroshige_mackerel.jpg'}:2", SAMPLES / "vangogh_auvers.jpg", "-o", two)
    scumble("look", "mix", f"{one}:0.7", f"{two}:0.3", "-o", both)
    facts = json.loads(scumble("look", "info", both, "--json").stdout)
    assert facts["schema"] == 7
    assert [round(s["weight"], 3) for s in facts["facts"]["sources"]] == [0.7, 0.6, 0.3]
    out = tmp_path / "out.####.png"
    done = scumble(
        "render",
        SAMPLES / "sintel_walk.mp4",
        "--look",
        both,
        "-o",
        out,
        "--frames",
        "3",
        "--lines",
        "96",
        "--progress",
        "json",
    )
    event = json.loads(done.stdout.splitlines()[0])
    assert (event["frame"], event["done"], event["total"]) == (3, 1, 1)
    assert (tmp_path / "out.0003.png").is_file()


def test_style_pictures_paint_directly_and_dry_run_writes_nothing(tmp_path: Path) -> None:
    style = SAMPLES / "hiroshige_mackerel.jpg"
    arguments = ["render", SAMPLES / "sintel_walk.mp4", "--style", style, "-o", tmp_path / "a.png", "--frames", "5"]
    plan = scumble(*arguments, "--dry-run").stdout
    assert "1280x544" in plan
    assert "5 (1 of 60)" in plan
    assert not list(tmp_path.iterdir())
    scumble(*arguments, "--lines", "64", "--progress", "none")
    assert (tmp_path / "a.png").is_file()
    refused = scumble(*arguments, fails=2)
    assert "--overwrite" in refused.stderr


def test_every_shipped_look_loads_and_is_credited() -> None:
    looks = sorted(shipped("looks").glob("*.look"))
    names = {p.stem for p in looks}
    assert "identity" in names
    assert len(names) == 13
    credited = (shipped("looks") / "SOURCES.md").read_text("utf-8")
    for name in names:
        facts = json.loads(scumble("look", "info", name, "--json").stdout)
        assert facts["name"] == name
        assert f"| {name} |" in credited


def test_looks_are_evaluated_and_the_machine_examined(tmp_path: Path, vgg: Path) -> None:
    content, style = SAMPLES / "hiroshige_mackerel.jpg", SAMPLES / "vangogh_auvers.jpg"
    arguments = ["evaluate", "universal", "--content", content, "--style", style, "--size", "128", "--vgg", vgg]
    facts = json.loads(scumble(*arguments, "--json", "-o", tmp_path / "r.html").stdout)
    assert facts["mean"]["static_half"] == 0
    assert (tmp_path / "r.html").is_file()
    assert json.loads(scumble("doctor", "--json").stdout)["renders"] is True


def test_training_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("")
    assert "scumble[train]" in scumble("train", tmp_path / "c.toml", fails=2).stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["render", "nothing.mp4", "--look", "identity", "-o", "out.mp4"], "nothing.mp4"),
        (["render", "nothing.mp4", "-o", "out.mp4"], "--look"),
        (["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "nobody", "-o", "o.mp4"], "identity"),
        (["look", "info", "nobody"], "shipped looks"),
        (["render", str(SAMPLES / "sintel_walk.mp4"), "--style", "no:smile:.jpg", "-o", "o.mp4"], "no:smile:.jpg"),
        (["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity", "-o", "o.gif", "--dry-run"], ".png"),
        (
            ["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity", "-o", "o.mp4", "--engine", "x"],
            "openvino",
        ),
        (
            ["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity", "-o", "o.mp4", "-s", "9", "-e", "3"],
            "1-60",
        ),
        (["render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity", "-o", "o.gif"], "gif"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = scumble(*arguments, fails=2)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_a_stopped_movie_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCK, "render", str(SAMPLES / "sintel_walk.mp4"), "--look", "identity"]
    command += ["-o", str(tmp_path / "out.mp4"), "--progress", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()  # the first frame is written
        running.terminate()
        running.communicate(timeout=60)
    assert running.returncode == 128 + 15
    assert not list(tmp_path.iterdir())


def test_help_is_there_for_every_command() -> None:
    for command in (
        ["render"],
        ["look", "make"],
        ["look", "mix"],
        ["look", "info"],
        ["look", "train"],
        ["data", "prepare"],
        ["weights", "fetch"],
        ["train"],
        ["evaluate"],
        ["doctor"],
    ):
        text = scumble(*command, "--help").stdout
        assert "Usage" in text
