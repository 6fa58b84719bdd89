"""Sizes of memory, and how much of it this process may still take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from scumble.core.errors import BadSettings

CGROUP = Path("/sys/fs/cgroup")

UNITS = {"": 1, "M": 10**6, "MB": 10**6, "MIB": 1 << 20, "G": 10**9, "GB": 10**9, "GIB": 1 << 30}


def free_memory() -> int | None:
    """Bytes that are free on this machine and within the limits of this process; None where nobody says."""
    return min(_bounds(), default=None)


def _bounds() -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError, KeyError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
        yield int(facts["MemAvailable"][0]) * 1024
    with suppress(OSError, ValueError, KeyError):  # of a container, whose cached files give way
        used = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        cached = int(used["active_file"]) + int(used["inactive_file"])
        most, now = (int((CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        yield most - now + cached
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            yield limit - pages * resource.getpagesize()


def parse_bytes(text: str) -> int:
    """Bytes of a text such as 4G, 1.5GB or 800M. Raises BadSettings."""
    words = text.strip().upper()
    number = words.rstrip("BGIM")
    try:
        size = int(float(number) * UNITS[words[len(number) :]])
    except (KeyError, ValueError, OverflowError):
        size = 0
    if size < 10**6:
        raise BadSettings(f"memory {text!r}: give a size such as 4G or 800M")
    return size
