"""One contract for every kind of plate: whoever paints asks a plate, never what kind it is."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from helpers.pictures import picture

from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadPlate
from scumble.core.frames import Frame
from scumble.media.movie_writer import MovieWriter
from scumble.media.open import open_plate
from scumble.media.picture_writer import write_picture
from scumble.media.plate import Plate, WriterSettings

HEIGHT, WIDTH, FRAMES = 48, 64, 5


def still(folder: Path) -> Plate:
    write_picture(folder / "hero.png", Frame(1, picture(HEIGHT, WIDTH, 1), DISPLAY), WriterSettings())
    return open_plate(folder / "hero.png")


def pictures(folder: Path) -> Plate:
    for n in range(1001, 1001 + FRAMES):
        write_picture(folder / f"sh010.{n}.png", Frame(n, picture(HEIGHT, WIDTH, n), DISPLAY), WriterSettings())
    return open_plate(folder / "sh010.####.png")


def exrs(folder: Path) -> Plate:
    for n in range(1001, 1001 + FRAMES):
        linear = Frame(n, srgb_to_linear(picture(HEIGHT, WIDTH, n)), LINEAR)
        write_picture(folder / f"sh010.{n}.exr", linear, WriterSettings(bits=16))
    return open_plate(folder)


def with_a_hole(folder: Path) -> Plate:
    pictures(folder)
    (folder / "sh010.1003.png").unlink()
    return open_plate(folder / "sh010.####.png").repeating([1003])


def movie(folder: Path, times: tuple[Fraction, ...] = ()) -> Plate:
    settings = WriterSettings(
        size=(WIDTH, HEIGHT), frame_rate=Fraction(25), codec="ffv1", times=times, time_base=Fraction(1, 1000)
    )
    writer = MovieWriter(folder / "shot.mkv", settings)
    for i in range(FRAMES):
        writer.write(Frame(i + 1, picture(HEIGHT, WIDTH, i), DISPLAY))
    writer.close()
    return open_plate(folder / "shot.mkv")


def uneven_movie(folder: Path) -> Plate:
    return movie(folder, tuple(Fraction(t, 1000) for t in (0, 40, 140, 180, 220, 260)))


PLATES = [still, pictures, exrs, with_a_hole, movie, uneven_movie]


@pytest.fixture(params=PLATES, ids=[make.__name__ for make in PLATES])
def plate(request: pytest.FixtureRequest, tmp_path: Path) -> Plate:
    make: Callable[[Path], Plate] = request.param
    return make(tmp_path)


class TestPlate:
    def test_frames_are_numbered_and_read_in_order(self, plate: Plate) -> None:
        assert list(plate.numbers) == sorted(set(plate.numbers))
        assert (plate.frame_range.first, plate.frame_range.last) == (plate.numbers[0], plate.numbers[-1])
        frames = list(plate.read(plate.numbers))
        assert [frame.number for frame in frames] == list(plate.numbers)
        for frame in frames:
            assert frame.pixels.shape == (plate.size[1], plate.size[0], 3) == (HEIGHT, WIDTH, 3)
            assert frame.pixels.dtype == np.float32
            assert frame.colour_space == plate.colour_space

    def test_a_part_has_the_frames_of_the_whole(self, plate: Plate) -> None:
        whole = {frame.number: frame.pixels for frame in plate.read(plate.numbers)}
        for part in ((plate.numbers[-1],), plate.numbers[::2]):
            for frame in plate.read(part):
                np.testing.assert_array_equal(frame.pixels, whole[frame.number])

    def test_frames_that_are_not_there_are_refused_by_number(self, plate: Plate) -> None:
        with pytest.raises(BadPlate, match="frame 99999 "):
            list(plate.read([99999]))

    def test_every_frame_has_a_file(self, plate: Plate) -> None:
        files = plate.files_of(plate.numbers)
        assert {plate.file_of(n) for n in plate.numbers} == set(files)
        assert all(file.is_file() for file in files)
        assert len(files) == (1 if plate.is_movie else len(plate.numbers))

    def test_times_go_up_and_end_behind_the_last_frame(self, plate: Plate) -> None:
        times = [plate.seconds(n) for n in (*plate.numbers, plate.numbers[-1] + 1)]
        assert times[0] == 0
        steps = {b - a for a, b in itertools.pairwise(times)}
        assert min(steps) > 0
        assert plate.is_variable is (len(steps) > 1)

    def test_channels_are_those_of_exr_files(self, plate: Plate) -> None:
        is_exr = plate.file_of(plate.numbers[0]).suffix == ".exr"
        assert dict(plate.channels) == ({n: plate.file_of(n) for n in plate.numbers} if is_exr else {})

    def test_repeated_frames_are_the_ones_before_them(self, plate: Plate) -> None:
        assert plate.repeated <= set(plate.numbers)
        for n in plate.repeated:
            assert plate.file_of(n) == plate.file_of(n - 1)

    def test_it_has_names_for_its_painting(self, plate: Plate) -> None:
        assert plate.own_name == {"still": "hero.png", "movie": "shot.####.png"}.get(
            plate.kind, f"sh010.####{plate.file_of(plate.numbers[0]).suffix}"
        )
        assert plate.shot_name == {"still": "hero", "movie": "shot"}.get(plate.kind, "sh010")

    def test_it_says_where_its_colours_are_known_from(self, plate: Plate) -> None:
        assert plate.colour_origin.is_assumed is str(plate.colour_origin).startswith("assumed: ")
        told = open_plate(plate.path, options=type(plate.options)(in_space="ACEScg")).colour_origin
        assert (str(told), told.is_assumed) == ("--in-space", False)
