"""A studio as its user starts it: the command in a process of its own, and a client that speaks to it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from scumble.core.downloads import VGG

PATIENCE = 120.0  # seconds for what takes two on an idle machine


@dataclass
class Server:
    """A running studio. `client` speaks to its API."""

    address: str
    process: subprocess.Popen[str]
    client: httpx.Client
    data: Path

    def upload(self, *files: Path) -> dict[str, Any]:
        """What the API says of an upload."""
        answer = self.client.post("/api/uploads", files=[("files", (f.name, f.read_bytes())) for f in files])
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def submit(self, kind: str, **request: Any) -> str:
        """A job's id."""
        answer = self.client.post(f"/api/{kind}", json=request)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def job(self, job: str) -> dict[str, Any]:
        """A job as it stands."""
        return dict(self.client.get(f"/api/jobs/{job}").json())

    def until(self, job: str, *states: str, least: int = 0, patience: float = PATIENCE) -> dict[str, Any]:
        """The job when it has one of these states and so much done; AssertionError after `patience` seconds."""
        began = time.monotonic()
        while time.monotonic() - began < patience:
            told = self.job(job)
            if told["state"] in states and told["done"] >= least:
                return told
            assert told["state"] in ("new", "queued", "running"), told
            time.sleep(0.05)
        raise AssertionError(f"{job}: still {told}")

    def result(self, job: str) -> bytes:
        """The bytes of a finished job's movie or picture."""
        return self.client.get(self.until(job, "done")["files"]["result"]).content

    def workers(self) -> list[int]:
        """Process numbers of its worker: one, or none for a moment."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        text = children.read_text() if children.exists() else ""
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            text += " " + task.read_text()
        return sorted({int(n) for n in text.split()})


@contextmanager
def studio(
    data: Path, *flags: str, vgg: Path | None = None, environment: dict[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Server]:
    """Start a studio on a free port; end it as Ctrl-C does."""
    cache = data.with_name(f"{data.name}_cache")
    cache.mkdir(exist_ok=True)
    if vgg is not None:
        shutil.copyfile(vgg, cache / VGG)
    words = [sys.executable, "-m", "scumble.cli", "studio", "--port", "0", "--no-browser", "--data", str(data), *flags]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env={**os.environ, "SCUMBLE_CACHE": str(cache), **(environment or {})},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    said = process.stdout.readline()
    found = re.search(r"http://\S+", said)
    assert found, said + process.stderr.read()
    with httpx.Client(base_url=found[0], timeout=PATIENCE, trust_env=False) as client:
        try:
            yield Server(found[0], process, client, data)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                process.stdout.close()
                process.stderr.close()


def events(server: Server, job: str) -> list[dict[str, Any]]:
    """All that a job tells until it has ended."""
    found = []
    with server.client.stream("GET", f"/api/jobs/{job}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
    return found
