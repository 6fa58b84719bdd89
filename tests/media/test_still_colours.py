"""ICC profiles, and a PNG's cICP, gAMA and cHRM, are believed wherever a picture comes in."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import OpenImageIO as oiio
import pytest
from helpers.command import scumble
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

from scumble.core.colour import DISPLAY
from scumble.look.making import style_picture
from scumble.media.colour_tags import plate_space
from scumble.media.icc import space_of_profile
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_header
from scumble.media.plate import PlateOptions
from scumble.media.png_chunks import chunks_of
from scumble.train.data.pictures import load_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))

P3 = ((33763, 15807, -69), (19119, 45370, 2745), (10296, 4360, 51391))  # Display P3 adapted to D50, in 65536ths

COLOURS = (
    np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (20, 30, 40), (128, 128, 128)]], np.uint8)
    .repeat(40, axis=0)
    .repeat(8, axis=1)
)


def profile(colorants: Any = P3, curve: bytes | None = None, model: bytes = b"RGB ") -> bytes:
    """A display profile of version 2: matrix and one curve, gamma 1.8 unless another is given; or grey."""
    curve = curve or b"curv\0\0\0\0" + struct.pack(">IH", 1, round(1.8 * 256)) + bytes(2)
    name = b"made by a test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(79),
        b"wtpt": b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061),
    }
    if model == b"GRAY":
        tags[b"kTRC"] = curve
    else:
        tags |= {c + b"TRC": curve for c in (b"r", b"g", b"b")}
        for c, xyz in zip((b"r", b"g", b"b"), colorants, strict=True):
            tags[c + b"XYZ"] = b"XYZ \0\0\0\0" + struct.pack(">3i", *xyz)
    table, data, first = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, content in tags.items():
        table += struct.pack(">4sII", tag, first + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    body = struct.pack(">I", len(tags)) + table + data
    header = struct.pack(">I4sI4s4s4s12x4s28x3i", 128 + len(body), b"test", 0x02100000, b"mntr", model, b"XYZ ", b"acsp",
                         63190, 65536, 54061)  # fmt: skip
    return header.ljust(128, b"\0") + body


def by_lcms(codes: NDArray[np.uint8], own: bytes) -> NDArray[np.uint8]:
    """Codes in sRGB, as lcms2 converts them."""
    picture = Image.fromarray(codes)
    made = ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(io.BytesIO(own)), SRGB, renderingIntent=1,
                                     outputMode="RGB")  # fmt: skip
    return np.asarray(made)


def png(path: Path, codes: NDArray[np.uint8] = COLOURS, icc: bytes | None = None, **chunks: bytes) -> Path:
    """A PNG with a profile or chunks of its own."""
    info = PngImagePlugin.PngInfo()
    for name, content in chunks.items():
        info.add(name.encode(), content)
    Image.fromarray(codes).save(path, pnginfo=info, icc_profile=icc)
    return path


def in_srgb(path: Path) -> NDArray[np.float32]:
    """A plate's codes in sRGB."""
    plate = open_plate(path)
    (frame,) = plate.read(plate.numbers)
    pixels = plate.colour_space.to_reference(frame.pixels)
    return pixels


