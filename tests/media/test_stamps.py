"""A movie's frames are shown when the plate's were, whatever their stamps are: random lists, written by PyAV and read back."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scumble.look.shipped import identity_look
from scumble.media.movie_times import times_of
from scumble.media.open import open_plate
from scumble.rendering.options import RenderSettings
from scumble.rendering.run import render


class Kind(NamedTuple):
    """A way to write a plate: in which file, with which codec and B-frames, and the unit of its stamps in seconds."""

    suffix: str
    codec: str
    b_frames: int
    tick: Fraction


KINDS = [
    Kind("mkv", "ffv1", 0, Fraction(1, 1000)),
    Kind("mov", "libx264", 0, Fraction(1, 600)),
    Kind("mp4", "libx264", 3, Fraction(1, 12800)),
    Kind("mkv", "libx264", 2, Fraction(1, 1000)),
]


def write(path: Path, kind: Kind, stamps: Sequence[int]) -> None:
    """A movie of 32 x 32 whose frames have these stamps, in ticks."""
    with av.open(str(path), "w") as movie:
        stream = movie.add_stream(kind.codec, rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = kind.tick
        if kind.codec == "libx264":
            stream.codec_context.max_b_frames = kind.b_frames
        for place, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), place * 20, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, kind.tick
            movie.mux(stream.encode(frame))
        movie.mux(stream.encode(None))


def read(path: Path) -> list[Fraction]:
    """Seconds at which the frames are shown, from the packets' stamps, without this package."""
    with av.open(str(path)) as movie:
        return sorted(p.pts * p.time_base for p in movie.demux(video=0) if p.pts is not None)


def same(found: Sequence[Fraction], right: Sequence[Fraction], tick: Fraction) -> bool:
    """Whether times are equal within a tick, each list counted from its own first."""
    pairs = zip(found, right, strict=True)
    return all(abs((a - found[0]) - (b - right[0])) <= tick for a, b in pairs)


steps = st.one_of(
    st.builds(lambda ms, n: [ms] * n, st.sampled_from([8, 20, 33, 40, 41, 100]), st.integers(1, 9)),  # constant
    st.lists(st.integers(10, 400), min_size=1, max_size=9),  # varying
    st.lists(st.sampled_from([40, 40, 40, 40, 1000, 5000]), min_size=1, max_size=9),  # gaps
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.suffix}-{kind.codec}-{kind.b_frames}")
@settings(max_examples=6, deadline=None)
@given(milliseconds=steps, start=st.sampled_from([0, 1, 40, 3_600_000]), cut=st.integers(0, 9))
def test_an_output_has_the_stamps_of_its_plate(kind: Kind, milliseconds: list[int], start: int, cut: int) -> None:
    """Whole, and in two chunks: each counts from its own first frame."""
    stamps = [round(at * Fraction(1, 1000) / kind.tick) for at in accumulate(milliseconds, initial=start)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plate = folder / f"plate.{kind.suffix}"
        write(plate, kind, stamps)
        right = read(plate)
        assert len(right) == len(stamps)
        tick = max(kind.tick, Fraction(1, 1000))  # a constant rate is believed within a millisecond
        render(plate, identity_look(), folder / f"out.{kind.suffix}", RenderSettings())
        assert same(read(folder / f"out.{kind.suffix}"), right, tick)
        last = len(right)
        middle = 1 + cut % last
        for at, frames in enumerate([range(1, middle + 1), range(middle + 1, last + 1)][: 1 if middle == last else 2]):
            out = folder / f"chunk{at}.{kind.suffix}"
            render(plate, identity_look(), out, RenderSettings(frames=tuple(frames)))
            assert same(read(out), right[middle:] if at else right[:middle], tick)


@settings(max_examples=6, deadline=None)
@given(steps=st.lists(st.sampled_from([0, 40, 40, 80]), min_size=1, max_size=9).filter(any))
def test_frames_of_one_stamp_are_all_there(steps: list[int]) -> None:
    kind = KINDS[0]
    stamps = list(accumulate(steps, initial=0))
    with tempfile.TemporaryDirectory() as name:
        plate, out = Path(name) / "plate.mkv", Path(name) / "out.mkv"
        write(plate, kind, stamps)
        assert len(open_plate(plate).numbers) == len(stamps)
        render(plate, identity_look(), out, RenderSettings())
        found = read(out)
        assert len(found) == len(stamps)
        late = max(stamps.count(stamp) for stamp in stamps)  # each but the first of a group is a tick later
        assert same(found, read(plate), late * kind.tick)


def test_a_movie_of_one_stamp_runs_at_the_rate_of_its_header(tmp_path: Path) -> None:
    write(tmp_path / "plate.mkv", KINDS[0], [0, 0, 0, 0])
    assert open_plate(tmp_path / "plate.mkv").frame_rate == 25
    render(tmp_path / "plate.mkv", identity_look(), tmp_path / "out.mkv", RenderSettings())
    assert same(read(tmp_path / "out.mkv"), [Fraction(n, 25) for n in range(4)], KINDS[0].tick)


def test_stamps_that_are_all_one_leave_the_rate_to_the_header() -> None:
    assert times_of([7] * 3, Fraction(1, 90000), 0, [None]) is None
    times = times_of([7] * 3, Fraction(1, 90000), 0, [None, Fraction(25)])
    assert times is not None
    assert (times.rate, times.is_variable, times.repeated) == (25, False, 2)
    assert np.diff(np.array(times.shown, dtype=object)).tolist() == [Fraction(1, 25)] * 3
