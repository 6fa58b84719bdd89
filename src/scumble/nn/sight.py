"""The style as a network that learned to see has it: what a universal generator is told beside its own encoder's view.

An encoder that learns from a thousand artworks knows few styles well; the first layers of the
perceptual network know texture already, and the moments of their features are the very quantities that a
style term compares. They are frozen, and become part of the generator's weights.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scumble.network import SIGHT, SIGHT_CODE, SIGHT_HIDDEN, SIGHT_LIMIT
from scumble.nn import losses
from scumble.nn.perceptual import PerceptualFeatures


class Sight(nn.Module):
    """Sees style pictures (N, 3, H, W) in [0, 1]; gives codes (N, SIGHT_CODE) in float32.

    Moments enter as logarithms, standardised by `usual` and `spread` (`calibrate`). The features are
    zeros until `look_through` or a file fills them.
    """

    usual: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        shapes = [(name.replace("relu", "conv"), fan_in, channels) for name, fan_in, channels in SIGHT]
        empty = {f"{name}.weight": torch.zeros(channels, fan_in, 3, 3) for name, fan_in, channels in shapes}
        empty |= {f"{name}.bias": torch.zeros(channels) for name, _, channels in shapes}
        self.features = PerceptualFeatures(empty, SIGHT[-1][0], persistent=True)
        seen = 2 * sum(channels for _, _, channels in SIGHT)
        self.register_buffer("usual", torch.zeros(seen))
        self.register_buffer("spread", torch.ones(seen))
        self.hidden = nn.Linear(seen, SIGHT_HIDDEN)
        self.code = nn.Linear(SIGHT_HIDDEN, SIGHT_CODE)

    def look_through(self, features: PerceptualFeatures) -> None:
        """Take over the first layers of a perceptual network, in its precision."""
        self.features.load_state_dict(features.state_dict_of(self.features))
        self.features.to(features.dtype)

    @torch.no_grad()
    def calibrate(self, pictures: Iterable[Tensor]) -> None:
        """Set what is usual by style pictures (1, 3, H, W)."""
        seen = torch.cat([self.moments(picture) for picture in pictures])
        self.usual.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp(min=0.05))

    def moments(self, pictures: Tensor) -> Tensor:
        """Logarithms of means and deviations, layer by layer: (N, F)."""
        names = [name for name, _, _ in SIGHT]
        with torch.no_grad():
            found = self.features(pictures, names)
            parts = [losses.statistics(found[name]) for name in names]
            return torch.cat([torch.log1p(torch.cat([p.mean, p.deviation], dim=1)) for p in parts], dim=1)

    def forward(self, pictures: Tensor) -> Tensor:
        standard = ((self.moments(pictures) - self.usual) / self.spread).clamp(-SIGHT_LIMIT, SIGHT_LIMIT)
        code: Tensor = self.code(F.relu(self.hidden(standard)))
        return code.float()
