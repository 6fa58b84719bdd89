"""A matte as it is asked for: the text of `RenderSettings.matte`, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

NamedKind = Literal["channel", "crypto", "auto", "nowhere"]


@dataclass(frozen=True)
class MatteSpec:
    """`PATH`, `channel:NAME`, `crypto:NAME[,NAME...]`, `auto:person`, or `nowhere:`, which paints nothing."""

    kind: Literal["path"] | NamedKind
    name: str = ""

    @classmethod
    def parse(cls, words: str) -> MatteSpec:
        """Whatever begins with no known kind is a path."""
        kind, colon, name = words.partition(":")
        for known in get_args(NamedKind):
            if colon and kind == known:
                return cls(known, name)
        return cls("path", words)

    def __str__(self) -> str:
        return self.name if self.kind == "path" else f"{self.kind}:{self.name}"


NOWHERE = MatteSpec("nowhere")
