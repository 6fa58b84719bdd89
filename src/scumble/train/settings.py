"""Every switch of a training run, with one sentence each; `configs/*.toml` are written in these words."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from scumble.network import SIZES

# relu layers up to the depth at which the features network is cut
LAYERS = tuple(f"relu{b}_{i}" for b, n in ((1, 2), (2, 2), (3, 3), (4, 1)) for i in range(1, n + 1))


def _at_least(name: str, value: float, least: float) -> None:
    if not least <= value < float("inf"):  # NaN is not either
        raise ValueError(f"{name} {value}: give a number from {least} on")


@dataclass(frozen=True)
class DataSettings:
    """Where pictures come from and how they are cut."""

    dataset: Path = Path("dataset")
    """Packed data set, or the folder that holds it."""
    crops: tuple[tuple[int, int], ...] = ((160, 160), (128, 192), (192, 128))
    """Heights and widths of content crops in pixels, one drawn a step; multiples of the total stride."""
    contents: int = 4
    """Content crops a step."""
    styles: int = 1
    """Styles a step; each paints all content crops."""
    content_scale: tuple[float, float] = (0.5, 1.0)
    """Output pixels per picture pixel of content crops."""
    style_scale: tuple[float, float] = (0.6, 1.2)
    """Output pixels per picture pixel of style crops."""
    style_crop: int = 192
    """Side of style crops in pixels."""
    content_reuse: int = 2
    """Consecutive steps that paint the same content crops, whose features are then computed once."""
    augment: bool = True
    """Exposure, hue and grain for content; turns, mirror and swapped colours for style."""
    workers: int = 1
    """Threads that cut crops ahead."""
    style: Path | None = None
    """One style instead of the data set's: a picture, or a packed data set whose style pictures are taken together."""
    few: bool = False
    """Go on with fewer than three content pictures, which then stand in every split."""

    def __post_init__(self) -> None:
        for name in ("contents", "styles", "style_crop", "content_reuse", "workers"):
            _at_least(name, getattr(self, name), 1)
        if not self.crops or any(side < 16 for crop in self.crops for side in crop):
            raise ValueError(f"crops {self.crops}: give at least one pair of sides of 16 pixels or more")
        for name in ("content_scale", "style_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high < float("inf"):
                raise ValueError(f"{name} {(low, high)}: give a smaller and a larger number above 0")


@dataclass(frozen=True)
class GeneratorSettings:
    """The painter."""

    size: str = "standard"
    """Name in `scumble.network.SIZES`."""
    conditioning: Literal["style", "none"] = "style"
    """G(content, style) with a style encoder, or G(content) for one style."""
    experts: int = 4
    """Kernels a layer to mix from."""
    code: int = 64
    """Length of the style code."""
    sight: bool = False
    """Tell the generator what the perceptual network sees in the style; its first layers become part of the weights."""
    skips: bool = True
    """U-Net with gated skips, or ResNet without."""
    sides: bool = True
    """Kernels may tell left from right; without, each is its own half turn, and no edge looks lit from one side."""
    palette: bool = True
    """Add strokes to the closed-form recolouring; otherwise to the content itself."""
    bands: bool = True
    """Bring the painting's bands of detail to the style's contrast and colours, by algebra."""
    curves: bool = True
    """Then bend each band's details until they are spread as evenly as the style's (only with bands)."""
    start: Path | None = None
    """Weights to start from: a universal generator or a look."""

    def __post_init__(self) -> None:
        for name in ("experts", "code"):
            _at_least(name, getattr(self, name), 1)
        if self.size not in SIZES:
            raise ValueError(f"size {self.size!r} is not one of {', '.join(SIZES)}")


@dataclass(frozen=True)
class DiscriminatorSettings:
    """The critic."""

    kind: Literal["style", "plain"] = "style"
    """Conditioned on reference patches of the style, or a plain PatchGAN."""
    loss: Literal["bce", "least-squares", "hinge"] = "hinge"
    """Adversarial loss."""
    width: int = 24
    """Channels of its first layer."""
    depth: int = 3
    """Halvings; a patch is about 2^(depth+2) pixels wide."""
    luma: bool = True
    """A second head that judges luma alone (style kind only)."""
    crop: int = 64
    """Side in pixels of the crops that it sees."""
    crops: int = 8
    """Crops a step from each of: the paintings made, the style, another style."""
    mismatched: bool = True
    """Count crops of another style as fake."""
    augment: bool = True
    """Differentiable colour, shift and cutout, alike for real, fake and reference [DiffAugment 2006.10738]."""
    r1: float = 1.0
    """Weight gamma of R1; 0 turns it off."""
    r1_every: int = 16
    """Steps between R1 terms."""
    rests: float = 0.0
    """It is not trained while its loss is below this, so that it never wins outright; 0 never rests."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "crop", "crops", "r1_every"):
            _at_least(name, getattr(self, name), 1)
        for name in ("r1", "rests"):
            _at_least(name, getattr(self, name), 0)


@dataclass(frozen=True)
class LossSettings:
    """Weights of the terms; 0 turns a term off."""

    content: float = 1.0
    """Squared difference of feature maps."""
    content_layers: tuple[str, ...] = ("relu3_1", "relu4_1")
    """Layers of the content term, equal weights."""
    content_normalised: bool = True
    """Compare instance-normalised features; false is the raw textbook form."""
    style: float = 10.0
    """Distance of style statistics."""
    style_kind: Literal["root", "relative", "gram"] = "relative"
    """Moments and Gram: root of the relative difference, relative to the styles' usual size, or the textbook Gram."""
    style_layers: dict[str, float] = field(
        default_factory=lambda: {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0}
    )
    """Layers of the style term and their weights."""
    variation: float = 0.1
    """Total variation of the painting."""
    variation_reduction: Literal["sum", "mean"] = "mean"
    """Sum over pixels as it is written, or mean as it is usually coded."""
    temporal: float = 60.0
    """Compound temporal term."""
    temporal_every: int = 2
    """Steps between temporal terms, and between relief terms."""
    relief: float = 0.0
    """G of the plate turned by half a turn must be G of the plate, turned: no relief that is lit from one side."""
    coherence: float = 0.0
    """Local coherence (CCPL)."""
    identity_pixels: float = 70.0
    """G(s, s) = s and G(c, c) = c in pixels; decays to a tenth."""
    identity_features: float = 1.0
    """The same in features."""
    identity_every: int = 4
    """Steps between identity terms."""
    signature: float = 0.0
    """The painting's code must name its style (InfoNCE)."""
    affine: float = 100.0
    """Affine terms beyond 8 in size, squared: the layer after them normalises, so that nothing else holds them."""
    bands: float = 0.5
    """How far a painting's bands are from the style's before they are matched to it (only with generator.bands)."""
    adversarial: float = 0.2
    """The discriminator's verdict."""
    content_held: float = 0.0
    """Share by which val's content may exceed that of `generator.start`; training punishes all beyond that; 0: any."""
    adversarial_capped: bool = True
    """Keep the discriminator's gradient at the painting no larger than the style term's."""

    def __post_init__(self) -> None:
        for name in ("temporal_every", "identity_every"):
            _at_least(name, getattr(self, name), 1)
        for field_ in fields(self):
            if field_.type == "float":
                _at_least(field_.name, getattr(self, field_.name), 0)
        for layer, weight in self.style_layers.items():
            _at_least(f"style_layers.{layer}", weight, 0)
        for layer in (*self.content_layers, *self.style_layers):
            if layer not in LAYERS:
                raise ValueError(f"{layer!r} is not one of {', '.join(LAYERS)}")


@dataclass(frozen=True)
class ScheduleSettings:
    """Length of the run and what changes on the way; shares are of the whole run."""

    steps: int = 10000
    """Steps of the run unless minutes end it before."""
    minutes: float = 0.0
    """Time limit; 0 is none. The decay then ends with the time."""
    rate: float = 4e-4
    """Adam's rate for the generator."""
    rate_d: float = 4e-4
    """Adam's rate for the discriminator."""
    betas: tuple[float, float] = (0.5, 0.99)
    """Adam's moments."""
    warm_up: float = 0.02
    """Share of the run over which the rate rises."""
    decay: float = 0.15
    """Share of the run at its end over which the rate falls to a twentieth."""
    adversarial_from: float = 0.4
    """Share of the run before the discriminator joins."""
    adversarial_ramp: float = 0.1
    """Share over which its weight then rises."""
    temporal_ramp: float = 0.3
    """Share over which the temporal weight rises."""
    mixing_ramp: float = 0.2
    """Share over which the temperature of the expert mixture falls from 4 to 1."""
    pooled: float = 0.5
    """Probability that a step uses pooled statistics of several views instead of a sample's own."""
    ema: float = 0.999
    """Decay of the averaged weights."""
    patience: float = 0.0
    """Go on to the final decay when val has not got better for this share of the run; 0 never does."""
    clip: float = 5.0
    """Largest norm of the generator's gradient, of each style."""
    spike: float = 10.0
    """Leave out styles whose gradient is this many times the usual one; 0 keeps all."""

    def __post_init__(self) -> None:
        _at_least("steps", self.steps, 1)
        for name in ("minutes", "rate", "rate_d", "clip", "spike"):
            _at_least(name, getattr(self, name), 0)
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas {self.betas}: give numbers from 0 up to, not including, 1")
        for name in (
            "warm_up",
            "decay",
            "adversarial_from",
            "adversarial_ramp",
            "temporal_ramp",
            "mixing_ramp",
            "pooled",
            "ema",
            "patience",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)}: give a share from 0 to 1")


