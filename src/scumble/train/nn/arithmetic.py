"""In which arithmetic networks train: bfloat16 where the machine has it, float32 elsewhere."""

from __future__ import annotations

import torch


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """The type for `bf16`, `f32` or `auto`.

    `auto` takes bfloat16 only where the processor or the GPU multiplies in it. A processor without such instructions
    (AVX2 alone, as most desktops have) imitates it: a convolution was measured to take 7 to 13 times as long as in
    float32.
    """
    if precision == "auto":
        return torch.bfloat16 if has_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies in bfloat16 itself."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
