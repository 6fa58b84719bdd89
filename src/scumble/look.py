"""A look: one style as a plain convolutional network. Load, save, mix, bake; never pickle.

File: safetensors, arrays in float16 (statistics and palettes in float32), and JSON facts with a
`schema` number in the header. Names: `kernel.NODE` (O, I, 3, 3), `gamma.NODE`, `beta.NODE` (C,),
`palette.mean|covariance`, `reference.NODE.mean|variance` with `reference.palette.mean|covariance`; for looks matched
to a shot the same under `shot`, and the key frames `key.NUMBER.painted|plate`; for looks of the universal generator
`moments` (`network.MOMENTS`,), from which it makes the weights again.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from scumble import __version__
from scumble.carrying import MOST_KEYS, PaintedKey
from scumble.errors import BadInput, BadLook
from scumble.files import written_whole
from scumble.network import EPSILON, MOMENT_LIMIT, MOMENTS, Architecture, Form
from scumble.palette import OWN_COLOURS, Colouring, Palette, recolouring

SCHEMA = 7  # of the painter's network; those before it were of other networks
OLDEST_SCHEMA = NEWEST_SCHEMA = SCHEMA
Array = NDArray[np.float32]
Arrays = dict[str, Array]
PARTS = ("kernel", "gamma", "beta")


@dataclass(frozen=True)
class ShotStatistics:
    """Colours and layer statistics of a shot: what turns a look into a fixed function."""

    palette: Palette
    mean: Arrays
    variance: Arrays
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """One style's network, its palette and what is known of it. `weights` has keys such as `kernel.head`."""

    architecture: Architecture
    weights: Arrays
    palette: Palette
    reference: ShotStatistics | None
    moments: Array | None
    """What VGG says of the style pictures, for a look straight from the universal generator."""
    facts: dict[str, Any]
    shot: ShotStatistics | None = None
    """Of the one shot that the look was matched to: it paints with these and no others."""
    keys: tuple[PaintedKey, ...] = ()
    """Painted frames of that shot that are carried along it."""

    @property
    def name(self) -> str:
        return str(self.facts.get("name", "unnamed"))

    @property
    def halo(self) -> int:
        """That of the look when it is baked."""
        return self.architecture.receptive_field()

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

    @cached_property  # asked for with every frame, and key frames take long to pack
    def hash(self) -> str:
        """First 16 digits of the SHA-256 of the saved file."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def to_bytes(self, weights: bool = True) -> bytes:
        """The file's bytes; equal looks give equal bytes.

        Without `weights` it is for a look that its universal generator makes again of its moments.
        """
        arrays: dict[str, NDArray[Any]] = {k: v.astype(np.float16) for k, v in self.weights.items() if weights}
        arrays |= _colour_arrays("palette", self.palette)
        for name, statistics in (("reference", self.reference), ("shot", self.shot)):
            if statistics is None:
                continue
            arrays |= _colour_arrays(f"{name}.palette", statistics.palette)
            for node in statistics.mean:
                arrays[f"{name}.{node}.mean"] = statistics.mean[node].astype(np.float32)
                arrays[f"{name}.{node}.variance"] = statistics.variance[node].astype(np.float32)
        if self.moments is not None:
            arrays["moments"] = self.moments.astype(np.float32)
        for key in self.keys:
            arrays |= {f"key.{key.number}.{part}": array for part, array in key.arrays().items()}
        facts = {**self.facts, "schema": SCHEMA, "kind": "look", "architecture": asdict(self.architecture)}
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
        normed = [node.name for node in architecture.convolutions() if node.normed]

        def statistics(name: str, of: str) -> ShotStatistics | None:
            if f"{name}.palette.mean" not in arrays:
                return None
            return ShotStatistics(
                _palette_of(arrays, f"{name}.palette"),
                {n: arrays[f"{name}.{n}.mean"] for n in normed},
                {n: arrays[f"{name}.{n}.variance"] for n in normed},
                {"of": of},
            )

        try:
            palette = _palette_of(arrays, "palette")
            reference, shot = statistics("reference", "reference photograph"), statistics("shot", "its own shot")
        except KeyError as error:
            raise BadLook(f"{path}: a look without {error.args[0]!r}; make it again: scumble look make") from error
        moments = arrays.get("moments")
        if moments is not None and moments.shape != (MOMENTS,):
            raise BadLook(f"{path}: moments of shape {moments.shape}, not {(MOMENTS,)}; make the look again")
        if not weights and moments is not None:
            weights = _made_again(path, facts, moments, universal)
        check_weights(path, architecture, weights)
        own = {k: v for k, v in facts.items() if k not in ("schema", "kind", "architecture")}
        look = cls(architecture, weights, palette, reference, moments, own, shot, _keys_of(path, arrays))
        _check_statistics(path, look)
        _check_facts(path, own)
        return look


@dataclass(frozen=True)
class BakedLook:
    """Look and shot folded: convolutions with biases, and the recolouring p = T x + offset.

    A pure function of pixels with receptive field `halo`; `statistics` are what was folded in.
    """

    architecture: Architecture
    kernel: Arrays
    bias: Arrays
    matrix: Array
    offset: Array
    statistics: ShotStatistics

    @property
    def halo(self) -> int:
        """Pixels to each side that one output pixel depends on; a multiple of the total stride."""
        return self.architecture.receptive_field()


def bake(look: Look, statistics: ShotStatistics, colouring: Colouring = OWN_COLOURS) -> BakedLook:
    """Fold affine terms and shot statistics into the convolutions.

    W' = W gamma / sigma, b' = beta - mu gamma / sigma; sigma is 1 and mu 0 where a layer is not normalised.
    """
    matrix, offset = look.recolouring(statistics.palette, colouring)
    kernel: Arrays = {}
    bias: Arrays = {}
    for node in look.architecture.convolutions():
        scale, shift = look.weights[f"gamma.{node.name}"], look.weights[f"beta.{node.name}"]
        if node.normed:
            scale = scale / np.sqrt(statistics.variance[node.name] + EPSILON)
            shift = shift - statistics.mean[node.name] * scale
        kernel[node.name] = np.ascontiguousarray(
            look.weights[f"kernel.{node.name}"] * scale[:, None, None, None], np.float32
        )
        bias[node.name] = np.ascontiguousarray(shift, np.float32)
    return BakedLook(look.architecture, kernel, bias, matrix.astype(np.float32), offset.astype(np.float32), statistics)


@dataclass(frozen=True)
class Universal:
    """The universal generator without torch: predicts a look's weights from the moments of its style.

    `arrays`: `kernel.NODE` shared by all looks; for layers with look kernels `varied.NODE` (R, I, 3, 3) and
    `direction.NODE` (O, R); `terms.0|2|4.weight|bias`, which predict every look's terms; `usual` and `spread`, by
    which moments are standardised.
    """

    architecture: Architecture
    arrays: Arrays
    hash: str
    facts: dict[str, Any]

    @classmethod
    def load(cls, path: Path) -> Universal:
        """Read weights written by `scumble train`: best, or the averaged ones of a checkpoint. Raises BadLook."""
        arrays, facts = read_arrays(path)
        if facts.get("kind") in ("checkpoint", "travel") and facts.get("conditioning") == "style":
            arrays = {k.removeprefix("ema/"): a for k, a in arrays.items() if k.startswith("ema/")}
            facts = {**facts, "kind": "universal"}
        if facts.get("kind") != "universal":
            kind = facts.get("kind", "another file")
            raise BadLook(
                f"{path}: not a universal generator but {kind}; give best.safetensors of a run of scumble train"
            )
        _check_schema(path, facts)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        universal = cls(architecture_of(path, facts), arrays, digest, facts)
        try:  # every array is there and fits: moments of zero go through
            check_weights(path, universal.architecture, universal.collapse(np.zeros(MOMENTS, np.float32)))
        except (KeyError, ValueError, IndexError) as error:
            raise BadLook(f"{path}: an array of the universal generator is missing or misshapen ({error})") from error
        return universal

    def collapse(self, moments: Array) -> Arrays:
        """The weights of the look of a style with these moments (`network.MOMENTS`,): a plain network."""
        terms = self._terms(moments)
        weights: dict[str, NDArray[Any]] = {}
        at = 0
        for node in self.architecture.convolutions():
            gamma, beta, shares = np.split(
                terms[at : at + 2 * node.channels + node.rank], [node.channels, 2 * node.channels]
            )
            at += 2 * node.channels + node.rank
            kernel = self.arrays[f"kernel.{node.name}"]
            if node.rank:
                own = self.arrays[f"direction.{node.name}"] * shares  # (O, R)
                kernel = kernel + np.tensordot(own, self.arrays[f"varied.{node.name}"], 1)
            weights[f"kernel.{node.name}"] = kernel
            weights[f"gamma.{node.name}"] = 1 + gamma
            weights[f"beta.{node.name}"] = beta
        if at != len(terms):
            raise ValueError(f"{len(terms)} terms where the network has {at}")
        return {k: np.asarray(v, np.float32) for k, v in weights.items()}

    def _terms(self, moments: Array) -> Array:
        """Gain - 1, shift and weights of look kernels of every convolution, one after the other."""
        x = (moments - self.arrays["usual"]) / self.arrays["spread"]
        x = x.clip(-MOMENT_LIMIT, MOMENT_LIMIT)
        for layer in (0, 2):
            x = _gelu(self.arrays[f"terms.{layer}.weight"] @ x + self.arrays[f"terms.{layer}.bias"])
        found: Array = self.arrays["terms.4.weight"] @ x + self.arrays["terms.4.bias"]
        return found


def _gelu(x: NDArray[Any]) -> NDArray[Any]:
    """x times the normal distribution function, as torch has it [Hendrycks 1606.08415]."""
    found: NDArray[Any] = x * 0.5 * (1 + np.vectorize(math.erf, otypes=[np.float64])(x / math.sqrt(2)))
    return found


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


def identity_look() -> Look:
    """Weights set by hand so that the plate comes back: strokes of exactly zero, colours left alone.

    The layers before the head carry the picture (centre taps of 1), so that baking and the engine
    have real work to do.
    """
    architecture = Architecture("unet", widths=(8, 8, 8), blocks=(0, 0, 1))
    weights: Arrays = {}
    for node in architecture.convolutions():
        kernel = np.zeros((node.channels, node.fan_in, 3, 3), np.float32)
        if node.name != "head":
            for o in range(node.channels):
                kernel[o, o % node.fan_in, 1, 1] = 1
        weights[f"kernel.{node.name}"] = kernel
        weights[f"gamma.{node.name}"] = np.ones(node.channels, np.float32)
        weights[f"beta.{node.name}"] = np.zeros(node.channels, np.float32)
    palette = Palette(np.full(3, 0.5), np.eye(3) * 0.05)
    return Look(architecture, weights, palette, None, None, {"name": "identity", "keep_color": 1.0, "made": "by hand"})


def _made_again(
    path: Path, facts: Mapping[str, Any], moments: Array, universal: Callable[[], Universal] | None
) -> Arrays:
    """The weights of a look whose file holds its moments alone, as they would have been saved."""
    known = universal() if universal is not None else None
    if known is None or known.hash != facts.get("ancestor"):
        raise BadLook(
            f"{path}: holds a style without weights, for the universal generator {facts.get('ancestor', 'none')};"
            " such looks come with Scumble: give its name, or make it of its picture again: scumble look make"
        )
    return {k: v.astype(np.float16).astype(np.float32) for k, v in known.collapse(moments).items()}


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
        form, widths, blocks = a["form"], tuple(map(int, a["widths"])), tuple(map(int, a["blocks"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadLook(f"{path}: its facts do not describe a network; make the file again") from error
    deep = len(widths) == 4 if form == "painter" else 2 <= len(widths) <= 6
    sound = form in get_args(Form) and deep and len(widths) == len(blocks) and all(1 <= w <= 1024 for w in widths)
    if not sound or not all(0 <= b <= 64 for b in blocks):
        raise BadLook(
            f"{path}: a {form!r:.20} of widths {widths} and blocks {blocks} is no network of ours; make the file again"
        )
    return Architecture(form, widths, blocks)


def _check_schema(path: Path, facts: Mapping[str, Any]) -> None:
    schema = facts.get("schema")
    if not isinstance(schema, int) or schema < 1:
        raise BadLook(f"{path}: no schema number in its facts; make the file again")
    if schema < OLDEST_SCHEMA:
        raise BadLook(
            f"{path}: made by an earlier Scumble (schema {schema}) for another network;"
            " make it again of its picture: scumble look make PICTURE -o LOOK; or train or match it again"
        )
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
    for node in architecture.convolutions():
        wanted: dict[str, tuple[int, ...]] = {
            "kernel": (node.channels, node.fan_in, 3, 3),
            "gamma": (node.channels,),
            "beta": (node.channels,),
        }
        for part, shape in wanted.items():
            key = f"{part}.{node.name}"
            if key not in weights or weights[key].shape != shape:
                found = weights[key].shape if key in weights else "nothing"
                raise BadLook(f"{path}: {key} should have shape {shape} and has {found}; make the look again")


def _check_statistics(path: Path, look: Look) -> None:
    """Palettes and reference statistics have the shapes that the network asks for."""
    wanted: list[tuple[str, Array | NDArray[np.float64], tuple[int, ...]]] = []
    palettes = {"palette": look.palette}
    for name, statistics in (("reference", look.reference), ("shot", look.shot)):
        if statistics is None:
            continue
        palettes[f"{name}.palette"] = statistics.palette
        for node in look.architecture.convolutions():
            if node.name in statistics.mean:
                wanted += [
                    (f"{name}.{node.name}.mean", statistics.mean[node.name], (node.channels,)),
                    (f"{name}.{node.name}.variance", statistics.variance[node.name], (node.channels,)),
                ]
    for name, palette in palettes.items():
        wanted += [(f"{name}.mean", palette.mean, (3,)), (f"{name}.covariance", palette.covariance, (3, 3))]
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


def _colour_arrays(prefix: str, colours: Palette) -> dict[str, NDArray[Any]]:
    found = {"mean": colours.mean, "covariance": colours.covariance}
    return {f"{prefix}.{part}": array.astype(np.float32) for part, array in found.items()}


def _palette_of(arrays: Arrays, prefix: str) -> Palette:
    mean, covariance = arrays[f"{prefix}.mean"], arrays[f"{prefix}.covariance"]
    return Palette(mean.astype(np.float64), covariance.astype(np.float64))


def blend(arrays: Sequence[Array], share: Sequence[float]) -> Array:
    """Between arrays of one shape; `share` sums to 1."""
    total: Array = sum((np.float32(w) * a for w, a in zip(share, arrays, strict=True)), np.float32(0) * arrays[0])
    return total
