"""Shots: cuts, dissolves and fades are found; each shot is painted by statistics of its own, measured once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.command import scumble
from helpers.edits import SIZE, shot
from helpers.pictures import SAMPLES, random_look

from scumble.core.colour import DISPLAY
from scumble.core.errors import BadInput
from scumble.core.frames import Frame, Pixels
from scumble.look import statistics
from scumble.look.shipped import identity_look
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering import run
from scumble.rendering.measure import measure
from scumble.rendering.options import RenderSettings
from scumble.rendering.plan import plan
from scumble.rendering.schedule import Schedule
from scumble.shot.cuts import Shot, detect, own_frames, read_cuts, shots_of


def dissolved(a: list[Pixels], b: list[Pixels], length: int) -> list[Pixels]:
    blend = [
        (1 - (k + 1) / (length + 1)) * a[len(a) - length + k] + (k + 1) / (length + 1) * b[k] for k in range(length)
    ]
    return [*a[: len(a) - length], *blend, *b[length:]]


def found(pixels: list[Pixels], first: int = 1) -> list[Shot]:
    return detect(Frame(first + i, np.ascontiguousarray(p, np.float32), DISPLAY) for i, p in enumerate(pixels))


SEEDS = [(1, 2), (6, 3), (5, 8), (10, 7)]


@pytest.mark.parametrize("seeds", SEEDS)
def test_hard_cuts(seeds: tuple[int, int]) -> None:
    assert found(shot(seeds[0], 30) + shot(seeds[1], 25), 1001) == [Shot(1001, 1030), Shot(1031, 1055)]


@pytest.mark.parametrize("length", [8, 16, 32])
@pytest.mark.parametrize("seeds", SEEDS)
def test_dissolves(seeds: tuple[int, int], length: int) -> None:
    one, two = found(dissolved(shot(seeds[0], 70, 0.4), shot(seeds[1], 70, 0.4), length))
    assert two.begins == "dissolve"
    assert abs(two.first - (71 - length)) <= max(3, length // 4)
    assert abs(two.dissolve - length) <= max(4, length // 2)
    assert one.last == two.first + two.dissolve - 1
    assert two.last == 140 - length


@pytest.mark.parametrize("seeds", SEEDS)
def test_fades_through_black(seeds: tuple[int, int]) -> None:
    a, b = shot(seeds[0], 40), shot(seeds[1], 40)
    fades = [p * (1 - (k + 1) / 13) for k, p in enumerate(a[28:])], [p * ((k + 1) / 13) for k, p in enumerate(b[:12])]
    one, two = found([*a[:28], *fades[0], *[0 * a[0]] * 7, *fades[1], *b[12:]])
    assert (one.begins, two.begins) == ("cut", "fade")
    assert 41 <= two.first <= 47
    assert one.last == two.first - 1


@pytest.mark.parametrize("backwards", [False, True])
def test_a_cut_to_black_is_where_the_picture_ends(backwards: bool) -> None:
    """What comes after it fades in. Backwards: a fade to black, and a cut out of it."""
    black = [np.zeros_like(shot(3, 1)[0])] * 10
    later = shot(4, 30)
    fading = [frame * (i + 1) / 13 for i, frame in enumerate(later[:12])]
    frames = [*shot(3, 20), *black, *fading, *later[12:]]
    one, two = found(frames[::-1] if backwards else frames)
    assert (two.first, two.begins) == (41 if backwards else 21, "cut")
    assert one.last == two.first - 1


@pytest.mark.parametrize("speed", [0.0, 0.5, 2.0])
def test_a_camera_that_moves_and_a_light_that_changes_are_one_shot(speed: float) -> None:
    frames = shot(4, 60, speed)
    assert found(frames) == [Shot(1, 60)]
    assert found([p * (1 - 0.7 * i / 59) for i, p in enumerate(frames)]) == [Shot(1, 60)]
    dark = [p * min(1.0, i / 12) for i, p in enumerate(frames)]  # fades in from black at its beginning
    assert found(dark) == [Shot(1, 60)]
    assert found([]) == []
    assert found(frames[:1]) == [Shot(1, 1)]


def test_shares_of_a_dissolve_go_from_one_shot_to_the_other() -> None:
    two = Shot(10, 30, 3, "dissolve")
    assert [two.share(n) for n in (9, 10, 11, 12, 13)] == [0, 0.25, 0.5, 0.75, 1]
    assert own_frames([Shot(1, 12), two], range(1, 31)) == [tuple(range(1, 10)), tuple(range(13, 31))]


def test_a_list_of_first_frames(tmp_path: Path) -> None:
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("# reel 2\n1005\n\n1003 # the bird\n")
    assert read_cuts(cuts, range(1001, 1009)) == [Shot(1001, 1002), Shot(1003, 1004), Shot(1005, 1008)]
    for text, words in (("1009\n", "line 1: '1009' is not a frame of 1001-1008"), ("1003\nbird\n", "line 2: 'bird'")):
        cuts.write_text(text)
        with pytest.raises(BadInput, match=words):
            read_cuts(cuts, range(1001, 1009))


@pytest.fixture
def edit(tmp_path: Path) -> Path:
    """A movie of two shots with a dissolve of 8 frames."""
    path = tmp_path / "edit.mp4"
    writer = MovieWriter(path, WriterSettings(size=SIZE[::-1], quality=95))
    for i, pixels in enumerate(dissolved(shot(1, 30, 0.4), shot(2, 30, 0.4), 8)):
        writer.write(Frame(i + 1, pixels, DISPLAY))
    writer.close()
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Frame numbers of every measurement that was made."""
    made: list[tuple[int, ...]] = []
    measure = statistics.frame_statistics

    def counting(look: object, frames: object, count: int, *more: object) -> object:
        made.append(tuple(more[-1]["frames"]))  # type: ignore[index]
        return measure(look, frames, count, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(statistics, "frame_statistics", counting)
    return made


def test_every_shot_has_statistics_of_its_own_and_is_measured_once(
    edit: Path, tmp_path: Path, counted: list[tuple[int, ...]]
) -> None:
    look, settings = random_look(3), RenderSettings(precision="f32")
    plate = open_plate(edit)
    first, second = shots_of(plate)
    assert abs(second.first - 23) <= 2
    whole = run.render(edit, look, tmp_path / "whole.####.png", settings)
    assert len(counted) == 2
    assert max(counted[0]) < second.first <= first.last < min(counted[1])
    # any frame alone equals the frame in the movie, and nothing is measured again
    middle = (second.first + first.last) // 2
    for number in (1, middle, 50):
        run.render(edit, look, tmp_path / f"one.{number}.png", RenderSettings(precision="f32", frames=(number,)))
        assert (tmp_path / f"one.{number}.png").read_bytes() == whole.files[number - 1].read_bytes()
    assert len(counted) == 2
    # outside the dissolve a frame is painted as in a plate that holds its shot alone, inside by both
    job = plan(edit, look, settings)
    painters = Schedule(job, measure(job))
    assert [w.share for w in painters.of(1)] == [1.0]
    shares = [w.share for w in painters.of(middle)]
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(1)
    assert 0 < shares[0] < 1
    assert not np.array_equal(painters.of(1)[0].baked.bias["encode1"], painters.of(50)[0].baked.bias["encode1"])


def test_statistics_are_written_read_and_refused(edit: Path, tmp_path: Path, counted: list[tuple[int, ...]]) -> None:
    look, stats = random_look(3), tmp_path / "edit.json"
    plain = run.render(edit, look, tmp_path / "a.####.png", RenderSettings(precision="f32", frames=(3, 40)))
    measured = len(counted)
    saved = RenderSettings(precision="f32", frames=(3, 40), stats=stats)
    for name in "bc":  # measured and written, then read
        again = run.render(edit, look, tmp_path / f"{name}.####.png", saved)
        assert [p.read_bytes() for p in again.files] == [p.read_bytes() for p in plain.files]
    assert len(counted) == measured
    document = json.loads(stats.read_text())
    assert [s["first"] for s in document["shots"]] == [s.first for s in shots_of(open_plate(edit))]
    with pytest.raises(BadInput, match="measured with the look 'random3'"):
        run.render(edit, random_look(4), tmp_path / "d.####.png", saved)
    other = RenderSettings(precision="f32", frames=(3,), stats=stats, keep_color=0.5)
    with pytest.raises(BadInput, match="keep_color"):
        run.render(edit, look, tmp_path / "d.####.png", other)
    # one entry serves every shot of a sequence
    document["shots"], document["plate"] = document["shots"][:1], "another"
    stats.write_text(json.dumps(document))
    shared = run.render(edit, look, tmp_path / "e.####.png", saved)
    assert shared.files[0].read_bytes() == plain.files[0].read_bytes()
    assert shared.files[1].read_bytes() != plain.files[1].read_bytes()
    document["shots"][0]["layers"]["stem"]["variance"][0] = -1.0
    for broken in (json.dumps(document), '{"kind": "statistics", "schema": 1}', "[]", "no", '{"kind": "statistics"}'):
        stats.write_text(broken)
        with pytest.raises(BadInput, match=stats.name):
            run.render(edit, look, tmp_path / "f.####.png", saved)
    assert not list(tmp_path.glob("[df].*"))


def test_a_sequence_is_one_shot_unless_asked(edit: Path, tmp_path: Path) -> None:
    for frame in open_plate(edit).read(tuple(range(1, 53))):
        write_picture(tmp_path / f"plate.{frame.number:04d}.png", frame, WriterSettings())
    plate = open_plate(tmp_path / "plate.####.png")
    assert shots_of(plate) == [Shot(1, 52)]
    assert len(shots_of(plate, "auto")) == 2
    assert shots_of(open_plate(edit), "none") == [Shot(1, 52)]


def test_the_command_lists_shots(edit: Path, tmp_path: Path) -> None:
    listed = json.loads(scumble("shots", edit, "--json").stdout)
    assert [s["begins"] for s in listed["shots"]] == ["cut", "dissolve"]
    assert listed["frame_rate"] == "24"
    text = scumble("shots", edit).stdout.splitlines()
    assert len(text) == 2
    assert "dissolve of" in text[1]
    (tmp_path / "cuts.txt").write_text("10\n")
    listed = json.loads(scumble("shots", edit, "--cuts", tmp_path / "cuts.txt", "--json").stdout)
    assert [(s["first"], s["last"]) for s in listed["shots"]] == [(1, 9), (10, 52)]
    assert len(json.loads(scumble("shots", SAMPLES / "sintel_walk.mp4", "--json").stdout)["shots"]) == 1


def test_the_identity_look_keeps_an_edit_to_the_bit(edit: Path, tmp_path: Path) -> None:
    done = run.render(edit, identity_look(), tmp_path / "i.####.png", RenderSettings(precision="f32"))
    for frame, path in zip(open_plate(edit).read(tuple(range(1, 53))), done.files, strict=True):
        np.testing.assert_allclose(read_picture(path)[0], frame.pixels.clip(0, 1), atol=1 / 509)
