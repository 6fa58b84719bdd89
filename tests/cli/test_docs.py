"""Every `scumble` command in README and docs runs as it is written, in order, on small stand-ins for its inputs.

What is changed for the test: networks see 64 lines, training is tiny and takes 2 steps, refining 6 seconds, weights
are the fixture's. `weights fetch`, which downloads, is looked at by `test_weights.py`, `edit --watch`, which does not end, by `test_watch.py`,
`--ray` by `test_ray.py`.
"""

from __future__ import annotations

import re
import shlex
import shutil
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import SAMPLES, picture

pytest.importorskip("torch")
pytest.importorskip("httpx")

from helpers.command import scumble
from helpers.plates import CONVENTIONS, exr_with, moving
from helpers.studio_server import studio
from helpers.training import SMALL
from PIL import Image

from scumble.core import colour
from scumble.core.frames import Frame
from scumble.media.movie_writer import MovieWriter
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "README.zh-CN.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")))]
EXAMPLE = re.compile(r"^    (scumble .*)$", re.MULTILINE)


def commands(document: str) -> list[str]:
    """The lines of a document's code blocks that call scumble, without their remarks."""
    return [line.split("  #")[0].strip() for line in EXAMPLE.findall((ROOT / document).read_text("utf-8"))]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, vgg: Path, dataset: Path, person_models: Path) -> Path:
    """What the examples' names stand for."""
    folder = tmp_path_factory.mktemp("inputs")
    for name in ("shot.mp4", "shot.mov", "FOOTAGE.mov"):
        writer = MovieWriter(folder / name, WriterSettings(size=(96, 64), frame_rate=Fraction(24)))
        for i in range(24):
            writer.write(Frame(i + 1, picture(64, 96, i // 12), colour.DISPLAY))
        writer.close()
    for number in range(1001, 1101):
        if number <= 1004:
            frame = Frame(number, colour.srgb_to_linear(picture(48, 64, number)), colour.LINEAR)
            write_picture(folder / f"plates/sh010.{number}.exr", frame, WriterSettings(bits=16))
        else:
            shutil.copy(folder / "plates/sh010.1001.exr", folder / f"plates/sh010.{number}.exr")
    for number in range(1001, 1101):
        matte = Frame(number, (picture(48, 64, 3)[:, :, :1] > 0.5).astype(np.float32).repeat(3, axis=2), colour.DISPLAY)
        write_picture(folder / f"roto/sh010.{number}.png", matte, WriterSettings())
    for number in (1002, 1004):
        key = Frame(number, picture(48, 64, number), colour.DISPLAY)
        write_picture(folder / f"keys/sh010.{number}.png", key, WriterSettings())
    for number, pixels in enumerate(moving(5), start=1001):
        exr_with(folder / f"plates/sh020.{number}.exr", pixels, CONVENTIONS["nuke"][0])
    (folder / "limits.toml").write_text(
        "warp_1 = 100.0\nwarp_10 = 100.0\nstatic = 255.0\nsharpness = 0.0\ndrift = 255.0\nclipped = 1.0\n"
    )
    (folder / "reel1.edl").write_text(
        "TITLE: reel 1\n001  sh010    V     C        00:00:00:00 00:00:00:04 01:00:00:00 01:00:00:04\n"
    )
    (folder / "looks.toml").write_text('[default]\nlook = "auvers"\nlines = 64\n')
    shutil.copy(SAMPLES / "vangogh_auvers.jpg", folder / "painting.jpg")
    shutil.copy(SAMPLES / "hiroshige_mackerel.jpg", folder / "other.jpg")
    for name, seed in (("photos", 0), ("PHOTOS", 100), ("paintings", 200), ("PAINTINGS", 300)):
        (folder / name).mkdir()
        for i in range(40 if name.isupper() else 6):  # a data set has so many that every split has some
            pixels = (picture(140, 150, seed + i) * 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "cache").mkdir()
    shutil.copy(vgg, folder / "cache" / "vgg_features.safetensors")
    for model in person_models.iterdir():
        if model.is_file():
            shutil.copy(model, folder / "cache")
    return folder


def shortened(command: str) -> list[str]:
    """A command's words with the changes that the module's head names."""
    words = shlex.split(command)[1:]
    tiny = [part for change in SMALL for part in ("--set", change)]
    if words[0] == "train":
        return [*words, "--steps", "2", *tiny]
    if words[:2] == ["data", "examples"]:
        return [*words, "--count", "1"]
    if words[:2] == ["look", "match"]:
        return [*words, "--steps", "2", "--lines", "48"]
    if words[:2] == ["look", "train"]:
        changes = SMALL if "--from-scratch" in words else ["keys.steps=1", "match.patch=48"]
        small = [part for change in changes for part in ("--set", change)]
        return [*words, "--steps", "2", *small]
    if "--refine" in words:
        words[words.index("--refine") + 1] = "0.1"
    if words[0] == "render" and "--help" not in words:
        return [*words, "--lines", "64", "--progress", "none"]
    if words[0] == "sheet":  # of all shipped looks otherwise
        return [*words, *([] if "--looks" in words else ["--looks", "auvers", "goulphar"])]
    if words[0] == "evaluate":
        return [*words, "--size", "128"]
    return words


def test_there_are_commands_to_run() -> None:
    found = {document: len(commands(document)) for document in DOCUMENTS}
    assert found["README.md"] >= 8
    assert commands("README.md") == commands("README.zh-CN.md")
    assert found["docs/quickstart.md"] >= 14


LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def test_every_link_and_picture_is_there() -> None:
    """`scripts/docs` looks at anchors too, when it builds the site."""
    for document in (*DOCUMENTS, "CONTRIBUTING.md", "CHANGELOG.md"):
        targets = LINK.findall((ROOT / document).read_text("utf-8"))
        local = [target for target in targets if "://" not in target]
        assert [t for t in local if not (ROOT / document).parent.joinpath(t).exists()] == [], document


LONG = (
    "docs/show.md",
    "docs/quickstart.md",
    "docs/steadiness.md",
    "docs/studio.md",
    "docs/mattes.md",
    "docs/comp.md",
)  # minutes of training, matching, measuring


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(d, marks=pytest.mark.full) if d in LONG else d
        for d in DOCUMENTS
        if commands(d) and d != "README.zh-CN.md"
    ],
)
def test_every_command_runs(
    document: str, inputs: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_COMPILE_DISABLE", "1")  # compiling takes longer than what is tried here
    work = tmp_path / "work"
    shutil.copytree(inputs, work)
    text = "\n".join(commands(document))
    if "data prepare" not in text:
        shutil.copytree(dataset, work / "dataset")
    assert scumble("look", "make", "painting.jpg", "-o", "stand_in.look", cwd=work).returncode == 0
    for look in set(re.findall(r"[\w.#-]+\.look", text)):
        shutil.copy(work / "stand_in.look", work / look)
    matched: dict[str, list[str]] = {}
    for command in commands(document):
        words = shortened(command)
        if (
            words[:2] == ["look", "suggest"] and "--look" in words
        ):  # a stand-in for the look does not know its key frames
            words = [*words[: words.index("--look")], "--painted", "1002", *words[words.index("--look") + 2 :]]
        if words[:2] == ["weights", "fetch"] or "--watch" in words or "--ray" in words:  # `test_watch.py` looks at that
            continue
        if words[0] == "studio":
            if find_spec("gradio") is not None:
                with studio(tmp_path / "studio", *words[1:], cwd=work) as running:
                    assert running.client.get("/").status_code in (307, 401), command
            continue
        made = words[words.index("-o") + 1] if "-o" in words else ""
        keys = [word for word in words if word.startswith("keys/")]
        goes_on = words[:2] == ["look", "match"] and matched.get(made, keys) != keys  # a further key
        if (work / made).is_file() and not goes_on:
            (work / made).unlink()  # a stand-in, or the same name in an earlier example
        done = scumble(*words, cwd=work, cache=work / "cache")
        if words[:2] == ["look", "match"]:
            matched[made] = keys
        assert done.returncode == 0, (command, words, done.stderr)
        assert not made or words[0] == "farm" or list(work.glob(re.sub(r"#+", "*", made))), command
