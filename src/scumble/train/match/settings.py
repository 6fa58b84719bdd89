"""Every switch of a match, of a key frame and of refining, with one sentence each."""

from __future__ import annotations

from dataclasses import dataclass

from scumble.core.options import option
from scumble.train.settings import MachineSettings


@dataclass(frozen=True)
class MatchSettings(MachineSettings):
    """How a look learns from painted key frames."""

    minutes: float = option(20.0, "Time limit; 0 is none.")
    steps: int = option(100000, "Step limit.")
    patches: int = option(3, "Patches of painted frames a step.")
    free_patches: int = option(1, "Patches of frames that nobody painted a step.")
    patch: int = option(96, "Side of a patch in pixels of the network's picture.")
    pixels: float = option(4.0, "Weight of the mean absolute difference from the painting.")
    features: float = option(
        6.0, "Weight of the difference of VGG features, each layer relative to the painting's own size."
    )
    local: float = option(
        0.0, "Weight of the difference of means and deviations of features around each place from the painting's."
    )
    adversarial: float = option(0.2, "Weight of the discriminator's verdict on patches.")
    content: float = option(1.0, "Weight of the plate's structure on frames that nobody painted.")
    temporal: float = option(
        20.0, "Weight of painting and moving against moving and painting, on frames that nobody painted."
    )
    rate: float = option(1.5e-3, "Adam's rate.")
    ema: float = option(0.995, "Decay of the averaged weights.")
    check_every: int = option(100, "Steps between looks at the held-out parts.")
    patience: float = option(0.35, "Share of the run without a better look after which it ends; 0 never does.")


@dataclass(frozen=True)
class KeySettings(MachineSettings):
    """How a key frame is painted."""

    steps: int = option(50, "Steps at each size.")
    content: float = option(1.0, "Weight of the plate's structure.")
    moments: float = option(0.5, "Weight of the paintings' means and deviations of VGG features.")
    rate: float = option(0.01, "Adam's rate.")
    match_every: int = option(20, "Steps after which places are given their places of the paintings anew.")


@dataclass(frozen=True)
class RefineSettings:
    """How a look is refined on a show: key frames are painted, then it is matched to them."""

    keys: KeySettings = KeySettings()
    match: MatchSettings = MatchSettings()
