"""What the studio keeps: jobs in SQLite, uploads, results and looks in one folder, within a quota.

    FOLDER/jobs.sqlite            one row a job
    FOLDER/uploads/ID/...         what was uploaded, under its own name
    FOLDER/jobs/ID/...            a job's results: out/, thumbs/, run/, look.look, proxy.mp4
    FOLDER/looks/NAME.look        the user's own looks
    FOLDER/faults.log             what should not have happened
    FOLDER/lock.sqlite            held by the one studio that works here
    FOLDER/page/, passing/        passing files of a running studio

Every call opens the database anew, so that threads and the worker process may share a store.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from scumble.core.errors import BadInput, BadOutput, NotFound
from scumble.core.files import not_written, written_whole

TABLE = """CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, request TEXT NOT NULL,
    done REAL NOT NULL DEFAULT 0, total REAL NOT NULL DEFAULT 0, message TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '', cancel INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, started REAL, ended REAL, worker TEXT NOT NULL DEFAULT '')"""

ENDED = ("done", "failed", "cancelled")

KEPT_DAYS = 7  # days that an upload without a job is kept

FRESH = 3600  # seconds that it is kept even if there is no room

LONGEST = 120  # bytes of a file's own name: file systems end at 255, and parts of files have longer ones

BLOCK = 1 << 20  # bytes of an upload that are read at once

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}  # on Windows

ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Job:
    """A job as it stands. `state`: new, queued, running, done, failed or cancelled; times in seconds since 1970."""

    id: str
    kind: str
    state: str
    request: dict[str, Any]
    done: float
    total: float
    message: str
    error: str
    cancel: bool
    created: float
    started: float | None
    ended: float | None

    @property
    def seconds_left(self) -> float | None:
        """Seconds left, from what is done so far; None while that is not known."""
        if self.state != "running" or not self.done or not self.total or self.started is None:
            return None
        return (time.time() - self.started) / self.done * (self.total - self.done)


class Store:
    """The studio's folder. `quota` is the most bytes that uploads and results may take together; 0 is no limit.

    With `worker`, the name of a process, only jobs that it claimed itself can be told of and ended: one
    that outlives its server cannot spoil what the next one's worker has taken over.
    """

    def __init__(self, folder: Path, quota: int = 0, worker: str = "") -> None:
        self.folder, self.quota, self.worker = folder, quota, worker
        self._counted = (-1e9, 0)  # when the bytes in use were counted, and how many they were
        try:
            for name in ("uploads", "jobs", "looks"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)  # other users of the machine do not read uploads and results
            with self._database() as database:
                database.execute("PRAGMA journal_mode=WAL")
                database.execute(TABLE)
        except (OSError, sqlite3.Error) as error:
            raise BadOutput(
                f"{folder}: the studio cannot keep its jobs there ({error}); give another --data"
            ) from error

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.folder / "jobs.sqlite", timeout=20)
        database.row_factory = sqlite3.Row
        try:
            with database:  # a transaction
                yield database
        finally:
            database.close()

    def submit(self, kind: str, request: Mapping[str, Any]) -> Job:
        """A new job, whose folder may be filled until `release`. Raises BadInput where the quota is used up."""
        self.check_room()
        job = secrets.token_hex(8)
        self.home(job).mkdir(parents=True)
        with self._database() as database:
            database.execute(
                "INSERT INTO jobs (id, kind, state, request, created) VALUES (?, ?, 'new', ?, ?)",
                (job, kind, json.dumps(request), time.time()),
            )
        return self.job(job)

    def release(self, job: str) -> Job:
        """Put a new job at the end of the queue."""
        self._update(job, "new", state="queued")
        return self.job(job)

    def job(self, job: str) -> Job:
        """Raises BadInput for one that is not there."""
        with self._database() as database:
            row = database.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        if row is None:
            raise NotFound(f"job {job[:32]}: there is none of that name")
        return _job(row)

    def jobs(self) -> list[Job]:
        """All that were put into the queue, the newest first."""
        words = "SELECT * FROM jobs WHERE state != 'new' ORDER BY created DESC, id"
        with self._database() as database:
            return [_job(row) for row in database.execute(words).fetchall()]

    def claim(self) -> Job | None:
        """The oldest queued job, now running; None where there is none."""
        with self._database() as database:
            if database.execute("SELECT 1 FROM jobs WHERE state = 'queued'").fetchone() is None:
                return None  # without a lock: this runs all the time
            database.execute("BEGIN IMMEDIATE")
            row = database.execute("SELECT id FROM jobs WHERE state = 'queued' ORDER BY created LIMIT 1").fetchone()
            if row is None:
                return None
            database.execute(
                "UPDATE jobs SET state = 'running', worker = ?, started = ?, error = '', done = 0 WHERE id = ?",
                (self.worker, time.time(), row["id"]),
            )
        return self.job(row["id"])

    def tell(self, job: str, done: float | None = None, total: float | None = None, message: str | None = None) -> None:
        """How far a running job is."""
        given: dict[str, Any] = {
            k: v for k, v in (("done", done), ("total", total), ("message", message)) if v is not None
        }
        if given:
            self._update(job, "running", **given)

    def end(self, job: str, state: str, error: str = "", message: str = "") -> None:
        """A running job has ended."""
        self._update(job, "running", state=state, error=error, message=message, ended=time.time())

    def again(self, job: str) -> Job:
        """A job that failed or was cancelled goes back into the queue."""
        with self._database() as database:
            database.execute(
                "UPDATE jobs SET state = 'queued', cancel = 0, error = '', message = '', ended = NULL"
                " WHERE id = ? AND state IN ('failed', 'cancelled')",
                (job,),
            )
        return self.job(job)

    def requeue(self, job: str) -> None:
        """A job that was interrupted goes back into the queue, or is over where it was cancelled."""
        now = time.time()
        self._update(job, "running", cancelled=True, state="cancelled", ended=now)
        self._update(job, "running", state="queued", message="")

    def cancel(self, job: str) -> Job:
        """A queued job is over at once; a running one is marked, and whoever runs it ends it."""
        with self._database() as database:
            database.execute("UPDATE jobs SET cancel = 1 WHERE id = ? AND state IN ('queued', 'running')", (job,))
            database.execute(
                "UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND state = 'queued'", (time.time(), job)
            )
        return self.job(job)

    def delete(self, job: str) -> None:
        """A job that ended, with its results. Raises BadInput for one that has not."""
        job_row = self.job(job)
        with self._database() as database:
            gone = database.execute(
                "DELETE FROM jobs WHERE id = ? AND state IN ('done', 'failed', 'cancelled')", (job,)
            ).rowcount
        if not gone:
            raise BadInput(f"job {job}: is {job_row.state}; cancel it first")
        shutil.rmtree(self.home(job), ignore_errors=True)

    def drop(self, job: str) -> None:
        """Remove a new job that was never queued."""
        with self._database() as database:
            database.execute("DELETE FROM jobs WHERE id = ? AND state = 'new'", (job,))
        shutil.rmtree(self.home(job), ignore_errors=True)

    def running(self) -> list[Job]:
        """Jobs whose state is running."""
        with self._database() as database:
            return [_job(row) for row in database.execute("SELECT * FROM jobs WHERE state = 'running'").fetchall()]

    def _update(self, job: str, while_: str, /, *, cancelled: bool = False, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)  # names are ours
        mine = [self.worker] if self.worker else []
        where = f"id = ? AND state = ?{' AND worker = ?' * len(mine)}{' AND cancel = 1' * cancelled}"
        with self._database() as database:
            database.execute(f"UPDATE jobs SET {names} WHERE {where}", (*values.values(), job, while_, *mine))  # noqa: S608

    def home(self, job: str) -> Path:
        """A job's folder."""
        if not ID.fullmatch(job):
            raise NotFound(f"job {job[:32]!r}: not the name of a job")
        return self.folder / "jobs" / job

    def upload(self, files: Sequence[tuple[str, BinaryIO]], most: int = 0) -> str:
        """Keep files under their own names; the upload's id. Raises BadInput for what is too large or has no name.

        `most` is the most bytes of them together; 0 is no limit but the quota.
        """
        self.check_room()
        upload = secrets.token_hex(8)
        folder = self.folder / "uploads" / upload
        folder.mkdir()
        room = self.quota - self.used() if self.quota else 0
        taken = 0
        try:
            names = _names([name for name, _ in files])
            for name, (_, source) in zip(names, files, strict=True):
                with (folder / name).open("wb") as target:
                    while block := source.read(BLOCK):
                        taken += len(block)
                        if most and taken > most:
                            raise BadInput(
                                f"{name}: more than {size_in_words(most)}, which is all that an upload may have"
                            )
                        if self.quota and taken > room:
                            raise BadInput(
                                f"{name}: the studio's {size_in_words(self.quota)} are used up; delete some jobs"
                            )
                        target.write(block)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise not_written(folder, error) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return upload

    def adopt(self, files: Sequence[Path]) -> str:
        """`upload` of files that are on this disk already: linked where that can be, else copied."""
        self.check_room()
        names = _names([file.name for file in files])
        upload = secrets.token_hex(8)
        folder = self.folder / "uploads" / upload
        folder.mkdir()
        try:
            for file, name in zip(files, names, strict=True):
                try:
                    os.link(file, folder / name)
                except OSError:  # another disk, or a file system without links
                    shutil.copyfile(file, folder / name)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise not_written(folder, error) from error
        return upload

    def forget(self, upload: str) -> None:
        """Delete an upload."""
        if ID.fullmatch(upload):
            shutil.rmtree(self.folder / "uploads" / upload, ignore_errors=True)

    def uploaded(self, upload: str) -> Path:
        """The file of an upload, or its folder where it has several. Raises BadInput for one that is not there."""
        folder = self.folder / "uploads" / upload
        files = sorted(folder.iterdir()) if ID.fullmatch(upload) and folder.is_dir() else []
        if not files:
            raise NotFound(f"upload {upload[:32]}: is not there any more; upload it again")
        return files[0] if len(files) == 1 else folder

    def used(self, seconds: float = 0.0) -> int:
        """Bytes of uploads and results; counted anew when the last count is older than so many seconds."""
        counted, used = self._counted
        if time.monotonic() - counted < seconds:
            return used
        sizes: dict[tuple[int, int], int] = {}  # by inode: what was dropped on the page is linked
        for part in ("uploads", "jobs", "page"):
            for place, _, names in os.walk(self.folder / part):
                for name in names:
                    try:
                        told = os.stat(os.path.join(place, name))
                    except OSError:  # was deleted meanwhile
                        continue
                    sizes[told.st_dev, told.st_ino] = told.st_size
        used = sum(sizes.values())
        self._counted = time.monotonic(), used
        return used

    def check_room(self) -> None:
        """Raises BadInput where the quota is used up, even without the uploads that no job uses any more."""
        if self.quota and self.used() >= self.quota:
            self.clean_uploads(FRESH)
        if self.quota and self.used() >= self.quota:
            raise BadInput(f"the studio's {size_in_words(self.quota)} are used up; delete some jobs")

    def clean(self) -> None:
        """Clean up after an earlier studio: jobs that were never queued, folders without a job, temporary files."""
        with self._database() as database:
            database.execute("DELETE FROM jobs WHERE state = 'new'")
        known = {job.id for job in self.jobs()}
        for folder in (self.folder / "jobs").iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        for name in ("page", "passing"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        self.clean_uploads()

    def clean_uploads(self, seconds: float = KEPT_DAYS * 86400) -> None:
        """Delete uploads that no job uses and that are older than so many seconds."""
        with self._database() as database:
            rows = database.execute("SELECT request FROM jobs").fetchall()
        used = {word for row in rows for word in ID.findall(row["request"])}
        for folder in (self.folder / "uploads").iterdir():
            if folder.name not in used and time.time() - folder.stat().st_mtime > seconds:
                shutil.rmtree(folder, ignore_errors=True)

    def look_file(self, name: str) -> Path:
        """Where a look of the user's own is kept. Raises BadInput for what is no name."""
        if safe_name(name) != name or name.startswith(".") or name.upper() in RESERVED:
            raise BadInput(f"look {name[:60]!r}: not a name for a look; write letters, digits, spaces, - and _")
        return self.folder / "looks" / f"{name}.look"

    def looks(self) -> list[str]:
        """Names of the user's own looks."""
        return sorted(path.stem for path in (self.folder / "looks").glob("*.look"))

    def keep_look(self, name: str, data: bytes) -> Path:
        """Write a look of the user's own; the file appears whole. Raises BadInput where the name is taken."""
        target = self.look_file(name)
        if target.exists():
            raise BadInput(f"look {name}: is there already; give it another name")
        with written_whole(target) as part:
            part.write_bytes(data)
        return target


def safe_name(name: str) -> str:
    """A file's own name without folders and without characters that file systems refuse; its suffix stays."""
    own = re.sub(r"[^\w.,+#()@ -]", "_", re.split(r"[\\/]", name)[-1]).strip(" .")
    stem, dot, suffix = own.rpartition(".")
    if not dot or len(suffix) > 8:
        stem, dot, suffix = own, "", ""
    room = LONGEST - len(f"{dot}{suffix}".encode())
    kept = stem.encode()[: max(1, room)].decode("utf-8", "ignore").strip(" .")
    return f"{kept}{dot}{suffix}" if kept else "upload"


def _names(given: Sequence[str]) -> list[str]:
    names = [safe_name(name) for name in given]
    twice = next((n for n in names if names.count(n) > 1), None)
    if not names or twice is not None:
        raise BadInput("nothing was uploaded" if twice is None else f"{twice}: uploaded twice; give it once")
    return names


def size_in_words(size: int) -> str:
    """Bytes as MB or GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"


def _job(row: sqlite3.Row) -> Job:
    values = {field.name: row[field.name] for field in fields(Job)}
    return Job(**{**values, "request": json.loads(values["request"]), "cancel": bool(values["cancel"])})
