"""A report as one HTML file that opens offline: figures, pictures and drawings, all inside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from scumble.core.files import written_whole
from scumble.core.version import __version__


@dataclass(frozen=True)
class Link:
    """A cell that leads to another page; `href` is relative to this one."""

    text: str
    href: str


@dataclass(frozen=True)
class Table:
    """Rows of text under a head; the first column is left-aligned, numbers to the right.

    `words` says that the last column is text too.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str | Link]]
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


def jpeg(pixels: NDArray[np.float32], quality: int = 88) -> bytes:
    """A picture (H, W, 3) in [0, 1] as a JPEG's bytes, for `Picture`."""
    codes = (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(codes[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def curves(series: Mapping[str, tuple[Sequence[int], Sequence[float]]], over: str = "step") -> str:
    """Lines over steps or frames as SVG; a long noisy one is drawn faintly under its moving mean."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    grey = "#888888"
    look: Any = {"svg.fonttype": "none", "svg.hashsalt": "scumble", "font.size": 9, "axes.edgecolor": grey}
    look |= dict.fromkeys(("xtick.color", "ytick.color", "text.color"), grey)
    with mpl.rc_context(look):
        figure = Figure(figsize=(4.6, 2.4), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        for i, (name, (steps, values)) in enumerate(series.items()):
            y, colour = np.asarray(values, np.float64), f"C{i}"
            width = max(1, len(y) // 40)
            if width > 1:
                axes.plot(steps, y, color=colour, alpha=0.2, linewidth=0.7)
                around = np.pad(y, (width // 2, width - 1 - width // 2), mode="edge")
                y = np.convolve(around, np.full(width, 1 / width), mode="valid")
            axes.plot(steps, y, color=colour, linewidth=1.4, label=name)
        axes.set_facecolor("none")
        axes.set_xlabel(over, color=grey)
        axes.margins(x=0)
        if len(series) > 1:
            axes.legend(frameon=False)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()
