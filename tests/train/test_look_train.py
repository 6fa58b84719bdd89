"""A look trained on a show: footage and pictures as they are, figures against the start, the same bits again.

On made pictures, a tiny network and random perceptual weights: seconds, not quality.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, picture, random_look
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from PIL import Image  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402

from scumble.cli.apps import app  # noqa: E402
from scumble.core.colour import LINEAR, srgb_to_linear  # noqa: E402
from scumble.core.errors import ScumbleError  # noqa: E402
from scumble.core.frames import Frame, Pixels  # noqa: E402
from scumble.core.settings import load  # noqa: E402
from scumble.look.look import Look  # noqa: E402
from scumble.media.open import open_plate  # noqa: E402
from scumble.media.picture_writer import write_picture  # noqa: E402
from scumble.media.plate import WriterSettings  # noqa: E402
from scumble.network.palette import Palette  # noqa: E402
from scumble.network.shape import SIZES  # noqa: E402
from scumble.rendering.options import RenderSettings  # noqa: E402
from scumble.rendering.run import render  # noqa: E402
from scumble.train.data.dataset import Dataset  # noqa: E402
from scumble.train.match import refine  # noqa: E402
from scumble.train.match.key_painter import KeyPainter  # noqa: E402
from scumble.train.match.matcher import Figures  # noqa: E402
from scumble.train.match.settings import RefineSettings  # noqa: E402

SMALL = ["keys.steps=1", "match.patch=32", "match.check_every=4"]

SCRATCH = [
    "data.crop=64",
    "data.contents=2",
    "data.style_crop=64",
    "generator.size=tiny",
    "run.compiled=false",
    "run.evaluate_every=4",
    "run.evaluate_pairs=1",
    "run.evaluate_side=160",
    "run.log_every=2",
    "run.save_minutes=0.0",
    "schedule.adversarial_from=2",
]


@pytest.fixture
def show(tmp_path: Path) -> Path:
    """A sequence, a folder of stills with one that is broken, two style pictures of a folder, a tiny look to start from."""
    for name in ("shot", "stills", "art"):
        (tmp_path / name).mkdir()
    for i in range(6):
        pixels = picture(180, 240, 10 + i)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(tmp_path / "shot" / f"s.{1001 + i}.png")
    for i in range(4):
        pixels = picture(160, 200, 40 + i)
        Image.fromarray((pixels * 255).astype(np.uint8)).save(tmp_path / "stills" / f"{i}.jpg")
    (tmp_path / "stills" / "broken.jpg").write_bytes(b"\xff\xd8 half a picture")
    for name in ("vangogh_auvers", "hiroshige_mackerel"):
        Image.open(SAMPLES / f"{name}.jpg").resize((300, 240)).save(tmp_path / "art" / f"{name}.png")
    random_look(1, SIZES["painter"]["tiny"]).save(tmp_path / "start.look")
    return tmp_path


def command(*more: str) -> list[str]:
    scratch = "--from-scratch" in more
    start = [] if scratch else ["--start", "start.look"]
    exact = ["--threads", "1", "--precision", "f32", "--device", "cpu"]
    changes = [part for change in (SCRATCH if scratch else SMALL) for part in ("--set", change)]
    return ["look", "train", *start, *exact, *changes, *more]


class Done(NamedTuple):
    """How a command ended, as `scumble` would say it."""

    returncode: int
    stderr: str


@pytest.fixture
def run(show: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """The command in this process, in the show's folder: torch is loaded once."""
    monkeypatch.chdir(show)

    def invoke(*words: str) -> Done:
        done = CliRunner().invoke(app, [*words])
        if isinstance(done.exception, ScumbleError):
            return Done(done.exception.exit_code, str(done.exception))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.output)

    return invoke


FOOTAGE = ["--content", "shot/s.####.png", "stills", "--style", "art"]


