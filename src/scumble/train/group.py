"""A training on several devices: every process learns its own batches, and their gradients are averaged.

Started by PyTorch's `torchrun`, which tells each process its place. The first process leads: it alone judges, saves and
writes, and tells the others of every step how far the run is. All begin with the same weights and make the same
steps, so their weights stay the same.

Not by Lightning Fabric or DistributedDataParallel, which average what a module's own backward pass gives: here the
gradients meet at the painting, where the discriminator's is scaled, and go to the weights from there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scumble.core.errors import TrainingFailed

PATIENCE = 2  # hours for which the others wait while the first process measures styles or evaluates


class Group:
    """The processes of a training; alone, everything here does nothing."""

    def __init__(self, count: int = 1, place: int = 0) -> None:
        self.count, self.place = count, place

    @classmethod
    def of_torchrun(cls) -> Group:
        """As the launcher says; one process without it."""
        return cls(int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0")))

    @property
    def leads(self) -> bool:
        return self.place == 0

    def join(self, device: torch.device) -> None:
        """Meet the other processes. Those that follow leave signals to the first one: it saves, and ends them."""
        if self.count == 1:
            return
        is_cuda = device.type == "cuda"
        self.device = device if is_cuda else torch.device("cpu")
        if is_cuda:
            torch.cuda.set_device(device)
        dist.init_process_group(
            "nccl" if is_cuda else "gloo", device_id=device if is_cuda else None, timeout=timedelta(hours=PATIENCE)
        )
        if not self.leads:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)

    def leave(self) -> None:
        """The end, whatever it was."""
        if self.count > 1 and dist.is_initialized():
            dist.destroy_process_group()

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """What the first process does here, such as filling a cache, is done before the others do the same."""
        if not self.leads:
            self.meet()
        yield
        if self.leads:
            self.meet()

    def meet(self) -> None:
        """All processes have come so far."""
        if self.count > 1:
            with _lost_is_said():
                dist.barrier()

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over all processes. Raises TrainingFailed where one is lost."""
        if self.count == 1:
            return value
        total = value.detach().clone()
        with _lost_is_said():
            dist.all_reduce(total)
        return total / self.count

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """The gradients of all processes, averaged in place: in one piece, as many small ones take longer."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = self.mean(torch.cat([g.reshape(-1) for g in gradients]))
        for gradient, own in zip(gradients, torch.split(mean, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(own.view_as(gradient))

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """Numbers by name, averaged over all processes: one that is not finite is so for all."""
        if self.count == 1 or not values:
            return values
        mean = self.mean(torch.tensor(list(values.values()), dtype=torch.float32, device=self.device))
        return dict(zip(values, mean.tolist(), strict=True))

    def lead(self, progress: float, goes_on: bool = True) -> None:
        """Tell the others how far the run is before a step, or that it is over."""
        if self.count > 1:
            with _lost_is_said():
                dist.broadcast(torch.tensor([progress, float(goes_on)], dtype=torch.float64, device=self.device), 0)

    def follow(self) -> float | None:
        """How far the run is, from the first process; None when it is over."""
        told = torch.zeros(2, dtype=torch.float64, device=self.device)
        with _lost_is_said():
            dist.broadcast(told, 0)
        progress, goes_on = told.tolist()
        return progress if goes_on else None


@contextmanager
def _lost_is_said() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise TrainingFailed("another process of the training was lost") from error
