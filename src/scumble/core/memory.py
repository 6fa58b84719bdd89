"""How much memory this process may still take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Bytes that are free on this machine and within the limits of this process; None where nobody says."""
    return min(_bounds(), default=None)


def _bounds() -> Iterator[int]:
    with suppress(OSError, ValueError, IndexError, KeyError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        facts = {name: words.split() for name, _, words in (line.partition(":") for line in lines)}
        yield int(facts["MemAvailable"][0]) * 1024
    with suppress(OSError, ValueError):  # of a container
        yield int((CGROUP / "memory.max").read_text()) - int((CGROUP / "memory.current").read_text())
    with suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            yield limit - pages * resource.getpagesize()
