"""What the page and the HTTP API ask for, checked: plates, looks and settings become a job's plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from scumble.core.options import defaults_of, hint_of, options_of
from scumble.rendering.options import RenderSettings

Word = Annotated[str, Field(max_length=200)]

Reference = Annotated[str, Field(max_length=1000)]

Share = Annotated[float, Field(ge=0, le=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class _Paint(_Strict):
    """A plate, a look and how it paints."""

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

    @property
    def settings(self) -> dict[str, Any]:
        """The options of `scumble render` that were asked for, by name."""
        return self.model_dump(include=set(options_of(RenderSettings)), exclude_defaults=True)


class _Preview(_Strict):
    """One frame, painted fast."""

    frame: int | None = None
    """Its number; the plate's first by default."""


class _Render(_Strict):
    """A shot, painted and written."""

    format: Literal["", "mp4", "mov", "mkv", "png", "exr", "tif", "dpx", "jpg", "webp"] = ""
    """By suffix: a movie, or a sequence (a still for a still); like the plate by default."""
    name: Word = ""
    """Name of the result's files; the plate's and the look's by default."""


def _fields(*requests: str) -> dict[str, Any]:
    """The options that these requests take, as fields of a model."""
    return {name: _field(name) for name, declared in options_of(RenderSettings).items() if declared.api in requests}


def _field(name: str) -> tuple[Any, Any]:
    """An option as a field: its type, and its default with its sentence and ends."""
    declared = options_of(RenderSettings)[name]
    hint = declared.web if declared.web is not None else hint_of(RenderSettings, name)
    default = defaults_of(RenderSettings)[name]
    if hint is str:
        hint, default = (Reference if declared.path else Word), default or ""
    elif str in get_args(hint):
        hint = Union[tuple(Word if part is str else part for part in get_args(hint))]  # noqa: UP007 - made of parts
    ends: dict[str, Any] = {}
    if declared.within is not None and hint in (int, float):
        ends = dict(zip(("ge", "le"), declared.within, strict=True))
    if name == "first_frame":
        ends = {"ge": -(10**8), "le": 10**8}
    return hint, Field(default=default, description=declared.help, **ends)


if TYPE_CHECKING:  # the options are not seen by type checkers: `settings` has them

    class PaintRequest(_Paint): ...

    class Preview(PaintRequest, _Preview): ...

    class Render(PaintRequest, _Render): ...

else:
    PaintRequest = create_model("PaintRequest", __base__=_Paint, __doc__=_Paint.__doc__, **_fields("paint"))
    Preview = create_model("Preview", __base__=(_Preview, PaintRequest), __doc__=_Preview.__doc__)
    Render = create_model("Render", __base__=(_Render, PaintRequest), __doc__=_Render.__doc__, **_fields("render"))


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
