"""The studio behind its routes: store, previews, worker."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from starlette.exceptions import HTTPException

from scumble.core.errors import BadInput, BadLook, ScumbleError
from scumble.core.frames import Pixels
from scumble.look.look import Look
from scumble.look.shipped import shipped_looks
from scumble.media.open import open_plate
from scumble.media.plate import MOVIES, STILLS
from scumble.studio.desk import Desk, check_pixels
from scumble.studio.preview import PreviewResult, Previews
from scumble.studio.settings import Options
from scumble.studio.store import Job, Store, safe_name
from scumble.studio.submit import own_name
from scumble.studio.supervisor import Supervisor

RESULTS = {"command.txt", "look.look", "log.txt", "proxy.jpg", "proxy.mp4", "report.html", "sequence.zip"}

EARLY = {"command.txt", "log.txt"}  # of a job that is not done

FOLDERS = {"out": "out", "thumbs": "thumbs", "previews": "run/previews", "grids": "run/grids"}


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
        """Facts of an upload; an upload that cannot be read is deleted. Raises BadInput."""
        try:
            return {"upload": upload, "reference": f"upload:{upload}", **self.facts(f"upload:{upload}")}
        except BaseException:
            self.store.forget(upload)
            raise

    def facts(self, reference: str) -> dict[str, Any]:
        """Facts of a plate, or of a few pictures, as plain values."""
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
        name = plate.own_name if plate.kind == "sequence" else plate.path.name
        return {
            "kind": plate.kind,
            "name": name if reference.startswith("upload:") else reference,
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
        pictures = []
        for folder in ("thumbs", "run/previews"):
            files = sorted(p for p in (home / folder).glob("[!.]*.jpg"))
            pictures += [f"{folder.removeprefix('run/')}/{p.name}?{p.stat().st_mtime_ns // 10**6}" for p in files]
        if job.kind == "train":  # every evaluation has its grid: the last says most
            grids = sorted((home / "run" / "grids").glob("val_*.jpg"))
            previews = [p for p in pictures if p.startswith("previews/")]
            pictures = [*previews[-1:], *(f"grids/{p.name}" for p in grids[-1:])]
        return pictures

    def file(self, job: str, name: str) -> Path:
        """A result of a job, by its name or FOLDER/NAME. Raises HTTPException for what is none."""
        path = self._result(job, name)
        if path is None:
            raise HTTPException(404, f"{name[:100]}: the job has no such file")
        return path

    def _result(self, job: str, name: str) -> Path | None:
        home = self.store.home(job)
        folder, slash, file = name.partition("/")
        if not slash and name in RESULTS:
            path = next((p for p in (home / name, home / "run" / name) if p.is_file()), None)
        elif folder in FOLDERS and file == safe_name(file) and not file.startswith("."):
            path = home / FOLDERS[folder] / file
        else:
            path = None
        return path if path is not None and path.is_file() else None


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


def facts_of(done: PreviewResult) -> dict[str, Any]:
    """How a preview was painted."""
    return {
        "frame": done.frame,
        "look": done.look,
        "statistics": done.statistics,
        "precision": "fast",
        "seconds": round(done.seconds, 2),
    }
