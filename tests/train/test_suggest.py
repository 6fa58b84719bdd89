"""Which frame to paint next: the one that shows what no key shows, counted over the whole shot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import picture

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadInput
from scumble.core.frames import Frame
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.vgg import Features
from scumble.train.match.suggest import described, distances, suggest


@pytest.fixture
def shot(tmp_path: Path) -> Path:
    """Three scenes of 5, 4 and 2 frames."""
    for number in range(1, 12):
        scene = 0 if number <= 5 else 1 if number <= 9 else 2
        shown = np.roll(picture(96, 160, 20 + scene), number, axis=1)
        write_picture(tmp_path / f"p.{number:04}.png", Frame(number, shown, DISPLAY), WriterSettings())
    return tmp_path / "p.####.png"


def test_it_wants_the_scene_that_nobody_painted(shot: Path, vgg: Path) -> None:
    features, plate = Features(vgg), open_plate(shot)
    before, found = suggest(plate, [2], 2, features)
    assert [6 <= s.number <= 9 for s in found] == [True, False]  # the larger one first
    assert found[1].number >= 10
    assert before > found[0].left > found[1].left
    assert found[0].thumbnail.shape == (192, 320, 3)
    nothing, three = suggest(plate, [], 3, features)
    assert nothing == 1
    assert {0 if s.number <= 5 else 1 if s.number <= 9 else 2 for s in three} == {0, 1, 2}
    _, none_left = suggest(plate, list(range(1, 12)), 3, features)
    assert none_left == []
    with pytest.raises(BadInput, match="frame 12 is not in"):
        suggest(plate, [12], 1, features)


def test_patches_have_unit_length_and_know_themselves(vgg: Path) -> None:
    features = Features(vgg)
    a, b = (described(features(picture(96, 160, seed))) for seed in (1, 2))
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, atol=1e-4)
    np.testing.assert_allclose(distances(a, a), 0, atol=1e-5)
    assert distances(a, b).mean() > 0.001


def test_the_command_names_frames_and_shows_them(shot: Path, vgg: Path) -> None:
    folder = shot.parent
    command = ["look", "suggest", "--plate", "p.####.png", "--painted", "2", "key.0007.png", "--vgg", vgg]
    done = scumble(*command, "--count", "1", "-o", "next.png", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["painted"] == [2, 7]
    assert said["paint"][0]["frame"] >= 10
    assert read_picture(folder / "next.png")[0].shape[1] == 320 + 2 * 4
    assert scumble(*command, "-o", "next.png", cwd=folder).returncode == 2
    refused = scumble("look", "suggest", "--plate", "p.####.png", "--look", "auvers", "--vgg", vgg, cwd=folder)
    assert refused.returncode == 2
    assert "--painted" in refused.stderr
