"""Facts that took time to measure, kept in the user's cache folder under a key of what they were measured from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scumble.core.errors import BadOutput
from scumble.core.files import written_whole
from scumble.core.version import __version__

KEPT = 2000  # files in a folder of the cache; of more the oldest go


def cached(folder: str, key: object) -> dict[str, Any] | None:
    """What the cache holds under a key of plain values, or None."""
    with suppress(OSError, ValueError, RecursionError):
        value = json.loads(_cache_file(folder, key).read_text("utf-8"))
        if isinstance(value, dict):
            return value
    return None


def keep(folder: str, key: object, values: Mapping[str, Any]) -> None:
    """Put plain values into the cache; a cache that cannot be written is no reason to stop."""
    path = _cache_file(folder, key)
    with suppress(BadOutput, OSError):
        with written_whole(path) as part:
            part.write_text(json.dumps(values), "utf-8")
        files = sorted(path.parent.glob("*.json"), key=lambda p: p.stat().st_mtime)
        for old in files[: max(0, len(files) - KEPT)]:
            old.unlink(missing_ok=True)


def _cache_file(folder: str, key: object) -> Path:
    text = json.dumps([__version__, key], sort_keys=True)
    return cache_folder() / folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def cache_folder() -> Path:
    """`$SCUMBLE_CACHE`, else the user's cache folder of this platform."""
    from platformdirs import user_cache_path  # not needed where --vgg names the file

    own = os.environ.get("SCUMBLE_CACHE")
    return Path(own) if own else user_cache_path("scumble")