def test_footage_and_pictures_become_a_look(show: Path, run: Callable[..., Done]) -> None:
    done = run(*command(*FOOTAGE, "-o", "show.look", "--steps", "8", "--licence", "ours"))
    assert done.returncode == 0, done.stderr
    assert "broken.jpg" in done.stderr  # one bad file of many is left out, and named
    assert "(before " in done.stderr
    folder = show / "show.run"
    assert (folder / "report.html").is_file()
    previews = sorted((folder / "previews").iterdir())
    assert [path.name for path in previews] == ["0000000.jpg", "0000008.jpg"]  # at the start and at the end
    with Image.open(previews[-1]) as shown:
        assert shown.width == 3 * 440  # plate, before, now
    assert len(list((folder / "keys").glob("key.*.png"))) == 1
    look = Look.load(show / "show.look")
    facts = look.facts
    assert facts["made"] == "fine-tuned"
    assert [s["picture"] for s in facts["sources"]] == ["hiroshige_mackerel.png", "vangogh_auvers.png"]
    assert all(len(s["sha256"]) == 16 for s in facts["sources"])
    assert facts["content"] == ["s.####.png", "stills"]
    assert facts["licences"] == {"content": ["ours"], "style": ["ours"]}
    training = facts["training"]
    assert training["step"] == 8
    assert training["key frames"] == 1
    assert set(training["start"]) == {"val", "test"}
    assert training["settings"]["keys"]["steps"] == 1
    best, first = (Figures(**training[name]).score for name in ("held out", "held out at first"))
    assert best <= first  # the start is the first to beat
    assert look.shot is not None  # the show's statistics, with which it has learned
    assert (look.architecture.simplified, look.architecture.dabbed) == (0, 0)  # filters would take strokes away
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    assert all(row["local"] > 0 for row in rows)  # strokes are asked for
    render(open_plate(show / "shot/s.####.png"), look, show / "out/o.####.png", RenderSettings(frames=(1002,)))
    assert (show / "out/o.1002.png").is_file()
    again = command(*FOOTAGE, "-o", "b.look", "--run", "show.run", "--steps", "12")
    refused = run(*again)
    assert refused.returncode == 2
    assert "holds a run already" in refused.stderr
    # what cannot begin leaves the run as it is: it goes on
    before = (folder / "style/packed.zip").read_bytes()
    for wrong in (["--start", "nosuch.look"], ["--device", "nosuch"], ["--content", "nowhere"]):
        failed = run(*again, "--overwrite", *wrong)
        assert failed.returncode == 2, failed.stderr
        assert "Traceback" not in failed.stderr
    assert (folder / "style/packed.zip").read_bytes() == before
    for other, what in (("--seed", "seed"), ("--in-space", "colour spaces")):
        failed = run(*again, "--resume", other, {"--seed": "9"}.get(other, "srgb_tx"))
        assert failed.returncode == 2
        assert f"begun with other {what}" in failed.stderr
    done = run(*again, "--resume")
    assert done.returncode == 0, done.stderr
    assert Look.load(show / "b.look").facts["training"]["step"] == 12


@pytest.mark.full
def test_a_seed_and_a_number_of_steps_are_one_look(show: Path, run: Callable[..., Done]) -> None:
    """Two runs give the same bits, and so does one that was stopped and went on."""
    for name in ("a", "b"):
        done = run(*command(*FOOTAGE, "-o", f"{name}.look", "--steps", "10", "--seed", "3"))
        assert done.returncode == 0, done.stderr
    words = command(*FOOTAGE, "-o", "c.look", "--steps", "10", "--seed", "3")
    _kill_once(words, show, show / "c.run", 0.0, signal.SIGTERM)
    assert not (show / "c.look").exists()  # or nothing was tried
    done = run(*words, "--resume")
    assert done.returncode == 0, done.stderr
    one = Look.load(show / "a.look")
    for other in ("b", "c"):
        found = Look.load(show / f"{other}.look")
        for name, weights in one.weights.items():
            np.testing.assert_array_equal(weights, found.weights[name])


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("seed", range(5))
def test_killed_at_random_moments_it_is_the_same_look(seed: int, show: Path) -> None:
    whole = scumble(*command(*FOOTAGE, "-o", "a.look", "--steps", "24"), cwd=show)
    assert whole.returncode == 0, whole.stderr
    rng = random.Random(seed)
    words = command(*FOOTAGE, "-o", "b.look", "--steps", "24")
    for _ in range(4):
        going_on = ["--resume"] if (show / "b.run").exists() else []
        early = not going_on and rng.random() < 0.5  # while footage is prepared
        _kill_once([*words, *going_on], show, show / "b.run", rng.uniform(0, 1.0), signal.SIGKILL, early)
    if not (show / "b.look").exists():
        going_on = ["--resume"] if (show / "b.run").exists() else []
        done = scumble(*words, *going_on, cwd=show)
        assert done.returncode == 0, done.stderr
    for name in ("match", "best"):
        a, b = (load_file(show / run / f"{name}.safetensors") for run in ("a.run", "b.run"))
        assert not [key for key in a if not np.array_equal(a[key], b[key])]
    assert Look.load(show / "a.look").hash == Look.load(show / "b.look").hash or _weights_equal(show)


def _weights_equal(show: Path) -> bool:
    a, b = (Look.load(show / name).weights for name in ("a.look", "b.look"))
    return all(np.array_equal(a[key], b[key]) for key in a)


