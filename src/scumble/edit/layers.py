"""Items of one track that overlap, laid in as many layers as they need."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


def layers(items: Iterable[T], span: Callable[[T], tuple[Any, Any]]) -> list[list[T]]:
    """Items in order of time, each in the first layer that is free by then; `span` gives begin and end."""
    laid: list[list[T]] = []
    for item in items:
        free = next((layer for layer in laid if span(layer[-1])[1] <= span(item)[0]), None)
        if free is None:
            laid.append([item])
        else:
            free.append(item)
    return laid
