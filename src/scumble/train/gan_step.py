"""One training step: what a batch teaches the discriminator, then the generator.

The house's step paints every content crop in a style of its own. What the losses want of a style was computed before
the run (`style_set`); features of the contents are computed once for the steps that use them. Every few steps the
crops are painted twice, as they are and moved, with their statistics pooled: the difference is the motion term.

All gradients meet at the painting (N, 3, H, W). There the discriminator's is scaled, picture by picture, to a share of
what all other terms ask for, and no picture pulls much harder than its neighbours.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.core.errors import BadInput, BadSettings, TrainingFailed
from scumble.look.making import picture_hash
from scumble.network.palette import Palette, recolouring
from scumble.network.shape import architecture_named
from scumble.network.weights_file import SCHEMA
from scumble.train.data.augment import random_motion, warp
from scumble.train.data.batches import MARGIN, Batch
from scumble.train.data.one_style import file_of
from scumble.train.data.style_set import GRAM_LAYERS, LAYERS, Goal, StyleSet
from scumble.train.nn import checkpoint, generator_file, losses
from scumble.train.nn.arithmetic import dtype_of
from scumble.train.nn.discriminator import PlainDiscriminator, StyleDiscriminator
from scumble.train.nn.fused import Fused, can_compile
from scumble.train.nn.generator import Generator
from scumble.train.nn.perceptual import PerceptualFeatures
from scumble.train.settings import TrainSettings, portable

BROKEN_IN_A_ROW = 20  # gradients that are not finite: more than flat crops explain

REWARM_STEPS = 300  # after a travel checkpoint Adam's moments must be found again

LEAST_RATE = 0.02  # of the rate, at the end of the decay

LOUDEST = 2.5  # times the batch's mean gradient that one picture may pull

SLOW_KERNELS = 0.1  # of the rate, for kernels before `schedule.kernels_from`

TURNED = 2.0  # times the weight of motion, for pictures that are turned as well

BORDER = 2 * MARGIN  # pixels left out of the motion term, where the crop's edge stands instead of the picture


class Trainer:
    """State of a run; `step(batch)` does D then G and returns the named terms."""

    def __init__(self, settings: TrainSettings, styles: StyleSet, features: PerceptualFeatures) -> None:
        s = self.settings = settings
        self.styles = styles
        self.features = features
        self.device = next(features.buffers()).device
        torch.manual_seed(s.run.seed)
        if s.run.threads:
            torch.set_num_threads(s.run.threads)
        kind = s.generator
        self.generator = Generator(architecture_named(kind.form, kind.size), kind.conditioning).to(self.device)
        if kind.conditioning == "style":
            self.generator.standardise(styles.goals.moments.float().to(self.device))
        critic = s.discriminator.kind
        self.discriminator: StyleDiscriminator | PlainDiscriminator = (
            StyleDiscriminator() if critic == "style" else PlainDiscriminator()
        ).to(self.device)
        if isinstance(self.discriminator, StyleDiscriminator):
            usual = styles.goals.moments.float().to(self.device)
            self.discriminator.standardise(usual.mean(0), usual.std(0, correction=0) + 1e-3)
        self.critic_at_hand = False
        if kind.start is not None:
            self.critic_at_hand = generator_file.start_from(self.generator, self.discriminator, kind.start)
        if s.discriminator.start is not None:
            generator_file.start_critic(self.discriminator, s.discriminator.start)
            self.critic_at_hand = True
        half = dtype_of(s.run.precision, self.device)
        self.generator.dtype = half
        if isinstance(self.discriminator, StyleDiscriminator):
            self.discriminator.dtype = half
        compiled = s.run.compiled and (self.device.type != "cpu" or can_compile())
        self.fused = self.generator.fused = Fused(compiled)
        self.uncompiled = s.run.compiled and not compiled
        """Compiling was asked for, and there is no compiler."""
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
        self.started = time.monotonic()
        self.spent = 0.0  # seconds of earlier runs
        self.skipped = 0.0  # share of the run that was left out because val got no better
        self.verdicts: dict[str, float] = {}  # the critic's, in its last step: shares of what it takes for real
        self.sums: dict[str, tuple[float, int]] = {}  # of terms since the last line of the journal
        self.broken = 0  # gradients in a row that were not finite
        self.random = torch.Generator()
        self._of_content: tuple[int, dict[str, Tensor]] | None = None

    # -- schedule ---------------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by minutes, whichever is further."""
        plan = self.settings.schedule
        by_time = 0.0
        if plan.minutes:
            by_time = (self.spent + time.monotonic() - self.started) / (60 * plan.minutes)
        return min(1.0, max(self.steps / plan.steps, by_time) + self.skipped)

    def _set_rates(self, progress: float) -> None:
        plan = self.settings.schedule
        factor = min(1.0, (self.steps + 1) / max(1, plan.warm_up))
        if plan.decay:
            factor *= 1 - (1 - LEAST_RATE) * max(0.0, (progress - (1 - plan.decay)) / plan.decay)
        if self.rewarm_from is not None:
            factor *= min(1.0, (self.steps - self.rewarm_from + 1) / REWARM_STEPS)
        slow = SLOW_KERNELS if progress < plan.kernels_from else 1.0
        for group, share in zip(self.adam_g.param_groups, (slow, 1.0), strict=True):
            group["lr"] = plan.rate * factor * share
        self.adam_d.param_groups[0]["lr"] = plan.rate_d

    @property
    def critic_weight(self) -> float:
        """Weight of the discriminator's verdict at this step; 0 while it does not look."""
        plan, weight = self.settings.schedule, self.settings.losses.adversarial
        begins = 0 if self.critic_at_hand else plan.adversarial_from
        if self.steps < begins:
            return 0.0
        return weight * min(1.0, (self.steps - begins + 1) / max(1, plan.adversarial_ramp))

    # -- one step ---------------------------------------------------------------------------------

    def step(self, batch: Batch) -> dict[str, float]:
        """Phases D then G on one batch; raises TrainingFailed when a term is not finite."""
        s = self.settings
        self._set_rates(self.progress)
        self.random.manual_seed(s.run.seed * 1_000_003 + self.steps)
        content = batch.content.to(self.device)
        plates = content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()
        views, plate, shown, moved = s.data.views, plates, plates, None
        if batch.pairs:
            views, plate = 2, plates[: len(batch.styles)]
            moved = _Moved(content[: len(plate)], self.random, s.losses.turned)
            shown = torch.stack([plate, moved.picture], 1).flatten(0, 1)
        goal = self._goal(batch)
        look = self.generator.look(
            goal.moments.repeat_interleave(views, 0) if self.generator.conditioning == "style" else None
        )
        y = self.generator(self._recoloured(shown, plate, goal, views), look, views)
        leaf = y.detach().requires_grad_()
        own = leaf[::2] if moved else leaf
        real = batch.real.to(self.device)
        terms = self._terms(own, plates, goal, real, batch.content_key)
        if moved is not None and s.losses.motion:
            terms["turned" if moved.turned else "motion"] = moved.difference(own, leaf[1::2])
        total = losses.weighted_total(terms, self._weights()) if terms else 0 * leaf.sum()
        (gradient,) = torch.autograd.grad(total, leaf)
        found = {name: float(value.detach()) for name, value in terms.items()} | {"total": float(total.detach())}
        if len(real) and self.critic_weight:
            of_own = goal.moments.repeat_interleave(len(own) // len(goal.moments), 0)
            found |= self._phase_d(real, goal.moments, own.detach(), of_own)
            adversarial, of_critic = self._by_critic(own, leaf, of_own)
            found["adversarial"] = adversarial
            if not s.losses.adversarial_relative:
                found["total"] += self.critic_weight * adversarial
                gradient = gradient + self.critic_weight * of_critic
            else:
                gradient = gradient + _scaled_to(of_critic, gradient, self.critic_weight)
        if not all(math.isfinite(value) for value in found.values()):
            names = ", ".join(name for name, value in found.items() if not math.isfinite(value))
            raise TrainingFailed(f"step {self.steps}: the loss {names} is not finite")
        found["gradient"] = self._learn(y, gradient)
        self.steps += 1
        return found

    def _learn(self, y: Tensor, gradient: Tensor) -> float:
        """Bring the gradient at the painting to the weights; its norm there.

        A content crop that is flat to the last bit gives one that is not finite: every layer divides by its deviation.
        """
        norms = gradient.flatten(1).norm(dim=1)
        gradient = gradient * (LOUDEST * norms.mean() / norms.clamp(min=1e-12)).clamp(max=1).view(-1, 1, 1, 1)
        self.adam_g.zero_grad(set_to_none=True)
        y.backward(gradient)  # type: ignore[no-untyped-call]
        norm = float(nn.utils.clip_grad_norm_(self.generator.parameters(), self.settings.schedule.clip))
        if not math.isfinite(norm):
            self.broken += 1
            if self.broken >= BROKEN_IN_A_ROW:
                raise TrainingFailed(f"step {self.steps}: the gradient is not finite, {self.broken} times in a row")
            return 0.0
        self.broken = 0
        self.adam_g.step()
        decay = min(self.settings.schedule.ema, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.parameters()), list(self.generator.parameters()), 1 - decay)
        return norm

    def _goal(self, batch: Batch) -> Goal:
        """What the pictures are to be like, a row for the views of each."""
        goal = self.styles.goals.of(batch.styles)
        if batch.other is not None and batch.share is not None:
            goal = goal.mixed(self.styles.goals.of(batch.other), batch.share)
        return goal.to(self.device)

    @torch.no_grad()
    def _recoloured(self, shown: Tensor, plate: Tensor, goal: Goal, views: int) -> Tensor:
        """Every picture in its style's colours; views of one shot by one map, from the colours of all its plates."""
        if not self.settings.generator.palette:
            return shown
        styles = goal.palettes()
        pixels = plate.permute(0, 2, 3, 1).cpu().numpy()
        shots = pixels.reshape(len(styles), -1, pixels.shape[2], 3)
        maps = [recolouring(Palette.measure(shot), style) for shot, style in zip(shots, styles, strict=True)]
        matrix, offset = (
            torch.from_numpy(np.stack(parts).astype(np.float32)).to(self.device).repeat_interleave(views, 0)
            for parts in zip(*maps, strict=True)
        )
        return torch.einsum("nij,njhw->nihw", matrix, shown) + offset[:, :, None, None]

    def _terms(self, y: Tensor, plates: Tensor, goal: Goal, real: Tensor, key: int) -> dict[str, Tensor]:
        """The generator's terms at the paintings by name; terms with weight 0 are left out.

        `plates` are all crops of the batch, of which the first were painted.
        """
        w = self.settings.losses
        terms: dict[str, Tensor] = {}
        if w.content or w.style:
            of_y = self.features(y, LAYERS)
        if w.content:
            of_plate = self._content_features(plates, key)
            form = self._form()
            terms["content"] = sum_of(
                weight * (form(of_y[name]) - of_plate[name][: len(y)]).square().mean()
                for name, weight in w.content_layers.items()
            )
        if w.style and w.style_kind == "gram":
            with torch.no_grad():
                grams = {name: losses.gram(f) for name, f in self.features(real, LAYERS).items()}
            terms["style"] = losses.style(of_y, grams, w.style_layers)
        elif w.style:
            full, half, of_grams = self.styles.usual
            views = len(y) // len(goal.moments)
            terms["style"] = self._moment_term(of_y, goal.moments, full)
            if w.half and self.steps % 2 == 0:
                terms["half"] = self._moment_term(self.features(F.avg_pool2d(y, 2), LAYERS), goal.half, half, True)
            if w.gram:
                terms["gram"] = sum_of(
                    losses.relative((own - wanted).square().sum(1), wanted.square().sum(1), usual)
                    for own, wanted, usual in zip(
                        (losses.pooled_grams(losses.gram_of_places(of_y[k]), views) for k in GRAM_LAYERS),
                        goal.grams,
                        of_grams,
                        strict=True,
                    )
                )
        if w.variation:
            terms["variation"] = losses.total_variation(y, w.variation_reduction)
        if w.range:
            terms["range"] = F.relu(-y - 0.02).square().mean() + F.relu(y - 1.02).square().mean()
        return terms

    def _moment_term(
        self, features: dict[str, Tensor], goal: Tensor, usual: list[float], coarse: bool = False
    ) -> Tensor:
        """Relative distance of moments over layers, those of views pooled; at half size the finest says nothing new."""
        weights = self.settings.losses.style_layers
        found = []
        for name, wanted, size in zip(LAYERS, losses.split_moments(goal), usual, strict=True):
            if name in weights and not (coarse and name == LAYERS[0]):
                moments = self.fused.moments(features[name])
                own = losses.pooled_moments(moments, len(moments[0]) // len(goal))
                found.append((1.0 if coarse else weights[name]) * losses.relative_moments(own, wanted, size))
        return sum_of(found)

    @torch.no_grad()
    def _content_features(self, plates: Tensor, key: int) -> dict[str, Tensor]:
        """What the content term wants, kept while consecutive steps paint the same crops."""
        w = self.settings.losses
        if self._of_content is None or self._of_content[0] != key:
            form = self._form()
            seen = self.features(plates, LAYERS)
            self._of_content = (key, {name: form(seen[name]) for name in w.content_layers})
        return self._of_content[1]

    def _form(self) -> Callable[[Tensor], Tensor]:
        """What of features the content term compares."""
        if self.settings.losses.content_normalised:
            return self.fused.instance_normalised
        return torch.Tensor.float

    def _weights(self) -> dict[str, float]:
        w, plan = self.settings.losses, self.settings.schedule
        rise = min(1.0, (self.steps + 1) / plan.motion_ramp) if plan.motion_ramp else 1.0
        return {
            "content": w.content,
            "style": w.style,
            "half": w.style * w.half,
            "gram": w.style * w.gram,
            "variation": w.variation,
            "range": w.range,
            "motion": w.motion * rise,
            "turned": TURNED * w.motion * rise,
        }

    # -- the discriminator ------------------------------------------------------------------------

    def _phase_d(self, real: Tensor, of_real: Tensor, fake: Tensor, of_fake: Tensor) -> dict[str, float]:
        """Train it on crops of the styles (real), on paintings and on crops under another style's name (fake)."""
        self.discriminator.requires_grad_(True)
        share = self.settings.discriminator.mismatched
        fake = fake.clamp(-0.1, 1.1)
        bce = F.binary_cross_entropy_with_logits
        if isinstance(self.discriminator, StyleDiscriminator):
            kernels = self.discriminator.kernels()
            on_real = self.discriminator(real, of_real, kernels)
            on_fake = self.discriminator(fake, of_fake, kernels)
        else:
            share = 0.0
            on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        loss = bce(on_real, torch.ones_like(on_real)) + (1 - share) * bce(on_fake, torch.zeros_like(on_fake))
        self.verdicts = {"d_real": _taken(on_real), "d_fake": _taken(on_fake)}
        if share and len(real) > 1:
            turn = 1 + int(torch.randint(len(real) - 1, (1,), generator=self.random))
            on_wrong = self.discriminator(real, of_real.roll(turn, 0), kernels)
            loss = loss + share * bce(on_wrong, torch.zeros_like(on_wrong))
            self.verdicts["d_wrong"] = _taken(on_wrong)
        self.adam_d.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if all(bool(p.grad.isfinite().all()) for p in self.discriminator.parameters() if p.grad is not None):
            self.adam_d.step()
        self.discriminator.requires_grad_(False)
        return {"d": float(loss.detach())}

    def _by_critic(self, own: Tensor, leaf: Tensor, moments: Tensor) -> tuple[float, Tensor]:
        """The verdict on the paintings (BCE, not saturating) and its gradient at all of them."""
        if isinstance(self.discriminator, StyleDiscriminator):
            logits = self.discriminator(own, moments)
        else:
            logits = self.discriminator(own)
        verdict = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        (gradient,) = torch.autograd.grad(verdict, leaf)
        return float(verdict.detach()), gradient

    # -- the journal's means ----------------------------------------------------------------------

    def take_down(self, report: dict[str, float]) -> None:
        """Add a step's terms, and the critic's verdicts where it was asked, to the running means."""
        for name, value in (report | (self.verdicts if "d" in report else {})).items():
            total, count = self.sums.get(name, (0.0, 0))
            self.sums[name] = (total + value, count + 1)

    def means(self) -> dict[str, float]:
        """Mean of each term since this was asked last; some terms have their turn every few steps only."""
        found = {name: total / count for name, (total, count) in sorted(self.sums.items())}
        self.sums = {}
        return found

    # -- checkpoints ------------------------------------------------------------------------------

    def facts(self) -> dict[str, Any]:
        """Where the run stands, as plain values."""
        return {
            "kind": "checkpoint",
            "schema": SCHEMA,
            "architecture": asdict(self.generator.architecture),
            "conditioning": self.generator.conditioning,
            "step": self.steps,
            "crops": self.steps * self.settings.data.contents,
            "seconds": self.spent + time.monotonic() - self.started,
            "settings": portable(self.settings),
            "rewarm_from": self.rewarm_from,
            "skipped": self.skipped,
            "critic_at_hand": self.critic_at_hand,
            "painting": self.painting,
        }

    @property
    def painting(self) -> str:
        """By which the one style of a run is known again."""
        style = self.settings.data.style
        return picture_hash(file_of(style)) if style else ""

    def save_resume(self, path: Path) -> None:
        """All that an exact continuation on one machine needs."""
        tensors = {
            **checkpoint.prefixed("generator", self.generator.state_dict()),
            **checkpoint.prefixed("ema", self.ema.state_dict()),
            **checkpoint.prefixed("discriminator", self.discriminator.state_dict()),
            **checkpoint.prefixed("adam_g", checkpoint.adam_tensors(self.generator, self.adam_g)),
            **checkpoint.prefixed("adam_d", checkpoint.adam_tensors(self.discriminator, self.adam_d)),
        }
        checkpoint.save(path, tensors, self.facts() | {"sums": self.sums})

    def save_travel(self, path: Path) -> None:
        """Averaged weights and the discriminator in float16: what another machine goes on from."""
        tensors = {
            **checkpoint.prefixed("ema", self.ema.state_dict()),
            **checkpoint.prefixed("discriminator", self.discriminator.state_dict()),
        }
        checkpoint.save(path, checkpoint.half(tensors), self.facts() | {"kind": "travel"})

    def load(self, path: Path) -> None:
        """Continue from a resume or travel checkpoint."""
        tensors, facts = checkpoint.load(path)
        if facts.get("kind") not in ("checkpoint", "travel"):
            raise BadInput(f"{path}: weights, not a checkpoint; name resume.safetensors or travel.safetensors of a run")
        if facts.get("schema") != SCHEMA:
            raise BadInput(f"{path}: a checkpoint of an earlier Scumble, of another network; begin a new run")
        if facts.get("painting", self.painting) != self.painting:
            raise BadSettings(f"{path}: trained on another painting than {self.settings.data.style}; name that one")
        widen = {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}
        exact = facts["kind"] == "checkpoint"
        parts = {"generator": self.generator, "ema": self.ema, "discriminator": self.discriminator}
        for part, module in parts.items():
            own = "ema" if part == "generator" and not exact else part
            try:
                module.load_state_dict(checkpoint.under(widen, own))
            except RuntimeError as error:
                raise BadSettings(f"{path}: made with other settings for the {part}; use its own settings") from error
        if exact:
            checkpoint.load_adam(self.generator, self.adam_g, checkpoint.under(widen, "adam_g"))
            checkpoint.load_adam(self.discriminator, self.adam_d, checkpoint.under(widen, "adam_d"))
        try:
            self.steps = int(facts["step"])
            self.spent = float(facts["seconds"])
            self.sums = {name: (float(t), int(n)) for name, (t, n) in facts.get("sums", {}).items()}
            self.rewarm_from = facts.get("rewarm_from") if exact else self.steps
            self.skipped = float(facts.get("skipped", 0.0))
            self.critic_at_hand = bool(facts["critic_at_hand"])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"{path}: its facts are not those of a checkpoint ({error}); take an earlier one") from error


