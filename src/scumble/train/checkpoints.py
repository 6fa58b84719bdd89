"""Checkpoints of a run: `resume` goes on to the same bits on one machine, `travel` is small and goes to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from scumble.core.errors import BadInput, BadSettings
from scumble.network.weights_file import SCHEMA
from scumble.train.gan import Gan
from scumble.train.nn import checkpoint
from scumble.train.settings import portable


def facts_of(gan: Gan) -> dict[str, Any]:
    """The facts of the networks as plain values; the run adds its own."""
    return {
        "kind": "checkpoint",
        "schema": SCHEMA,
        "architecture": asdict(gan.generator.architecture),
        "conditioning": gan.generator.conditioning,
        "step": gan.steps,
        "crops": gan.steps * gan.settings.data.contents * gan.group.count,
        "settings": portable(gan.settings),
        "rewarm_from": gan.rewarm_from,
        "critic_at_hand": gan.discriminator_is_trained,
        "painting": gan.painting,
    }


def save_resume(gan: Gan, path: Path, facts: Mapping[str, Any]) -> None:
    """All that an exact continuation on one machine needs; `facts` are the run's."""
    tensors = {
        **checkpoint.prefixed("generator", gan.generator.state_dict()),
        **checkpoint.prefixed("ema", gan.ema.state_dict()),
        **checkpoint.prefixed("discriminator", gan.discriminator.state_dict()),
        **checkpoint.prefixed("adam_g", checkpoint.adam_tensors(gan.generator, gan.adam_g)),
        **checkpoint.prefixed("adam_d", checkpoint.adam_tensors(gan.discriminator, gan.adam_d)),
    }
    checkpoint.save(path, tensors, facts_of(gan) | dict(facts))


def save_travel(gan: Gan, path: Path, facts: Mapping[str, Any]) -> None:
    """Averaged weights and the discriminator in float16: what another machine goes on from."""
    tensors = {
        **checkpoint.prefixed("ema", gan.ema.state_dict()),
        **checkpoint.prefixed("discriminator", gan.discriminator.state_dict()),
    }
    checkpoint.save(path, checkpoint.half(tensors), facts_of(gan) | dict(facts) | {"kind": "travel"})


def load(gan: Gan, path: Path) -> dict[str, Any]:
    """Continue from a resume or travel checkpoint; its facts. Raises BadInput, BadSettings, BadLook."""
    tensors, facts = checkpoint.load(path)
    if facts.get("kind") not in ("checkpoint", "travel"):
        raise BadInput(f"{path}: weights, not a checkpoint; name resume.safetensors or travel.safetensors of a run")
    if facts.get("schema") != SCHEMA:
        raise BadInput(f"{path}: a checkpoint of an earlier Scumble, of another network; begin a new run")
    if facts.get("painting", gan.painting) != gan.painting:
        raise BadSettings(f"{path}: trained on another painting than {gan.settings.data.style}; name that one")
    widened = {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
    exact = facts["kind"] == "checkpoint"
    parts = {"generator": gan.generator, "ema": gan.ema, "discriminator": gan.discriminator}
    for part, module in parts.items():
        own = "ema" if part == "generator" and not exact else part
        try:
            module.load_state_dict(checkpoint.under(widened, own))
        except RuntimeError as error:
            raise BadSettings(f"{path}: made with other settings for the {part}; use its own settings") from error
    if exact:
        checkpoint.load_adam(gan.generator, gan.adam_g, checkpoint.under(widened, "adam_g"))
        checkpoint.load_adam(gan.discriminator, gan.adam_d, checkpoint.under(widened, "adam_d"))
    try:
        gan.steps = int(facts["step"])
        gan.rewarm_from = facts.get("rewarm_from") if exact else gan.steps
        gan.discriminator_is_trained = bool(facts["critic_at_hand"])
    except (KeyError, TypeError, ValueError) as error:
        raise checkpoint.not_in_order(path, error) from error
    return facts
