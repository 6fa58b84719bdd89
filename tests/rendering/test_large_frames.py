"""Large frames: bands of rows give what the whole gives, and few frames wait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.exr import windowed
from helpers.pictures import picture, random_look
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.bands import BAND, in_bands
from scumble.core.colour import DISPLAY, linear_to_srgb
from scumble.core.errors import BadSettings
from scumble.core.files import written_whole
from scumble.core.frames import Frame, Pixels
from scumble.core.memory import parse_bytes
from scumble.look.shipped import identity_look
from scumble.network.baked import BakedLook
from scumble.network.engine import Painter, Precision
from scumble.network.openvino_engine import OpenVinoEngine
from scumble.network.tiling import LEAST_WINDOW
from scumble.rendering.io_threads import QUEUE, Behind, ahead, places_for
from scumble.rendering.job import job_of
from scumble.rendering.memory_bound import WAITING
from scumble.rendering.options import settings_of
from scumble.rendering.run import render


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
    assert places_for(size[0] * size[1] * 12, WAITING) == places


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


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ("4G", 4 * 10**9),
        ("1.5gb", 1_500_000_000),
        ("800 M".replace(" ", ""), 800_000_000),
        ("2GiB", 1 << 31),
        ("2000000", 2_000_000),
    ],
)
def test_sizes_of_memory(words: str, size: int) -> None:
    assert parse_bytes(words) == size


@pytest.mark.parametrize("words", ["", "G", "4 T", "-4G", "nanG", "infG", "1K", "0"])
def test_a_size_of_memory_that_is_none(words: str) -> None:
    with pytest.raises(BadSettings, match="give a size such as 4G or 800M"):
        parse_bytes(words)


def test_less_memory_means_smaller_windows_and_the_same_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound that cannot be kept is said; one that can is not."""
    cv2.imwrite(str(tmp_path / "plate.png"), (picture(900, 1400) * 255).astype(np.uint8))
    look, seen, outputs = random_look(1), [], []

    def watched(self: OpenVinoEngine, baked: BakedLook, precision: Precision) -> Painter:
        painter = painter_of(self, baked, precision)

        def paint(window: Pixels) -> Pixels:
            seen[-1].append(window.shape[0] * window.shape[1])
            return painter(window)

        return paint

    painter_of = OpenVinoEngine.painter
    monkeypatch.setattr(OpenVinoEngine, "painter", watched)
    for memory, said in (None, False), ("600M", False), ("1M", True):
        seen.append([])
        settings = settings_of({"lines": "full", "overwrite": True, **({"memory": memory} if memory else {})})
        done = render(tmp_path / "plate.png", look, tmp_path / f"{memory}.png", settings)
        outputs.append(cv2.imread(str(done.files[0])))
        assert any("--memory" in note and "GB" in note for note in done.notes) == said
    whole, smaller, smallest = (max(windows) for windows in seen)
    assert smallest <= LEAST_WINDOW < smaller < whole / 3
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])


def test_an_exr_of_little_data_needs_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header may say 16384x16384 round some hundred pixels."""
    windowed(tmp_path / "p.exr", picture(36, 64), 0, 0, 64, 36, display=(16384, 16384))
    monkeypatch.setattr("scumble.media.plate.free_memory", lambda: 1_000_000_000)
    job = job_of(tmp_path / "p.exr", identity_look(), tmp_path / "out.exr")
    assert job.plan.frame_bytes < 30_000_000
