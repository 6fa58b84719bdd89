"""Settings files: wrong keys, types and values are named with their file and the nearest right key."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

pytest.importorskip("torch")

from scumble.core.errors import BadSettings
from scumble.core.settings import commented, describe, from_values, load, to_values
from scumble.train.match.settings import RefineSettings
from scumble.train.settings import TrainSettings

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = Path(__file__).parents[2] / "src/scumble/data"
SHIPPED = {
    **dict.fromkeys([*CONFIGS.glob("*.toml"), DATA / "classic_look.toml"], TrainSettings),
    DATA / "look.toml": RefineSettings,
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_recipes_load_and_round_trip(path: Path) -> None:
    settings = load(path, SHIPPED[path])
    assert from_values(to_values(settings), SHIPPED[path], "again") == settings


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[losses]\nstlye = 3", "no key 'stlye'; did you mean 'style'"),
        ("[loses]\nstyle = 3", "no key 'loses'; did you mean 'losses'"),
        ("[losses]\nstyle = 'much'", "style is 'much'; it must be of type float"),
        ("[discriminator]\nkind = 'wasserstein'", "choose one of 'style', 'plain'"),
        ("[data]\ncontent_scale = 3", "write a list"),
        ("[data]\ncontent_scale = [1, 2, 3]", "takes 2 values and has 3"),
        ("[generator]\nsize = 'huge'", "not one of"),
        ("losses = 3", "is a table"),
        ("[losses\n", "not a TOML file"),
    ],
)
def test_a_mistake_is_named_with_file_and_remedy(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadSettings) as error:
        load(path, TrainSettings)
    assert sentence in str(error.value)
    assert "mine.toml" in str(error.value)


def test_changes_win_over_the_file() -> None:
    settings = load(CONFIGS / "universal.toml", TrainSettings, ["losses.style=3", "generator.size=tiny"])
    assert (settings.losses.style, settings.generator.size) == (3.0, "tiny")
    with pytest.raises(BadSettings, match="write TABLE"):
        load(CONFIGS / "universal.toml", TrainSettings, ["losses.style"])


def test_the_commented_defaults_load_as_themselves(tmp_path: Path) -> None:
    (tmp_path / "all.toml").write_text(commented(TrainSettings()))
    assert load(tmp_path / "all.toml", TrainSettings) == TrainSettings()


def test_every_field_has_its_sentence() -> None:
    def check(settings: type) -> None:
        sentences = describe(settings)
        for field in fields(settings):
            default = field.default if not callable(field.default_factory) else field.default_factory()
            if is_dataclass(default):
                check(type(default))
            else:
                assert sentences[field.name].endswith("."), field.name

    check(TrainSettings)
