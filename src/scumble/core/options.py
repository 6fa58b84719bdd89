"""Options, each declared once: a field of a settings class says all there is to say of it.

    keep_color: float = option(0.0, "0 takes the style's colours, 1 keeps the plate's.", panel="Colour", within=(0, 1))

Everything else is made from the declaration: the flag with its help (`cli/options.py`), the key of a settings file,
the argument of `scumble.render`, the field of the HTTP API (`studio/requests.py`), the page's widget
(`studio/widgets.py`), the row in docs/options.md, and the facts that decide whether a frame is done
(`rendering/recipe.py`).
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
import types
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, get_args, get_origin

from scumble.core.errors import BadOption, BadSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """What is known of an option beside its name, type and default."""

    help: str
    """One sentence for whoever uses it."""
    panel: str = ""
    """Heading of `--help` and of docs/options.md under which it stands."""
    within: tuple[float, float] | None = None
    """Least and greatest number, both allowed."""
    unit: str = ""
    """What the number counts, as in frames."""
    recipe: bool | str = False
    """True if pixels depend on the value itself; a text names the fact of the plan through which they do."""
    flag: str = ""
    """Long name on the command line; from the field's name otherwise."""
    also: tuple[str, ...] = ()
    """Other names of the flag."""
    metavar: str = ""
    """What stands for the value in `--help`."""
    text: Any = None
    """Type of the value on the command line, where it is not the field's own."""
    read: Callable[[Any], Any] | None = None
    """Makes the field's value of what was given. Raises BadSettings."""
    path: Literal["", "always", "perhaps"] = ""
    """Whether the text is a path, which a settings file names as seen from itself."""
    api: Literal["", "paint", "render"] = ""
    """Requests of the HTTP API that take it: every painting, or renders only."""
    web: Any = None
    """Type of the value in the API, where it is not the field's own."""
    among: Callable[[], Collection[str]] | None = None
    """The words of a list on the page, where the type does not have them."""
    page: Literal["", "slider", "check", "text", "choice"] = ""
    """Its widget on the page."""
    shown: tuple[float, float] | None = None
    """Ends of the page's slider, where `within` is too wide for a hand."""


def option(
    default: Any = dataclasses.MISSING, help: str = "", *, factory: Any = dataclasses.MISSING, **more: Any
) -> Any:
    """A field of a settings class that is an option; `more` are the fields of `Option`."""
    metadata = {"option": Option(help=help, **more)}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(settings: type[Any]) -> dict[str, Option]:
    """The options of a settings class by field name, in its order."""
    fields = dataclasses.fields(settings)
    return {f.name: f.metadata["option"] for f in fields if "option" in f.metadata}


def defaults_of(settings: type[Any]) -> dict[str, Any]:
    """The defaults of a settings class by field name."""
    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
        elif field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
    return defaults


def hint_of(settings: type[Any], name: str) -> Any:
    """The type of one field. Other fields are not evaluated: their types may not be imported."""
    hint = next(f.type for f in dataclasses.fields(settings) if f.name == name)
    if isinstance(hint, str):
        owner = next(c for c in settings.__mro__ if name in inspect.get_annotations(c))
        hint = eval(hint, vars(sys.modules[owner.__module__]))  # noqa: S307 - our own source
    return hint


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The words of a Literal, on its own or beside None; none for any other type."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(word for part in get_args(hint) for word in choices_of(part))
    return ()


def flag_of(name: str, declared: Option) -> str:
    """The long name on the command line, without its dashes."""
    return declared.flag or name.replace("_", "-")


def describe(settings: type[Any]) -> dict[str, str]:
    """The sentence of every option."""
    return {name: declared.help for name, declared in options_of(settings).items()}


def check(settings: Any) -> None:
    """Every value is one of its words and within its ends. Raises BadOption naming the flag and what it takes."""
    kind = type(settings)
    for name, declared in options_of(kind).items():
        value, flag = getattr(settings, name), flag_of(name, declared)
        if declared.within is not None:
            least, most = declared.within
            values = getattr(value, "values", (value,))  # of keys over frames
            if not all(v is None or least <= v <= most for v in values):
                count = f"a number of {declared.unit}" if declared.unit else "a number"
                raise BadOption(f"{flag} {value}: give {count} from {least:g} to {most:g}")
        elif declared.read is None:  # a reader knows its words
            hint = hint_of(kind, name)
            words = choices_of(hint)
            if words and value not in words and not (value is None and type(None) in get_args(hint)):
                raise BadOption(f"{flag} {value!r}: give one of {', '.join(map(str, words))}")


def read(settings: type[T], given: Mapping[str, Any], what: str) -> T:
    """Settings of values as they stand on a command line or in a request. Raises BadSettings.

    `what` takes the settings, as in `render`: it is named where a value has no field.
    """
    declared = options_of(settings)
    values = {}
    for name, value in given.items():
        if name not in declared:
            near = difflib.get_close_matches(name, declared, 1)
            raise BadSettings(f"{what}: no setting {name!r}{f'; did you mean {near[0]}?' if near else ''}")
        reader = declared[name].read
        values[name] = value if reader is None or value is None else reader(value)
    try:
        return settings(**values)
    except TypeError as error:  # a word where a number should be
        raise BadSettings(
            f"{what}: a setting of another kind than its field ({error}); see {settings.__name__}"
        ) from error


def recipe_of(settings: Any) -> dict[str, Any]:
    """The values that pixels depend on by themselves, by name, as JSON can hold them."""
    return {
        name: list(value) if isinstance(value := getattr(settings, name), tuple) else value
        for name, declared in options_of(type(settings)).items()
        if declared.recipe is True
    }
