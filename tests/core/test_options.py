"""An option is declared once: everything that users and farms see of it is made from there."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.numbered import numbered_movie
from helpers.pictures import SAMPLES, picture, random_look
from helpers.plates import exr_with

from scumble.cli.reference import options_page, with_table
from scumble.core.colour import DISPLAY
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame
from scumble.core.keyed import Keyed
from scumble.core.options import choices_of, defaults_of, describe, hint_of, options_of
from scumble.look.look import Look
from scumble.look.painted_frame import PaintedFrame
from scumble.media.open import open_plate
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.palette import Palette
from scumble.quality.qc import Limits
from scumble.rendering.job import job_of
from scumble.rendering.measure import measure
from scumble.rendering.options import PANELS, RenderSettings, settings_of
from scumble.rendering.recipe import stamp_of
from scumble.rendering.schedule import Schedule

ROOT = Path(__file__).parents[2]
FRAME = 1003

# what each option is changed to, and what must be set beside it for that to have a meaning
CHANGES: dict[str, tuple[Any, dict[str, Any]]] = {
    "frames": ((FRAME, 1004), {}),
    "frame_rate": (Fraction(25), {}),
    "timecode": ("01:00:00:00", {}),
    "missing": ("hold", {}),
    "overwrite": (True, {}),
    "strength": (0.5, {}),
    "stroke": (2.0, {}),
    "lines": (24, {}),
    "carry": (0.5, {}),
    "on": (2, {}),
    "on_warp": ("flow", {"on": 2}),
    "keep_color": (0.5, {}),
    "keep_exposure": (0.5, {}),
    "hold_blacks": (True, {}),
    "palette": (SAMPLES / "vangogh_auvers.jpg", {}),
    "matte": ("matte.png", {}),
    "invert_matte": (True, {"matte": "matte.png"}),
    "feather": (3.0, {"matte": "matte.png"}),
    "stabilize": ("flow", {}),
    "window": (1, {"stabilize": "flow"}),
    "vectors": ("backward:backward", {"stabilize": "vectors"}),
    "grain": ("keep", {}),
    "cuts": ("cuts.txt", {}),
    "stats": ("stats.json", {}),
    "layer": ("other", {}),
    "view": ("right", {}),
    "flat": (True, {}),
    "out_layer": ("paint", {}),
    "aovs": (("luma",), {}),
    "in_space": ("ACEScg", {}),
    "out_space": ("ACEScg", {}),
    "ocio": ("ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3", {"in_space": "ACEScg"}),
    "codec": ("prores-4444", {}),
    "bits": (32, {}),
    "quality": (50, {}),
    "compare": ("side", {}),
    "burn_in": (True, {}),
    "proxy": (2, {}),
    "precision": ("fast", {}),
    "memory": (10**9, {}),
    "engine": ("torch", {}),
    "first_frame": (FRAME + 4, {}),
}


# the options that leave the pixels of a frame as they are; a movie's codec does not, but movies are never gone on with
KEEPS = {"memory", "frames", "frame_rate", "missing", "overwrite", "codec"}


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six stereo EXR frames with motion vectors and a second layer, a matte, first frames of shots."""
    folder = tmp_path_factory.mktemp("options")
    for n in range(1001, 1007):
        still = {"forward.u": 0.0, "forward.v": 0.0, "backward.u": 0.0, "backward.v": 0.0}
        other = picture(48, 64, n + 50)
        layer = {f"other.{c}": other[:, :, i, None] for i, c in enumerate("RGB")}
        eye = {f"right.{c}": other[:, :, i, None] for i, c in enumerate("RGB")}
        exr_with(folder / f"p.{n}.exr", picture(48, 64, n), {**still, **layer, **eye}, ("left", "right"))
    white = np.zeros((48, 64, 3), np.float32)
    white[:, 20:40] = 1
    write_picture(folder / "matte.png", Frame(1, white, DISPLAY), WriterSettings())
    (folder / "cuts.txt").write_text("1001\n1003\n")
    numbered_movie(folder / "p.mov", 6)
    return folder


@pytest.fixture(scope="module")
def look() -> Look:
    """One that carries a painted frame along."""
    plate, painted = picture(48, 64, FRAME), picture(48, 64, 9)
    key = PaintedFrame.of(FRAME, plate, painted, np.ones((48, 64), np.float32))
    return replace(random_look(), painted_frames=(key,))


def recipe(
    shot: Path, look: Look, settings: dict[str, Any], output: str = "out.####.exr", plate: str = "p.####.exr"
) -> str:
    """The hash of one frame under these settings."""
    known = {k: str(shot / v) if k in ("matte", "cuts", "stats") else v for k, v in settings.items()}
    asked = settings_of(known)
    opened = open_plate(shot / plate, asked.first_frame, asked.plate_options)
    job = job_of(opened, look, shot / output, asked, ())
    number = opened.numbers[FRAME - 1001]
    return stamp_of(job.plan, job.output, Schedule(job.plan, measure(job.plan)), number).split()[3].rstrip(",")


@pytest.mark.parametrize("name", list(options_of(RenderSettings)))
def test_an_option_that_changes_pixels_makes_frames_anew_and_no_other_does(name: str, shot: Path, look: Look) -> None:
    assert name in CHANGES, f"say in CHANGES, above, what to change {name} to"
    changed, beside = CHANGES[name]
    if name == "engine":
        pytest.importorskip("torch")
    if name == "stats":  # statistics of something else
        recipe(shot, look, {"stats": "stats.json", "cuts": "cuts.txt"})
    output = "out.mov" if name == "codec" else "out.####.exr"
    plate = "p.mov" if name == "timecode" else "p.####.exr"
    both = (beside, {**beside, name: changed})
    before, after = (recipe(shot, look, settings, output, plate) for settings in both)
    assert (before == after) == (name in KEEPS)
    assert (name in KEEPS) == (not options_of(RenderSettings)[name].recipe)


