"""The machine of a run: its device, and the signals that stop it after the step in hand."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import torch

from scumble.core.errors import BadSettings


def device_of(name: str) -> torch.device:
    """The device of that name, or the best for `auto`. Raises BadSettings where there is none such."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and "LOCAL_RANK" in os.environ:  # torchrun starts a process for each
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        words = str(error).splitlines()[0]
        raise BadSettings(f"device {name!r} cannot be used ({words}); give cpu, or auto") from error
    return device


class Signals:
    """SIGINT and SIGTERM are noted while a step runs; a second signal is obeyed at once."""

    def __enter__(self) -> Signals:
        self.asked = 0
        self.before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, _: object) -> None:
        if self.asked:
            raise SystemExit(128 + number)
        self.asked = number

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
