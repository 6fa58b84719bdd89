"""The networks of a training: generator, discriminator, their optimisers, and the generator's running average (EMA)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from scumble.look.making import picture_hash
from scumble.network.shape import architecture_named
from scumble.train.data.one_style import file_of
from scumble.train.data.style_set import StyleSet
from scumble.train.group import Group
from scumble.train.nn import generator_file
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.discriminator import PlainDiscriminator, StyleDiscriminator
from scumble.train.nn.fused import Fused, can_compile
from scumble.train.nn.generator import Generator
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import TrainSettings
from scumble.train.terms import Terms


class Gan:
    """The networks of a run and how many steps they have learned; `gan_step` makes one."""

    def __init__(
        self, settings: TrainSettings, styles: StyleSet, features: PerceptualFeatures, group: Group | None = None
    ) -> None:
        s = self.settings = settings
        self.group = group or Group()
        self.styles, self.features = styles, features
        self.device = next(features.buffers()).device
        torch.manual_seed(s.run.seed)
        if s.run.threads:
            torch.set_num_threads(s.run.threads)
        usual = styles.goals.moments.float().to(self.device)
        kind = s.generator
        self.generator = Generator(architecture_named(kind.form, kind.size), kind.conditioning).to(self.device)
        if kind.conditioning == "style":
            self.generator.standardise(usual)
        self.discriminator = _discriminator_of(s.discriminator.kind, usual)
        self.discriminator_is_trained = False
        """Whether the discriminator was trained before this run."""
        if kind.start is not None:
            self.discriminator_is_trained = generator_file.start_from(self.generator, self.discriminator, kind.start)
        if s.discriminator.start is not None:
            generator_file.start_discriminator(self.discriminator, s.discriminator.start)
            self.discriminator_is_trained = True
        half = dtype_of(s.run.precision, self.device)
        self.generator.dtype = half
        if isinstance(self.discriminator, StyleDiscriminator):
            self.discriminator.dtype = half
        compiled = s.run.compiled and (self.device.type != "cpu" or can_compile())
        self.generator.fused = Fused(compiled)
        self.uncompiled = s.run.compiled and not compiled
        """Whether compiling was asked for and there is no compiler."""
        self.terms = Terms(s.losses, features, styles, self.generator)
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.ema.fused = Fused()
        kernels = [p for name, p in self.generator.named_parameters() if name.startswith("kernel.")]
        others = [p for name, p in self.generator.named_parameters() if not name.startswith("kernel.")]
        self.adam_g = torch.optim.Adam(
            [{"params": kernels}, {"params": others}], lr=s.schedule.rate, betas=s.schedule.betas
        )
        self.adam_d = torch.optim.Adam(self.discriminator.parameters(), lr=s.schedule.rate_d, betas=s.schedule.betas_d)
        self.steps = 0
        self.rewarm_from: int | None = None
        """Step at which the run was resumed without Adam's moments."""
        self.broken = 0
        """Number of gradients in a row that were not finite."""
        self.random = torch.Generator()

    @property
    def painting(self) -> str:
        """Identity of the run's one style; empty for many styles."""
        style = self.settings.data.style
        return picture_hash(file_of(style)) if style else ""


def _discriminator_of(kind: str, usual: Tensor) -> StyleDiscriminator | PlainDiscriminator:
    """A discriminator on the device of the styles' moments (N, MOMENTS), which it takes for what is usual."""
    if kind == "plain":
        return PlainDiscriminator().to(usual.device)
    discriminator = StyleDiscriminator().to(usual.device)
    discriminator.standardise(usual)
    return discriminator