def _kill_once(
    words: list[str], folder: Path, run: Path, wait: float, how: signal.Signals, early: bool = False
) -> None:
    """Start, and send the signal `wait` seconds after the run's journal has grown, or its folder is there."""
    journal = run / "metrics.jsonl"
    before = journal.stat().st_size if journal.exists() else 0
    executable = Path(sys.executable).with_name("scumble")
    with subprocess.Popen([executable, *words], cwd=folder, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (early and run.exists()):
            if journal.exists() and journal.stat().st_size > before:
                break
            time.sleep(0.01)
        time.sleep(wait)
        process.send_signal(how)
        process.communicate(timeout=120)


@pytest.mark.parametrize("kind", ["unet", pytest.param("resnet", marks=pytest.mark.full)])
def test_from_scratch_is_the_classic_recipe(kind: str, show: Path, run: Callable[..., Done]) -> None:
    more = ["--from-scratch", "--generator", kind, "-o", "s.look", "--steps", "6"]
    done = run(*command(*FOOTAGE, *more))
    assert done.returncode == 0, done.stderr
    look = Look.load(show / "s.look")
    assert look.architecture.form == kind
    assert look.facts["made"] == "trained"
    assert look.facts["keep_color"] == 1.0  # G paints the plate itself, not a recolouring of it
    settings = look.facts["training"]["settings"]
    assert settings["losses"]["style_kind"] == "gram"
    assert settings["discriminator"]["kind"] == "plain"
    assert "start" not in look.facts["training"]
    lines = [json.loads(line) for line in (show / "s.run/metrics.jsonl").read_text().splitlines()]
    assert any("d_real" in line and "d_fake" in line for line in lines)  # the report's curves of D


@pytest.mark.full
def test_a_style_may_be_a_sequence_or_a_packed_set(show: Path, dataset: Path, run: Callable[..., Done]) -> None:
    for name, style in (("q", "shot/s.####.png"), ("p", str(dataset))):
        done = scumble(
            *command("--content", "stills", "--style", style, "-o", f"{name}.look", "--steps", "2"),
        )
        assert done.returncode == 0, done.stderr
    assert [s["picture"] for s in Look.load(show / "q.look").facts["sources"]] == [
        f"s.{n}.png" for n in range(1001, 1007)
    ]
    assert Look.load(show / "p.look").facts["style pictures"] == 24


@pytest.mark.full
def test_the_runs_own_pictures_are_no_footage(show: Path, run: Callable[..., Done]) -> None:
    """`--content .` with the run's folder in it, and numbered EXR files of a folder as one shot."""
    for i in range(6):
        frame = Frame(1001 + i, srgb_to_linear(picture(100, 140, 60 + i)), LINEAR)
        write_picture(show / f"stills/x.{1001 + i}.exr", frame, WriterSettings(bits=16))
    words = command("--content", ".", "--style", "art", "-o", "all.look", "--steps", "2")
    for more in ([], ["--overwrite"]):
        (show / "all.run").mkdir(exist_ok=True)
        (show / "all.run/notes.txt").write_text("ours")
        done = run(*words, *more)
        assert done.returncode == 0, done.stderr
    sources = {record.source for record in Dataset(show / "all.run/content").records}
    assert not [s for s in sources if "all.run" in s], sources
    assert "stills/x.####.exr frame 1003" in sources
    assert (show / "all.run/notes.txt").read_text() == "ours"  # a run takes away its own files alone
    assert not (show / "all.run/.new").exists()


def test_one_picture_of_each_is_enough_and_is_said(show: Path, run: Callable[..., Done]) -> None:
    done = scumble(
        *command("art/vangogh_auvers.png", "--content", "stills/0.jpg", "-o", "one.look", "--steps", "4"),
    )
    assert done.returncode == 0, done.stderr
    assert "content: one picture only, in train, val and test alike" in done.stderr
    assert "style:" not in done.stderr
    assert Look.load(show / "one.look").facts["style pictures"] == 1


def test_what_is_wrong_is_said(show: Path, dataset: Path, run: Callable[..., Done]) -> None:
    (show / "empty").mkdir()
    (show / "bad").mkdir()
    (show / "bad" / "only.jpg").write_bytes(b"\xff\xd8 half")

    def refused(*more: str) -> str:
        done = run(*command("-o", "x.look", "--steps", "2", *more))
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert not (show / "x.look").exists()
        return done.stderr

    assert "no style picture" in refused("--content", "stills")
    assert "nowhere: no such folder or movie" in refused("--content", "nowhere", "--style", "art")
    assert "no frame of this sequence" in refused("--content", "shot/t.####.png", "--style", "art")
    assert "empty: no picture or movie" in refused("--content", "stills", "--style", "empty")
    assert "only.jpg" in refused("--content", "stills", "--style", "bad")
    assert "only.jpg" in refused("--content", "stills", "bad/only.jpg", "--style", "art")  # one that was named
    assert "nonsense" in refused("--content", "shot/s.####.png", "stills", "--style", "art", "--in-space", "nonsense")
    assert "'nosuch' cannot be used" in refused("--content", "stills", "--style", "art", "--device", "nosuch")
    assert "--generator is for --from-scratch" in refused(
        "--content", "stills", "--style", "art", "--generator", "unet"
    )
    assert "stands alone" in refused("--content", str(dataset), "stills", "--style", "art")
    assert "no run to go on with" in refused("--content", "stills", "--style", "art", "--resume")
    both = [*command(*FOOTAGE, "-o", "x.look", "--from-scratch", "--steps", "2"), "--start", "start.look"]
    done = run(*both)
    assert done.returncode == 2
    assert "--from-scratch starts from no look" in done.stderr
    assert not (show / "x.run").exists()


def test_it_learns_what_the_key_frames_show(show: Path, run: Callable[..., Done]) -> None:
    """Held-out parts of the key frames are painted nearer to them than before, in a few steps."""
    more = ["--set", "match.rate=1e-2", "--set", "match.adversarial=0.0"]
    done = run(*command(*FOOTAGE, "-o", "show.look", "--steps", "60", *more))
    assert done.returncode == 0, done.stderr
    training = Look.load(show / "show.look").facts["training"]
    assert training["held out"]["pixels"] < 0.8 * training["held out at first"]["pixels"]


def test_more_steps_paint_more_key_frames(
    show: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each after those before it, and all in the colours of the whole footage."""
    monkeypatch.setattr(refine, "STEPS_A_KEY", 4)
    asked: list[tuple[int, Palette]] = []

    def paint(_: KeyPainter, plate: Pixels, earlier: list[Pixels], tell: object, task: str, colours: Palette) -> Pixels:
        asked.append((len(earlier), colours))
        return plate

    monkeypatch.setattr(KeyPainter, "paint", paint)
    done = run(*command(*FOOTAGE, "-o", "show.look", "--steps", "9"))
    assert done.returncode == 0, done.stderr
    assert len(list((show / "show.run/keys").glob("key.*.png"))) == 3
    assert [earlier for earlier, _ in asked] == [0, 1, 2]
    of_show = asked[0][1]
    assert all(colours is of_show for _, colours in asked)
    pictures = [np.asarray(Image.open(p), np.float32) / 255 for p in (show / "shot").iterdir()]
    assert np.ptp([p.mean() for p in pictures]) > 0.02  # or nothing is told apart
    assert not any(np.allclose(of_show.mean, p.mean((0, 1)), atol=1e-3) for p in pictures)
    assert Look.load(show / "show.look").facts["training"]["key frames"] == 3


@pytest.mark.full
def test_it_ends_when_nothing_gets_better(show: Path, run: Callable[..., Done]) -> None:
    still = ["--set", "match.rate=0.0", "--set", "match.patience=0.3"]
    done = run(*command(*FOOTAGE, "-o", "still.look", "--steps", "40", *still))
    assert done.returncode == 0, done.stderr
    assert "held out has not got better since step 0" in done.stderr
    assert Look.load(show / "still.look").facts["training"]["step"] < 40


def test_render_refines_the_look_of_its_style_for_its_shot(
    show: Path, run: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once; a second render takes the look that is there, and another picture is refused before any work."""

    def quick(path: Path, kind: type[RefineSettings]) -> RefineSettings:
        return load(path, kind, [*SMALL, 'match.precision="f32"', "match.steps=3"])

    monkeypatch.setattr(refine, "load", quick)
    monkeypatch.setattr(refine, "look_of_pixels", lambda *_: Look.load(show / "start.look"))
    words = ["render", "shot/s.####.png", "--frames", "1002", "-o", "out/o.####.png", "--progress", "none"]
    done = run(*words, "--style", "art/vangogh_auvers.png", "--refine", "1")
    assert done.returncode == 0, done.stderr
    look = Look.load(show / "out/o.look")
    assert look.facts["made"] == "fine-tuned"
    assert look.facts["content"] == ["s.####.png"]
    assert (show / "out/o.1002.png").is_file()
    again = run(*words, "--style", "art/vangogh_auvers.png", "--refine", "1")
    assert again.returncode == 0, again.stderr
    assert "was refined for this shot before" in again.stderr
    assert Look.load(show / "out/o.look").hash == look.hash
    other = run(*words, "--style", "art/hiroshige_mackerel.png", "--refine", "1")
    assert other.returncode == 2
    assert "another look is there; give --overwrite" in other.stderr
    assert Look.load(show / "out/o.look").hash == look.hash
    assert "--refine is for a look of --style" in run(*words, "--look", "auvers", "--refine", "1").stderr
    assert "without weights" in run(*words, "--style", "art/vangogh_auvers.png:2", "--refine", "1").stderr
