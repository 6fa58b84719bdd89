"""What the page and the HTTP API ask for, checked: plates, looks and settings become a job's plain values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(max_length=200)]

Reference = Annotated[str, Field(max_length=1000)]

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class PaintRequest(_Strict):
    """A plate, a look and how it paints: the flags of `scumble render` that a picture hangs on."""

    plate: Reference
    """`upload:ID`, or a path in an allowed folder: a movie, a still, a sequence such as shot.####.exr."""
    look: Word = ""
    """Name of a shipped look or of one of your own."""
    styles: list[Reference] = Field(default=[], max_length=12)
    """Uploads of style pictures, instead of a look."""
    second: Word = ""
    """Name of another look to mix in."""
    mix: Share = 0.0
    """Share of the second look."""
    strength: float | Word = 1.0
    """0 keeps the plate, 1 is the painting; or keys over frames, as in 1001:0,1050:1."""
    stroke: float = 1.0
    """Size of strokes, 0.1 to 20."""
    keep_color: Share = 0.0
    """1 keeps the plate's colours."""
    keep_exposure: Share = 0.0
    """1 keeps the plate's light and dark."""
    hold_blacks: bool = False
    """Leave what is near the plate's black and white points."""
    carry: Share = 1.0
    """How much of its key frames a matched look carries along."""
    lines: int | Literal["full"] | None = None
    """Lines at which the network sees the plate."""
    matte: Reference = ""
    """Where to paint: auto:person, channel:NAME, crypto:OBJECT, an upload or a path in an allowed folder."""
    invert_matte: bool = False
    """Paint outside the matte."""
    feather: float = 0.0
    """Pixels over which the matte's edge is softened."""
    layer: Word = ""
    """Colour layer of an EXR."""
    in_space: Word = ""
    """Colour space of the plate."""
    missing: Literal["error", "hold", "skip"] = "error"
    """What to do about frames that the sequence lacks."""
    first_frame: int | None = Field(default=None, ge=-(10**8), le=10**8)
    """Number of the plate's first frame."""


class Preview(PaintRequest):
    """One frame, painted fast."""

    frame: int | None = None
    """Its number; the plate's first by default."""


class Render(PaintRequest):
    """A shot, painted and written."""

    format: Literal["", "mp4", "mov", "mkv", "png", "exr", "tif", "dpx", "jpg", "webp"] = ""
    """By suffix: a movie, or a sequence (a still for a still); like the plate by default."""
    name: Word = ""
    """Name of the result's files; the plate's and the look's by default."""
    frames: Word = ""
    """Frames to paint, as in 1001-1100x2."""
    stabilize: Literal["vectors", "flow"] | None = None
    """Average every frame with its neighbours along the motion."""
    grain: Literal["keep", "remove"] | None = None
    """Take the plate's grain off before painting; give it back, or not."""
    cuts: Literal["auto", "none"] | None = None
    """Where shots begin."""
    on: int = 1
    """Paint every so many frames and hold them."""
    precision: Literal["auto", "f32", "fast"] = "auto"
    """auto: fast for 8-bit movies."""
    codec: Word = ""
    """Codec of a movie."""
    quality: int = 85
    """0 to 100."""
    out_space: Word = ""
    """Colour space of the result."""
    frame_rate: Word = ""
    """Frames per second of a movie made from a sequence."""
    compare: Literal["side", "wipe", "stack"] | None = None
    """The plate beside the painting."""
    burn_in: bool = False
    """Write shot, frame and look into the picture."""


class PaintedFrame(_Strict):
    """A key frame that was painted over."""

    frame: int
    picture: Reference


class Match(_Strict):
    """A look learned from painted key frames of a shot."""

    plate: Reference
    keys: list[PaintedFrame] = Field(min_length=1, max_length=24)
    name: Word
    minutes: float = Field(default=20.0, gt=0, le=24 * 60)
    start: Word = ""
    """Look to start from; one made from the painted frames by default."""
    carry: bool = True
    """Keep the painted frames in the look."""
    in_space: Word = ""
    layer: Word = ""


class Train(_Strict):
    """A look trained on footage and style pictures."""

    content: list[Reference] = Field(min_length=1, max_length=24)
    styles: list[Reference] = Field(min_length=1, max_length=100)
    name: Word
    minutes: float = Field(default=20.0, gt=0, le=24 * 60)
    start: Word = ""
    """Look to start from; one made from the style pictures by default."""
    from_scratch: bool = False
    in_space: Word = ""
    layer: Word = ""


class Qc(_Strict):
    """The quality report of a render that is done."""

    job: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


KINDS: dict[str, type[_Strict]] = {"render": Render, "match": Match, "train": Train, "qc": Qc}


def with_defaults(kind: str, request: dict[str, Any]) -> Any:
    """A job's request as it was asked."""
    return KINDS[kind](**request)
