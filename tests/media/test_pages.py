"""Pictures that move and files of several pages: all frames come in, with their times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenImageIO as oiio
import pytest
from helpers.command import scumble
from numpy.typing import NDArray
from PIL import Image

from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture

COLOURS = [(230, 120, 40), (60, 60, 60), (20, 90, 200), (128, 128, 128)]

HALF = Fraction(1, 2)


def pictures(alpha: bool = False) -> list[Image.Image]:
    """Four plain pictures with a square of another colour that moves."""
    made = []
    for place, colour in enumerate(COLOURS):
        codes = np.full((48, 64, 3), colour, np.uint8)
        codes[8 : 8 + 16, 4 + 8 * place : 20 + 8 * place] = (200, 30, 90)
        if alpha:
            codes = np.dstack([codes, np.full((48, 64), 255 - 60 * place, np.uint8)])
        made.append(Image.fromarray(codes))
    return made


def moving(path: Path, lengths: list[int], alpha: bool = False) -> list[NDArray[np.uint8]]:
    """A picture that moves, each of its frames shown for so many milliseconds."""
    first, *others = pictures(alpha)
    how = {"lossless": True} if path.suffix == ".webp" else {}
    first.save(path, save_all=True, append_images=others, duration=lengths, loop=0, **how)
    return [np.asarray(picture) for picture in (first, *others)]


def render(folder: Path, *words: str, code: int = 0) -> str:
    done = scumble("render", *words, "--look", "identity", cwd=folder)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def stamps(path: Path) -> list[Fraction]:
    with av.open(str(path)) as movie:
        return [frame.pts * frame.time_base for frame in movie.decode(video=0)]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif"])
def test_all_frames_come_in_at_their_rate(name: str, tmp_path: Path) -> None:
    codes = moving(tmp_path / name, [100] * 4)
    said = render(tmp_path, name, "-o", "out.####.png")
    assert "4 frames" in said
    for place, right in enumerate(codes):
        found = read_picture(tmp_path / f"out.{place + 1:04d}.png")[0] * 255
        assert np.abs(found - right).max() <= (6 if name.endswith("gif") else 0.01)  # a GIF has a palette
    render(tmp_path, name, "-o", "out.mp4")
    assert stamps(tmp_path / "out.mp4") == [Fraction(i, 10) for i in range(4)]


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_frames_of_their_own_lengths_keep_them(name: str, tmp_path: Path) -> None:
    moving(tmp_path / name, [100, 400, 250, 700])
    render(tmp_path, name, "-o", "out.mp4")
    assert stamps(tmp_path / "out.mp4") == [Fraction(0), Fraction(1, 10), HALF, Fraction(3, 4)]
    with av.open(str(tmp_path / "out.mp4")) as movie:
        assert [p.duration * p.time_base for p in movie.demux(video=0) if p.size][-1] == Fraction(7, 10)


@pytest.mark.parametrize("name", ["a.webp", "a.png"])
def test_alpha_of_each_frame_is_kept(name: str, tmp_path: Path) -> None:
    codes = moving(tmp_path / name, [100] * 4, alpha=True)
    render(tmp_path, name, "-o", "out.####.png")
    for place, right in enumerate(codes):
        pixels, alpha = read_picture(tmp_path / f"out.{place + 1:04d}.png")
        assert alpha is not None
        assert np.abs(alpha[:, :, 0] * 255 - right[:, :, 3]).max() < 0.01
        assert np.abs(pixels * 255 - right[:, :, :3]).max() < 1.5


def pages(path: Path, shapes: list[tuple[int, int]]) -> list[NDArray[np.uint16]]:
    """A TIFF of 16 bits with a page of each size."""
    codes = [np.full((*shape, 3), 9000 * (i + 1) + 7, np.uint16) for i, shape in enumerate(shapes)]
    specs = [oiio.ImageSpec(c.shape[1], c.shape[0], 3, oiio.UINT16) for c in codes]
    output = oiio.ImageOutput.create(str(path))
    for place, (spec, own) in enumerate(zip(specs, codes, strict=True)):
        assert output.open(str(path), spec, "AppendSubimage" if place else "Create")
        output.write_image(own)
    output.close()
    return codes


def test_pages_of_one_size_are_frames(tmp_path: Path) -> None:
    codes = pages(tmp_path / "pages.tif", [(48, 64)] * 3)
    render(tmp_path, "pages.tif", "-o", "out.####.tif", "--first-frame", "1001")
    for place, right in enumerate(codes):
        np.testing.assert_array_equal(
            oiio.ImageBuf(str(tmp_path / f"out.{1001 + place}.tif")).get_pixels(oiio.UINT16), right
        )
    assert "numbered name" in render(tmp_path, "pages.tif", "-o", "out.tif", code=2)
    render(tmp_path, "pages.tif", "-o", "second.tif", "--frames", "2")
    np.testing.assert_array_equal(oiio.ImageBuf(str(tmp_path / "second.tif")).get_pixels(oiio.UINT16), codes[1])


def test_a_picture_with_smaller_ones_is_one_picture(tmp_path: Path) -> None:
    codes = pages(tmp_path / "pyramid.tif", [(64, 96), (32, 48), (16, 24)])
    said = render(tmp_path, "pyramid.tif", "-o", "out.tif")
    assert "2 more pictures" in said
    np.testing.assert_array_equal(oiio.ImageBuf(str(tmp_path / "out.tif")).get_pixels(oiio.UINT16), codes[0])


def test_one_picture_that_could_move_is_a_still(tmp_path: Path) -> None:
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(tmp_path / "still.webp", save_all=True, lossless=True)
    assert open_plate(tmp_path / "still.webp").kind == "still"


def test_a_moving_picture_that_ends_early_is_refused(tmp_path: Path) -> None:
    moving(tmp_path / "a.webp", [100] * 4)
    data = (tmp_path / "a.webp").read_bytes()
    (tmp_path / "cut.webp").write_bytes(data[: len(data) - 120])
    said = render(tmp_path, "cut.webp", "-o", "out.####.png", code=2)
    assert "cut.webp" in said
    assert "Traceback" not in said
