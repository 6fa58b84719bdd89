"""Plates and writers opened by suffix and pattern."""

from __future__ import annotations

from pathlib import Path

from scumble.media.plate import Plate, PlateOptions, Writer, WriterSettings, is_movie


def open_plate(path: Path, first_frame: int | None = None, options: PlateOptions = PlateOptions()) -> Plate:
    """A movie, an image sequence (`shot.%04d.png`, `shot.####.exr`, a folder) or a still.

    Movie frames are numbered from `first_frame`, 1 by default. Raises BadPlate.
    """
    if is_movie(path):
        from scumble.media.movie_reader import MoviePlate

        return MoviePlate(path, 1 if first_frame is None else first_frame, options)
    from scumble.media.sequence import open_stills

    return open_stills(path, first_frame, options)


def open_writer(path: Path, settings: WriterSettings) -> Writer:
    """A writer by suffix and pattern. Raises BadOutput for a format that cannot be written."""
    if is_movie(path):
        from scumble.media.movie_writer import MovieWriter

        return MovieWriter(path, settings)
    from scumble.media.sequence import StillsWriter

    return StillsWriter(path, settings)
