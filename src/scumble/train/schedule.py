"""What changes over a run: Adam's rates, the weight of each term, the discriminator's part."""

from __future__ import annotations

from dataclasses import fields

from scumble.train.settings import LossSettings, ScheduleSettings

REWARM_STEPS = 300  # after a travel checkpoint Adam's moments must be found again

LEAST_RATE = 0.02  # share of the rate at the end of the decay

SLOW_KERNELS = 0.1  # share of the rate for kernels before `schedule.kernels_from`

TURNED = 4.0  # weight of turned pictures, in weights of motion


def rates(plan: ScheduleSettings, step: int, progress: float, rewarm_from: int | None) -> tuple[float, float]:
    """Adam's rates for the generator's kernels and for all else of it, at a step and a share of the run."""
    factor = min(1.0, (step + 1) / max(1, plan.warm_up))
    if plan.decay:
        factor *= 1 - (1 - LEAST_RATE) * max(0.0, (progress - (1 - plan.decay)) / plan.decay)
    if rewarm_from is not None:
        factor *= min(1.0, (step - rewarm_from + 1) / REWARM_STEPS)
    slow = SLOW_KERNELS if progress < plan.kernels_from else 1.0
    return plan.rate * factor * slow, plan.rate * factor


def discriminator_weight(plan: ScheduleSettings, losses: LossSettings, step: int, is_trained: bool) -> float:
    """Weight of the discriminator's verdict; 0 before it joins. `is_trained`: it was, before this run."""
    begins = 0 if is_trained else plan.adversarial_from
    if step < begins:
        return 0.0
    return losses.adversarial * min(1.0, (step - begins + 1) / max(1, plan.adversarial_ramp))


def term_weights(plan: ScheduleSettings, losses: LossSettings, step: int) -> dict[str, float]:
    """Weights of the generator's terms by name: each setting's own, but for those that share one or rise."""
    rise = min(1.0, (step + 1) / plan.motion_ramp) if plan.motion_ramp else 1.0
    own = {f.name: value for f in fields(losses) if isinstance(value := getattr(losses, f.name), int | float)}
    shared = {"half": losses.style * losses.half, "gram": losses.style * losses.gram}
    rising = {"motion": losses.motion * rise, "turned": TURNED * losses.motion * rise}
    return own | shared | rising
