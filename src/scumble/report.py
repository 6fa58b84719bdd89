"""A report as one HTML file that opens offline: figures, pictures and drawings, all inside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup

from scumble import __version__
from scumble.files import written_whole


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column is left-aligned, numbers to the right.

    `words` says that the last column is text too.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Picture:
    """An encoded picture (JPEG, PNG or WebP bytes) and what it shows."""

    data: bytes
    caption: str
    kind: str = "picture"

    @property
    def uri(self) -> Markup:
        """The picture as text."""
        start = {b"\xff\xd8": "jpeg", b"\x89P": "png"}.get(self.data[:2], "webp")
        return Markup(f"data:image/{start};base64,{base64.b64encode(self.data).decode()}")  # noqa: S704 - our own letters


@dataclass(frozen=True)
class Drawing:
    """SVG made by us, and what it shows."""

    svg: str
    caption: str
    kind: str = "drawing"

    @property
    def markup(self) -> Markup:
        """The drawing without its XML head, to stand inside HTML."""
        return Markup(self.svg[self.svg.index("<svg") :])  # noqa: S704 - drawn by us


@dataclass(frozen=True)
class Text:
    """A paragraph, or preformatted lines."""

    text: str
    preformatted: bool = False
    kind: str = "text"


Block = Table | Picture | Drawing | Text


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; `folded` ones open on a click."""

    heading: str
    blocks: Sequence[Block]
    folded: bool = False


def write(path: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write the page; it appears whole or not at all. Raises BadOutput."""
    source = resources.files("scumble").joinpath("data/report.html.jinja").read_text("utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page = environment.from_string(source).render(title=title, lead=lead, sections=sections, version=__version__)
    with written_whole(path) as part:
        part.write_text(page, "utf-8")
