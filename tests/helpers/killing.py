"""The flags of a training that is killed."""

from __future__ import annotations

from pathlib import Path

STEPS = 26
TINY = f"""
[data]
crop = 32
style_crop = 40
contents = 4
variants = 1
[generator]
size = "tiny"
[schedule]
steps = {STEPS}
adversarial_from = 5
motion_from = 3
[run]
precision = "f32"
compiled = false
threads = 1
device = "cpu"
evaluate_every = 7
evaluate_pairs = 1
evaluate_side = 160
save_minutes = 0.0
log_every = 2
"""


def arguments(folder: Path, dataset: Path) -> list[str]:
    (folder / "tiny.toml").write_text(TINY)
    return ["train", str(folder / "tiny.toml"), "--data", str(dataset)]
