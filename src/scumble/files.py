"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scumble.errors import BadOutput


def part_of(path: Path) -> Path:
    """The temporary name beside `path`; it keeps the suffix, by which libraries choose the format."""
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` on success, remove it otherwise. Raises BadOutput."""
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise BadOutput(
            f"{path}: cannot be written ({error.strerror or type(error).__name__}); choose another output"
        ) from error
    finally:
        part.unlink(missing_ok=True)
