"""The routes of the HTTP API."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import shutil
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Body, FastAPI, File, Query, Request
from fastapi import UploadFile as Upload
from fastapi.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from scumble.core.errors import BadInput
from scumble.core.version import __version__
from scumble.look.look import Look
from scumble.look.making import make_look
from scumble.quality import html_report
from scumble.studio.api_page import as_html
from scumble.studio.requests import Match, Preview, Qc, Render, Train
from scumble.studio.store import ENDED
from scumble.studio.studio import Studio, as_png, facts_of
from scumble.studio.submit import own_name, submit
from scumble.studio.work import shown

TICK = 0.25  # seconds between checks of a job that is followed

ALIVE = 15.0  # seconds after which a silent stream sends a sign of life

MOST_FILES = 10_000  # of an upload: a sequence of some minutes

FILES = {  # how the description of the API shows them
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            }
        },
    }
}

Of = Annotated[str, Query(max_length=1000)]


def add_routes(app: FastAPI, studio: Studio) -> None:
    store, desk = studio.store, studio.desk

    @app.get("/api", include_in_schema=False)
    def description() -> HTMLResponse:
        return HTMLResponse(as_html(app.openapi()))

    @app.get("/api/studio")
    def facts() -> dict[str, Any]:
        """Version, disk in use, quota, limits, and the plates in the allowed folders."""
        return {
            "version": __version__,
            "used": store.used(),
            "quota": store.quota,
            "free": shutil.disk_usage(store.folder).free,
            "most": studio.options.most,
            "plates": desk.plates(),
        }

    @app.post("/api/uploads", status_code=201, openapi_extra=FILES)
    async def upload(request: Request) -> dict[str, Any]:
        """Keep a movie, a picture, or the files of a sequence; refer to them as `upload:ID`."""
        async with request.form(max_files=MOST_FILES, max_fields=0) as form:
            files = [(f.filename or "upload", f.file) for f in form.getlist("files") if isinstance(f, UploadFile)]
            return await run_in_threadpool(lambda: studio.take(store.upload(files, studio.options.most)))

    @app.get("/api/plates")
    def plate(of: Of) -> dict[str, Any]:
        """What a plate is: size, frames, rate, colour space."""
        return studio.facts(of)

    @app.get("/api/frame", response_class=Response)
    def frame(of: Of, number: int | None = None) -> Response:
        """A frame of a plate as a screen shows it, whole, PNG: to be painted over, say."""
        opened = desk.open(of)
        wanted = opened.numbers[0] if number is None else number
        if wanted not in opened.numbers:
            raise BadInput(f"frame {wanted} is not in the plate's {opened.frame_range}; choose one of it")
        pixels = shown(next(iter(opened.read([wanted]))))
        name = f"{opened.path.stem.split('.')[0].strip('#') or 'frame'}.{wanted:04d}.png".encode(
            "ascii", "replace"
        ).decode()
        return Response(
            as_png(pixels), media_type="image/png", headers={"content-disposition": f'inline; filename="{name}"'}
        )

    @app.post("/api/preview", response_class=Response)
    def preview(asked: Preview) -> Response:
        """One frame painted, at most 960 pixels wide, PNG; how it was painted is in X-Scumble-Preview."""
        done = studio.previews.preview(asked)
        return Response(
            as_png(done.after), media_type="image/png", headers={"x-scumble-preview": json.dumps(facts_of(done))}
        )

    @app.post("/api/render", status_code=201)
    def render(asked: Render) -> dict[str, Any]:
        """Put a shot into the queue."""
        return studio.results(submit(desk, asked))

    @app.post("/api/match", status_code=201)
    def match(asked: Match) -> dict[str, Any]:
        """Put the learning of a look from painted key frames into the queue."""
        return studio.results(submit(desk, asked))

    @app.post("/api/train", status_code=201)
    def train(asked: Train) -> dict[str, Any]:
        """Put the training of a look into the queue."""
        return studio.results(submit(desk, asked))

    @app.post("/api/qc", status_code=201)
    def quality(asked: Qc) -> dict[str, Any]:
        """Put the quality report of a finished render into the queue."""
        store.job(asked.job)
        return studio.results(submit(desk, asked))

    @app.get("/api/jobs")
    def jobs() -> list[dict[str, Any]]:
        """All jobs, the newest first."""
        return [studio.results(job) for job in store.jobs()]

    @app.get("/api/jobs/{job}")
    def one(job: str) -> dict[str, Any]:
        """A job: state, progress, addresses of its results."""
        return studio.results(store.job(job))

    @app.post("/api/jobs/{job}/cancel")
    def cancel(job: str) -> dict[str, Any]:
        """End a job that is queued or running."""
        return studio.results(store.cancel(job))

    @app.post("/api/jobs/{job}/again")
    def again(job: str) -> dict[str, Any]:
        """Put a job that failed or was cancelled back into the queue; a sequence or a training goes on."""
        return studio.results(store.again(job))

    @app.post("/api/jobs/{job}/keep", status_code=201)
    def keep(job: str, name: Annotated[str, Body(embed=True, max_length=200)] = "") -> dict[str, Any]:
        """Keep a job's look among your own."""
        done = store.job(job)
        return {
            "name": studio.keep(
                Look.load(studio.file(job, "look.look")), name or str(done.request.get("name", "")) or "look"
            )
        }

    @app.delete("/api/jobs/{job}", status_code=204)
    def delete(job: str) -> None:
        """Delete a job that ended, with its results."""
        store.delete(job)

    @app.get("/api/jobs/{job}/events", response_class=StreamingResponse)
    def events(job: str) -> StreamingResponse:
        """The job as server-sent events, `data: JOB` whenever something has changed, until it has ended."""
        store.job(job)
        return StreamingResponse(
            _events(studio, job), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )

    @app.get("/api/jobs/{job}/files/{name:path}", response_class=FileResponse)
    def result(job: str, name: str) -> FileResponse:
        """A result: its movie or picture, sequence.zip, look.look, proxy.mp4, report.html, thumbnails."""
        done = store.job(job)
        path = studio.file(job, name)
        download = name.startswith("out/") or name in ("sequence.zip", "look.look")
        filename = {"sequence.zip": "painted.zip", "look.look": f"{done.request.get('name') or 'painted'}.look"}.get(
            name, path.name
        )
        return FileResponse(
            path,
            media_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
            filename=filename,
            content_disposition_type="attachment" if download else "inline",
        )

    @app.get("/api/looks")
    def looks() -> list[dict[str, Any]]:
        """Your own looks and the shipped ones."""
        return studio.looks()

    @app.post("/api/looks", status_code=201)
    def import_look(
        file: Annotated[Upload, File()], name: Annotated[str, Query(max_length=200)] = ""
    ) -> dict[str, Any]:
        """Import a look file; it is read and checked."""
        upload = store.upload([(file.filename or "upload.look", file.file)], studio.options.most)
        try:
            path = store.uploaded(upload)
            return {"name": studio.keep(Look.load(path), name or path.stem)}
        finally:
            store.forget(upload)

    @app.post("/api/looks/make", status_code=201)
    def make(
        styles: Annotated[list[str], Body(min_length=1, max_length=12)], name: Annotated[str, Body(max_length=200)]
    ) -> dict[str, Any]:
        """Make a look of uploaded style pictures."""
        own_name(store, name)
        return {"name": studio.keep(make_look([(p, 1.0) for p in desk.pictures(styles)], name), name)}

    @app.get("/api/looks/{name}")
    def provenance(name: str) -> dict[str, Any]:
        """What a look is made of."""
        return studio.provenance(name)

    @app.get("/api/looks/{name}/file", response_class=Response)
    def export(name: str) -> Response:
        """The look's file."""
        from urllib.parse import quote

        return Response(
            desk.named(name).to_bytes(),
            media_type="application/octet-stream",
            headers={"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}.look"},
        )

    @app.get("/api/looks/{name}/thumbnail", response_class=Response)
    def thumbnail(name: str, plate: Of, frame: int | None = None) -> Response:
        """The look on a frame of a plate, JPEG."""
        ((_, pixels),) = studio.previews.thumbnails(plate, frame, [name])
        return Response(html_report.jpeg(pixels), media_type="image/jpeg")

    @app.post("/api/looks/{name}/rename")
    def rename(name: str, to: Annotated[str, Body(embed=True, max_length=200)]) -> dict[str, Any]:
        """Give one of your looks another name."""
        return {"name": studio.rename(name, to)}

    @app.delete("/api/looks/{name}", status_code=204)
    def delete_look(name: str) -> None:
        """Delete one of your looks."""
        studio.delete(name)


async def _events(studio: Studio, job: str) -> AsyncIterator[str]:
    last, silent = "", 0.0
    while True:
        try:
            told = await asyncio.to_thread(lambda: studio.results(studio.store.job(job)))
        except BadInput:  # was deleted
            return
        said = json.dumps({k: v for k, v in told.items() if k != "seconds_left"})
        if said != last:
            last, silent = said, 0.0
            yield f"data: {json.dumps(told)}\n\n"
        elif silent > ALIVE:
            silent = 0.0
            yield ": here\n\n"
        if told["state"] in ENDED:
            return
        await asyncio.sleep(TICK)
        silent += TICK
