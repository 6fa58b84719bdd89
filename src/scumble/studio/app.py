"""The application that carries the API and the page, and turns errors into answers."""

from __future__ import annotations

import traceback

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from scumble.core.errors import NotFound, ScumbleError
from scumble.core.version import __version__
from scumble.studio.routes import add_routes
from scumble.studio.studio import Studio


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
    add_routes(app, studio)
    return app


def _add_errors(app: FastAPI) -> None:
    def sentence(status: int, words: str) -> JSONResponse:
        return JSONResponse({"error": app.state.studio.readable(words)}, status)

    @app.exception_handler(ScumbleError)
    def refused(_: Request, error: ScumbleError) -> JSONResponse:
        return sentence(404 if isinstance(error, NotFound) else 400, str(error))

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
