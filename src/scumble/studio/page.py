"""The page: a shot, a painting, one click. Gradio shows it; every click calls what the API calls (`clicks`)."""

from __future__ import annotations

import os
from typing import Any, get_args

import gradio as gr

from scumble.core.version import __version__
from scumble.studio.clicks import Clicks
from scumble.studio.requests import Render
from scumble.studio.studio import Studio
from scumble.studio.widgets import on_the_page, painting_options, rendering_options, widget
from scumble.studio.words import LANGUAGES, Words

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # before Gradio reads it: nothing leaves this machine

os.environ.setdefault("HF_HUB_OFFLINE", "1")

DARK = "__theme=dark"

FIRST = ("strength", "stroke", "keep_color")  # options that stand above the fold

FORMATS = [suffix for suffix in get_args(Render.model_fields["format"].annotation) if suffix]


class Page:
    """The page in one language. Components are attributes; `values` are those that say how a shot is painted."""

    def __init__(self, studio: Studio, words: Words) -> None:
        self.studio, self.words = studio, words
        self.clicks = Clicks(studio, words)

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
                self.look = gr.Dropdown(self.clicks.names(), label=w("look"), value="auvers", elem_id="look")
                with gr.Row():
                    self.paint = gr.Button(w("paint"), variant="primary", elem_id="paint")
                    self.render = gr.Button(w("render"), elem_id="render")
                self.options: dict[str, Any] = {name: widget(name, w) for name in FIRST}
                self.second = gr.Dropdown(
                    [(w("none"), ""), *self.clicks.names()], label=w("second"), value="", elem_id="second"
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
        self.file.upload(self.clicks.take_plate, [self.file], new_plate, **private)
        self.file.clear(self.clicks.no_plate, None, new_plate, **quiet)
        self.named.input(self.clicks.name_plate, [self.named], new_plate, **private)
        self.style_files.upload(self.clicks.take_style, [self.style_files], [self.style, self.style_files], **private)
        self.style_files.clear(lambda: "", None, [self.style], **quiet)
        self.matte.change(
            lambda v: (gr.update(visible=v == "own"), gr.update(visible=v != "")),
            [self.matte],
            [self.matte_file, self.feather],
            **quiet,
        )
        self.second.change(lambda name: gr.update(visible=bool(name)), [self.second], [self.mix], **quiet)
        self.matte_file.upload(
            self.clicks.take_style, [self.matte_file], [self.matte_plate, self.matte_file], **private
        )
        self.matte_file.clear(lambda: "", None, [self.matte_plate], **quiet)
        values = [*self._values(), self.frame]
        painted = [self.wipe, self.status]
        self.paint.click(self.clicks.safe(self.clicks.show), values, painted, **private)
        sliders = [c for name, c in self.options.items() if isinstance(c, gr.Slider) and name in painting_options()]
        boxes: list[Any] = [
            c for name, c in self.options.items() if isinstance(c, gr.Checkbox) and name in painting_options()
        ]
        scrubbed: list[Any] = [s.release for s in (self.frame, self.mix, self.feather, *sliders)]
        scrubbed += [c.input for c in (self.look, self.second, self.matte, *boxes)]
        gr.on(
            scrubbed,
            self.clicks.safe(self.clicks.follow),
            values,
            painted,
            trigger_mode="always_last",
            show_progress="minimal",
            api_visibility="private",
        )
        rendered = [self.range, self.format, *(self.options[name] for name in rendering_options())]
        self.render.click(self.clicks.safe(self.clicks.queue), [*self._values(), *rendered], None, **private)
        self.painted.upload(
            self.clicks.safe(self.clicks.take_keys),
            [self.painted, self.facts, self.frame],
            [self.keys, self.table],
            **private,
        )
        self.painted.clear(lambda: ({}, []), None, [self.keys, self.table], **quiet)
        asked = [self.plate, self.keys, self.table, self.match_name, self.match_minutes, self.options["in_space"]]
        self.match.click(self.clicks.safe(self.clicks.start_match), asked, None, **private)
        asked = [
            self.plate,
            self.footage,
            self.train_styles,
            self.train_name,
            self.train_minutes,
            self.scratch,
            self.options["in_space"],
        ]
        self.train.click(self.clicks.safe(self.clicks.start_train), asked, None, **private)
        lists = [self.look, self.second, self.named]
        shown_looks = [self.plate, self.frame, self.search]
        page.load(self.clicks.lists, None, lists, **quiet)
        looks_tab.select(self.clicks.safe(self.clicks.thumbnails), shown_looks, [self.gallery], **private)
        self.show_looks.click(self.clicks.safe(self.clicks.thumbnails), shown_looks, [self.gallery], **private)
        self.search.submit(self.clicks.safe(self.clicks.thumbnails), shown_looks, [self.gallery], **private)
        about = [self.chosen, self.about, self.provenance, self.use, self.export, self.rename, self.delete]
        self.gallery.select(self.clicks.safe(self.clicks.choose), None, about, **private)
        self.use.click(lambda name: gr.update(value=name), [self.chosen], [self.look], **quiet)
        again = dict(fn=self.clicks.safe(self.clicks.thumbnails), inputs=shown_looks, outputs=[self.gallery], **private)
        self.rename.click(
            self.clicks.safe(self.studio.rename), [self.chosen, self.new_name], [self.chosen], **private
        ).success(self.clicks.lists, None, lists, **quiet).success(**again)
        self.delete.click(self.clicks.safe(self.clicks.forget), [self.chosen], about, **private).success(
            self.clicks.lists, None, lists, **quiet
        ).success(**again)
        self.make.click(self.clicks.safe(self.clicks.make_look), [self.style, self.new_name], None, **private).success(
            self.clicks.lists, None, lists, **quiet
        ).success(**again)
        self.bring.upload(self.clicks.safe(self.clicks.import_look), [self.bring], None, **private).success(
            self.clicks.lists, None, lists, **quiet
        ).success(**again)

    def _values(self) -> list[Any]:
        fixed = [self.plate, self.style, self.look, self.second, self.mix, self.matte, self.matte_plate, self.feather]
        return [*fixed, *(self.options[name] for name in painting_options())]
