"""The page mounted on the server: Gradio without the network, theme and styles."""

from __future__ import annotations

import os
from importlib import resources
from typing import Any

import gradio as gr
import gradio.processing_utils
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from gradio.themes import Base, colors, sizes

from scumble.studio.cards import card
from scumble.studio.page import DARK, Page
from scumble.studio.store import size_in_words
from scumble.studio.studio import Studio
from scumble.studio.words import LANGUAGES, Words, preferred

SYSTEM = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")  # fonts of the machine's own

SHOWN_JOBS = 40  # in the queue's tab


def mount(app: FastAPI, studio: Studio) -> FastAPI:
    """Add the page, once in each language, to the API's app."""
    here = resources.files("scumble.studio")
    os.environ["GRADIO_TEMP_DIR"] = str(studio.store.folder / "page")

    @app.get("/", include_in_schema=False)
    def home(request: Request) -> RedirectResponse:
        return RedirectResponse(f"/{preferred(request.headers.get('accept-language', ''))}/?{DARK}")

    gradio.processing_utils.async_ssrf_protected_get = _fetch_nothing

    @app.get("/manifest.json", include_in_schema=False)
    def manifest() -> dict[str, Any]:
        return {"name": "Scumble studio", "start_url": "/", "display": "browser"}

    @app.get("/favicon.ico", include_in_schema=False)
    def icon() -> Response:
        return Response(here.joinpath("favicon.svg").read_bytes(), media_type="image/svg+xml")

    @app.get("/page/cards", include_in_schema=False)
    def cards(language: str = LANGUAGES[0]) -> dict[str, Any]:
        words = Words(language if language in LANGUAGES else LANGUAGES[0])
        jobs = studio.store.jobs()
        active = [job for job in jobs if job.state == "running"]
        jobs = jobs[:SHOWN_JOBS]
        used, quota = studio.store.used(10.0), studio.store.quota
        return {
            "cards": [(job.id, card(studio, job, words)) for job in (*active, *(j for j in jobs if j not in active))],
            "empty": words("no_jobs"),
            "disk": words("disk_of", size_in_words(used), size_in_words(quota))
            if quota
            else words("disk", size_in_words(used)),
        }

    theme = Base(
        primary_hue=colors.amber, neutral_hue=colors.zinc, text_size=sizes.text_sm, spacing_size=sizes.spacing_sm,
        font=SYSTEM, font_mono=("ui-monospace", "monospace"),
    )  # fmt: skip
    for language in LANGUAGES:
        blocks = Page(studio, Words(language)).build()
        gr.mount_gradio_app(
            app,
            blocks,
            f"/{language}",
            theme=theme,
            css=here.joinpath("page.css").read_text("utf-8"),
            head=f"<script>{here.joinpath('page.js').read_text('utf-8')}</script>",
            max_file_size=studio.options.most,
            footer_links=[],
            show_error=True,
            ssr_mode=False,
            enable_monitoring=False,
        )
        # Gradio looks at where a file comes from only in what was launched by itself, not mounted: any
        # path of this machine could be named instead of an upload
        blocks.has_launched = True
    return app


async def _fetch_nothing(url: str) -> Any:
    """Gradio would fetch a file that is named by its address: the studio asks nothing of other machines."""
    raise gr.Error("files are uploaded, not fetched", print_exception=False)
