"""The HTTP API of the studio, and the server that carries it and the page."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import re
import shutil
import traceback
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from fastapi import Body, FastAPI, File, Query, Request
from fastapi import UploadFile as Upload
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from scumble import __version__, report
from scumble.baking import make_look, shipped_looks
from scumble.errors import BadInput, BadLook, ScumbleError
from scumble.frames import Pixels
from scumble.look import Look
from scumble.media import MOVIES, STILLS, Plate, open_plate
from scumble.studio.api_page import as_html
from scumble.studio.preview import Previewed, Previews
from scumble.studio.requests import Desk, Match, Preview, Qc, Render, Train, check_pixels, own_name, submit
from scumble.studio.settings import Options
from scumble.studio.store import ENDED, Job, Store, safe_name
from scumble.studio.supervisor import Supervisor
from scumble.studio.work import shown

TICK = 0.25  # seconds between looks at a job whose progress is followed
ALIVE = 15.0  # seconds after which a silent stream says that it is there
RESULTS = {"command.txt", "look.look", "log.txt", "proxy.jpg", "proxy.mp4", "report.html", "sequence.zip"}
EARLY = {"command.txt", "log.txt"}  # of a job that is not done
FOLDERS = {"out": "out", "thumbs": "thumbs", "previews": "run/previews", "grids": "run/grids"}
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


class Studio:
    """What page and API share: store, desk, previews."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.store = Store(options.data, options.quota)
        self.desk = Desk(self.store, tuple(folder.absolute() for folder in options.folders))
        self.previews = Previews(self.desk)

    def working(self) -> Supervisor:
        """As a context: jobs are done inside it."""
        return Supervisor(self.store, self.desk.folders)

    def readable(self, sentence: str) -> str:
        """One line, in which an upload's file has its own name alone."""
        folder = re.escape(str(self.store.folder / "uploads"))
        return re.sub(rf"{folder}[\\/][0-9a-f]{{16}}[\\/]?", "", " ".join(sentence.split()))

    def take(self, upload: str) -> dict[str, Any]:
        """What an upload is; one that is nothing we read is deleted. Raises BadInput."""
        try:
            return {"upload": upload, "reference": f"upload:{upload}", **self.facts(f"upload:{upload}")}
        except BaseException:
            self.store.forget(upload)
            raise

    def facts(self, reference: str) -> dict[str, Any]:
        """What a plate or a handful of pictures is, as plain values."""
        path = self.desk.path(reference)
        files = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
        strange = next((n for n in files if path.is_dir() and Path(n).suffix.lower() not in STILLS | MOVIES), None)
        if strange is not None:
            raise BadInput(f"{strange}: not a picture or movie; leave it out")
        if path.is_dir() and reference.startswith("upload:") and not _is_sequence(path):  # style pictures, key frames
            for file in sorted(path.iterdir()):
                check_pixels(open_plate(file))
            return {"kind": "pictures", "name": files[0], "files": files}
        plate = self.desk.open(reference)
        return {
            "kind": plate.kind,
            "name": _own_name(plate) if reference.startswith("upload:") else reference,
            "files": files[:1] if plate.kind != "sequence" else [],
            "first": plate.numbers[0],
            "last": plate.numbers[-1],
            "count": len(plate.numbers),
            "width": plate.size[0],
            "height": plate.size[1],
            "frame_rate": str(plate.frame_rate) if plate.frame_rate else None,
            "colour_space": str(plate.colour_space),
            "bits": plate.bits,
        }

    def looks(self) -> list[dict[str, Any]]:
        """Looks of the user's own and shipped ones."""
        own = [{"name": name, "own": True} for name in self.store.looks()]
        return own + [{"name": name, "own": False} for name in shipped_looks()]

    def provenance(self, name: str) -> dict[str, Any]:
        """What a look is made of, as `scumble look info --json` says it."""
        look = self.desk.named(name)
        return {"name": name, "hash": look.hash, "own": name in self.store.looks(), "facts": look.facts}

    def keep(self, look: Look, name: str) -> str:
        """Keep a look among the user's own; its name."""
        self.store.check_room()
        self.store.keep_look(own_name(self.store, name), replace(look, facts={**look.facts, "name": name}).to_bytes())
        return name

    def rename(self, name: str, to: str) -> str:
        """Give a look of the user's own another name."""
        self._own(name)
        self.keep(self.desk.named(name), to)
        self.delete(name)
        return to

    def delete(self, name: str) -> None:
        """Delete a look of the user's own."""
        self._own(name).unlink(missing_ok=True)

    def _own(self, name: str) -> Path:
        if name not in self.store.looks():
            raise BadLook(f"{name}: not a look of your own; shipped looks stay as they are")
        return self.store.look_file(name)

    def results(self, job: Job) -> dict[str, Any]:
        """A job as the API tells of it: state, progress and the addresses of what there is."""
        home = self.store.home(job.id)
        told = {k: v for k, v in asdict(job).items() if k != "cancel"}
        ready = RESULTS if job.state == "done" else EARLY
        files = {n: f"/api/jobs/{job.id}/files/{n}" for n in sorted(ready) if self._result(job.id, n) is not None}
        out = sorted((home / "out").glob("[!.]*")) if (home / "out").is_dir() else []
        if job.state == "done" and len(out) == 1:
            files["result"] = f"/api/jobs/{job.id}/files/out/{out[0].name}"
        command = home / "command.txt"
        return {
            **told,
            "seconds_left": job.seconds_left,
            "files": files,
            "pictures": [f"/api/jobs/{job.id}/files/{p}" for p in self.pictures(job)],
            "command": command.read_text("utf-8").strip() if command.is_file() else "",
        }

    def pictures(self, job: Job) -> list[str]:
        """Thumbnails of a render, previews of a training, the latest as they are: NAME?CHANGED."""
        home = self.store.home(job.id)
        found = []
        for folder in ("thumbs", "run/previews"):
            files = sorted(p for p in (home / folder).glob("[!.]*.jpg"))
            found += [f"{folder.removeprefix('run/')}/{p.name}?{p.stat().st_mtime_ns // 10**6}" for p in files]
        if job.kind == "train":  # every evaluation has its grid: the last says most
            grids = sorted((home / "run" / "grids").glob("val_*.jpg"))
            previews = [p for p in found if p.startswith("previews/")]
            found = [*previews[-1:], *(f"grids/{p.name}" for p in grids[-1:])]
        return found

    def file(self, job: str, name: str) -> Path:
        """A result of a job, by its name or FOLDER/NAME. Raises HTTPException for what is none."""
        found = self._result(job, name)
        if found is None:
            raise HTTPException(404, f"{name[:100]}: the job has no such file")
        return found

    def _result(self, job: str, name: str) -> Path | None:
        home = self.store.home(job)
        folder, slash, file = name.partition("/")
        if not slash and name in RESULTS:
            found = next((p for p in (home / name, home / "run" / name) if p.is_file()), None)
        elif folder in FOLDERS and file == safe_name(file) and not file.startswith("."):
            found = home / FOLDERS[folder] / file
        else:
            found = None
        return found if found is not None and found.is_file() else None


