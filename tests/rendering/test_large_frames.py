"""Large frames: bands of rows give what the whole gives, and few frames wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.bands import BAND, in_bands
from scumble.core.colour import DISPLAY, linear_to_srgb
from scumble.core.files import written_whole
from scumble.core.frames import Frame, Pixels
from scumble.rendering.io_threads import QUEUE, Behind, ahead, places_for


@given(height=st.integers(1, 40), rows=st.integers(1, 12))
def test_bands_are_the_whole(height: int, rows: int) -> None:
    """Two results of other depths, a picture that is missing; bands that do and do not divide the height."""
    width = BAND // rows
    picture = np.linspace(0, 1, height * width * 1, dtype=np.float32).reshape(height, width, 1)

    def of(pixels: Pixels, missing: Pixels | None) -> tuple[Pixels, Pixels]:
        assert missing is None
        assert len(pixels) <= max(rows, 1) or height <= rows
        return linear_to_srgb(pixels), pixels[:, :, 0] > 0.5

    curved, above = in_bands(of, picture, None)
    np.testing.assert_array_equal(above, picture[:, :, 0] > 0.5)
    np.testing.assert_allclose(curved, linear_to_srgb(picture), rtol=1e-6)


def test_one_result_in_bands() -> None:
    picture = np.random.default_rng(0).random((700, 800, 3), np.float32)
    np.testing.assert_array_equal(in_bands(lambda p: p * 2, picture), picture * 2)


@pytest.mark.parametrize(("size", "places"), [((1920, 1080), QUEUE), ((3840, 2160), 2), ((7680, 4320), 0)])
def test_fewer_frames_wait_where_they_are_larger(size: tuple[int, int], places: int) -> None:
    assert places_for(size[0] * size[1] * 12) == places


class Kept:
    """A writer that counts."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def write(self, frame: Frame) -> None:
        self.numbers.append(frame.number)

    def close(self) -> None: ...

    def abort(self) -> None: ...


def test_without_places_a_frame_is_read_when_it_is_wanted_and_written_at_once() -> None:
    read: list[int] = []

    def frames() -> Iterator[Frame]:
        for number in range(3):
            read.append(number)
            yield Frame(number, np.zeros((1, 1, 3), np.float32), DISPLAY)

    writer, told = Kept(), []
    with ahead(frames(), 0) as coming, Behind(writer, 0) as behind:
        for frame in coming:
            assert read == list(range(frame.number + 1))
            behind.put(frame, told.append)
            assert writer.numbers == told == read


def test_bytes_are_on_the_disk_before_they_get_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[int, bool]] = []
    path = tmp_path / "frame.png"

    def fsync(descriptor: int) -> None:
        import os

        synced.append((os.fstat(descriptor).st_size, path.exists()))

    monkeypatch.setattr("os.fsync", fsync)
    with written_whole(path) as part:
        part.write_bytes(b"picture")
    assert synced == [(7, False)]
    assert path.read_bytes() == b"picture"