def test_the_same_options_are_the_same_recipe(shot: Path, look: Look) -> None:
    assert recipe(shot, look, {"stroke": 2.0}) == recipe(shot, look, {"stroke": 2.0})


def test_every_option_says_what_it_does() -> None:
    for settings in (RenderSettings, Limits):
        for name, sentence in describe(settings).items():
            assert sentence.endswith("."), name
            assert len(sentence) > 15, name
    for name, declared in options_of(RenderSettings).items():
        assert declared.panel in PANELS, name


@pytest.mark.parametrize("name", [n for n, declared in options_of(RenderSettings).items() if declared.within])
def test_numbers_beyond_their_ends_are_refused(name: str) -> None:
    least, most = options_of(RenderSettings)[name].within or (0, 0)
    for value in (least - 1, most + 1):
        with pytest.raises(BadSettings, match=f"{name.replace('_', '-')} .*from {least:g} to {most:g}"):
            settings_of({name: value})


def test_words_that_are_none_are_refused_by_naming_the_others() -> None:
    for name, declared in options_of(RenderSettings).items():
        words = () if declared.text is not None else choices_of(hint_of(RenderSettings, name))
        if words:
            with pytest.raises(BadSettings, match=f"one of {words[0]}"):
                settings_of({name: "nothing"})
    with pytest.raises(BadSettings, match="did you mean strength"):
        settings_of({"strenth": 1})


def test_values_are_read_as_the_command_line_reads_them() -> None:
    assert settings_of({"frames": "1001-1003"}).frames == (1001, 1002, 1003)
    assert settings_of({"lines": "full"}).lines == 0
    assert settings_of({"strength": "1:0,5:1"}).strength == Keyed.parse("1:0,5:1", "strength")
    assert settings_of({"aovs": ["luma,chroma", "detail"]}).aovs == ("luma", "chroma", "detail")
    assert isinstance(settings_of({"palette": SAMPLES / "vangogh_auvers.jpg"}).palette, Palette)
    assert settings_of(defaults_of(RenderSettings)) == RenderSettings()


def test_every_option_is_used_and_has_a_label() -> None:
    """Somewhere beside its declaration; and in words of the page, if it has a widget there."""
    sources = [p.read_text("utf-8") for p in (ROOT / "src" / "scumble").rglob("*.py")]
    unused = [name for name in options_of(RenderSettings) if not any(re.search(rf"\.{name}\b", s) for s in sources)]
    assert unused == []
    from scumble.studio.words import WORDS

    unlabelled = [name for name, declared in options_of(RenderSettings).items() if declared.page and name not in WORDS]
    assert unlabelled == [], "say in studio/words.py what the page calls it, in English and Chinese"


def test_documents_are_made_from_the_declarations() -> None:
    """scripts/docs makes them anew."""
    assert (ROOT / "docs" / "options.md").read_text("utf-8") == options_page()
    readme = (ROOT / "README.md").read_text("utf-8")
    assert with_table(readme) == readme


NEW = """
import dataclasses
import scumble.rendering.options as options
from scumble.core.options import option, recipe_of

options.RenderSettings = dataclasses.make_dataclass(
    "RenderSettings",
    [("mist", float, option(0.0, "Mist over the far parts.", panel=options.COLOUR, within=(0, 1), recipe=True,
                            api="paint", page="slider"))],
    bases=(options.RenderSettings,), frozen=True, namespace={"__module__": "scumble.rendering.options"},
)

from scumble.cli.reference import options_page, readme_table
from scumble.cli.settings_file import as_toml
assert "| `--mist` | `number` | 0 | Mist over the far parts. From 0 to 1. |" in options_page()
assert "`--mist`" in readme_table()

import sys
from scumble.cli.program import app
import scumble.cli.program
import typer
from pathlib import Path
Path("more.toml").write_text("mist = 0.25\\ninput = 'p.png'\\noutput = 'o.png'\\nlook = 'identity'\\n")
from contextlib import redirect_stdout
from io import StringIO
with redirect_stdout(StringIO()) as dumped:
    typer.main.get_command(app).main(["render", "--settings", "more.toml", "--dump-settings"], standalone_mode=False)
assert "mist = 0.25" in dumped.getvalue(), dumped.getvalue()

assert options.settings_of({"mist": 0.5}).mist == 0.5
assert recipe_of(options.settings_of({"mist": 0.5})) != recipe_of(options.settings_of({}))

from scumble.studio.requests import Preview, Render
assert Render(plate="upload:1", mist=0.5).settings == {"mist": 0.5}
field = Preview.model_json_schema()["properties"]["mist"]
assert field["description"] == "Mist over the far parts." and field["maximum"] == 1

import gradio
from scumble.studio.widgets import on_the_page, widget
from scumble.studio.words import Words
with gradio.Blocks():
    made = widget("mist", Words("en"))
assert "mist" in on_the_page() and isinstance(made, gradio.Slider) and made.label == "Mist" and made.maximum == 1
print("everywhere")
"""


def test_a_new_option_is_everywhere_at_once(tmp_path: Path) -> None:
    pytest.importorskip("gradio")
    done = subprocess.run([sys.executable, "-c", NEW], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.strip() == "everywhere", done.stderr[-2000:]
