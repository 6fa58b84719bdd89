"""EXR that hold more than one picture, or name their channels otherwise: Nuke's layers, stereo, luminance and chroma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from helpers.command import scumble
from helpers.exr import read, same

from scumble.media.open import open_plate
from scumble.media.plate import PlateOptions

SIZE = (48, 64)


def planes(seed: int, names: list[str], shift: int = 0) -> dict[str, Any]:
    """A wavy picture of halves, moved to the left as the other eye sees it."""
    y, x = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(np.float32)
    rng = np.random.default_rng(seed)
    made = {}
    for name in names:
        a, b, c = rng.uniform(0.05, 0.4, 3)
        made[name] = (0.4 + 0.3 * np.sin(a * (x + shift) + b * y + 9 * c)).astype(np.float16)
    return made


def written(path: Path, parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> Path:
    OpenEXR.File([OpenEXR.Part(header, channels) for header, channels in parts]).write(str(path))
    return path


def render(folder: Path, *words: str, code: int = 0) -> str:
    done = scumble("render", *words, cwd=folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def changed(before: Path, after: Path) -> dict[str, bool]:
    """Which channels differ, by name, of all parts; with the part's name where there are several."""
    old, new = read(before), read(after)
    several = len(old) > 1
    return {
        f"{header['name']}:{name}" if several else name: not same(plane, theirs[name])
        for (header, own), (_, theirs) in zip(old, new, strict=True)
        for name, plane in own.items()
    }


DIFFUSE = ["diffuse.red", "diffuse.green", "diffuse.blue"]


def test_nukes_layers_are_painted_under_their_own_names(tmp_path: Path) -> None:
    plate = written(tmp_path / "nuke.exr", [({}, planes(1, ["R", "G", "B"]) | planes(2, [*DIFFUSE, "diffuse.alpha"]))])
    render(tmp_path, "nuke.exr", "--layer", "diffuse", "--look", "identity", "-o", "same.exr")
    assert not any(changed(plate, tmp_path / "same.exr").values())
    render(tmp_path, "nuke.exr", "--layer", "diffuse", "--look", "composition", "-o", "out.exr")
    found = changed(plate, tmp_path / "out.exr")
    assert {name for name, differs in found.items() if differs} == set(DIFFUSE)


def test_a_beauty_of_long_names_is_found_before_object_numbers(tmp_path: Path) -> None:
    names = ["beauty.red", "beauty.green", "beauty.blue"]
    objects = [f"uCryptoAsset00.{c}" for c in ("red", "green", "blue", "alpha")]
    plate = written(tmp_path / "beauty.exr", [({}, planes(1, names) | planes(2, objects))])
    render(tmp_path, "beauty.exr", "--look", "composition", "-o", "out.exr")
    found = changed(plate, tmp_path / "out.exr")
    assert {name for name, differs in found.items() if differs} == set(names)
    only_layer = written(
        tmp_path / "layer.exr", [({}, planes(1, ["spec.red", "spec.green", "spec.blue"]) | planes(2, objects))]
    )
    render(tmp_path, "layer.exr", "--look", "composition", "-o", "out2.exr")
    assert not any(v for n, v in changed(only_layer, tmp_path / "out2.exr").items() if n.startswith("uCrypto"))


RIGHT = ["right.R", "right.G", "right.B"]


def stereo(path: Path, way: str) -> tuple[Path, list[str], list[str]]:
    """A stereo EXR; the channels of its left and right eye."""
    left, right = planes(3, ["R", "G", "B"]), planes(3, ["R", "G", "B"], shift=3)
    multi = {"multiView": ["left", "right"]}
    if way == "parts":
        parts = [({"name": f"rgba.{v}", "view": v}, p) for v, p in (("left", left), ("right", right))]
        return written(path, parts), [f"rgba.left:{c}" for c in "RGB"], [f"rgba.right:{c}" for c in "RGB"]
    if way == "both named":
        named = {f"{v}.{c}": p for v, own in (("left", left), ("right", right)) for c, p in own.items()}
        return written(path, [(multi, named)]), [f"left.{c}" for c in "RGB"], [f"right.{c}" for c in "RGB"]
    whole = left | {f"right.{c}": p for c, p in right.items()}
    return written(path, [(multi, whole)]), list("RGB"), RIGHT


@pytest.mark.parametrize("way", ["channels", "both named", "parts"])
def test_both_eyes_are_painted_with_one_set_of_statistics(way: str, tmp_path: Path) -> None:
    plate, left, right = stereo(tmp_path / "stereo.exr", way)
    render(tmp_path, "stereo.exr", "--look", "identity", "-o", "same.exr")
    assert not any(changed(plate, tmp_path / "same.exr").values())
    said = render(tmp_path, "stereo.exr", "--look", "composition", "-o", "out.exr", "--dry-run")
    assert "views      left and right, with one set of statistics" in said
    render(tmp_path, "stereo.exr", "--look", "composition", "-o", "out.exr")
    found = changed(plate, tmp_path / "out.exr")
    assert {name for name, differs in found.items() if differs} == {*left, *right}
    # the right eye by itself would have statistics of its own: here it is the left one's painting, moved
    eyes = {}
    for view in ("left", "right"):
        opened = open_plate(tmp_path / "out.exr", options=PlateOptions(view=view))
        (frame,) = opened.read(opened.numbers)
        eyes[view] = frame.pixels
    middle = np.s_[8:-8, 8:-12]
    moved = np.roll(eyes["left"], -3, axis=1)
    assert (
        np.abs(eyes["right"][middle] - moved[middle]).mean()
        < 0.1 * np.abs(eyes["right"] - eyes["left"])[middle].mean() + 0.01
    )


