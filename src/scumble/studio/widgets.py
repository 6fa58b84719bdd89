"""Widgets of the page, made from the declarations of options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from scumble.core.options import Option, choices_of, defaults_of, hint_of, options_of
from scumble.rendering.options import RenderSettings
from scumble.studio.words import Words

FINE = 2.0  # sliders up to this breadth move by hundredths, others by twentieths


def on_the_page() -> dict[str, Option]:
    """The options that have a widget, by name, in the order of their declaration."""
    return {name: declared for name, declared in options_of(RenderSettings).items() if declared.page}


def widget(name: str, words: Words) -> Any:
    """The widget of an option, labelled in the page's language; its element id is the option's name."""
    declared, default = options_of(RenderSettings)[name], defaults_of(RenderSettings)[name]
    known: dict[str, Any] = {"label": words.of_option(name), "elem_id": name}
    if declared.page == "slider":
        least, most = declared.shown or declared.within or (0.0, 1.0)
        whole = hint_of(RenderSettings, name) is int
        step = 1 if whole else 0.01 if most - least <= FINE else 0.05
        return gr.Slider(least, most, default, step=step, **known)
    if declared.page == "check":
        return gr.Checkbox(default, **known)
    if declared.page == "choice":
        return gr.Dropdown(_choices(name, declared, words), value="", min_width=110, **known)
    return gr.Textbox(default or "", max_length=100, **known)


def _choices(name: str, declared: Option, words: Words) -> list[tuple[str, str]]:
    """The choices of a list: nothing first, then every word of the option."""
    if declared.among is not None:
        return [("auto", ""), *((word, word) for word in declared.among())]
    return [(words("off"), ""), *((words.of_option(w), w) for w in choices_of(hint_of(RenderSettings, name)))]


def asked(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """The values of widgets as a request has them: an empty list or line asks for nothing."""
    stripped = (value.strip() if isinstance(value, str) else value for value in values)
    return {name: value for name, value in zip(names, stripped, strict=True) if value not in ("", None)}


def painting_options() -> list[str]:
    """The options on the page that every painting takes."""
    return [name for name, declared in on_the_page().items() if declared.api == "paint"]


def rendering_options() -> list[str]:
    """The options on the page that renders take beside them."""
    return [name for name, declared in on_the_page().items() if declared.api == "render"]