def rendered(folder: Path, *words: str) -> str:
    done = scumble("render", *words, "--look", "identity", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


PARAMETRIC = b"para\0\0\0\0" + struct.pack(">HH5i", 3, 0, 157286, 62119, 3417, 5072, 2651)  # sRGB's

TABLE = (
    b"curv\0\0\0\0" + struct.pack(">I", 64) + struct.pack(">64H", *(round(65535 * (i / 63) ** 2.1) for i in range(64)))
)


@pytest.mark.parametrize("curve", [None, PARAMETRIC, TABLE])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_profiles_give_what_lcms_gives(suffix: str, curve: bytes | None, tmp_path: Path) -> None:
    own, path = profile(curve=curve), tmp_path / f"plate{suffix}"
    how = {"quality": 100, "lossless": True} if suffix == ".webp" else {"quality": 100, "subsampling": 0}
    Image.fromarray(COLOURS).save(path, icc_profile=own, **(how if suffix in (".webp", ".jpg") else {}))
    with Image.open(path) as picture:
        read = np.asarray(picture.convert("RGB"))
    right, found = by_lcms(read, own), in_srgb(path)
    assert np.abs(found.clip(0, 1) * 255 - right)[4:-4].max() <= 1.5


def test_profiles_of_srgb_and_of_nothing_known_change_no_code(tmp_path: Path) -> None:
    assert space_of_profile(SRGB.tobytes()) == DISPLAY
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert space_of_profile(lab) is None
    assert space_of_profile(b"no profile" * 30) is None
    assert space_of_profile(b"") is None


@pytest.mark.parametrize("suffix", [".exr", ".mov", ".dpx"])
def test_what_cannot_take_a_profile_has_converted_codes(suffix: str, tmp_path: Path) -> None:
    png(tmp_path / "plate.png", icc=profile())
    rendered(tmp_path, "plate.png", "-o", f"out{suffix}", "--quality", "100")
    right = by_lcms(COLOURS, profile()).astype(float)[20, 4::8]
    plate = open_plate(tmp_path / f"out{suffix}")
    (frame,) = plate.read(plate.numbers)
    linear = plate.colour_space.kind == "scene"
    found = frame.pixels[20, 4::8]
    if linear:
        found = DISPLAY.to_reference(
            np.where(found <= 0.0031308, found * 12.92, 1.055 * np.abs(found) ** (1 / 2.4) - 0.055)
        )
    inside = (right > 3).all(axis=1) & (right < 252).all(axis=1)
    assert inside.sum() >= 3
    assert np.abs(found.clip(0, 1) * 255 - right)[inside].max() <= 2.5


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_pictures_take_the_profile_along(suffix: str, tmp_path: Path) -> None:
    own = profile()
    png(tmp_path / "plate.png", icc=own)
    rendered(tmp_path, "plate.png", "-o", f"out{suffix}", "--quality", "100")
    with Image.open(tmp_path / f"out{suffix}") as out:
        assert out.info["icc_profile"] == own
        middle = np.abs(np.asarray(out.convert("RGB")).astype(int) - COLOURS)[4:-4, 3::8]
    assert middle.max() <= (0 if suffix in (".png", ".tif") else 12)
    if suffix == ".png":  # one thing only says what the colours are
        assert chunks_of(tmp_path / "out.png").keys() & {b"sRGB", b"gAMA", b"cHRM", b"cICP"} == set()


def test_a_profile_goes_when_the_colours_do(tmp_path: Path) -> None:
    png(tmp_path / "plate.png", icc=profile())
    rendered(tmp_path, "plate.png", "-o", "out.png", "--out-space", "sRGB")
    with Image.open(tmp_path / "out.png") as out:
        assert "icc_profile" not in out.info
        assert np.abs(np.asarray(out).astype(int) - by_lcms(COLOURS, profile())).max() <= 1
    rendered(tmp_path, "plate.png", "-o", "told.png", "--in-space", "sRGB")  # not what the profile says
    with Image.open(tmp_path / "told.png") as told:
        assert "icc_profile" not in told.info


def test_a_profile_of_tables_is_said(tmp_path: Path) -> None:
    png(tmp_path / "plate.png", icc=profile().replace(b"rTRC", b"A2B0"))
    said = rendered(tmp_path, "plate.png", "-o", "out.exr")
    assert "damaged or of tables" in said
    assert "--in-space" in said


def test_grey_profiles_are_read(tmp_path: Path) -> None:
    """Grey of gamma 1.8, as old scanners write it; a painting has colours, so it is written as sRGB."""
    own = profile(model=b"GRAY")
    codes = np.arange(0, 256, 4, np.uint8)[None].repeat(32, axis=0)
    Image.fromarray(codes).save(tmp_path / "plate.png", icc_profile=own)
    right = np.where((light := (codes / 255) ** 1.8) <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(in_srgb(tmp_path / "plate.png")[:, :, 1], right, atol=2e-3)
    rendered(tmp_path, "plate.png", "-o", "out.png")
    with Image.open(tmp_path / "out.png") as out:
        assert "icc_profile" not in out.info
        assert np.abs(np.asarray(out)[:, :, 0] - right * 255).max() <= 1


def chrm(*xy: float) -> bytes:
    """White, red, green, blue."""
    return struct.pack(">8I", *(round(v * 100000) for v in xy))


SRGB_CHRM = chrm(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)

P3_CHRM = chrm(0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


@pytest.mark.parametrize(
    ("chunks", "name"),
    [
        ({"gAMA": struct.pack(">I", 55556)}, "Gamma 1.8 Rec.709"),
        ({"gAMA": struct.pack(">I", 45455)}, "Gamma 2.2 Rec.709"),
        ({"gAMA": struct.pack(">I", 45455), "cHRM": P3_CHRM}, "Gamma 2.2 P3-D65"),
        ({"gAMA": struct.pack(">I", 45455), "cHRM": SRGB_CHRM}, "sRGB"),
        ({"cHRM": P3_CHRM}, "Display P3 - Display"),
        ({"cICP": bytes([12, 13, 0, 1])}, "Display P3 - Display"),
        ({"cICP": bytes([9, 16, 0, 1])}, "Rec.2100-PQ - Display"),
        ({"cICP": bytes([9, 18, 0, 1])}, "Rec.2100-HLG - Display"),
        ({"cICP": bytes([1, 13, 0, 1]), "gAMA": struct.pack(">I", 100000)}, "sRGB"),
        ({"sRGB": b"\0", "gAMA": struct.pack(">I", 55556)}, "sRGB"),
        ({"cICP": bytes([200, 13, 0, 1])}, "sRGB"),
    ],
)
def test_chunks_of_a_png_name_its_space(chunks: dict[str, bytes], name: str, tmp_path: Path) -> None:
    path = png(tmp_path / "plate.png", **chunks)
    space, origin = plate_space(path, read_header(path), PlateOptions())
    assert str(space) == name
    assert origin.is_doubtful == (chunks.get("cICP", b"\0")[0] == 200)


@pytest.mark.parametrize(
    "chunks", [{"gAMA": struct.pack(">I", 55556)}, {"gAMA": struct.pack(">I", 50000), "cHRM": P3_CHRM}]
)
def test_gamma_and_primaries_go_back_with_the_codes(chunks: dict[str, bytes], tmp_path: Path) -> None:
    png(tmp_path / "plate.png", **chunks)
    rendered(tmp_path, "plate.png", "-o", "out.png")
    kept = chunks_of(tmp_path / "out.png")
    assert {n.decode(): c for n, c in kept.items() if n in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP")} == chunks
    np.testing.assert_array_equal(oiio.ImageBuf(str(tmp_path / "out.png")).get_pixels(oiio.UINT8), COLOURS)


def test_gamma_is_converted_or_named_in_a_movie(tmp_path: Path) -> None:
    """Case 19: gamma 2.2 has a number in movies, gamma 1.8 has none."""
    grey = np.full((48, 64, 3), 128, np.uint8)
    for name, gamma in (("a", 45455), ("b", 55556)):
        png(tmp_path / f"{name}.png", grey, gAMA=struct.pack(">I", gamma))
        rendered(tmp_path, f"{name}.png", "-o", f"{name}.mp4", "--quality", "100")
    found = {}
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mp4")) as movie:
            picture = next(movie.decode(video=0))
            tags = (int(picture.color_primaries), int(picture.color_trc))
            found[name] = (*tags, int(picture.to_ndarray(format="rgb24")[20, 20, 1]))
    assert found["a"][:2] == (1, 4)
    assert abs(found["a"][2] - 128) <= 1
    light = (128 / 255) ** 1.8
    assert found["b"][:2] == (1, 1)
    assert abs(found["b"][2] - 255 * (1.055 * light ** (1 / 2.4) - 0.055)) <= 1.5


def test_primaries_of_cicp_go_to_a_movie(tmp_path: Path) -> None:
    png(tmp_path / "plate.png", cICP=bytes([12, 13, 0, 1]))
    rendered(tmp_path, "plate.png", "-o", "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as movie:
        picture = next(movie.decode(video=0))
    assert (int(picture.color_primaries), int(picture.color_trc)) == (12, 13)


def test_styles_and_training_pictures_are_seen_as_they_look(tmp_path: Path) -> None:
    """One grey, written as sRGB, with gamma 1.8, and as linear light in an EXR."""
    side, grey = 64, 150
    light = ((grey / 255 + 0.055) / 1.055) ** 2.4
    png(tmp_path / "srgb.png", np.full((side, side, 3), grey, np.uint8))
    png(tmp_path / "gamma.png", np.full((side, side, 3), round(255 * light ** (1 / 1.8)), np.uint8),
        gAMA=struct.pack(">I", 55556))  # fmt: skip
    oiio.ImageBuf(np.full((side, side, 3), light, np.float32)).write(str(tmp_path / "linear.exr"))
    for name in ("srgb.png", "gamma.png", "linear.exr"):
        assert abs(style_picture(tmp_path / name).mean() * 255 - grey) < 0.7, name
        assert abs(np.asarray(load_picture(tmp_path / name)).mean() - grey) < 1.2, name