@dataclass(frozen=True)
class RunSettings:
    """Machine, pace of evaluation, where things go."""

    output: Path = Path("run")
    """Folder of the run."""
    vgg: Path | None = None
    """Features file; by default the one that `scumble weights fetch` put into the cache."""
    seed: int = 0
    """Every random draw follows from it and the step."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    precision: Literal["bf16", "f32"] = "bf16"
    """Networks' arithmetic; losses are in f32 always."""
    compiled: bool = False
    """Compile the generator: twice to four times as fast after a minute for each shape of crops; on a CPU needs g++."""
    threads: int = 0
    """CPU threads; 0 leaves the choice to torch."""
    evaluate_every: int = 1000
    """Steps between evaluations on val."""
    evaluate_pairs: int = 12
    """Pairs of content and style in an evaluation."""
    evaluate_side: int = 256
    """Side of evaluation pictures in pixels."""
    composite_style: float = 5.0
    """Weight of the style figure in the composite that chooses the best checkpoint."""
    preview_seconds: float = 0.0
    """Seconds between paintings of whole content pictures in `previews` (one style only); 0 makes none."""
    save_minutes: float = 5.0
    """Minutes between checkpoints."""
    log_every: int = 20
    """Steps between TensorBoard scalars."""

    def __post_init__(self) -> None:
        for name in ("evaluate_every", "evaluate_pairs", "log_every"):
            _at_least(name, getattr(self, name), 1)
        for name in ("threads", "save_minutes", "preview_seconds", "composite_style", "seed"):
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
