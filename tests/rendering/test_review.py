"""What a review needs: proxies that look like the final, comparisons, names burnt in, contact sheets, a help in groups."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.command import scumble
from helpers.exr import read
from helpers.pictures import picture, random_look
from helpers.plates import exr_with

from scumble.core.colour import DISPLAY, LINEAR, converted, srgb_to_linear
from scumble.core.errors import BadSettings
from scumble.core.frames import Frame, Metadata
from scumble.core.pixels import resized
from scumble.look.making import make_look
from scumble.look.shipped import identity_look
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.job import job_of
from scumble.rendering.options import PANELS, RenderSettings
from scumble.rendering.review import burnt_in, font_for, missing_letters, reduced
from scumble.rendering.run import _burn_in, render

HEIGHT, WIDTH = 96, 160


def sequence(folder: Path, count: int = 4) -> Path:
    for i in range(count):
        shown = np.roll(picture(HEIGHT, WIDTH, 3), 3 * i, axis=1)
        write_picture(folder / f"p.{1001 + i}.png", Frame(1001 + i, shown, DISPLAY), WriterSettings())
    return folder / "p.####.png"


def of(path: Path, number: int = 0) -> Any:
    plate = open_plate(path)
    return next(plate.read([number or plate.numbers[0]])).pixels


@pytest.mark.parametrize("proxy", [2, 4])
def test_a_proxy_looks_like_the_final(proxy: Any, tmp_path: Path) -> None:
    plate = sequence(tmp_path)
    strokes = make_look([(Path(__file__).parents[2] / "samples/vangogh_auvers.jpg", 1.0)])
    final = of(render(plate, strokes, tmp_path / "a.####.png", RenderSettings(frames=(1002,))).files[0])
    settings = RenderSettings(frames=(1002,), proxy=proxy)
    small = of(render(plate, strokes, tmp_path / "b.####.png", settings).files[0])
    assert small.shape == (HEIGHT // proxy, WIDTH // proxy, 3)
    wanted = resized(final, (WIDTH // proxy, HEIGHT // proxy))
    assert np.abs(small - wanted).mean() < 0.01
    # painted at the small size itself, the strokes would be others
    write_picture(
        tmp_path / "s.png",
        Frame(1, resized(of(plate, 1002), (WIDTH // proxy, HEIGHT // proxy)), DISPLAY),
        WriterSettings(),
    )
    naive = of(render(tmp_path / "s.png", strokes, tmp_path / "c.png").files[0])
    assert np.abs(naive - wanted).mean() > 4 * np.abs(small - wanted).mean()


def test_a_proxy_above_the_networks_lines_is_painted_at_its_own_size(tmp_path: Path) -> None:
    job = job_of(sequence(tmp_path), identity_look(), tmp_path / "a.####.png", RenderSettings(proxy=2, lines=24))
    assert (job.plan.frame_size, job.plan.network_size, job.output.size) == ((80, 48), (40, 24), (80, 48))
    job = job_of(tmp_path / "p.####.png", identity_look(), tmp_path / "a.####.png", RenderSettings(proxy=4))
    assert (job.plan.frame_size, job.plan.network_size, job.output.size) == ((160, 96), (160, 96), (40, 24))
    whole = job_of(tmp_path / "p.####.png", identity_look(), tmp_path / "a.####.png", RenderSettings(lines=24))
    assert whole.plan.frame_size == (160, 96)


def test_a_proxy_of_an_exr_with_alpha_and_a_matte_and_vectors(tmp_path: Path) -> None:
    for i in range(3):
        exr_with(
            tmp_path / f"v.{i + 1}.exr",
            picture(HEIGHT, WIDTH, 3),
            {"forward.u": 0.0, "forward.v": 0.0, "backward.u": 0.0, "backward.v": 0.0},
        )
    matte = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    matte[:, 80:] = 1
    write_picture(tmp_path / "m.png", Frame(1, matte, DISPLAY), WriterSettings())
    settings = RenderSettings(proxy=2, stabilize="vectors", matte=str(tmp_path / "m.png"))
    done = render(tmp_path / "v.#.exr", random_look(1), tmp_path / "a.#.exr", settings)
    ((header, channels),) = read(done.files[1])
    assert sorted(channels) == ["B", "G", "R"]  # a review picture, without the plate's other layers
    found = np.stack([channels[c] for c in "RGB"], axis=2).astype(np.float32)
    own = resized(of(tmp_path / "v.#.exr", 2), (WIDTH // 2, HEIGHT // 2))
    np.testing.assert_allclose(found[:, :38], own[:, :38], rtol=2e-3, atol=1e-3)
    assert np.abs(found[:, 42:] - own[:, 42:]).mean() > 0.02
    assert header["displayWindow"][1].tolist() == [WIDTH // 2 - 1, HEIGHT // 2 - 1]


def test_colours_are_averaged_by_alpha() -> None:
    pixels = np.zeros((2, 2, 3), np.float32)
    pixels[0] = 1
    alpha = np.array([[1, 1], [0, 0]], np.float32)[:, :, None]
    found = reduced(Frame(1, pixels, LINEAR, alpha), (1, 1))
    assert found.alpha is not None
    assert found.alpha.item() == 0.5
    np.testing.assert_allclose(found.pixels, 1)  # what is transparent has no colour


@pytest.mark.parametrize("how", ["side", "stack", "wipe"])
@pytest.mark.parametrize("on", [1, 2])
def test_plate_and_painting_together(how: Any, on: int, tmp_path: Path) -> None:
    plate = sequence(tmp_path)
    alone = render(plate, random_look(1), tmp_path / "a.####.png", RenderSettings(on=on))
    both = render(plate, random_look(1), tmp_path / "b.####.png", RenderSettings(on=on, compare=how))
    for number, a, b in zip(range(1001, 1005), alone.files, both.files, strict=True):
        own, painted, found = of(plate, number), of(a), of(b)
        half = WIDTH // 2
        wanted = {
            "side": np.concatenate([own, painted], axis=1),
            "stack": np.concatenate([own, painted], axis=0),
            "wipe": np.concatenate([own[:, :half], painted[:, half:]], axis=1),
        }[how]
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_compared_movie_keeps_alpha_and_fits_its_codec(tmp_path: Path) -> None:
    writer = MovieWriter(tmp_path / "p.mov", WriterSettings(size=(96, 64), codec="prores-4444", alpha=True, bits=12))
    alpha = np.ones((64, 96, 1), np.float32)
    alpha[:, :40] = 0
    for i in range(2):
        writer.write(Frame(i + 1, picture(64, 96, i), DISPLAY, alpha))
    writer.close()
    done = render(
        tmp_path / "p.mov", random_look(1), tmp_path / "q.mov", RenderSettings(compare="side", codec="prores-4444")
    )
    found = open_plate(done.files[0])
    assert found.size == (192, 64)
    frame = next(found.read([1]))
    assert frame.alpha is not None
    np.testing.assert_allclose(frame.alpha[:, :, 0], np.concatenate([alpha, alpha], axis=1)[:, :, 0], atol=0.02)


@pytest.mark.parametrize("space", [DISPLAY, LINEAR])
def test_names_are_burnt_into_the_foot_and_nowhere_else(space: Any) -> None:
    pixels = converted(np.full((HEIGHT, 320, 3), 0.5, np.float32), DISPLAY, space)
    frame = burnt_in(
        Frame(7, pixels, space, np.zeros((HEIGHT, 320, 1), np.float32)), ("sh010", "7  01:00:00:07", "auvers")
    )
    shown = converted(frame.pixels, space, DISPLAY)
    assert np.array_equal(frame.pixels[:70], pixels[:70])
    foot = shown[76:]
    assert foot.max() > 0.8  # letters
    assert foot.min() < 0.4  # on a band
    columns = (foot.max(axis=(0, 2)) > 0.7).reshape(10, 32).any(axis=1)
    assert columns[0]
    assert columns[4:6].any()
    assert columns[9]
    assert frame.alpha is not None
    assert frame.alpha[76:].min() > 0.5  # what is transparent would hide them
    assert frame.alpha[:70].max() == 0
    other = burnt_in(Frame(8, pixels, space), ("sh010", "8  01:00:00:08", "auvers"))
    assert not np.array_equal(other.pixels, frame.pixels)


def test_a_review_movie_names_its_frames(tmp_path: Path) -> None:
    for i in range(2):
        metadata = Metadata(timecode=f"01:00:00:0{i}", frame_rate=Fraction(24))
        frame = Frame(1001 + i, srgb_to_linear(picture(HEIGHT, 320, 1)), LINEAR, metadata=metadata)
        write_picture(tmp_path / f"sh010.{1001 + i}.exr", frame, WriterSettings(bits=16))
    settings = RenderSettings(burn_in=True)
    done = render(tmp_path / "sh010.####.exr", random_look(1), tmp_path / "a.####.png", settings)
    plain = render(tmp_path / "sh010.####.exr", random_look(1), tmp_path / "b.####.png")
    burnt, bare = [of(f) for f in done.files], [of(f) for f in plain.files]
    assert np.array_equal(burnt[0][:70], bare[0][:70])
    assert not np.array_equal(burnt[0][80:], bare[0][80:])
    assert not np.array_equal(burnt[0][80:], burnt[1][80:])  # another number
    # the same again is kept, without the names it is another render
    assert render(tmp_path / "sh010.####.exr", random_look(1), tmp_path / "a.####.png", settings).kept == 2
    assert render(tmp_path / "sh010.####.exr", random_look(1), tmp_path / "a.####.png").kept == 0


def test_every_letter_has_a_font() -> None:
    assert font_for("sh010 é ñ Ω").endswith("DejaVuSans.ttf")
    assert Path(font_for("\U0010ffff")).is_file()  # no font has it: an empty box, not an error
    assert missing_letters("sh010 \U0010ffff é") == "\U0010ffff"


def test_a_long_name_leaves_the_number_readable() -> None:
    frame = Frame(7, np.full((HEIGHT, 320, 3), 0.5, np.float32), DISPLAY)
    short = burnt_in(frame, ("", "1001  01:00:00:07", "")).pixels
    long = burnt_in(frame, ("a_very_long_shot_name_" * 5, "1001  01:00:00:07", "another_look_" * 8)).pixels
    columns = np.abs(short[-20:] - burnt_in(frame, ("", "", "")).pixels[-20:]).max(axis=(0, 2)) > 0.1
    first, last = np.flatnonzero(columns)[[0, -1]]
    np.testing.assert_array_equal(long[:, first - 4 : last + 4], short[:, first - 4 : last + 4])
    assert not np.array_equal(long, short)


def test_a_sheet_of_looks_and_frames(tmp_path: Path) -> None:
    plate = sequence(tmp_path)
    random_look(1).save(tmp_path / "one.look")
    done = scumble(
        "sheet",
        "p.####.png",
        "--looks",
        "one.look",
        "identity",
        "--frames",
        "1001,1004",
        "--width",
        "120",
        "-o",
        "s.png",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    found = read_picture(tmp_path / "s.png")[0]
    tall, line, gap = 72, 14, 4
    assert found.shape == (3 * (tall + line + gap), 2 * (120 + 2 * gap), 3)

    def cell(row: int, column: int) -> Any:
        top, left = row * (tall + line + gap) + line, column * (120 + 2 * gap) + gap
        return found[top : top + tall, left : left + 120]

    own = resized(of(plate, 1004), (120, tall))
    np.testing.assert_allclose(cell(0, 1), own, atol=1 / 255)
    np.testing.assert_allclose(cell(2, 1), own, atol=2 / 255)  # identity
    assert np.abs(cell(1, 1) - own).mean() > 0.02
    assert found[:line].max() > 0.8  # names
    again = scumble("sheet", "p.####.png", "--looks", "one.look", "-o", "s.png", cwd=tmp_path)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    for wrong, says in (("s.exr", "a sheet is a picture"), ("s.mp4", "a sheet is a picture")):
        refused = scumble("sheet", "p.####.png", "-o", wrong, cwd=tmp_path)
        assert refused.returncode == 2
        assert says in refused.stderr
    outside = scumble("sheet", "p.####.png", "--frames", "7", "-o", "t.png", cwd=tmp_path)
    assert outside.returncode == 2
    assert "frame 7" in outside.stderr


def test_every_flag_of_render_stands_in_a_group_of_its_help() -> None:
    import typer

    from scumble.cli.apps import app

    command = typer.main.get_command(app).commands["render"]  # type: ignore[attr-defined]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    assert all(p.rich_help_panel in PANELS for p in options)
    shown = scumble("render", "--help").stdout
    places = [shown.index(f" {panel} ") for panel in PANELS]
    assert places == sorted(places)


def test_reviews_that_cannot_be() -> None:
    with pytest.raises(BadSettings, match="give one of 1, 2, 4"):
        RenderSettings(proxy=3)  # type: ignore[arg-type]
    with pytest.raises(BadSettings, match="leave --grain out"):
        RenderSettings(proxy=2, grain="remove")
    refused = scumble("render", "p.png", "--look", "auvers", "-o", "q.png", "--proxy", "3")
    assert refused.returncode == 2


def test_names_stand_inside_the_picture_of_an_exr_with_windows(tmp_path: Path) -> None:
    import OpenEXR

    for name, first, size in (("over", -16, 128), ("crop", 20, 40)):
        planes = {c: np.full((size, 160), 0.2, np.float16) for c in "RGB"}
        header = {
            "dataWindow": (np.array([0, first], np.int32), np.array([159, first + size - 1], np.int32)),
            "displayWindow": (np.array([0, 0], np.int32), np.array([159, 95], np.int32)),
        }
        OpenEXR.File(header, planes).write(str(tmp_path / f"{name}.exr"))
        done = render(
            tmp_path / f"{name}.exr", identity_look(), tmp_path / f"{name}_b.exr", RenderSettings(burn_in=True)
        )
        ((found, channels),) = read(done.files[0])
        assert found["dataWindow"][1].tolist() == [159, 95]
        foot = channels["R"][80:].astype(np.float32)
        assert foot.max() > 0.5  # letters of a linear white
        assert foot.min() < 0.1


def test_light_that_was_added_stays_in_proxies_and_comparisons(tmp_path: Path) -> None:
    import OpenEXR

    planes = {c: np.full((64, 96), 0.7, np.float16) for c in "RGB"}
    alpha = np.ones((64, 96), np.float16)
    alpha[:, :48] = 0
    OpenEXR.File({}, {**planes, "A": alpha}).write(str(tmp_path / "p.exr"))
    for name, settings in (("a", RenderSettings(proxy=2)), ("b", RenderSettings(compare="side"))):
        done = render(tmp_path / "p.exr", identity_look(), tmp_path / f"{name}.exr", settings)
        ((_, channels),) = read(done.files[0])
        np.testing.assert_allclose(channels["R"].astype(np.float32), 0.7, atol=2e-3)


def test_a_plate_called_sheet_and_one_without_a_name(tmp_path: Path) -> None:
    for n in (1, 2):
        write_picture(tmp_path / f"sh030/{n:04}.jpg", Frame(n, picture(48, 200, n), DISPLAY), WriterSettings())
        write_picture(tmp_path / f"sheet.{n:04}.png", Frame(n, picture(48, 64, n), DISPLAY), WriterSettings())
    done = scumble("sheet", "sheet.####.png", "--looks", "identity", "--width", "64", "-o", "s.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    job = job_of(tmp_path / "sh030", identity_look(), tmp_path / "a.####.png", RenderSettings(burn_in=True))
    assert _burn_in(job.plan, next(job.plan.plate.read([2])))[:2] == ("sh030", "2")
