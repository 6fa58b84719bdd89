"""The server: binds, says where it is, opens the browser, and goes on until it is ended."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import webbrowser
from collections.abc import Callable
from contextlib import suppress

import uvicorn

from scumble.core.errors import BadInput, BadSettings
from scumble.studio.app import make_app
from scumble.studio.mount import mount
from scumble.studio.safety import Guard, is_loopback
from scumble.studio.settings import Options
from scumble.studio.studio import Studio

PATIENCE = 3  # seconds that open connections get to finish


def serve(options: Options, host: str, port: int, browser: bool, say: Callable[[str], None]) -> None:
    """Serve page and API until Ctrl-C or SIGTERM. Raises BadSettings, BadInput, BadOutput before."""
    if not is_loopback(host) and not options.password:
        raise BadSettings(f"--host {host}: others can reach it: give a --password (or $SCUMBLE_PASSWORD) with it")
    strange = next((folder for folder in options.folders if not folder.is_dir()), None)
    if strange is not None:
        raise BadInput(f"{strange}: not a folder; name one that is there with --folder")
    listening = _bound(host, port)
    with listening:
        _more_files()
        studio = Studio(options)
        tempfile.tempdir = str(options.data / "passing")  # uploads on their way: on the disk that will keep them
        app = Guard(mount(make_app(studio), studio), options.password, options.most)
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - which is no address to open
        address = f"http://{f'[{shown}]' if ':' in shown else shown}:{listening.getsockname()[1]}/"
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=PATIENCE, server_header=False)
        )
        warm = threading.Thread(target=studio.previews.warm)
        with studio.working():
            warm.start()
            say(f"{address} (Ctrl-C ends it; jobs and looks are kept in {options.data})")
            if browser:
                threading.Timer(0.5, webbrowser.open, (address,)).start()
            server.run([listening])
            warm.join()  # a compilation does not survive the end of its process


def _more_files() -> None:
    """As many open files as this process may have: an upload of a sequence holds all of its frames."""
    with suppress(ImportError, OSError, ValueError):  # Windows has no such limit
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = min(hard, 65536) if hard != resource.RLIM_INFINITY else 10240  # what macOS takes
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        if os.name != "nt":  # where it lets two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        raise BadSettings(
            f"--host {host} --port {port}: cannot listen there ({error.strerror or error}); give another --port"
        ) from error
    return listening
