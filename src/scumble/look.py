"""A look: one style as a plain convolutional network. Load, save, mix, bake; never pickle.

File: safetensors, arrays in float16 (statistics, palettes and bands in float32), and JSON facts with a
`schema` number in the header. Names: `kernel.NODE` (O, I, 3, 3), `gamma.NODE`, `beta.NODE`, `gate.NODE` (C,),
`palette.mean|covariance`, `bands.mean|covariance|sizes|bending`, `reference.NODE.mean|variance` with
`reference.palette.mean|covariance` and `reference.bands.*` likewise, for looks matched to a shot the same
under `shot` and the key frames `key.NUMBER.painted|plate`, and for looks of the universal generator `style.code`,
`style.mean.LEVEL`, `style.deviation.LEVEL`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from scumble import __version__
from scumble.bands import DETAILS, REACH, SHARES, BandMatch, Bands, band_match
from scumble.carrying import MOST_KEYS, PaintedKey
from scumble.errors import BadInput, BadLook
from scumble.files import written_whole
from scumble.network import EPSILON, SIGHT, SIGHT_LIMIT, Architecture
from scumble.palette import OWN_COLOURS, Colouring, Palette, exchanged, recolouring

SIGHT_EPSILON = 1e-6  # as in `scumble.nn.losses.statistics`
SCHEMA = 1
SHOT_SCHEMA = 2  # of looks that hold a shot's statistics: who does not know of them would measure others
KEYS_SCHEMA = 3  # of looks that hold key frames: who does not know of them would not carry them
SIGHT_SCHEMA = 4  # of universal generators with a sight: who does not know of it would collapse others
BANDS_SCHEMA = 5  # of looks whose bands are matched: who does not know of them would leave them as they are
CURVES_SCHEMA = 6  # of looks whose bands have curves: who does not know of them would leave them out
NEWEST_SCHEMA = CURVES_SCHEMA
Array = NDArray[np.float32]
Arrays = dict[str, Array]
PARTS = ("kernel", "gamma", "beta", "gate")


@dataclass(frozen=True)
class StyleStatistics:
    """What the style encoder says of style pictures: code (S,), mean and deviation (C,) per level."""

    code: Array
    mean: tuple[Array, ...]
    deviation: tuple[Array, ...]


@dataclass(frozen=True)
class ShotStatistics:
    """Colours and layer statistics of a shot: what turns a look into a fixed function."""

    palette: Palette
    mean: Arrays
    variance: Arrays
    facts: dict[str, Any] = field(default_factory=dict)
    bands: Bands | None = None
    """Of the paintings of the shot before their bands are matched."""


@dataclass(frozen=True)
class Look:
    """One style's network, its palette and what is known of it. `weights` has keys such as `kernel.stem`."""

    architecture: Architecture
    weights: Arrays
    palette: Palette
    reference: ShotStatistics | None
    style: StyleStatistics | None
    facts: dict[str, Any]
    shot: ShotStatistics | None = None
    """Of the one shot that the look was matched to: it paints with these and no others."""
    keys: tuple[PaintedKey, ...] = ()
    """Painted frames of that shot that are carried along it."""
    bands: Bands | None = None
    """Contrast and colours of the style's bands, to which a painting's are brought."""

    @property
    def name(self) -> str:
        return str(self.facts.get("name", "unnamed"))

    @property
    def schema(self) -> int:
        """The oldest one that says all that the look holds."""
        if self.bands is not None:
            return BANDS_SCHEMA if self.bands.sizes is None else CURVES_SCHEMA
        return KEYS_SCHEMA if self.keys else SCHEMA if self.shot is None else SHOT_SCHEMA

    @property
    def halo(self) -> int:
        """That of the look when it is baked."""
        return _halo(self.architecture, self.bands is not None)

    @property
    def keep_color(self) -> float:
        """1 when the look leaves the plate's colours alone (identity look)."""
        return float(self.facts.get("keep_color", 0.0))

    def recolouring(
        self, plate: Palette, colouring: Colouring = OWN_COLOURS
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """T (3, 3) and offset (3,) from a plate's colours to the style's, as `colouring` has it."""
        kept = max(colouring.keep_color, self.keep_color)
        return recolouring(plate, self.palette, replace(colouring, keep_color=kept))

    def band_match(self, statistics: ShotStatistics, colouring: Colouring = OWN_COLOURS) -> BandMatch | None:
        """What brings a shot's paintings to the style's bands, in the colours that `colouring` asks for."""
        if self.bands is None or statistics.bands is None:
            return None
        kept = max(colouring.keep_color, self.keep_color)
        turned, mean = exchanged(statistics.palette, self.palette, replace(colouring, keep_color=kept))
        mean = mean + turned @ (self.bands.mean - self.palette.mean)
        return band_match(statistics.bands, self.bands.recoloured(turned, mean))

    @cached_property  # asked for with every frame, and key frames take long to pack
    def hash(self) -> str:
        """First 16 digits of the SHA-256 of the saved file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def to_bytes(self, weights: bool = True) -> bytes:
        """The file's bytes; equal looks give equal bytes.

        Without `weights` it is for a look that its universal generator makes again of its style.
        """
        arrays: dict[str, NDArray[Any]] = {k: v.astype(np.float16) for k, v in self.weights.items() if weights}
        arrays |= _colour_arrays("palette", self.palette)
        if self.bands is not None:
            arrays |= _colour_arrays("bands", self.bands)
        for name, statistics in (("reference", self.reference), ("shot", self.shot)):
            if statistics is None:
                continue
            arrays |= _colour_arrays(f"{name}.palette", statistics.palette)
            if statistics.bands is not None:
                arrays |= _colour_arrays(f"{name}.bands", statistics.bands)
            for node in statistics.mean:
                arrays[f"{name}.{node}.mean"] = statistics.mean[node].astype(np.float32)
                arrays[f"{name}.{node}.variance"] = statistics.variance[node].astype(np.float32)
        if self.style is not None:
            arrays["style.code"] = self.style.code.astype(np.float32)
            for i, (m, d) in enumerate(zip(self.style.mean, self.style.deviation, strict=True)):
                arrays[f"style.mean.{i}"], arrays[f"style.deviation.{i}"] = m.astype(np.float32), d.astype(np.float32)
        for key in self.keys:
            arrays |= {f"key.{key.number}.{part}": array for part, array in key.arrays().items()}
        facts = {**self.facts, "schema": self.schema, "kind": "look", "architecture": asdict(self.architecture)}
        return save(arrays, metadata={"facts": json.dumps(facts, sort_keys=True)})

    def save(self, path: Path | str) -> None:
        """Write the look; the file appears whole or not at all."""
        with written_whole(Path(path)) as part:
            part.write_bytes(self.to_bytes())

    @classmethod
    def load(cls, path: Path | str, universal: Callable[[], Universal] | None = None) -> Look:
        """Read and check a look; `universal` gives weights to one without. Raises BadLook naming file and fault."""
        path = Path(path)
        arrays, facts = read_arrays(path)
        if facts.get("kind") != "look":
            raise BadLook(f"{path}: not a look but {facts.get('kind', 'another file')}; make one: scumble look make")
        _check_schema(path, facts)
        architecture = architecture_of(path, facts)
        weights = {k: v for k, v in arrays.items() if k.split(".", 1)[0] in PARTS}
        style = None
        normed = [n.name for n in architecture.nodes() if n.op == "conv" and n.normed]

        def statistics(name: str, of: str) -> ShotStatistics | None:
            if f"{name}.palette.mean" not in arrays:
                return None
            return ShotStatistics(
                _palette_of(arrays, f"{name}.palette"),
                {n: arrays[f"{name}.{n}.mean"] for n in normed},
                {n: arrays[f"{name}.{n}.variance"] for n in normed},
                {"of": of},
                bands_of(f"{name}.bands"),
            )

        def bands_of(name: str) -> Bands | None:
            if f"{name}.mean" not in arrays:
                return None
            mean, covariance = arrays[f"{name}.mean"], arrays[f"{name}.covariance"]
            found = Bands(mean.astype(np.float64), covariance.astype(np.float64))
            if f"{name}.sizes" not in arrays:
                return found
            bending = arrays[f"{name}.bending"]
            if bending.size != 1 or not 0 <= bending.item() <= 1:
                raise BadLook(f"{path}: {name}.bending should be a number from 0 to 1; make the look again")
            return replace(found, sizes=arrays[f"{name}.sizes"].astype(np.float64), bending=bending.item())

        try:
            palette, bands = _palette_of(arrays, "palette"), bands_of("bands")
            reference, shot = statistics("reference", "reference photograph"), statistics("shot", "its own shot")
            if "style.code" in arrays:
                levels = range(len(architecture.widths))
                style = StyleStatistics(
                    arrays["style.code"],
                    tuple(arrays[f"style.mean.{i}"] for i in levels),
                    tuple(arrays[f"style.deviation.{i}"] for i in levels),
                )
        except KeyError as error:
            raise BadLook(f"{path}: a look without {error.args[0]!r}; make it again: scumble look make") from error
        if not weights and style is not None:
            weights = _made_again(path, facts, style, universal)
        check_weights(path, architecture, weights)
        own = {k: v for k, v in facts.items() if k not in ("schema", "kind", "architecture")}
        look = cls(architecture, weights, palette, reference, style, own, shot, _keys_of(path, arrays), bands)
        _check_statistics(path, look)
        _check_facts(path, own)
        return look


@dataclass(frozen=True)
class BakedLook:
    """Look and shot folded: convolutions with biases, skip gates, the recolouring p = T x + offset, the bands' match.

    A pure function of pixels with receptive field `halo`; `statistics` are what was folded in.
    """

    architecture: Architecture
    kernel: Arrays
    bias: Arrays
    gate: Arrays
    matrix: Array
    offset: Array
    statistics: ShotStatistics
    bands: BandMatch | None = None

    @property
    def halo(self) -> int:
        """Pixels to each side that one output pixel depends on; a multiple of the total stride."""
        return _halo(self.architecture, self.bands is not None)


def _halo(architecture: Architecture, with_bands: bool) -> int:
    reach = -(-REACH // architecture.stride) * architecture.stride if with_bands else 0
    return architecture.receptive_field() + reach


def bake(look: Look, statistics: ShotStatistics, colouring: Colouring = OWN_COLOURS) -> BakedLook:
    """Fold shot statistics into a look: W' = W gamma / sigma, b' = (b - mu) gamma / sigma + beta."""
    matrix, offset = look.recolouring(statistics.palette, colouring)
    kernel: Arrays = {}
    bias: Arrays = {}
    for node in look.architecture.nodes():
        if node.op != "conv":
            continue
        w, beta = look.weights[f"kernel.{node.name}"], look.weights[f"beta.{node.name}"]
        if node.normed:
            scale = look.weights[f"gamma.{node.name}"] / np.sqrt(statistics.variance[node.name] + EPSILON)
            w = w * scale[:, None, None, None]
            beta = beta - statistics.mean[node.name] * scale
        kernel[node.name] = np.ascontiguousarray(w, np.float32)
        bias[node.name] = np.ascontiguousarray(beta, np.float32)
    gate = {k.removeprefix("gate."): v for k, v in look.weights.items() if k.startswith("gate.")}
    return BakedLook(
        look.architecture,
        kernel,
        bias,
        gate,
        matrix.astype(np.float32),
        offset.astype(np.float32),
        statistics,
        look.band_match(statistics, colouring),
    )


@dataclass(frozen=True)
class Universal:
    """The universal generator without torch: predicts a look's weights from style statistics."""

    architecture: Architecture
    arrays: Arrays
    temperature: float
    hash: str
    facts: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Universal:
        """Read weights written by `scumble train`: best, or the averaged ones of a checkpoint. Raises BadLook."""
        arrays, facts = read_arrays(path)
        if facts.get("kind") in ("checkpoint", "travel") and facts.get("conditioning") == "style":
            arrays = {k.removeprefix("ema/"): a for k, a in arrays.items() if k.startswith("ema/")}
            facts = {**facts, "kind": "universal", "schema": SIGHT_SCHEMA}
        if facts.get("kind") != "universal":
            kind = facts.get("kind", "another file")
            raise BadLook(
                f"{path}: not a universal generator but {kind}; give best.safetensors of a run of scumble train"
            )
        _check_schema(path, facts)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        universal = cls(architecture_of(path, facts), arrays, temperature_of(path, facts), digest, facts)
        try:  # every array is there and fits: a style of zeros goes through
            widths = universal.architecture.widths
            nothing = [np.zeros(w, np.float32) for w in widths]
            unseen = [(np.zeros(channels, np.float32),) * 2 for _, _, channels in SIGHT]
            style = universal.style_statistics(nothing, nothing, unseen)
            check_weights(path, universal.architecture, universal.collapse(style))
            if universal.sees:
                for layer, fan_in, channels in SIGHT:
                    kernel = universal.arrays[f"sight.features.{layer.replace('relu', 'conv')}_weight"]
                    kernel.reshape(channels, fan_in, 3, 3)
                    universal.arrays[f"sight.features.{layer.replace('relu', 'conv')}_bias"].reshape(channels)
        except (KeyError, ValueError, IndexError) as error:
            raise BadLook(f"{path}: an array of the universal generator is missing or misshapen ({error})") from error
        return universal

    @property
    def sees(self) -> bool:
        """Whether it has a perceptual network's view of the style besides its own (`scumble.nn.sight`)."""
        return "sight.usual" in self.arrays

    def style_statistics(
        self, mean: Sequence[Array], variance: Sequence[Array], seen: Sequence[tuple[Array, Array]] = ()
    ) -> StyleStatistics:
        """Code and statistics from the moments of the encoder's features at each level, and of what the sight saw."""
        deviation = [np.sqrt(v + EPSILON) for v in variance]
        hidden = np.maximum(self._linear("encoder.hidden", np.concatenate([*mean, *deviation])), 0)
        code = self._linear("encoder.code", hidden)
        if self.sees:
            logs = np.log1p(np.concatenate([np.concatenate([m, np.sqrt(v + SIGHT_EPSILON)]) for m, v in seen]))
            standard = (logs - self.arrays["sight.usual"]) / self.arrays["sight.spread"]
            standard = standard.clip(-SIGHT_LIMIT, SIGHT_LIMIT)
            hidden = np.maximum(self._linear("sight.hidden", standard), 0)
            code = np.concatenate([code, self._linear("sight.code", hidden)])
        return StyleStatistics(code, tuple(mean), tuple(deviation))

    def collapse(self, style: StyleStatistics) -> Arrays:
        """The plain network's weights for a style: the arithmetic of `scumble.nn.generator.Generator.collapse`.

        In float64, so that every machine rounds a look to the same float16.
        """
        weights: dict[str, NDArray[Any]] = {}
        code, seen = np.split(style.code.astype(np.float64), [len(self.arrays["encoder.code.bias"])])
        deviation, mean = ([a.astype(np.float64) for a in of] for of in (style.deviation, style.mean))
        for node in self.architecture.nodes():
            name = node.name
            more = self._linear(f"adapt.{name}", seen) if self.sees and node.op in ("conv", "skip") else None
            if node.op == "skip":
                opening = self._linear(f"gating.{name}", code)
                opened = 2 / (1 + np.exp(-(opening if more is None else opening + more)))
                weights[f"gate.{name}"] = opened * self.arrays[f"gate.{name}"]
            if node.op != "conv":
                continue
            experts = self.arrays[f"kernel.{name}"]
            logits = self._linear(f"mixture.{name}", code)[:, None]
            if more is not None:
                parts = [len(experts) * node.channels, node.fan_in, node.channels]
                own, gain, *affine = np.split(more, np.cumsum(parts))
                logits = logits + own.reshape(len(experts), -1)
            share = np.exp((logits - logits.max(axis=0)) / self.temperature)
            share = share / share.sum(axis=0)
            kernel = (share[:, :, None, None, None] * experts).sum(axis=0)
            beta = self.arrays[f"beta.{name}"]
            if node.normed:
                more_gamma, more_beta = np.split(self._linear(f"affine.{name}", code), 2)
                gamma, beta = self.arrays[f"gamma.{name}"] + more_gamma, beta + more_beta
                if node.injected:
                    gamma = gamma - 1 + self.arrays[f"inject_deviation.{name}.weight"] @ deviation[node.level]
                    beta = beta + self.arrays[f"inject_mean.{name}.weight"] @ mean[node.level]
                if more is not None:
                    gamma, beta = gamma + affine[0], beta + affine[1]
                weights[f"gamma.{name}"] = gamma
            weights[f"kernel.{name}"] = kernel if more is None else kernel * (1 + gain)[None, :, None, None]
            weights[f"beta.{name}"] = beta
        return {k: np.asarray(v, np.float32) for k, v in weights.items()}

    def _linear(self, name: str, x: NDArray[Any]) -> NDArray[Any]:
        y: NDArray[Any] = self.arrays[f"{name}.weight"] @ x + self.arrays[f"{name}.bias"]
        return y


def temperature_of(path: Path, facts: Mapping[str, Any]) -> float:
    """At which a generator's mixture of kernels was saved. Raises BadLook."""
    temperature = facts.get("temperature", 1.0)
    if not isinstance(temperature, int | float) or not 0 < temperature < 1000:
        raise BadLook(f"{path}: its fact 'temperature' is {temperature!r:.60}; train or fetch it again")
    return float(temperature)


def mix(looks: Sequence[Look], weights: Sequence[float], universal: Universal | None = None) -> Look:
    """One look between several. Looks of one universal generator mix by code and statistics, fine-tuned
    looks of the same ancestor by their weights, as do those of generators that were trained on from it (weights along
    one training stay averageable: model soups, 2203.05482); others are refused.

    The result has no reference statistics yet; the caller measures them.
    """
    if len(looks) != len(weights) or not looks or min(weights) < 0 or sum(weights) <= 0:
        raise BadInput("mixing takes looks with weights of 0 or more that are not all 0, as in a.look:0.7 b.look:0.3")
    matched = next((look for look in looks if look.shot is not None), None)
    if matched is not None:
        raise BadLook(f"{matched.name}: matched to one shot and its statistics; such looks do not mix")
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
    known_bands = [look.bands for look in looks if look.bands is not None]
    bands = Bands.blend(known_bands, share) if len(known_bands) == len(looks) else None
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
    known = [look.style for look in looks if look.style is not None]
    if len(known) == len(looks) and universal is not None and ancestors == {universal.hash}:
        style = blend_styles(known, share)
        return Look(looks[0].architecture, universal.collapse(style), palette, None, style, facts, bands=bands)
    blended = {k: _sum([look.weights[k] for look in looks], share) for k in looks[0].weights}
    return Look(looks[0].architecture, blended, palette, None, None, facts, bands=bands)


def _kin(look: Look) -> set[str]:
    """The universal generators with whose looks this one mixes: its own and those that its own was trained on from."""
    earlier = look.facts.get("descends_from", [])
    names = [look.facts.get("ancestor"), *(earlier if isinstance(earlier, list) else [])]
    return {name for name in names if isinstance(name, str)}


def blend_styles(styles: Sequence[StyleStatistics], share: Sequence[float]) -> StyleStatistics:
    """Codes and statistics interpolated; `share` sums to 1."""
    levels = range(len(styles[0].mean))
    return StyleStatistics(
        _sum([s.code for s in styles], share),
        tuple(_sum([s.mean[i] for s in styles], share) for i in levels),
        tuple(_sum([s.deviation[i] for s in styles], share) for i in levels),
    )


def identity_look() -> Look:
    """Weights set by hand so that the plate comes back: strokes of exactly zero, colours left alone.

    The layers before the head carry the picture (centre taps of 1), so that baking and the engine
    have real work to do.
    """
    architecture = Architecture(widths=(8, 8, 8), blocks=(0, 0, 1))
    weights: Arrays = {}
    for node in architecture.nodes():
        if node.op == "skip":
            weights[f"gate.{node.name}"] = np.ones(node.channels, np.float32)
        if node.op != "conv":
            continue
        kernel = np.zeros((node.channels, node.fan_in, 3, 3), np.float32)
        if node.name != "head":
            for o in range(node.channels):
                kernel[o, o % node.fan_in, 1, 1] = 1
        weights[f"kernel.{node.name}"] = kernel
        weights[f"beta.{node.name}"] = np.zeros(node.channels, np.float32)
        if node.normed:
            weights[f"gamma.{node.name}"] = np.ones(node.channels, np.float32)
    palette = Palette(np.full(3, 0.5), np.eye(3) * 0.05)
    return Look(architecture, weights, palette, None, None, {"name": "identity", "keep_color": 1.0, "made": "by hand"})


def _made_again(
    path: Path, facts: Mapping[str, Any], style: StyleStatistics, universal: Callable[[], Universal] | None
) -> Arrays:
    """The weights of a look whose file holds its style alone, as they would have been saved."""
    known = universal() if universal is not None else None
    if known is None or known.hash != facts.get("ancestor"):
        raise BadLook(
            f"{path}: holds a style without weights, for the universal generator {facts.get('ancestor', 'none')};"
            " such looks come with Scumble: give its name, or make it of its picture again: scumble look make"
        )
    try:
        weights = known.collapse(style)
    except ValueError as error:
        raise BadLook(f"{path}: its style is not in order ({error}); take another copy of it") from error
    return {k: v.astype(np.float16).astype(np.float32) for k, v in weights.items()}


def with_reference(look: Look, reference: ShotStatistics) -> Look:
    """The look with the reference photograph's statistics stored in it."""
    return replace(look, reference=reference)


def read_arrays(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Arrays (as float32) and facts of a safetensors file of ours. Raises BadLook."""
    try:
        if not path.is_file():
            raise BadLook(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name a look or weights file")
        with safe_open(path, framework="np") as f:
            metadata = f.metadata() or {}
            facts = json.loads(metadata.get("facts", "{}"))
            arrays = {key: np.asarray(f.get_tensor(key), np.float32) for key in f.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, ValueError, TypeError, RecursionError) as error:
        raise BadLook(f"{path}: not a look or weights file ({error}); take another copy of it") from error
    if not isinstance(facts, dict):
        raise BadLook(f"{path}: its facts are not a table; make the file again")
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise BadLook(f"{path}: weights that are not finite; make or train the look again")
    return arrays, facts


def architecture_of(path: Path, facts: Mapping[str, Any]) -> Architecture:
    """The architecture that a file's facts describe. Raises BadLook."""
    try:
        a = facts["architecture"]
        widths, blocks = tuple(map(int, a["widths"])), tuple(map(int, a["blocks"]))
        skips = bool(a["skips"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadLook(f"{path}: its facts do not describe a network; make the file again") from error
    sound = 2 <= len(widths) == len(blocks) <= 6 and all(1 <= w <= 1024 for w in widths)
    if not sound or not all(0 <= b <= 64 for b in blocks):
        raise BadLook(f"{path}: a network of widths {widths} and blocks {blocks} is not one of ours; make it again")
    return Architecture(widths, blocks, skips)


def _check_schema(path: Path, facts: Mapping[str, Any]) -> None:
    schema = facts.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise BadLook(f"{path}: no schema number in its facts; make the file again")
    if schema > NEWEST_SCHEMA:
        raise BadLook(f"{path}: schema {schema} is newer than this Scumble reads ({NEWEST_SCHEMA}); update Scumble")


def _keys_of(path: Path, arrays: Arrays) -> tuple[PaintedKey, ...]:
    """The key frames that a file holds, in order. Raises BadLook."""
    names = [key.split(".", 2)[1] for key in arrays if key.startswith("key.") and key.endswith(".painted")]
    try:
        if len(names) > MOST_KEYS:
            raise BadInput(f"{len(names)} key frames are more than a look has")
        found = [
            PaintedKey.read(int(name), {part: arrays[f"key.{name}.{part}"] for part in ("painted", "plate")})
            for name in names
        ]
    except (BadInput, KeyError, ValueError) as error:
        raise BadLook(f"{path}: its key frames are not in order ({error}); match it again") from error
    return tuple(sorted(found, key=lambda key: key.number))


def check_weights(path: Path, architecture: Architecture, weights: Arrays) -> None:
    """Every array that the architecture asks for is there in its shape. Raises BadLook."""
    for node in architecture.nodes():
        wanted: dict[str, tuple[int, ...]] = {}
        if node.op == "conv":
            wanted = {"kernel": (node.channels, node.fan_in, 3, 3), "beta": (node.channels,)}
            if node.normed:
                wanted["gamma"] = (node.channels,)
        elif node.op == "skip":
            wanted = {"gate": (node.channels,)}
        for part, shape in wanted.items():
            key = f"{part}.{node.name}"
            if key not in weights or weights[key].shape != shape:
                found = weights[key].shape if key in weights else "nothing"
                raise BadLook(f"{path}: {key} should have shape {shape} and has {found}; make the look again")


def _check_statistics(path: Path, look: Look) -> None:
    """Palettes, reference statistics and style statistics have the shapes that the network asks for."""
    wanted: list[tuple[str, Array | NDArray[np.float64], tuple[int, ...]]] = []
    palettes = {"palette": look.palette}
    bands = {"bands": look.bands}
    for name, statistics in (("reference", look.reference), ("shot", look.shot)):
        if statistics is None:
            continue
        palettes[f"{name}.palette"] = statistics.palette
        bands[f"{name}.bands"] = statistics.bands
        if look.bands is not None and statistics.bands is None:
            raise BadLook(f"{path}: a look with bands whose {name} has none; make the look again")
        curved = look.bands is not None and look.bands.sizes is not None
        if curved and statistics.bands is not None and statistics.bands.sizes is None:
            raise BadLook(f"{path}: a look with bands.sizes whose {name} has none; make the look again")
        for node in look.architecture.nodes():
            if node.name in statistics.mean:
                wanted += [
                    (f"{name}.{node.name}.mean", statistics.mean[node.name], (node.channels,)),
                    (f"{name}.{node.name}.variance", statistics.variance[node.name], (node.channels,)),
                ]
    for name, palette in palettes.items():
        wanted += [(f"{name}.mean", palette.mean, (3,)), (f"{name}.covariance", palette.covariance, (3, 3))]
    for name, known in bands.items():
        if known is not None:
            wanted += [
                (f"{name}.mean", known.mean, (3,)),
                (f"{name}.covariance", known.covariance, (DETAILS + 1, 3, 3)),
            ]
            if known.sizes is not None:
                wanted.append((f"{name}.sizes", known.sizes, (DETAILS, len(SHARES))))
    if look.style is not None:
        wanted.append(("style.code", look.style.code, (look.style.code.size,)))
        for i, width in enumerate(look.architecture.widths):
            wanted += [
                (f"style.mean.{i}", look.style.mean[i], (width,)),
                (f"style.deviation.{i}", look.style.deviation[i], (width,)),
            ]
    for key, array, shape in wanted:
        if array.shape != shape:
            raise BadLook(f"{path}: {key} should have shape {shape} and has {array.shape}; make the look again")


def _check_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """The facts that a render relies on are of their kind."""
    kinds: dict[str, tuple[type, ...]] = {
        "name": (str,),
        "ancestor": (str,),
        "made": (str,),
        "sources": (list,),
        "keep_color": (int, float),
    }
    for key, kind in kinds.items():
        if key in facts and not isinstance(facts[key], kind):
            raise BadLook(f"{path}: its fact {key!r} is {facts[key]!r:.60}, not a {kind[-1].__name__}; make it again")
    if not 0 <= facts.get("keep_color", 0.0) <= 1:
        raise BadLook(f"{path}: its fact 'keep_color' is {facts['keep_color']}, not from 0 to 1; make it again")
    if not all(isinstance(source, dict) for source in facts.get("sources", [])):
        raise BadLook(f"{path}: its fact 'sources' is not a list of tables; make it again")


def _colour_arrays(prefix: str, colours: Palette | Bands) -> dict[str, NDArray[Any]]:
    found = {"mean": colours.mean, "covariance": colours.covariance}
    if isinstance(colours, Bands) and colours.sizes is not None:
        found["sizes"], found["bending"] = colours.sizes, np.array([colours.bending])
    return {f"{prefix}.{part}": array.astype(np.float32) for part, array in found.items()}


def _palette_of(arrays: Arrays, prefix: str) -> Palette:
    mean, covariance = arrays[f"{prefix}.mean"], arrays[f"{prefix}.covariance"]
    return Palette(mean.astype(np.float64), covariance.astype(np.float64))


def _sum(arrays: Sequence[Array], share: Sequence[float]) -> Array:
    total: Array = sum((np.float32(w) * a for w, a in zip(share, arrays, strict=True)), np.float32(0) * arrays[0])
    return total
