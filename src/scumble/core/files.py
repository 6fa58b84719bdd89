"""Files that appear whole or not at all, and digests of what is in files."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from scumble.core.errors import BadOutput, BadPlate

MOST_HASHED = 1 << 28  # bytes of a source file that are all hashed; more is a movie

_HOST = re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40] or "host"

_PART = re.compile(rf"\.(.*)\.{re.escape(_HOST)}\.(\d{{1,9}})\.part(\.\w+)")


def part_of(path: Path) -> Path:
    """The temporary name beside `path`; it keeps the suffix, by which libraries choose the format."""
    return path.with_name(f".{path.stem}.{_HOST}.{os.getpid()}.part{path.suffix}")


def new_part(path: Path) -> Path:
    """The temporary file of `path`, made anew and empty: a link that waits under its name is not written through.

    Raises OSError.
    """
    part = part_of(path)
    part.unlink(missing_ok=True)  # of a dead process that had this one's number, or somebody's trap
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(part, flags, 0o666))
    return part


def clear_parts(files: Iterable[Path]) -> None:
    """Remove what processes of this machine that are no more have left half-written at these places."""
    if os.name == "nt":  # there is no harmless way to ask for a process there
        return
    wanted = {(f.parent, f.stem, f.suffix) for f in files}
    for folder in {folder for folder, _, _ in wanted}:
        for part in folder.glob(f".*.{_HOST}.*.part*") if folder.is_dir() else ():
            match = _PART.fullmatch(part.name)
            if match and (folder, match[1], match[3]) in wanted and not _lives(int(match[2])):
                with suppress(OSError):
                    part.unlink()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def written_whole(path: Path, what: str = "") -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` on success, remove it otherwise. Raises BadOutput.

    `what` is written, such as "frame 1047", is named in the error.
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new_part(path)
        to_disk(part)
        os.replace(part, path)
    except OSError as error:
        raise not_written(path, error, what) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even to remove what is not there
            part.unlink(missing_ok=True)


def to_disk(part: Path) -> None:
    """Bring a file's bytes to the disk: after a power cut its name never stands for less than all of them.

    Raises OSError.
    """
    with part.open("rb+") as f:
        os.fsync(f.fileno())


def check_writable(path: Path, what: str = "") -> None:
    """Raises BadOutput, before any work, where a file at `path` could not be written; leaves nothing behind."""
    folder = next(p for p in (path.absolute().parent, *path.absolute().parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise not_written(path, error, what) from error


def not_written(path: Path, error: Any, what: str = "") -> BadOutput:
    """The sentence for a write that failed: a full disk asks for another remedy than a wrong path.

    `error` has `errno` and `strerror`: OSError or FFmpeg's own kind.
    """
    full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG)
    remedy = "make room there, or choose another output" if full else "choose another output"
    return BadOutput(
        f"{path}: {what}{' ' * bool(what)}cannot be written ({error.strerror or type(error).__name__}); {remedy}"
    )


@contextmanager
def spool(suffix: str) -> Iterator[Path]:
    """A path for a library to write a small file to, away from the output's disk: in memory on Linux.

    Image libraries do not survive a full disk (libpng goes on and leaves half a picture, libjpeg ends
    the process, libwebp never returns), so their bytes are taken from here and written by Python.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("scumble")
        try:
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryDirectory(prefix="scumble-", ignore_cleanup_errors=True) as folder:
            yield Path(folder) / f"picture{suffix}"


def digest(path: Path) -> str:
    """The digest of a file's bytes. For a large file, a movie: of its size, time, beginning and end."""
    try:
        facts = path.stat()
        return _digest_of(path, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    except OSError as error:
        raise BadPlate(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@lru_cache(maxsize=64)  # the stabiliser asks for the same files again and again
def _digest_of(path: Path, size: int, time_ns: int, _changed_ns: int) -> str:
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with path.open("rb") as f:
        if size <= MOST_HASHED:
            digest.update(f.read())
        else:
            digest.update(f.read(1 << 20))
            f.seek(-(1 << 20), os.SEEK_END)
            digest.update(f.read() + str(time_ns).encode())
    return digest.hexdigest()
