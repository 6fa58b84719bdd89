"""Every switch of a training run, with one sentence each; `configs/*.toml` are written in these words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from scumble.core.options import check, option
from scumble.core.settings import to_values
from scumble.network.shape import SEEN, SIZES, Form

LAYERS = tuple(name for name, _ in SEEN)  # of the features network

STRIDE = 8  # total stride of every network of ours


def _at_least(name: str, value: float, least: float) -> None:
    if not least <= value < float("inf"):  # NaN is not either
        raise ValueError(f"{name} {value}: give a number from {least} on")


def _share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} {value}: give a share from 0 to 1")


@dataclass(frozen=True)
class DataSettings:
    """Where pictures come from and how they are cut."""

    dataset: Path = option(Path("dataset"), "Packed data set, or the folder that holds it.")
    crop: int = option(160, "Side of content crops in pixels; a multiple of 8.")
    contents: int = option(8, "Content crops a step.")
    views: int = option(2, "Crops of one picture, which share statistics and style as the frames of a shot do.")
    content_scale: tuple[float, float] = option((0.55, 1.7), "Output pixels per picture pixel of content crops.")
    content_reuse: int = option(
        3, "Consecutive steps that paint the same content crops, whose features are then computed once."
    )
    dulled: float = option(
        0.35, "Share of content crops that lose colour, contrast or light, as hazy and grey plates have."
    )
    style_crop: int = option(192, "Side of style crops in pixels.")
    style_scale: tuple[float, float] = option(
        (0.55, 2.1), "Size of style pictures, relative to that at which `look make` sees them: the size of strokes."
    )
    variants: int = option(12, "Crops of each style picture, measured once and kept beside the data set.")
    recoloured: float = option(0.33, "Share of style crops that take the colours of another style picture.")
    turned: float = option(0.3, "Share of style crops that are turned by a quarter or more.")
    mixed: float = option(0.33, "Share of steps whose styles are mixtures of two.")
    style_weights: dict[str, float] = option(
        factory=dict, help="How often style pictures are drawn whose file or source begins so; others count 1."
    )
    workers: int = option(1, "Threads that cut crops ahead.")
    style: Path | None = option(
        None,
        "One style instead of the data set's: a picture, or a packed data set whose style pictures are taken together.",
    )
    examples: Path | None = option(None, "Folder of plates and their paintings: scumble data examples.")
    examples_share: float = option(0.5, "Share of the steps that learn from them.")
    few: bool = option(False, "Go on with fewer than three content pictures, which then stand in every split.")

    def __post_init__(self) -> None:
        for name in ("contents", "views", "content_reuse", "variants", "workers"):
            _at_least(name, getattr(self, name), 1)
        if self.contents % self.views:
            raise ValueError(f"contents {self.contents}: give a multiple of views, {self.views}")
        for name in ("crop", "style_crop"):
            side = getattr(self, name)
            if side < 32 or side % STRIDE:
                raise ValueError(f"{name} {side}: give a multiple of {STRIDE} from 32 on")
        for name in ("content_scale", "style_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high < float("inf"):
                raise ValueError(f"{name} {(low, high)}: give a smaller and a larger number above 0")
        for name in ("dulled", "recoloured", "turned", "mixed", "examples_share"):
            _share(name, getattr(self, name))
        for key, weight in self.style_weights.items():
            _at_least(f"style_weights.{key}", weight, 0)


@dataclass(frozen=True)
class GeneratorSettings:
    """The painter."""

    form: Form = option("painter", "The house's network, or the textbook's: a U-Net, or a ResNet, which has no skips.")
    size: str = option("standard", "Name in `scumble.network.SIZES`.")
    conditioning: Literal["style", "none"] = option("style", "G(content, style) for any style, or G(content) for one.")
    palette: bool = option(True, "Paint on the closed-form recolouring; otherwise on the content itself.")
    start: Path | None = option(None, "Weights to start from: a universal generator, a checkpoint or a look.")

    def __post_init__(self) -> None:
        sizes = SIZES["painter" if self.form == "painter" else "textbook"]
        if self.size not in sizes:
            raise ValueError(f"size {self.size!r} is not one of {', '.join(sizes)}")


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The discriminator."""

    kind: Literal["style", "plain"] = option("style", "Conditioned on the moments of the style, or a plain PatchGAN.")
    mismatched: float = option(
        0.3, "Share of what counts as fake that is real crops under another style's name (style kind only)."
    )
    start: Path | None = option(
        None, "Checkpoint whose discriminator to start from; one that `generator.start` names brings its own."
    )

    def __post_init__(self) -> None:
        _share("mismatched", self.mismatched)


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms; 0 turns a term off."""

    content: float = option(2.0, "Squared difference of feature maps.")
    content_layers: dict[str, float] = option(
        factory=lambda: {"relu3_1": 0.5, "relu4_1": 1.0}, help="Layers of the content term and their weights."
    )
    content_normalised: bool = option(True, "Compare instance-normalised features; false is the raw textbook form.")
    style: float = option(2.0, "Distance of style statistics.")
    style_kind: Literal["moments", "gram"] = option(
        "moments", "Means and deviations, the root of their relative difference; or the textbook's Gram matrices."
    )
    style_layers: dict[str, float] = option(
        factory=lambda: {"relu1_1": 1.4, "relu2_1": 1.2, "relu3_1": 1.0, "relu4_1": 0.8},
        help="Layers of the style term and their weights.",
    )
    half: float = option(
        1.0, "Share of the style weight for the same at half the size, where strokes are twice as large (moments only)."
    )
    gram: float = option(0.5, "Share of the style weight for the Gram matrices of relu2_1 and relu3_1 (moments only).")
    nearest: float = option(8.0, "Every place must look like some place of the painting: cosine distance of relu3_1.")
    pixels: float = option(3.0, "Mean absolute difference from an example's painting.")
    features: float = option(1.5, "Difference of features from an example's painting, relative to its own size.")
    local: float = option(
        4.0, "Difference of means and deviations of features around each place from those of an example's painting."
    )
    variation: float = option(0.3, "Total variation of the painting.")
    variation_reduction: Literal["sum", "mean"] = option(
        "mean", "Sum over pixels as it is written, or mean as it is usually coded."
    )
    motion: float = option(8.0, "A moved picture's painting must be the moved painting.")
    turned: float = option(
        0.6, "Share of moved pictures that are also turned by half a turn, so that no edge looks lit from one side."
    )
    range: float = option(2.0, "Values that are darker than black or lighter than white.")
    halo: float = option(1500.0, "Rims beside strong edges that are lighter or darker than the plate on either side.")
    adversarial: float = option(0.25, "The discriminator's verdict.")
    adversarial_relative: bool = option(
        True,
        "Weight as a share of the other terms' gradient at the painting; false is the textbook's plain weight.",
    )

    def __post_init__(self) -> None:
        for field_ in fields(self):
            if field_.type == "float":
                _at_least(field_.name, getattr(self, field_.name), 0)
        _share("turned", self.turned)
        for name in ("content_layers", "style_layers"):
            for layer, weight in getattr(self, name).items():
                if layer not in LAYERS:
                    raise ValueError(f"{name}: {layer!r} is not one of {', '.join(LAYERS)}")
                _at_least(f"{name}.{layer}", weight, 0)


@dataclass(frozen=True)
class ScheduleSettings:
    """Length of the run and what changes on the way."""

    steps: int = option(10000, "Steps of the run unless minutes end it before.")
    minutes: float = option(0.0, "Time limit; 0 is none. The decay then ends with the time.")
    rate: float = option(1e-3, "Adam's rate for the generator.")
    rate_d: float = option(1e-3, "Adam's rate for the discriminator.")
    betas: tuple[float, float] = option((0.9, 0.99), "Adam's moments for the generator.")
    betas_d: tuple[float, float] = option((0.0, 0.99), "Adam's moments for the discriminator.")
    warm_up: int = option(200, "Steps over which the rate rises.")
    decay: float = option(0.5, "Share of the run at its end over which the rate falls to a fiftieth.")
    kernels_from: float = option(
        0.0, "Share of the run before kernels learn at the full rate; affine terms do from the start."
    )
    adversarial_from: int = option(
        1500, "Steps before the discriminator joins, unless the run starts from a checkpoint that has one."
    )
    adversarial_ramp: int = option(1000, "Steps over which its weight then rises.")
    motion_from: int = option(300, "Steps before the motion term joins.")
    motion_ramp: int = option(3000, "Steps over which its weight rises, from the start of the run.")
    ema: float = option(0.999, "Decay of the averaged weights.")
    clip: float = option(3.0, "Largest norm of the generator's gradient.")
    patience: float = option(
        0.0, "Go on to the final decay when val has not got better for this share of the run; 0 never does."
    )

    def __post_init__(self) -> None:
        _at_least("steps", self.steps, 1)
        for name in (
            "minutes",
            "rate",
            "rate_d",
            "warm_up",
            "adversarial_from",
            "adversarial_ramp",
            "motion_from",
            "motion_ramp",
            "clip",
        ):
            _at_least(name, getattr(self, name), 0)
        for name in ("betas", "betas_d"):
            if not all(0 <= beta < 1 for beta in getattr(self, name)):
                raise ValueError(f"{name} {getattr(self, name)}: give numbers from 0 up to, not including, 1")
        for name in ("decay", "kernels_from", "ema", "patience"):
            _share(name, getattr(self, name))


@dataclass(frozen=True)
class MachineSettings:
    """On what a training runs, and its seed."""

    device: str = option("auto", "cpu, cuda, mps or auto.")
    precision: Literal["auto", "bf16", "f32"] = option(
        "auto", "Networks' arithmetic; auto is bf16 where the machine multiplies in it; losses are in f32 always."
    )
    threads: int = option(0, "CPU threads; 0 leaves the choice to torch.")
    seed: int = option(0, "Every random draw follows from it and the step.")

    def __post_init__(self) -> None:
        for name in ("threads", "seed"):
            _at_least(name, getattr(self, name), 0)
        check(self)


@dataclass(frozen=True)
class RunSettings(MachineSettings):
    """Machine, pace of evaluation, where things go."""

    output: Path = option(Path("run"), "Folder of the run.")
    vgg: Path | None = option(
        None, "Features file; by default the shipped one, by which alone a universal generator is trained."
    )
    compiled: bool = option(
        True, "Compile what normalises: half as long a step, after the first minute; on a CPU needs a C++ compiler."
    )
    evaluate_every: int = option(1000, "Steps between evaluations on val.")
    evaluate_pairs: int = option(12, "Pairs of content and style in an evaluation.")
    evaluate_side: int = option(256, "Side of evaluation pictures in pixels.")
    composite_style: float = option(
        5.0, "Weight of the style figure in the composite that chooses the best checkpoint."
    )
    preview_seconds: float = option(
        0.0, "Seconds between paintings of whole content pictures in `previews` (one style only); 0 makes none."
    )
    save_minutes: float = option(5.0, "Minutes between checkpoints; 0 saves after every step.")
    log_every: int = option(20, "Steps between TensorBoard scalars.")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("evaluate_every", "evaluate_pairs", "log_every"):
            _at_least(name, getattr(self, name), 1)
        for name in ("save_minutes", "preview_seconds", "composite_style"):
            _at_least(name, getattr(self, name), 0)
        if self.evaluate_side < 160 or self.evaluate_side % 32:
            raise ValueError(f"evaluate_side {self.evaluate_side}: give a multiple of 32 from 160 on")


@dataclass(frozen=True)
class TrainSettings:
    """A training run."""

    data: DataSettings = DataSettings()
    generator: GeneratorSettings = GeneratorSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    losses: LossSettings = field(default_factory=LossSettings)
    schedule: ScheduleSettings = ScheduleSettings()
    run: RunSettings = RunSettings()


def portable(settings: TrainSettings) -> dict[str, Any]:
    """Settings as plain values, with file names instead of paths: the folders of one machine mean nothing elsewhere."""
    values = to_values(settings)
    paths = {"data": {"dataset", "style", "examples"}, "generator": {"start"}, "discriminator": {"start"}}
    for table, keys in paths.items():
        for key in keys & values[table].keys():
            values[table][key] = Path(values[table][key]).name
    for key in ("output", "vgg", "threads"):
        values["run"].pop(key, None)
    plain: dict[str, Any] = json.loads(json.dumps(values))
    return plain