class _Moved:
    """Crops (N, 3, H + 2 MARGIN, W + 2 MARGIN) moved a little, lighter or darker, grainier.

    Half of the time they move by whole pixels, for which the moved painting is known exactly: those are the pans that
    a render is judged by. Otherwise by a smooth warp with zoom and turn. A share `turned` of them is turned by half a
    turn as well: ridges that are bright on one side and dark on the other then change sides, strokes do not.
    """

    def __init__(self, content: Tensor, random: torch.Generator, turned: float = 0.0) -> None:
        n = len(content)
        inner = content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
        size = (inner.shape[2], inner.shape[3])

        def uniform(*shape: int) -> Tensor:
            return torch.rand(shape, generator=random).to(content.device)

        self.gain = 1 + 0.1 * (uniform(n, 1, 1, 1) - 0.5)
        self.shift: tuple[int, int] | None = None
        if float(torch.rand((), generator=random)) < 0.5:
            down, right = (int(v) for v in torch.randint(-MARGIN, MARGIN + 1, (2,), generator=random))
            self.shift = (down, right)
            top, left = MARGIN + down, MARGIN + right
            moved = content[:, :, top : top + size[0], left : left + size[1]]
            grain = 0.0 if float(torch.rand((), generator=random)) < 0.5 else 1.0
        else:
            grid, inside = random_motion(n, size, random, flow=2.0, shift=6.0)
            self.grid, self.inside = grid.to(content.device), inside.to(content.device)
            moved, grain = warp(inner, self.grid), 1.0
        amount = grain * (0.001 + 0.015 * uniform(n, 1, 1, 1) ** 2)
        noise = torch.randn(inner.shape, generator=random).to(content.device)
        self.picture = (moved * self.gain).clamp(0, 1) + noise * amount
        self.turned = float(torch.rand((), generator=random)) < turned
        if self.turned:
            self.picture = self.picture.flip(2, 3)

    def difference(self, painting: Tensor, of_moved: Tensor) -> Tensor:
        """Mean absolute difference of the moved pictures' paintings from the moved paintings."""
        if self.turned:
            of_moved = of_moved.flip(2, 3)
        if self.shift is None:
            return losses.compound_temporal(of_moved, warp(painting, self.grid) * self.gain, self.inside)
        down, right = self.shift
        inner = (slice(None), slice(None), slice(BORDER, -BORDER), slice(BORDER, -BORDER))
        wanted = painting.roll((-down, -right), (2, 3)) * self.gain
        return (of_moved - wanted)[inner].abs().mean()


def sum_of(terms: Iterable[Tensor]) -> Tensor:
    """The sum of scalars."""
    return torch.stack(list(terms)).sum()


def _scaled_to(gradient: Tensor, others: Tensor, share: float) -> Tensor:
    """A gradient (N, ...) whose norm is, picture by picture, a share of the others'."""
    own, wanted = (t.flatten(1).norm(dim=1) for t in (gradient, others))
    scaled: Tensor = gradient * (share * wanted / own.clamp(min=1e-12)).view(-1, 1, 1, 1)
    return scaled


def _taken(logits: Tensor) -> float:
    """Mean probability that patches were painted in the style."""
    return float(torch.sigmoid(logits.detach()).mean())
