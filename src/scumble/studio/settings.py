"""How a studio is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_data_path


@dataclass(frozen=True)
class Options:
    """What the command line says of a studio."""

    data: Path
    """Folder of jobs, uploads and looks."""
    folders: tuple[Path, ...] = ()
    """Folders whose plates may be named."""
    password: str = ""
    """Asked for where there is one."""
    quota: int = 0
    """Most bytes of uploads and results; 0 is no limit."""
    most: int = 8 << 30
    """Most bytes of one upload."""


def data_folder() -> Path:
    """Where jobs, uploads and looks are kept unless another folder is named."""
    return user_data_path("scumble", appauthor=False) / "studio"