@pytest.mark.parametrize("way", ["channels", "parts"])
def test_a_view_is_picked(way: str, tmp_path: Path) -> None:
    plate, _, right = stereo(tmp_path / "stereo.exr", way)
    said = render(tmp_path, "stereo.exr", "--view", "right", "--look", "composition", "-o", "out.exr")
    assert "view right is painted, left not" in said
    found = changed(plate, tmp_path / "out.exr")
    assert {name for name, differs in found.items() if differs} == set(right)
    said = render(tmp_path, "stereo.exr", "--look", "identity", "-o", "out.png")
    assert "view left is painted, right not" in said
    said = render(tmp_path, "stereo.exr", "--view", "middle", "--look", "identity", "-o", "o.exr", code=2)
    assert "no view 'middle'; it has left, right" in said


def test_layers_of_an_eye_name_it(tmp_path: Path) -> None:
    plate, _, _ = stereo(tmp_path / "stereo.exr", "channels")
    render(tmp_path, "stereo.exr", "--look", "composition", "-o", "out.exr", "--out-layer", "paint", "--aov", "matte")
    assert not any(changed(plate, tmp_path / "out.exr").values())
    ((_, channels),) = read(tmp_path / "out.exr")
    assert {
        *(f"paint.{c}" for c in "RGB"),
        *(f"paint.right.{c}" for c in "RGB"),
        "matte.A",
        "matte.right.A",
    } <= channels.keys()


def test_a_stereo_sequence_goes_on_and_views_count(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        stereo(tmp_path / f"shot.{number:04d}.exr", "channels")
    words = ("shot.####.exr", "--look", "composition", "-o", "out.####.exr")
    render(tmp_path, *words)
    (tmp_path / "out.0002.exr").unlink()
    assert "2 were there already" in render(tmp_path, *words)
    assert "were there already" not in render(tmp_path, *words, "--view", "left")  # not the same frames


LUMINANCE_CHROMA = Path(__file__).parents[1] / "golden" / "cases" / "25-luminance-chroma-exr" / "yc.exr"


def test_luminance_and_chroma_are_read_as_colours(tmp_path: Path) -> None:
    """By the definition: Y is the sum by Rec. 709's weights, RY and BY are (R - Y) / Y and (B - Y) / Y."""
    ((_, given),) = read(LUMINANCE_CHROMA)
    render(tmp_path, str(LUMINANCE_CHROMA), "--look", "identity", "-o", str(tmp_path / "out.exr"))
    ((_, channels),) = read(tmp_path / "out.exr")
    assert channels.keys() == {"R", "G", "B"}
    red, green, blue = (channels[c].astype(np.float32) for c in "RGB")
    np.testing.assert_allclose([red[20, 0], green[20, 0], blue[20, 0]], [0.16, 0.087, 0.05], atol=5e-3)
    np.testing.assert_allclose(0.2126 * red + 0.7152 * green + 0.0722 * blue, given["Y"].astype(np.float32), atol=2e-3)
    luma = given["Y"].astype(np.float32)[::2, ::2]
    np.testing.assert_allclose((red[::2, ::2] - luma) / luma, given["RY"].astype(np.float32), atol=5e-3)
    np.testing.assert_allclose((blue[::2, ::2] - luma) / luma, given["BY"].astype(np.float32), atol=5e-3)
    between = (red[10, 10] / luma[5, 5] + red[10, 12] / luma[5, 6]) / 2  # chroma of odd columns lies on the line
    np.testing.assert_allclose(red[10, 11] / given["Y"].astype(np.float32)[10, 11], between, rtol=5e-3)


def test_other_subsampled_channels_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "odd.exr").write_bytes(LUMINANCE_CHROMA.read_bytes().replace(b"RY\0", b"QY\0", 1))
    said = render(tmp_path, "odd.exr", "--look", "identity", "-o", "out.exr", code=2)
    assert "write it as RGB" in said


def test_statistics_are_those_of_the_default_eye_alone(tmp_path: Path) -> None:
    """What the right eye sees in another frame changes nothing in the first one."""
    painted = []
    for name, seed in (("a", 5), ("b", 6)):
        for number in (1, 2):
            eye = planes(4 if number == 1 else seed, ["R", "G", "B"])
            right = {f"right.{c}": p if number == 1 else p * np.float16(seed - 4) for c, p in eye.items()}
            whole = planes(3 + number, ["R", "G", "B"]) | right
            written(tmp_path / f"{name}.{number:04d}.exr", [({"multiView": ["left", "right"]}, whole)])
        render(tmp_path, f"{name}.####.exr", "--look", "composition", "-o", f"{name}_out.####.exr")
        ((_, channels),) = read(tmp_path / f"{name}_out.0001.exr")
        painted.append(channels)
    assert all(same(painted[0][channel], painted[1][channel]) for channel in [*"RGB", *RIGHT])