def _own_name(plate: Plate) -> str:
    pattern = getattr(plate, "pattern", None)
    return plate.path.name if pattern is None or plate.kind != "sequence" else Path(str(pattern)).name


def _is_sequence(folder: Path) -> bool:
    try:
        open_plate(folder)
    except ScumbleError:
        return False
    return True


def as_png(pixels: Pixels) -> bytes:
    """A picture (H, W, 3) of 0 to 1 as PNG."""
    codes = np.ascontiguousarray((pixels.clip(0, 1) * 255 + 0.5).astype(np.uint8)[:, :, ::-1])
    return bytes(cv2.imencode(".png", codes, [cv2.IMWRITE_PNG_COMPRESSION, 3])[1].tobytes())


def make_app(studio: Studio) -> FastAPI:
    """The API alone; the page is mounted beside it, and jobs are done inside `studio.working()`."""

    app = FastAPI(
        title="Scumble studio",
        version=__version__,
        description='Submit shots, follow them, fetch results. Every error is {"error": SENTENCE}.',
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.studio = studio
    _add_errors(app)
    _add_routes(app, studio)
    return app


def _add_errors(app: FastAPI) -> None:
    def sentence(status: int, words: str) -> JSONResponse:
        return JSONResponse({"error": app.state.studio.readable(words)}, status)

    @app.exception_handler(ScumbleError)
    def refused(_: Request, error: ScumbleError) -> JSONResponse:
        return sentence(404 if str(error).startswith(("job ", "upload ")) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body") or "the request"
        return sentence(422, f"{where[:200]}: {first['msg'][:300]}")

    @app.exception_handler(HTTPException)
    def http(_: Request, error: HTTPException) -> JSONResponse:
        return sentence(error.status_code, str(error.detail))

    @app.exception_handler(MemoryError)
    def memory(_: Request, error: MemoryError) -> JSONResponse:
        return sentence(400, "not enough memory for that; take fewer lines or a smaller picture")

    @app.exception_handler(Exception)
    def fault(request: Request, error: Exception) -> JSONResponse:
        with (app.state.studio.store.folder / "faults.log").open("a", encoding="utf-8") as log:
            log.write(f"{request.method} {request.url}\n{''.join(traceback.format_exception(error))}\n")
        return sentence(500, f"a fault of Scumble's ({type(error).__name__}); please report it with faults.log")


def _add_routes(app: FastAPI, studio: Studio) -> None:
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
        found = store.job(job)
        return {
            "name": studio.keep(
                Look.load(studio.file(job, "look.look")), name or str(found.request.get("name", "")) or "look"
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
        found = store.job(job)
        path = studio.file(job, name)
        download = name.startswith("out/") or name in ("sequence.zip", "look.look")
        filename = {"sequence.zip": "painted.zip", "look.look": f"{found.request.get('name') or 'painted'}.look"}.get(
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
        return Response(report.jpeg(pixels), media_type="image/jpeg")

    @app.post("/api/looks/{name}/rename")
    def rename(name: str, to: Annotated[str, Body(embed=True, max_length=200)]) -> dict[str, Any]:
        """Give one of your looks another name."""
        return {"name": studio.rename(name, to)}

    @app.delete("/api/looks/{name}", status_code=204)
    def delete_look(name: str) -> None:
        """Delete one of your looks."""
        studio.delete(name)


def facts_of(done: Previewed) -> dict[str, Any]:
    """How a preview was painted."""
    return {
        "frame": done.frame,
        "look": done.look,
        "statistics": done.statistics,
        "precision": "fast",
        "seconds": round(done.seconds, 2),
    }


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
