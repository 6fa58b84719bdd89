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
