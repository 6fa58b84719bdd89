"""How far a work is: the one event of everything that takes time, from a render's frames to a training's steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Progress:
    """A work came one step further, or has something to say. Facts only: sentences are made where they are shown."""

    task: str = ""
    """What is under way: a shot, a file, "training"."""
    done: float = 0
    total: float = 0
    """`done` of `total`; 0 where there is nothing to count."""
    seconds: float = 0
    """Since the work began."""
    frame: int | None = None
    """The frame that is on disk now."""
    step: int | None = None
    """The training step that was made."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What an evaluation after that step gave."""
    judged: str = ""
    """On what: a split of the data set, or what was held out."""
    is_best: bool = False
    """Whether these are the best weights so far."""
    text: str = ""
    """A sentence for the user instead of a count."""
    is_note: bool = False
    """Whether that is something to act on: users find it again when the work is over."""


Listener = Callable[[Progress], None]


def ignore(event: Progress) -> None:
    """Listens to nothing."""


def note(text: str) -> Progress:
    """A sentence that the user should act on."""
    return Progress(text=text, is_note=True)


def said(text: str) -> Progress:
    """A sentence that says what happens."""
    return Progress(text=text)
