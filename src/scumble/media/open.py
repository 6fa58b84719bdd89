"""Plates and writers opened by suffix and pattern."""

from __future__ import annotations

from pathlib import Path

from scumble.media.plate import (
    STILLS,
    WRITTEN_MOVIES,
    Plate,
    PlateOptions,
    Writer,
    WriterSettings,
    check_name,
    is_movie,
)


def open_plate(path: Path, first_frame: int | None = None, options: PlateOptions = PlateOptions()) -> Plate:
    """A movie, an image sequence (`shot.%04d.png`, `shot.####.exr`, a folder) or a still.

    Movie frames are numbered from `first_frame`, 1 by default. Raises BadPlate.
    """
    from scumble.media.pages import PagesPlate, has_pages
    from scumble.media.png_chunks import is_animated
    from scumble.media.sequence import open_stills

    check_name(path)
    if is_movie(path) or _may_be_a_movie(path):
        from scumble.media.movie_reader import MoviePlate

        return MoviePlate(path, 1 if first_frame is None else first_frame, options)
    if path.is_file() and is_animated(path):
        from scumble.media.movie_reader import MoviePlate

        return MoviePlate(path, 1 if first_frame is None else first_frame, options)
    if path.is_file() and has_pages(path):
        return PagesPlate(path, 1 if first_frame is None else first_frame, options)
    return open_stills(path, first_frame, options)


def _may_be_a_movie(path: Path) -> bool:
    """Whether a file whose suffix says nothing is a movie by what is in it."""
    if path.suffix.lower() in STILLS or not path.is_file():
        return False
    from scumble.media.movie_reader import holds_movie

    return holds_movie(path)


def open_writer(path: Path, settings: WriterSettings) -> Writer:
    """A writer by suffix and pattern. Raises BadOutput for a format that cannot be written."""
    if path.suffix.lower() in WRITTEN_MOVIES:
        from scumble.media.movie_writer import MovieWriter

        return MovieWriter(path, settings)
    from scumble.media.sequence import StillsWriter

    return StillsWriter(path, settings)
