"""qc finds what is wrong with a render, by frame, and lets a sound one pass; the probe certifies a look."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from helpers.command import scumble
from helpers.pictures import SAMPLES, random_look, scene
from helpers.plates import CONVENTIONS, exr_with, moving

from scumble.core.colour import DISPLAY, LINEAR, srgb_to_linear
from scumble.core.errors import BadInput
from scumble.core.frames import Frame, Pixels
from scumble.media.movie_writer import MovieWriter
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.quality import qc
from scumble.quality.certificate import probe
from scumble.quality.qc import FAR, Limits, examine, passes, verdicts

COUNT = 13


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    write(folder, "plate", moving(COUNT))
    return folder / "plate.####.png"


def write(folder: Path, name: str, pictures: list[Pixels], first: int = 1001) -> Path:
    for i, pixels in enumerate(pictures):
        write_picture(
            folder / f"{name}.{first + i:04d}.png", Frame(first + i, pixels, DISPLAY), WriterSettings(bits=16)
        )
    return folder / f"{name}.####.png"


def negative(pictures: list[Pixels]) -> list[Pixels]:
    """A painting that is as steady as its plate: a function of the pixel alone."""
    return [np.clip(0.9 - 0.8 * p, 0, 1) for p in pictures]


def test_a_steady_painting_passes(plate: Path, tmp_path: Path) -> None:
    done = examine(plate, write(tmp_path, "render", negative(moving(COUNT))))
    assert passes(done, Limits(drift=255))
    assert done.summary["warp_1"] == pytest.approx(0.8, abs=0.05)
    assert done.summary["warp_10"] == pytest.approx(0.8, abs=0.1)
    assert done.summary["sharpness"] == pytest.approx(0.8, abs=0.05)
    assert done.summary["broken"] == done.summary["missing"] == 0
    assert [f.number for f in done.frames] == list(range(1001, 1001 + COUNT))
    assert done.frames[0].warp_1 is None
    assert done.frames[FAR - 1].warp_10 is None
    assert done.frames[FAR].warp_10 is not None


def test_boiling_is_seen_where_it_is(plate: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    boiling = [p + rng.normal(0, 0.05, p.shape).astype(np.float32) * (i == 6) for i, p in enumerate(moving(COUNT))]
    done = examine(plate, write(tmp_path, "render", [p.clip(0, 1) for p in boiling]))
    assert {w.number for w in done.worst[:2]} == {1007, 1008}
    frames = {f.number: f for f in done.frames}
    assert frames[1007].warp_1 > 3 * frames[1005].warp_1
    assert frames[1005].warp_1 == pytest.approx(frames[1005].warp_1_plate, rel=1e-5)


def test_static_places_are_found(tmp_path: Path) -> None:
    still = [scene(4, 96, 160)[:, :160]] * 4
    rng = np.random.default_rng(0)
    flicker = [np.clip(p + 0.02 * (-1) ** i, 0, 1).astype(np.float32) for i, p in enumerate(still)]
    a, b = write(tmp_path, "plate", still), write(tmp_path, "render", flicker)
    assert examine(a, b).summary["static"] == pytest.approx(0.04 * 255, rel=0.1)
    moves = [rng.random((96, 160, 3)).astype(np.float32) for _ in range(4)]
    assert examine(write(tmp_path, "moves", moves), b).summary["static"] is None


@pytest.mark.parametrize("fault", ["black", "repeated", "nan", "missing", "drift", "clipped", "blurred"])
def test_every_fault_fails_its_own_limit(fault: str, plate: Path, tmp_path: Path) -> None:
    pictures = negative(moving(COUNT))
    if fault == "black":
        pictures[4] = pictures[4] * 0
    elif fault == "repeated":
        pictures[4] = pictures[3]
    elif fault == "drift":
        pictures = [(p * np.float32([1 - 0.03 * i, 1, 1])).astype(np.float32) for i, p in enumerate(pictures)]
    elif fault == "clipped":
        pictures[4] = np.where(scene(4, 96, 160)[:, :160] > 0.5, 1, pictures[4]).astype(np.float32)
    elif fault == "blurred":
        import cv2

        pictures = [cv2.GaussianBlur(p, (0, 0), 4) for p in pictures]
    render = write(tmp_path, "render", pictures)
    if fault == "missing":
        (tmp_path / "render.1004.png").unlink()
    if fault == "nan":
        for i, pixels in enumerate(pictures):
            linear = srgb_to_linear(pixels)
            if i == 4:
                linear[10:12, 20:23] = np.nan
            write_picture(tmp_path / f"nan.{1001 + i}.exr", Frame(1001 + i, linear, LINEAR), WriterSettings())
        render = tmp_path / "nan.####.exr"
    done = examine(plate, render)
    drift = 20 if fault == "drift" else 255  # a black frame has another mean colour too
    loose = Limits(warp_1=0, warp_10=0, static=255, sharpness=0.3, drift=drift, clipped=0.02)
    failed = {name for name, kept in verdicts(done.summary, loose).items() if kept is False}
    name = {"blurred": "sharpness"}.get(fault, fault if fault in ("missing", "drift", "clipped") else "broken")
    assert failed == {name} | ({"clipped"} if fault == "black" else set())
    frame = next(f for f in done.frames if f.number == 1005)
    if fault == "nan":
        assert frame.bad_pixels == 6
    if fault in ("black", "repeated"):
        assert getattr(frame, fault) is True
        assert sum(getattr(f, fault) for f in done.frames) == 1
    if fault == "missing":
        assert done.missing == (1004,)


def test_the_plates_own_vectors_are_taken(tmp_path: Path) -> None:
    for n, shown in enumerate(moving(4), start=1):
        exr_with(tmp_path / f"v.{n:04d}.exr", shown, CONVENTIONS["nuke"][0])
        exr_with(tmp_path / f"a.{n:04d}.exr", shown, CONVENTIONS["arnold"][0])
    render = write(tmp_path, "render", negative(moving(4)), 1)
    assert "vectors of the plate" in examine(tmp_path / "v.####.exr", render).motion
    assert examine(tmp_path / "v.####.exr", render, "flow").motion == "optical flow of the plate"
    # forward alone says nothing of the frame before
    assert examine(tmp_path / "a.####.exr", render).motion == "optical flow of the plate"
    with pytest.raises(BadInput, match="--motion flow"):
        examine(tmp_path / "a.####.exr", render, "vectors")
    with pytest.raises(BadInput, match="--motion flow"):
        examine(render, render, "vectors")


def test_the_command_writes_a_page_and_json_and_fails_with_1(plate: Path, tmp_path: Path) -> None:
    good = write(tmp_path, "good", negative(moving(COUNT)))
    limits = tmp_path / "limits.toml"
    limits.write_text("drift = 255.0\n")
    page = tmp_path / "qc.html"
    done = scumble("qc", plate, good, "-o", page, "--limits", limits)
    assert done.returncode == 0, done.stderr
    assert "passes" in done.stdout
    text = page.read_text("utf-8")
    assert text.count("<svg") >= 5
    assert text.count("data:image/jpeg") == qc.WORST
    assert not re.findall(r"(?:src|href)=[\"'](?!data:)[^\"'#]", text)  # opens offline
    facts = json.loads((tmp_path / "qc.json").read_text())
    assert facts["passes"] is True
    assert len(facts["frames"]) == COUNT
    assert "--overwrite" in scumble("qc", plate, good, "-o", page).stderr
    limits.write_text("drift = 255.0\nsharpness = 0.9\n")
    done = scumble("qc", plate, good, "--limits", limits, "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdicts"]["sharpness"] is False
    limits.write_text("sharp = 0.9\n")
    done = scumble("qc", plate, good, "--limits", limits)
    assert done.returncode == 2
    assert "'sharpness'" in done.stderr


def test_a_movie_beside_a_sequence_takes_its_numbers_and_strangers_are_refused(plate: Path, tmp_path: Path) -> None:
    writer = MovieWriter(tmp_path / "r.mp4", WriterSettings(size=(160, 96), quality=95))
    for i, pixels in enumerate(negative(moving(COUNT))):
        writer.write(Frame(i + 1, pixels, DISPLAY))
    writer.close()
    done = examine(plate, tmp_path / "r.mp4", frames=(1003, 1004))
    assert [f.number for f in done.frames] == [1003, 1004]
    with pytest.raises(BadInput, match="none in common"):
        examine(plate, write(tmp_path, "far", moving(2), 2000))
    with pytest.raises(BadInput, match="60 frames, the plate has 13"):
        examine(plate, SAMPLES / "sintel_walk.mp4")
    refused = scumble("qc", plate)
    assert refused.returncode == 2
    assert "PLATE and RENDER" in refused.stderr


def test_a_probe_certifies_a_look_and_sees_what_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    look = random_look(3)
    found = probe(look)
    assert found.exact
    assert found.static_half == 0
    assert min(found.pans.values()) > 0
    painter = OpenVinoEngine.painter

    def with_statistics_of_its_own(self: OpenVinoEngine, baked: object, precision: object) -> object:
        inner = painter(self, baked, precision)  # type: ignore[arg-type]
        return lambda window: inner(window) - window.mean()

    monkeypatch.setattr(OpenVinoEngine, "painter", with_statistics_of_its_own)
    worse = probe(look)
    assert not worse.exact
    assert worse.static_half > 0
    assert not worse.strips_equal_frame
    assert replace(worse, static_half=0.0, strips_equal_frame=True).exact


def test_the_probe_command() -> None:
    done = scumble("qc", "--probe", "identity", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["exact"] is True
    assert max(facts["pans"].values()) < 0.05  # the band-limited move itself is not exact at the border


def test_nothing_is_compared_across_a_cut(tmp_path: Path) -> None:
    from helpers.edits import shot

    pictures = shot(1, 14, 0.4) + shot(2, 14, 0.4)
    a = write(tmp_path, "plate", pictures)
    b = write(tmp_path, "render", negative(pictures[:14]) + pictures[14:])  # each shot in colours of its own
    (tmp_path / "cuts.txt").write_text("1015\n")
    cut = examine(a, b, cuts=str(tmp_path / "cuts.txt"))
    assert [f.number for f in cut.frames if f.warp_1 is None] == [1001, 1015]
    assert [f.number for f in cut.frames if f.warp_10 is not None] == [*range(1011, 1015), *range(1025, 1029)]
    assert cut.summary["drift"] < 20 < examine(a, b, cuts="none").summary["drift"]


def test_a_movie_of_part_of_the_plate_is_held_against_that_part(plate: Path, tmp_path: Path) -> None:
    writer = MovieWriter(tmp_path / "part.mp4", WriterSettings(size=(160, 96), quality=95))
    for i, pixels in enumerate(moving(COUNT)[4:8]):
        writer.write(Frame(i + 1, pixels, DISPLAY))
    writer.close()
    done = examine(plate, tmp_path / "part.mp4", frames=(1005, 1006, 1007, 1008))
    assert done.summary["warp_1"] == pytest.approx(1, abs=0.5)
    assert max(f.drift for f in done.frames) < 3
    for frames, words in ((None, "--frames"), ((1005, 1099), "1099 is not in the plate")):
        with pytest.raises(BadInput, match=words):
            examine(plate, tmp_path / "part.mp4", frames=frames)
    assert examine(tmp_path / "part.mp4", write(tmp_path, "s", moving(COUNT)[4:8]), first_frame=1001).frames


def test_highlights_of_a_linear_plate_are_not_newly_clipped(tmp_path: Path) -> None:
    for n in (1001, 1002):
        bright = np.full((64, 64, 3), 1.2, np.float32)
        write_picture(tmp_path / f"lin.{n}.exr", Frame(n, bright, LINEAR), WriterSettings(bits=32))
        write_picture(tmp_path / f"out.{n}.png", Frame(n, bright, LINEAR), WriterSettings())
    assert examine(tmp_path / "lin.####.exr", tmp_path / "out.####.png").summary["clipped"] == 0


def test_another_shape_is_refused(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not of one shape"):
        examine(plate, write(tmp_path, "tall", [p.transpose(1, 0, 2) for p in moving(COUNT)]))


def film(path: Path, begins: list[float], last: float) -> Path:
    """A movie whose frames begin at these seconds; the last one is shown for so long."""
    with av.open(str(path), "w") as movie:
        stream: Any = movie.add_stream("libx264", rate=24, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 12000)
        ends = dict(pairwise(round(at * 12000) for at in (*begins, begins[-1] + last)))
        packets = []
        for pixels, at in zip(moving(len(begins)), begins, strict=True):
            codes = (np.clip(pixels[:64, :96], 0, 1) * 255).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(codes, format="rgb24")
            picture.pts, picture.time_base = round(at * 12000), Fraction(1, 12000)
            packets += stream.encode(picture)
        for packet in [*packets, *stream.encode(None)]:
            packet.duration = ends[packet.pts] - packet.pts
            movie.mux(packet)
    return path


AT_24 = [i / 24 for i in range(12)]


@pytest.mark.parametrize(
    ("begins", "last", "failed"),
    [
        (AT_24, 1 / 24, set()),
        ([i / 25 for i in range(12)], 1 / 25, {"late", "rate"}),
        ([i * 1001 / 24000 for i in range(12)], 1001 / 24000, {"rate"}),  # half a millisecond, in so short a movie
        ([*AT_24[:6], *(t + 0.5 for t in AT_24[6:])], 1 / 24, {"late"}),  # a pause in the middle
        (AT_24, 1.0, {"late"}),  # the last frame is held
    ],
)
def test_another_rate_or_length_fails(begins: list[float], last: float, failed: set[str], tmp_path: Path) -> None:
    plate, render = film(tmp_path / "plate.mp4", AT_24, 1 / 24), film(tmp_path / "render.mp4", begins, last)
    done = examine(plate, render, cuts="none")
    kept = verdicts(done.summary, Limits(warp_1=0, warp_10=0, static=255, sharpness=0, drift=255, clipped=1, broken=12))
    assert {name for name, ok in kept.items() if ok is False} == failed
    part = examine(plate, film(tmp_path / "part.mp4", AT_24[:5], 1 / 24), frames=range(3, 8), cuts="none")
    assert part.summary["late"] == pytest.approx(0, abs=1e-6)
    assert examine(plate, write(tmp_path, "stills", [p[:64, :96] for p in moving(12)], 1)).summary["late"] is None
