"""One training step: what a batch teaches the discriminator, then the generator.

The house's step paints every content crop in a style of its own. What the losses want of a style was computed before
the run (`style_set`); features of the contents are computed once for the steps that use them. Every few steps the
crops are painted twice, as they are and moved, with their statistics pooled: the difference is the motion term.

All gradients meet at the painting (N, 3, H, W). There the discriminator's is scaled, picture by picture, to a share of
what all other terms ask for, and no picture pulls much harder than its neighbours.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.core.errors import TrainingFailed
from scumble.train.data.batches import MARGIN, Batch
from scumble.train.data.style_set import Goal
from scumble.train.forward import Moved, in_their_styles_colours
from scumble.train.gan import Gan
from scumble.train.nn import losses
from scumble.train.nn.discriminator import StyleDiscriminator
from scumble.train.schedule import discriminator_weight, rates, term_weights

BROKEN_IN_A_ROW = 20  # gradients that are not finite: more than flat crops explain

LOUDEST = 2.5  # largest gradient of one picture, in means of the batch


def gan_step(gan: Gan, batch: Batch, progress: float) -> dict[str, float]:
    """Phases D then G on one batch, at a share of the run; the terms by name.

    Where the discriminator looks, `d` is its loss, `d_real`, `d_fake` and `d_wrong` are its verdicts: mean
    probabilities that crops, paintings and crops under another style's name are taken for real. Raises
    TrainingFailed when a term is not finite.
    """
    s = gan.settings
    _set_rates(gan, progress)
    gan.random.manual_seed(s.run.seed * 1_000_003 + gan.steps + 7919 * gan.group.place)
    content = batch.content.to(gan.device)
    plates = content[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN].contiguous()
    views, plate, shown, moved = s.data.views, plates, plates, None
    if batch.pairs:
        views, plate = 2, plates[: len(batch.styles)]
        moved = Moved(content[: len(plate)], gan.random, s.losses.turned)
        shown = torch.stack([plate, moved.picture], 1).flatten(0, 1)
    goal = _goal_of(gan, batch)
    conditioned = gan.generator.conditioning == "style"
    look = gan.generator.look(goal.moments.repeat_interleave(views, 0) if conditioned else None)
    if s.generator.palette and batch.painting is None:
        shown = in_their_styles_colours(shown, plate, goal, views)
    y = gan.generator(shown, look, views)
    leaf = y.detach().requires_grad_()
    own = leaf[::2] if moved else leaf
    real = batch.real.to(gan.device)
    if batch.painting is not None:
        terms = gan.terms.of_examples(own, batch.painting.to(gan.device))
    else:
        terms = gan.terms(own, plates, goal, real, batch.content_key, gan.steps)
    if s.losses.halo and batch.painting is None:
        terms["halo"] = losses.halo(own, shown[::2] if moved else shown)
    if moved is not None and s.losses.motion:
        terms["turned" if moved.turned else "motion"] = moved.difference(own, leaf[1::2])
    weights = term_weights(s.schedule, s.losses, gan.steps)
    total = losses.weighted_total(terms, weights) if terms else 0 * leaf.sum()
    (gradient,) = torch.autograd.grad(total, leaf)
    report = {name: float(value.detach()) for name, value in terms.items()} | {"total": float(total.detach())}
    share = discriminator_weight(s.schedule, s.losses, gan.steps, gan.discriminator_is_trained)
    if len(real) and share:
        of_own = goal.moments.repeat_interleave(len(own) // len(goal.moments), 0)
        report |= _phase_d(gan, real, goal.moments, own.detach(), of_own)
        report["adversarial"], of_discriminator = _by_discriminator(gan, own, leaf, of_own)
        if not s.losses.adversarial_relative:
            report["total"] += share * report["adversarial"]
            gradient = gradient + share * of_discriminator
        else:
            gradient = gradient + _scaled_to(of_discriminator, gradient, share)
    report = gan.group.means(report)
    if not all(math.isfinite(value) for value in report.values()):
        names = ", ".join(name for name, value in report.items() if not math.isfinite(value))
        raise TrainingFailed(f"step {gan.steps}: the loss {names} is not finite")
    report["gradient"] = _learn(gan, y, gradient)
    gan.steps += 1
    return report


def _set_rates(gan: Gan, progress: float) -> None:
    plan = gan.settings.schedule
    of_kernels, of_others = rates(plan, gan.steps, progress, gan.rewarm_from)
    for group, rate in zip(gan.adam_g.param_groups, (of_kernels, of_others), strict=True):
        group["lr"] = rate
    gan.adam_d.param_groups[0]["lr"] = plan.rate_d


def _goal_of(gan: Gan, batch: Batch) -> Goal:
    """The targets of a batch, one row for the views of each picture."""
    goal = gan.styles.goals.of(batch.styles)
    if batch.other is not None and batch.share is not None:
        goal = goal.mixed(gan.styles.goals.of(batch.other), batch.share)
    return goal.to(gan.device)


def _learn(gan: Gan, y: Tensor, gradient: Tensor) -> float:
    """Backpropagate the gradient at the painting to the weights and step; its norm at the weights.

    A perfectly flat crop gives a gradient that is not finite: every layer divides by its deviation. It is skipped.
    """
    norms = gradient.flatten(1).norm(dim=1)
    gradient = gradient * (LOUDEST * gan.group.mean(norms.mean()) / norms.clamp(min=1e-12)).clamp(max=1).view(
        -1, 1, 1, 1
    )
    gan.adam_g.zero_grad(set_to_none=True)
    y.backward(gradient)  # type: ignore[no-untyped-call]
    gan.group.average_gradients(gan.generator.parameters())
    norm = float(nn.utils.clip_grad_norm_(gan.generator.parameters(), gan.settings.schedule.clip))
    if not math.isfinite(norm):
        gan.broken += 1
        if gan.broken >= BROKEN_IN_A_ROW:
            raise TrainingFailed(f"step {gan.steps}: the gradient is not finite, {gan.broken} times in a row")
        return 0.0
    gan.broken = 0
    gan.adam_g.step()
    decay = min(gan.settings.schedule.ema, (gan.steps + 1) / (gan.steps + 10))
    with torch.no_grad():
        torch._foreach_lerp_(list(gan.ema.parameters()), list(gan.generator.parameters()), 1 - decay)
    return norm


def _phase_d(gan: Gan, real: Tensor, of_real: Tensor, fake: Tensor, of_fake: Tensor) -> dict[str, float]:
    """Train D on crops of the styles (real), on paintings and on crops under another style's name (fake)."""
    discriminator, share = gan.discriminator, gan.settings.discriminator.mismatched
    discriminator.requires_grad_(True)
    fake = fake.clamp(-0.1, 1.1)
    bce = F.binary_cross_entropy_with_logits
    if isinstance(discriminator, StyleDiscriminator):
        kernels = discriminator.kernels()
        on_real = discriminator(real, of_real, kernels)
        on_fake = discriminator(fake, of_fake, kernels)
    else:
        share = 0.0
        on_real, on_fake = discriminator(real), discriminator(fake)
    loss = bce(on_real, torch.ones_like(on_real)) + (1 - share) * bce(on_fake, torch.zeros_like(on_fake))
    report = {"d_real": _taken_for_real(on_real), "d_fake": _taken_for_real(on_fake)}
    if share and len(real) > 1:
        turn = 1 + int(torch.randint(len(real) - 1, (1,), generator=gan.random))
        on_wrong = discriminator(real, of_real.roll(turn, 0), kernels)
        loss = loss + share * bce(on_wrong, torch.zeros_like(on_wrong))
        report["d_wrong"] = _taken_for_real(on_wrong)
    gan.adam_d.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    gan.group.average_gradients(discriminator.parameters())
    if all(bool(p.grad.isfinite().all()) for p in discriminator.parameters() if p.grad is not None):
        gan.adam_d.step()
    discriminator.requires_grad_(False)
    return report | {"d": float(loss.detach())}


def _by_discriminator(gan: Gan, own: Tensor, leaf: Tensor, moments: Tensor) -> tuple[float, Tensor]:
    """The verdict on the paintings (BCE, not saturating) and its gradient at all of them."""
    discriminator = gan.discriminator
    logits = discriminator(own, moments) if isinstance(discriminator, StyleDiscriminator) else discriminator(own)
    verdict = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
    (gradient,) = torch.autograd.grad(verdict, leaf)
    return float(verdict.detach()), gradient


def _scaled_to(gradient: Tensor, others: Tensor, share: float) -> Tensor:
    """A gradient (N, ...) whose norm is, picture by picture, a share of the others'."""
    own, wanted = (t.flatten(1).norm(dim=1) for t in (gradient, others))
    scaled: Tensor = gradient * (share * wanted / own.clamp(min=1e-12)).view(-1, 1, 1, 1)
    return scaled


def _taken_for_real(logits: Tensor) -> float:
    return float(torch.sigmoid(logits.detach()).mean())
