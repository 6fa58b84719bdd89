"""Looks mixed from several looks, by weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scumble.core.errors import BadInput, BadLook
from scumble.core.version import __version__
from scumble.look.look import Look, with_reference
from scumble.look.shipped import load_universal
from scumble.look.statistics import reference_statistics
from scumble.network.palette import Palette
from scumble.network.universal import Universal, blend


def mix_looks(looks: Sequence[Look], weights: Sequence[float]) -> Look:
    """`mix` with the shipped generator of these looks, and reference statistics measured anew."""
    look = mix(looks, weights, load_universal())
    return with_reference(look, reference_statistics(look))


def mix(looks: Sequence[Look], weights: Sequence[float], universal: Universal | None = None) -> Look:
    """One look between several. Looks of one universal generator mix by their moments, fine-tuned
    looks of the same ancestor by their weights, as do those of generators that were trained on from it (weights along
    one training stay averageable: model soups, 2203.05482); others are refused.

    The result has no reference statistics yet; the caller measures them.
    """
    if len(looks) != len(weights) or not looks or min(weights) < 0 or sum(weights) <= 0:
        raise BadInput("mixing takes looks with weights of 0 or more that are not all 0, as in a.look:0.7 b.look:0.3")
    matched = next((look for look in looks if look.shot is not None), None)
    if matched is not None:
        raise BadLook(
            f"{matched.name}: has the statistics of its own footage and does not mix; mix instant looks instead"
        )
    share = [w / sum(weights) for w in weights]
    common = set.intersection(*map(_kin, looks))
    ancestors = {look.facts.get("ancestor") for look in looks}
    if not common or len({look.architecture for look in looks}) > 1:
        names = ", ".join(look.name for look in looks)
        raise BadLook(
            f"{names}: looks mix only when they descend from the same universal generator; these do not:"
            " make them again with scumble look make"
        )
    palette = Palette.blend([look.palette for look in looks], share)
    facts: dict[str, Any] = {
        "name": "+".join(look.name for look in looks),
        "ancestor": looks[0].facts["ancestor"] if len(ancestors) == 1 else min(common),
        "made": "mixed",
        "made_by": f"scumble {__version__}",
        "sources": [
            {**source, "weight": float(source.get("weight", 1.0)) * part}
            for look, part in zip(looks, share, strict=True)
            for source in look.facts.get("sources", [])
        ],
    }
    if common - {facts["ancestor"]}:
        facts["descends_from"] = sorted(common - {facts["ancestor"]})
    known = [look.moments for look in looks if look.moments is not None]
    if len(known) == len(looks) and universal is not None and ancestors == {universal.hash}:
        moments = blend(known, share)
        return Look(looks[0].architecture, universal.collapse(moments), palette, None, moments, facts)
    blended = {k: blend([look.weights[k] for look in looks], share) for k in looks[0].weights}
    return Look(looks[0].architecture, blended, palette, None, None, facts)


def _kin(look: Look) -> set[str]:
    """The universal generators with whose looks this one mixes: its own and those that its own was trained on from."""
    earlier = look.facts.get("descends_from", [])
    names = [look.facts.get("ancestor"), *(earlier if isinstance(earlier, list) else [])]
    return {name for name in names if isinstance(name, str)}
