"""Settings that make a training small."""

from __future__ import annotations

SMALL = [
    "data.crop=32",
    "data.style_crop=40",
    "data.contents=4",
    "data.variants=2",
    "generator.size=tiny",
    "run.precision=f32",
    "run.compiled=false",
    "run.evaluate_every=1000",
    "run.evaluate_pairs=1",
    "run.evaluate_side=160",
    "schedule.minutes=0",
]
