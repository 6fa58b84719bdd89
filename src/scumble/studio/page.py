"""The page: a shot, a painting, one click. Gradio shows it; every click calls what the API calls."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import gradio as gr
import numpy as np
from pydantic import ValidationError

from scumble.core.errors import BadInput, ScumbleError
from scumble.core.files import written_whole
from scumble.core.frames import Pixels, key_number
from scumble.core.pixels import resized
from scumble.core.version import __version__
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.studio.preview import WIDTH
from scumble.studio.requests import Match, PaintedFrame, Preview, Render, Train
from scumble.studio.studio import Studio
from scumble.studio.submit import own_name, submit
from scumble.studio.widgets import asked, on_the_page, widget
from scumble.studio.words import LANGUAGES, Words
from scumble.studio.work import fitting, shown

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio reads it: nothing leaves this machine

os.environ.setdefault("HF_HUB_OFFLINE", "1")

DARK = "__theme=dark"

FIRST = ("strength", "stroke", "keep_color")  # options that stand above the fold

FORMATS = [suffix for suffix in get_args(Render.model_fields["format"].annotation) if suffix]


class Page:
    """The page in one language. Components are attributes; `values` are those that say how a shot is painted."""

    def __init__(self, studio: Studio, words: Words) -> None:
        self.studio, self.words = studio, words

    def _said(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """What a user can mend comes as one sentence on the page."""

        @functools.wraps(call)
        def safe(*values: Any) -> Any:
            try:
                return call(*values)
            except (ScumbleError, ValidationError, OSError, MemoryError, OverflowError) as error:
                raise gr.Error(self._sentence(error), duration=8, print_exception=False) from error

        return safe

    def _sentence(self, error: Exception) -> str:
        words = str(error) or type(error).__name__
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            words = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        return escape(self.studio.readable(words))

    def build(self) -> gr.Blocks:
        """The page, wired."""
        w = self.words
        with gr.Blocks(
            title="Scumble studio", analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400)
        ) as page:
            other = LANGUAGES[1 - LANGUAGES.index(w.language)]
            gr.HTML(
                f'<div id="top"><h1>Scumble studio</h1><span id="keys">{w("keys")}</span><span class="gap"></span>'
                f'<span id="disk"></span><button id="dark">{w("dark")}</button>'
                f'<a href="/{other}/?{DARK}">{w("other")}</a><a href="/api" target="_blank">{w("api")}</a>'
                f"<span>{__version__}</span></div>"
            )
            self.plate, self.facts, self.style = gr.State(""), gr.State({}), gr.State("")
            self.matte_plate, self.keys = gr.State(""), gr.State({})
            with gr.Tabs(elem_id="tabs"):
                with gr.Tab(w("paint_tab"), id="paint_tab"):
                    self._paint_tab()
                with gr.Tab(w("queue_tab"), id="queue_tab"):
                    gr.HTML('<div id="queue"></div>')
                with gr.Tab(w("match_tab"), id="match_tab"):
                    self._match_tab()
                with gr.Tab(w("train_tab"), id="train_tab"):
                    self._train_tab()
                with gr.Tab(w("looks_tab"), id="looks_tab") as looks_tab:
                    self._looks_tab()
            self._wire(page, looks_tab)
            page.queue(default_concurrency_limit=4)
        blocks: gr.Blocks = page
        return blocks

    # -- what is on it ----------------------------------------------------------------------------

    def _paint_tab(self) -> None:
        w = self.words
        with gr.Row():
            with gr.Column(scale=2, min_width=340):
                with gr.Row():
                    self.file = gr.File(
                        label=w("plate"), file_count="multiple", elem_id="plate", height=104, min_width=150
                    )
                    self.style_files = gr.File(
                        label=w("styles"), file_count="multiple", elem_id="styles", height=104, min_width=150
                    )
                self.named = gr.Dropdown(
                    self.studio.desk.plates(),
                    label=w("named"),
                    value=None,
                    allow_custom_value=True,
                    elem_id="named",
                    visible=bool(self.studio.desk.folders),
                )
                self.look = gr.Dropdown(self._names(), label=w("look"), value="auvers", elem_id="look")
                with gr.Row():
                    self.paint = gr.Button(w("paint"), variant="primary", elem_id="paint")
                    self.render = gr.Button(w("render"), elem_id="render")
                self.options: dict[str, Any] = {name: widget(name, w) for name in FIRST}
                self.second = gr.Dropdown(
                    [(w("none"), ""), *self._names()], label=w("second"), value="", elem_id="second"
                )
                self.mix = gr.Slider(0, 1, 0.5, step=0.01, label=w("mix"), elem_id="mix", visible=False)
                choices = [
                    (w(k), v)
                    for k, v in (("everywhere", ""), ("people", "in"), ("around", "out"), ("own_matte", "own"))
                ]
                self.matte = gr.Radio(choices, value="", label=w("matte"), elem_id="matte")
                self.matte_file = gr.File(label=w("matte_file"), file_count="multiple", visible=False, height=110)
                self.feather = gr.Slider(0, 100, 0, step=1, label=w("feather"), visible=False)
                with gr.Accordion(w("more"), open=False):
                    rest = {n: declared for n, declared in on_the_page().items() if n not in FIRST}
                    lists = [n for n, declared in rest.items() if declared.page == "choice"]
                    self.options |= {name: widget(name, w) for name in rest if name not in lists}
                    self.range = gr.Textbox("", label=w("range"), max_length=200, elem_id="range")
                    with gr.Row():
                        self.format = gr.Dropdown(
                            [(w("as_plate"), ""), *FORMATS],
                            value="",
                            label=w("format"),
                            min_width=110,
                            elem_id="format",
                        )
                        self.options |= {name: widget(name, w) for name in lists}
            with gr.Column(scale=5, min_width=480):
                self.wipe = gr.ImageSlider(
                    label=w("wipe"), format="png", interactive=False, elem_id="wipe", max_height=620
                )
                self.frame = gr.Slider(1, 2, 1, step=1, label=w("frame"), elem_id="frame", visible=False)
                self.status = gr.Markdown(w("drop_first"), elem_id="status")
                gr.HTML('<div id="now"></div>')

    def _match_tab(self) -> None:
        w = self.words
        gr.Markdown(w("match_lead"))
        with gr.Row():
            with gr.Column():
                self.painted = gr.File(label=w("painted"), file_count="multiple", elem_id="painted", height=140)
                self.table = gr.Dataframe(
                    headers=[w("picture"), w("frame")],
                    datatype=["str", "number"],
                    column_count=2,
                    label=w("key_frames"),
                    interactive=True,
                    static_columns=[0],
                    elem_id="keys_table",
                )
            with gr.Column():
                self.match_name = gr.Textbox("", label=w("name"), max_length=80, elem_id="match_name")
                self.match_minutes = gr.Number(
                    20, label=w("minutes"), minimum=0.1, maximum=1440, elem_id="match_minutes"
                )
                self.match = gr.Button(w("start_match"), variant="primary", elem_id="match")

    def _train_tab(self) -> None:
        w = self.words
        gr.Markdown(w("train_lead"))
        with gr.Row():
            with gr.Column():
                self.footage = gr.File(label=w("footage"), file_count="multiple", elem_id="footage", height=140)
                self.train_styles = gr.File(
                    label=w("styles"), file_count="multiple", elem_id="train_styles", height=140
                )
            with gr.Column():
                self.train_name = gr.Textbox("", label=w("name"), max_length=80, elem_id="train_name")
                self.train_minutes = gr.Number(
                    20, label=w("minutes"), minimum=0.1, maximum=1440, elem_id="train_minutes"
                )
                self.scratch = gr.Checkbox(False, label=w("scratch"))
                self.train = gr.Button(w("start_train"), variant="primary", elem_id="train")

    def _looks_tab(self) -> None:
        w = self.words
        with gr.Row():
            with gr.Column(scale=3):
                with gr.Row():
                    self.search = gr.Textbox("", label=w("search"), max_length=80, elem_id="search")
                    self.show_looks = gr.Button(w("show_looks"), elem_id="show_looks")
                self.gallery = gr.Gallery(
                    label=w("gallery"),
                    columns=4,
                    height=560,
                    allow_preview=False,
                    format="jpeg",
                    object_fit="contain",
                    elem_id="gallery",
                )
            with gr.Column(scale=1, min_width=280):
                self.chosen = gr.State("")
                self.about = gr.Markdown(w("choose_look"), elem_id="about")
                self.use = gr.Button(w("use"), variant="primary", elem_id="use", interactive=False)
                self.export = gr.DownloadButton(w("export"), elem_id="export", interactive=False)
                self.new_name = gr.Textbox("", label=w("new_name"), max_length=80, elem_id="new_name")
                with gr.Row():
                    self.rename = gr.Button(w("rename"), elem_id="rename", interactive=False, min_width=90)
                    self.delete = gr.Button(w("delete"), elem_id="delete", interactive=False, min_width=90)
                self.make = gr.Button(w("make_look"), elem_id="make")
                self.bring = gr.UploadButton(w("import"), file_types=[".look"], elem_id="import")
                self.provenance = gr.JSON(label=w("provenance"), max_height=320)

    # -- what it does -----------------------------------------------------------------------------

    def _wire(self, page: gr.Blocks, looks_tab: gr.Tab) -> None:
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        private: dict[str, Any] = {"api_visibility": "private"}
        new_plate = [self.plate, self.facts, self.frame, self.wipe, self.status, self.file, self.named]
        self.file.upload(self.take_plate, [self.file], new_plate, **private)
        self.file.clear(self.no_plate, None, new_plate, **quiet)
        self.named.input(self.name_plate, [self.named], new_plate, **private)
        self.style_files.upload(self.take_style, [self.style_files], [self.style, self.style_files], **private)
        self.style_files.clear(lambda: "", None, [self.style], **quiet)
        self.matte.change(
            lambda v: (gr.update(visible=v == "own"), gr.update(visible=v != "")),
            [self.matte],
            [self.matte_file, self.feather],
            **quiet,
        )
        self.second.change(lambda name: gr.update(visible=bool(name)), [self.second], [self.mix], **quiet)
        self.matte_file.upload(self.take_style, [self.matte_file], [self.matte_plate, self.matte_file], **private)
        self.matte_file.clear(lambda: "", None, [self.matte_plate], **quiet)
        values = [*self._values(), self.frame]
        painted = [self.wipe, self.status]
        self.paint.click(self._said(self.show), values, painted, **private)
        sliders = [c for name, c in self.options.items() if isinstance(c, gr.Slider) and name in self.painting]
        boxes: list[Any] = [
            c for name, c in self.options.items() if isinstance(c, gr.Checkbox) and name in self.painting
        ]
        scrubbed: list[Any] = [s.release for s in (self.frame, self.mix, self.feather, *sliders)]
        scrubbed += [c.input for c in (self.look, self.second, self.matte, *boxes)]
        gr.on(
            scrubbed, self._said(self.follow), values, painted, trigger_mode="always_last", show_progress="minimal",
            api_visibility="private",
        )  # fmt: skip
        rendered = [self.range, self.format, *(self.options[name] for name in self.rendering)]
        self.render.click(self._said(self.queue), [*self._values(), *rendered], None, **private)
        self.painted.upload(
            self._said(self.take_keys), [self.painted, self.facts, self.frame], [self.keys, self.table], **private
        )
        self.painted.clear(lambda: ({}, []), None, [self.keys, self.table], **quiet)
        asked = [self.plate, self.keys, self.table, self.match_name, self.match_minutes, self.options["in_space"]]
        self.match.click(self._said(self.start_match), asked, None, **private)
        asked = [
            self.plate,
            self.footage,
            self.train_styles,
            self.train_name,
            self.train_minutes,
            self.scratch,
            self.options["in_space"],
        ]
        self.train.click(self._said(self.start_train), asked, None, **private)
        lists = [self.look, self.second, self.named]
        shown_looks = [self.plate, self.frame, self.search]
        page.load(self.lists, None, lists, **quiet)
        looks_tab.select(self._said(self.thumbnails), shown_looks, [self.gallery], **private)
        self.show_looks.click(self._said(self.thumbnails), shown_looks, [self.gallery], **private)
        self.search.submit(self._said(self.thumbnails), shown_looks, [self.gallery], **private)
        about = [self.chosen, self.about, self.provenance, self.use, self.export, self.rename, self.delete]
        self.gallery.select(self._said(self.choose), None, about, **private)
        self.use.click(lambda name: gr.update(value=name), [self.chosen], [self.look], **quiet)
        again = dict(fn=self._said(self.thumbnails), inputs=shown_looks, outputs=[self.gallery], **private)
        self.rename.click(
            self._said(self.studio.rename), [self.chosen, self.new_name], [self.chosen], **private
        ).success(self.lists, None, lists, **quiet).success(**again)
        self.delete.click(self._said(self.forget), [self.chosen], about, **private).success(
            self.lists, None, lists, **quiet
        ).success(**again)
        self.make.click(self._said(self.make_look), [self.style, self.new_name], None, **private).success(
            self.lists, None, lists, **quiet
        ).success(**again)
        self.bring.upload(self._said(self.import_look), [self.bring], None, **private).success(
            self.lists, None, lists, **quiet
        ).success(**again)

    def _names(self) -> list[str]:
        return [look["name"] for look in self.studio.looks()]

    def lists(self) -> tuple[Any, Any, Any]:
        """The looks and named plates of the moment, for their lists."""
        names = self._names()
        others = [(self.words("none"), ""), *names]
        return gr.update(choices=names), gr.update(choices=others), gr.update(choices=self.studio.desk.plates())

    def _values(self) -> list[Any]:
        fixed = [self.plate, self.style, self.look, self.second, self.mix, self.matte, self.matte_plate, self.feather]
        return [*fixed, *(self.options[name] for name in self.painting)]

    @property
    def painting(self) -> list[str]:
        """The options on the page that every painting takes."""
        return [name for name, declared in on_the_page().items() if declared.api == "paint"]

    @property
    def rendering(self) -> list[str]:
        """The options on the page that renders take beside them."""
        return [name for name, declared in on_the_page().items() if declared.api == "render"]

    def _asked(self, *values: Any) -> dict[str, Any]:
        """A request out of the values of the components."""
        plate, style, look, second, mix, matte, matte_plate, feather, *options = values
        if not plate:
            raise BadInput(self.words("no_plate"))
        if not style and not look:
            raise BadInput(self.words("no_look"))
        if matte == "own" and not matte_plate:
            raise BadInput(self.words("no_matte"))
        where = {"in": "auto:person", "out": "auto:person", "own": matte_plate}.get(matte, "")
        return {
            "plate": plate,
            **({"styles": [style]} if style else {"look": look}),
            **({"second": second, "mix": mix} if second else {}),
            **asked(self.painting, options),
            **({"matte": where, "invert_matte": matte == "out", "feather": feather} if where else {}),
        }

    def take_plate(self, files: list[str]) -> tuple[Any, ...]:
        """A plate was dropped: the named one is not meant any more."""
        return (*self._plate(lambda: self._taken(files)), gr.update(value=None))

    def name_plate(self, path: str | None) -> tuple[Any, ...]:
        """A plate was named: the dropped one is not meant any more."""
        if not path or not path.strip():
            return self.no_plate()
        *opened, _ = self._plate(path.strip)
        return (*opened, gr.update(value=None), gr.skip())

    def no_plate(self, why: str = "") -> tuple[Any, ...]:
        """The plate was taken away, or is none."""
        return (
            "",
            {},
            gr.update(visible=False),
            None,
            why or self.words("drop_first"),
            gr.update(value=None),
            gr.update(value=None),
        )

    def _plate(self, reference: Callable[[], str]) -> tuple[Any, ...]:
        """The new plate, and what becomes of the box of files: what is no plate does not stay in it."""
        try:
            return (*self._opened(reference()), gr.skip())
        except (ScumbleError, OSError, MemoryError) as error:
            gr.Warning(self._sentence(error), duration=8)
            *gone, _ = self.no_plate(f"**{self._sentence(error)}**")
            return tuple(gone)

    def _taken(self, files: list[str]) -> str:
        upload = self.studio.store.adopt([Path(file) for file in files])
        return str(self.studio.take(upload)["reference"])

    def _opened(self, reference: str) -> tuple[Any, ...]:
        """The plate itself on both sides of the wipe, and its frames on the slider."""
        facts = self.studio.facts(reference)
        if facts["kind"] == "pictures":
            raise BadInput(f"{facts['name']}: several pictures that are no sequence; drop one, or number them")
        plate = self.studio.desk.open(reference)
        number = facts["first"]
        picture = _codes(
            resized(shown(next(iter(plate.read([number])))), fitting(plate.size, WIDTH, plate.pixel_aspect))
        )
        several = facts["count"] > 1
        slider = gr.update(minimum=number, maximum=max(facts["last"], number + 1), value=number, visible=several)
        rate = f" · {float(plate.frame_rate):.6g} fps" if plate.frame_rate else ""
        frames = f" · {number}–{facts['last']}" if several else ""
        words = f"{facts['name']} · {facts['width']}x{facts['height']}{frames}{rate} · {facts['colour_space']}"
        return reference, facts, slider, (picture, picture), f"{escape(words)}{self._whole(reference, number)}"

    def _whole(self, reference: str, frame: int) -> str:
        return f" · [{self.words('whole_frame')}](/api/frame?of={quote(reference, safe='')}&number={frame})"

    def take_style(self, files: list[str]) -> tuple[str, Any]:
        """Style pictures, or a matte, were dropped: what cannot be read does not stay in the box."""
        try:
            return self._taken(files), gr.skip()
        except (ScumbleError, OSError, MemoryError) as error:
            gr.Warning(self._sentence(error), duration=8)
            return "", gr.update(value=None)

    def show(self, *values: Any) -> tuple[Any, str]:
        """Paint the frame."""
        *painting, frame = values
        plate = painting[0]
        request = Preview(**self._asked(*painting), frame=self._nearest(plate, frame))
        done = self.studio.previews.preview(request)
        several = self.words("frame_of", done.frame, done.frames[0], done.frames[-1]) if len(done.frames) > 1 else ""
        statistics, seconds = self.words(f"by_{done.statistics}"), f"{done.seconds:.1f}"
        words = several + self.words("previewed", escape(done.look), statistics, seconds)
        return (_codes(done.before), _codes(done.after)), words + self._whole(plate, done.frame)

    def _nearest(self, plate: str, frame: float | None) -> int | None:
        """The plate's frame at the slider, which knows nothing of holes."""
        if not plate or frame is None:
            return None
        numbers = self.studio.desk.open(plate).numbers
        return min(numbers, key=lambda n: abs(n - frame))

    def follow(self, *values: Any) -> tuple[Any, Any]:
        """The same when something was changed: before there is a shot, a look and the matte, nothing."""
        if not values[0] or not (values[1] or values[2]) or (values[5] == "own" and not values[6]):
            return gr.skip(), gr.skip()
        return self.show(*values)

    def queue(self, *values: Any) -> None:
        """Render the shot."""
        rendering = self.rendering
        fixed, options = values[: len(values) - len(rendering)], values[len(values) - len(rendering) :]
        *painting, frames, suffix = fixed
        more = {"frames": frames.strip(), "format": suffix, **asked(rendering, options)}
        request = Render(**self._asked(*painting), **more)
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def take_keys(
        self, files: list[str], facts: dict[str, Any], frame: float
    ) -> tuple[dict[str, str], list[list[Any]]]:
        """Painted frames were dropped: which frame each is, by the number in its name, else the one that is shown."""
        found, rows = {}, []
        for file in files:
            name = Path(file).name
            found[name] = self._taken([file])
            try:
                number: int | None = key_number(name)[0]
            except ScumbleError:
                number = int(frame) if len(files) == 1 and facts else None
            rows.append([name, number])
        return found, rows

    def start_match(
        self, plate: str, keys: dict[str, str], table: Any, name: str, minutes: float, in_space: str
    ) -> None:
        """Learn from the painted frames."""
        if not plate:
            raise BadInput(self.words("no_plate"))
        if not keys:
            raise BadInput(self.words("no_key"))
        pairs = []
        for picture, number in table.values.tolist():
            if picture in keys:
                try:
                    pairs.append(PaintedFrame(frame=int(number), picture=keys[picture]))
                except (TypeError, ValueError):
                    raise BadInput(self.words("no_frame", picture)) from None
        request = Match(plate=plate, keys=pairs, name=self._name(name), minutes=minutes, in_space=in_space.strip())
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def start_train(
        self,
        plate: str,
        footage: list[str] | None,
        styles: list[str] | None,
        name: str,
        minutes: float,
        scratch: bool,
        in_space: str,
    ) -> None:
        """Train a look."""
        if not plate and not footage:
            raise BadInput(self.words("no_plate"))
        if not styles:
            raise BadInput(self.words("no_look"))
        content = [*([plate] if plate else []), *(self._taken([file]) for file in footage or ())]
        request = Train(
            content=content,
            styles=[self._taken(styles)],
            name=self._name(name),
            minutes=minutes,
            from_scratch=scratch,
            in_space=in_space.strip(),
        )
        submit(self.studio.desk, request)
        gr.Info(self.words("queued_job"), duration=4)

    def _name(self, name: str) -> str:
        if not name.strip():
            raise BadInput(self.words("no_name"))
        return own_name(self.studio.store, name.strip())

    def thumbnails(self, plate: str, frame: float | None, search: str) -> list[tuple[Pixels, str]]:
        """The looks whose names have these letters, on the frame of the moment."""
        names = [name for name in self._names() if search.strip().lower() in name.lower()]
        number = self._nearest(plate, frame)
        return [(_codes(pixels), name) for name, pixels in self.studio.previews.thumbnails(plate, number, names)]

    def choose(self, event: gr.SelectData) -> tuple[Any, ...]:
        """A look in the gallery was clicked."""
        return self._chosen(str(event.value["caption"]))

    def _chosen(self, name: str) -> tuple[Any, ...]:
        facts = self.studio.provenance(name)
        own = gr.update(interactive=facts["own"])
        file = self.studio.store.folder / "page" / "looks" / f"{name}.look"
        with written_whole(file) as part:
            part.write_bytes(self.studio.desk.named(name).to_bytes())
        return (
            name,
            f"**{escape(name)}**",
            facts,
            gr.update(interactive=True),
            gr.update(value=str(file), interactive=True),
            own,
            own,
        )

    def forget(self, name: str) -> tuple[Any, ...]:
        """Delete the chosen look."""
        self.studio.delete(name)
        off = gr.update(interactive=False)
        return "", self.words("choose_look"), None, off, off, off, off

    def make_look(self, style: str, name: str) -> None:
        """Keep the style pictures as a look."""
        if not style:
            raise BadInput(self.words("no_look"))
        name = self._name(name)
        self.studio.keep(make_look([(p, 1.0) for p in self.studio.desk.pictures([style])], name), name)
        gr.Info(self.words("kept", name), duration=4)

    def import_look(self, file: str | None) -> None:
        """Import a look file."""
        if not file:  # Gradio has said that it is none
            return
        name = self.studio.keep(Look.load(Path(file)), Path(file).stem)
        gr.Info(self.words("kept", escape(name)), duration=4)


def _codes(pixels: Pixels) -> Any:
    return (pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)
