"""What a run needs before its first step: the features network, the styles, and notes on what is slow here."""

from __future__ import annotations

import torch

from scumble.core.downloads import shipped_vgg
from scumble.core.errors import BadSettings
from scumble.core.progress import Listener, ignore, note
from scumble.network.shape import SEEN
from scumble.train.data.dataset import Dataset
from scumble.train.data.examples import Examples
from scumble.train.data.one_style import pictures_of
from scumble.train.data.style_set import StyleSet, style_set_of, style_set_of_one
from scumble.train.gan import Gan
from scumble.train.machine import device_of
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import TrainSettings


def features_of(settings: TrainSettings) -> PerceptualFeatures:
    """The features network of a run, on its device. Raises BadSettings, BadLook."""
    run = settings.run
    if run.vgg is not None and settings.generator.conditioning == "style":
        raise BadSettings(
            f"{run.vgg}: a universal generator is told of styles by the shipped features; leave --vgg out"
        )
    device = device_of(run.device)
    features = PerceptualFeatures.load(run.vgg or shipped_vgg(), "relu4_1", dtype_of(run.precision, device))
    if features.widths != SEEN:
        raise BadSettings(f"{run.vgg}: not the layers of VGG-16 or VGG-19; take a file of scumble weights fetch")
    return features.to(device)


def styles_of(
    dataset: Dataset, settings: TrainSettings, features: PerceptualFeatures, tell: Listener = ignore
) -> StyleSet:
    """The styles that a run learns: those of the data set, or its one style."""
    device = next(features.buffers()).device
    if settings.data.style is not None:
        pictures = pictures_of(settings.data.style, "train")
        return style_set_of_one(pictures, settings.data, features, device, settings.run.seed)
    return style_set_of(dataset, settings.data, features, device, settings.run.seed, tell)


def examples_of(settings: TrainSettings, styles: StyleSet) -> Examples | None:
    """The examples that a run learns from, if any. Raises BadInput."""
    if settings.data.examples is None:
        return None
    return Examples(settings.data.examples, styles.goals.palettes()[0] if settings.data.style is not None else None)


def say_what_is_slow(gan: Gan, tell: Listener) -> None:
    """Note what this machine lacks that makes steps faster."""
    if gan.uncompiled:
        tell(note("no C++ compiler was found: steps take about twice as long; install g++, or set run.compiled=false"))
    if gan.device.type == "cpu" and gan.settings.run.precision == "auto" and gan.generator.dtype == torch.float32:
        tell(note("this processor does not multiply in bfloat16: steps are in float32 and take longer"))
