"""Normalisation with affine terms and ReLU as one pass over memory, forward and backward.

Written plainly, half of a training step is spent in normalisation: autograd keeps five pictures and reads each
several times. Here one function goes forward and one backward, with channels last. `Fused(compiled=True)` lets
`torch.compile` make one kernel of each; without a C++ compiler they run as they are written.

Shapes: x (N, C, H, W), channels last; gamma, beta (N, C), float32. `views` neighbours in the batch are views of one
shot and share their statistics.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from scumble.network.shape import EPSILON, MOMENT_EPSILON

RECOMPILED = 512  # limit of compiled programs: every shape of layer has one


def normalised_forward(v: Tensor, gamma: Tensor, beta: Tensor, relu: bool, views: int) -> tuple[Tensor, Tensor, Tensor]:
    """Places (N, H·W, C) normalised; with the mean and the reciprocal deviation (N, C) that were taken out."""
    n, places, channels = v.shape
    wide = v.view(n // views, views * places, channels).float()
    mean = wide.mean(1)
    rate = torch.rsqrt(((wide * wide).mean(1) - mean * mean).clamp_min(0) + EPSILON)
    mean, rate = mean.repeat_interleave(views, 0), rate.repeat_interleave(views, 0)
    scale = rate * gamma
    y = v.float() * scale[:, None] + (beta - mean * scale)[:, None]
    return (torch.relu(y) if relu else y).to(v.dtype), mean, rate


def normalised_backward(
    gradient: Tensor, v: Tensor, y: Tensor, mean: Tensor, rate: Tensor, gamma: Tensor, relu: bool, views: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of v, gamma and beta."""
    n, places, channels = v.shape
    g = gradient.float()
    if relu:
        g = g * (y > 0)
    x = (v.float() - mean[:, None]) * rate[:, None]
    of_beta, of_gamma = g.sum(1), (g * x).sum(1)
    shift, turn = of_beta * gamma, of_gamma * gamma
    if views > 1:
        shift, turn = (t.view(n // views, views, channels).sum(1).repeat_interleave(views, 0) for t in (shift, turn))
    count = places * views
    of_v = rate[:, None] * (g * gamma[:, None] - shift[:, None] / count - x * turn[:, None] / count)
    return of_v.to(v.dtype), of_gamma, of_beta


def affine_forward(v: Tensor, gamma: Tensor, beta: Tensor, relu: bool) -> Tensor:
    """Places (N, H·W, C) under affine terms alone."""
    y = v.float() * gamma[:, None] + beta[:, None]
    return (torch.relu(y) if relu else y).to(v.dtype)


def affine_backward(gradient: Tensor, v: Tensor, y: Tensor, gamma: Tensor, relu: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of v, gamma and beta."""
    g = gradient.float()
    if relu:
        g = g * (y > 0)
    return (g * gamma[:, None]).to(v.dtype), (g * v.float()).sum(1), g.sum(1)


def moments_forward(v: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (N, C) over places (N, H·W, C)."""
    wide = v.float()
    mean = wide.mean(1)
    return mean, torch.sqrt(((wide * wide).mean(1) - mean * mean).clamp_min(0) + MOMENT_EPSILON)


def moments_backward(v: Tensor, of_mean: Tensor, of_deviation: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Gradient of v."""
    places = v.shape[1]
    away = (v.float() - mean[:, None]) / deviation[:, None]
    return ((of_mean[:, None] + of_deviation[:, None] * away) / places).to(v.dtype)


def instance_normalised(x: Tensor) -> Tensor:
    """Features (N, C, H, W) with mean 0 and variance 1 a channel, in float32: what is left without the style."""
    wide = x.float()
    variance, mean = torch.var_mean(wide, dim=(2, 3), keepdim=True, correction=0)
    return (wide - mean) * torch.rsqrt(variance + 1e-3)


PASSES = (
    normalised_forward,
    normalised_backward,
    affine_forward,
    affine_backward,
    moments_forward,
    moments_backward,
    instance_normalised,
)


@cache
def passes(compiled: bool) -> dict[str, Callable[..., Any]]:
    """The functions above by name, compiled once a process."""
    if not compiled:
        return {f.__name__: f for f in PASSES}
    dynamo = torch._dynamo.config
    dynamo.recompile_limit = max(dynamo.recompile_limit, RECOMPILED)
    dynamo.accumulated_recompile_limit = max(dynamo.accumulated_recompile_limit, 8 * RECOMPILED)
    return {f.__name__: torch.compile(f, dynamic=False) for f in PASSES}


def can_compile() -> bool:
    """Whether `torch.compile` finds the C++ compiler that it needs for CPUs."""
    try:
        from torch._inductor.cpp_builder import get_cpp_compiler

        return bool(get_cpp_compiler())
    except Exception:  # whatever the library raises where there is none
        return False


class Fused:
    """The passes over pictures, with autograd."""

    def __init__(self, compiled: bool = False) -> None:
        self.compiled = compiled

    def normalise(self, x: Tensor, gamma: Tensor, beta: Tensor, relu: bool, views: int = 1) -> Tensor:
        """Instance normalisation, pooled over `views`, affine terms and perhaps ReLU."""
        y: Tensor = _Normalise.apply(x, gamma, beta, relu, views, self.compiled)  # type: ignore[no-untyped-call]
        return y

    def affine(self, x: Tensor, gamma: Tensor, beta: Tensor, relu: bool) -> Tensor:
        """Affine terms and perhaps ReLU."""
        y: Tensor = _Affine.apply(x, gamma, beta, relu, self.compiled)  # type: ignore[no-untyped-call]
        return y

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (N, C) of features, in float32."""
        moments: tuple[Tensor, Tensor] = _Moments.apply(x, self.compiled)  # type: ignore[no-untyped-call]
        return moments

    def instance_normalised(self, x: Tensor) -> Tensor:
        """See the function of that name."""
        y: Tensor = passes(self.compiled)["instance_normalised"](x)
        return y


def _places(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N, H·W, C): no copy where channels lie last."""
    n, c, h, w = x.shape
    return x.permute(0, 2, 3, 1).reshape(n, h * w, c).contiguous()


def _picture(v: Tensor, shape: torch.Size) -> Tensor:
    n, c, h, w = shape
    return v.view(n, h, w, c).permute(0, 3, 1, 2)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, relu: bool, views: int, compiled: bool) -> Tensor:
        v = _places(x)
        y, mean, rate = passes(compiled)["normalised_forward"](v, gamma, beta, relu, views)
        ctx.save_for_backward(v, y, mean, rate, gamma)
        ctx.how = (relu, views, compiled, x.shape)
        return _picture(y, x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        relu, views, compiled, shape = ctx.how
        of_v, of_gamma, of_beta = passes(compiled)["normalised_backward"](
            _places(gradients[0]), *ctx.saved_tensors, relu, views
        )
        return _picture(of_v, shape), of_gamma, of_beta, None, None, None


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, relu: bool, compiled: bool) -> Tensor:
        v = _places(x)
        y = passes(compiled)["affine_forward"](v, gamma, beta, relu)
        ctx.save_for_backward(v, y, gamma)
        ctx.how = (relu, compiled, x.shape)
        return _picture(y, x.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        relu, compiled, shape = ctx.how
        of_v, of_gamma, of_beta = passes(compiled)["affine_backward"](_places(gradients[0]), *ctx.saved_tensors, relu)
        return _picture(of_v, shape), of_gamma, of_beta, None, None


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, compiled: bool) -> tuple[Tensor, Tensor]:
        v = _places(x)
        mean, deviation = passes(compiled)["moments_forward"](v)
        ctx.save_for_backward(v, mean, deviation)
        ctx.how = (compiled, x.shape)
        return mean, deviation

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        v, mean, deviation = ctx.saved_tensors
        compiled, shape = ctx.how
        of_mean, of_deviation = (g.contiguous() for g in gradients)
        of_v = passes(compiled)["moments_backward"](v, of_mean, of_deviation, mean, deviation)
        return _picture(of_v, shape), None
