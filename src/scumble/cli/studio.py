"""`scumble studio`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scumble.cli.checks import is_installed
from scumble.core.errors import NotInstalled


def studio(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 7860,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at; beyond this machine a password is needed.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the browser.")] = False,
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            metavar="DIR...",
            help="Folder whose plates the page may open; give the flag several times for several folders.",
        ),
    ] = None,
    password: Annotated[
        str,
        typer.Option(
            "--password",
            envvar="SCUMBLE_PASSWORD",
            show_envvar=True,
            help="Password that the page asks for. The API takes it as a Bearer token.",
        ),
    ] = "",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Where jobs, uploads and looks are kept (default: the user's data folder)."
        ),
    ] = None,
    quota: Annotated[
        float,
        typer.Option(
            "--quota", min=0.0, metavar="GB", help="Limit of uploads and results together, in GB; 0 is no limit."
        ),
    ] = 100.0,
    max_upload: Annotated[
        float, typer.Option("--max-upload", min=0.001, metavar="GB", help="Most that one upload has.")
    ] = 8.0,
) -> None:
    """Open the studio: a page to paint, render, match and train on, with an HTTP API (needs the extra `studio`)."""
    missing = [name for name in ("gradio", "fastapi", "uvicorn", "multipart") if not is_installed(name)]
    if missing:
        raise NotInstalled(f"the studio needs {', '.join(missing)}: pip install 'scumble[studio]'")
    from scumble.studio.serve import serve
    from scumble.studio.settings import Options, data_folder

    options = Options(data or data_folder(), tuple(folder or ()), password, round(quota * 1e9), round(max_upload * 1e9))
    serve(options, host, port, not no_browser, lambda line: print(line, flush=True))
