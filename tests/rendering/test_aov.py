"""The parts of a painting sum to it, and mix with the plate to what was rendered, whatever alpha and matte say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest
from helpers.exr import read
from helpers.pictures import picture, random_look, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadOutput, BadSettings
from scumble.core.frames import Frame, Paint
from scumble.media.aov import AOVS, channels_of, layers_of, parse_aovs
from scumble.media.ocio import Colours
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

HEIGHT, WIDTH = 48, 80
light = st.floats(-0.5, 60, width=32)
share = st.floats(0, 1, width=32)


@given(
    arrays(np.float32, (5, 6, 3), elements=light),
    arrays(np.float32, (5, 6, 1), elements=share),
    st.none() | arrays(np.float32, (5, 6, 1), elements=share),
    st.sampled_from(["lin_rec709", "ACEScg"]),
    st.sampled_from([np.float16, np.float32]),
)
@settings(max_examples=80)
def test_luma_chroma_and_detail_sum_to_the_painting(pixels: Any, matte: Any, alpha: Any, name: str, kind: Any) -> None:
    found = layers_of(Paint(pixels, matte), alpha, Colours().space(name), 2.0, AOVS, kind)
    total = sum(
        np.stack([found[f"{part}.{c}"].astype(np.float64) for c in "RGB"], axis=2)
        for part in ("luma", "chroma", "detail")
    )
    wanted = np.where(matte > 0, pixels * (1 if alpha is None else alpha), 0)
    # chroma takes up the others' rounding, so that only its own is left
    chroma = np.stack([found[f"chroma.{c}"] for c in "RGB"], axis=2)
    assert (np.abs(total - wanted) <= np.spacing(np.abs(chroma)).astype(np.float64) / 2 + 1e-5).all()
    for part in ("luma", "detail"):
        assert np.array_equal(found[f"{part}.R"], found[f"{part}.G"])
        assert np.array_equal(found[f"{part}.R"], found[f"{part}.B"])
    np.testing.assert_array_equal(found["matte.A"], matte[:, :, 0].astype(kind))
    assert all(plane.dtype == kind for plane in found.values())


def plate_with_alpha(path: Path) -> None:
    """Premultiplied half floats, a soft alpha, an infinity and a NaN."""
    alpha = np.clip(np.linspace(-0.2, 1.4, WIDTH), 0, 1).astype(np.float16)[None, :].repeat(HEIGHT, axis=0)
    colours = srgb_to_linear(scene(3, HEIGHT, WIDTH)) * alpha[:, :, None].astype(np.float32) * 3
    colours[3, 60], colours[4, 61] = np.inf, np.nan
    planes = {c: np.ascontiguousarray(colours[:, :, i], np.float16) for i, c in enumerate("RGB")}
    OpenEXR.File({}, {**planes, "A": np.ascontiguousarray(alpha)}).write(str(path))


@pytest.mark.parametrize("out_layer", ["", "paint"])
def test_the_parts_recombine_to_the_render(out_layer: str, tmp_path: Path) -> None:
    plate_with_alpha(tmp_path / "p.exr")
    matte = np.clip(picture(HEIGHT, WIDTH, 2)[:, :, :1] * 2 - 0.5, 0, 1).repeat(3, axis=2)
    write_picture(tmp_path / "m.png", Frame(1, matte, DISPLAY), WriterSettings(bits=16))
    common = {"matte": str(tmp_path / "m.png"), "out_layer": out_layer, "strength": 0.8}
    made = render(tmp_path / "p.exr", random_look(1), tmp_path / "a.exr", RenderSettings(aovs=AOVS, **common)).files[0]
    plain = render(tmp_path / "p.exr", random_look(1), tmp_path / "b.exr", RenderSettings(**common)).files[0]
    ((_, before),), ((_, found),), ((_, alone),) = read(tmp_path / "p.exr"), read(made), read(plain)
    assert set(found) == set(alone) | set(channels_of(AOVS))
    share = found["matte.A"].astype(np.float32)
    assert 0.1 < (share == 0).mean() < 0.9
    for c in "RGB":
        name = f"{out_layer}.{c}" if out_layer else c
        np.testing.assert_array_equal(found[name], alone[name])  # parts beside it change nothing
        own, result = before[c].astype(np.float32), found[name].astype(np.float32)
        painted = sum(found[f"{part}.{c}"].astype(np.float32) for part in ("luma", "chroma", "detail"))
        good = np.isfinite(own)
        recombined = own[good] + share[good] * (painted[good] - own[good])
        # a code of half floats at the size of the parts: what rounds is their sum, the matte and the result
        parts = [np.abs(found[f"{part}.{c}"].astype(np.float32)) for part in ("luma", "chroma", "detail")]
        scale = np.maximum(np.abs(own[good]), np.max(parts, axis=0)[good]) + 1e-3
        assert (np.abs(recombined - result[good]) / scale).max() < 2 / 1024
        assert (share[~good] == 0).all()  # the plate's own pixel passes


def test_some_parts_only(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", Frame(1, picture(HEIGHT, WIDTH), DISPLAY), WriterSettings())
    made = render(tmp_path / "p.png", random_look(1), tmp_path / "a.exr", RenderSettings(aovs=("chroma", "matte")))
    ((_, found),) = read(made.files[0])
    assert sorted(found) == ["B", "G", "R", "chroma.B", "chroma.G", "chroma.R", "matte.A"]
    assert (found["matte.A"] == 1).all()


def test_what_cannot_be(tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", Frame(1, picture(HEIGHT, WIDTH), DISPLAY), WriterSettings())
    look = random_look(1)
    assert parse_aovs(" detail,luma,luma") == ("luma", "detail")
    for words in ("", "luma,depth"):
        with pytest.raises(BadSettings, match="luma, chroma, detail, matte"):
            parse_aovs(words)
    with pytest.raises(BadSettings, match="EXR output in a linear"):
        render(tmp_path / "p.png", look, tmp_path / "q.png", RenderSettings(aovs=AOVS))
    with pytest.raises(BadSettings, match="EXR output in a linear"):
        render(tmp_path / "p.png", look, tmp_path / "q.exr", RenderSettings(aovs=AOVS, out_space="ACEScct"))
    for wrong in ({"proxy": 2}, {"compare": "side"}, {"burn_in": True}):
        with pytest.raises(BadSettings, match="leave --aov"):
            RenderSettings(aovs=AOVS, **wrong)
    with pytest.raises(BadSettings, match="--on-warp"):
        RenderSettings(aovs=AOVS, on=2)
    with pytest.raises(BadSettings, match="give another --out-layer"):
        RenderSettings(aovs=AOVS, out_layer="luma")
    with pytest.raises(BadSettings, match="'depth'"):
        RenderSettings(aovs=("depth",))
    planes = {c: np.ones((HEIGHT, WIDTH), np.float16) for c in ("R", "G", "B", "matte.A")}
    OpenEXR.File({}, planes).write(str(tmp_path / "taken.exr"))
    with pytest.raises(BadOutput, match=r"matte\.A; leave matte out"):
        render(tmp_path / "taken.exr", look, tmp_path / "q.exr", RenderSettings(aovs=AOVS))
    assert not (tmp_path / "q.exr").exists()


def test_edges_of_matte_alpha_and_bad_pixels_are_no_strokes() -> None:
    flat = np.full((40, 60, 3), 0.5, np.float32)
    flat[20, 45] = np.inf
    share = np.zeros((40, 60, 1), np.float32)
    share[:, 30:] = 1
    share[20, 45] = 0
    alpha = np.linspace(0.2, 1, 40, dtype=np.float32)[:, None, None].repeat(60, axis=1)
    for opacity in (None, alpha):
        found = layers_of(Paint(flat, share), opacity, LINEAR, 4.0, AOVS, np.float32)
        assert np.abs(found["detail.R"]).max() < 1e-5
        wanted = 0.5 * share[:, :, 0] * (1 if opacity is None else opacity[:, :, 0])
        np.testing.assert_allclose(found["luma.R"], wanted, atol=1e-5)
