"""Frame ranges and the names of sequences."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scumble.core.errors import BadOutput, BadPlate
from scumble.core.frames import FrameRange, format_frames, parse_frames
from scumble.media.pattern import folder_pattern, output_pattern, parse_pattern

ranges = st.builds(
    lambda first, more, step: FrameRange(first, first + more, step),
    st.integers(-500, 2000),
    st.integers(0, 300),
    st.integers(1, 9),
)


@given(ranges)
def test_a_range_prints_as_it_parses(r: FrameRange) -> None:
    assert FrameRange.parse(str(r)) == r
    assert r.first in r
    assert len(list(r)) == len(r)


@given(st.sets(st.integers(-20, 60), min_size=1))
def test_lists_of_frames_round_trip(numbers: set[int]) -> None:
    assert parse_frames(format_frames(sorted(numbers))) == tuple(sorted(numbers))


@pytest.mark.parametrize("text", ["", "a", "5-1", "1-5x0", "1--", "1-5-9", "1,,2"])
def test_malformed_ranges_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadPlate, match="1001-1100x2"):
        parse_frames(text)


@given(ranges, st.integers(2, 20))
def test_spread_takes_both_ends(r: FrameRange, count: int) -> None:
    spread = r.spread(count)
    numbers = list(r)
    assert len(spread) <= count
    assert (spread[0], spread[-1]) == (numbers[0], numbers[-1])
    assert list(spread) == sorted(set(spread))


@pytest.mark.parametrize(
    ("name", "number", "file"),
    [
        ("shot.####.exr", 7, "shot.0007.exr"),
        ("shot.#.exr", 1007, "shot.1007.exr"),
        ("shot.%04d.png", 12, "shot.0012.png"),
        ("shot_%d.png", 12, "shot_12.png"),
        ("shot.@@@@@.tif", 12, "shot.00012.tif"),
        ("shot.$F4.exr", 12, "shot.0012.exr"),
        ("shot.$F.exr", 12, "shot.12.exr"),
        ("v002/shot.####.exr", -3, "v002/shot.-003.exr"),
    ],
)
def test_patterns(name: str, number: int, file: str) -> None:
    pattern = parse_pattern(Path(name))
    assert pattern is not None
    assert pattern.path(number) == Path(file)


def test_a_pattern_finds_its_files_only(tmp_path: Path) -> None:
    for name in ("a.0001.png", "a.0010.png", "a.10000.png", "a.2.png", "b.0003.png", "a.0004.exr", ".a.0005.part.png"):
        (tmp_path / name).touch()
    pattern = parse_pattern(tmp_path / "a.####.png")
    assert pattern is not None
    assert list(pattern.find()) == [1, 10, 10000]


def test_a_folder_holds_one_sequence(tmp_path: Path) -> None:
    for number in (1001, 1002):
        (tmp_path / f"sh-010_v2.{number}.exr").touch()
    pattern = folder_pattern(tmp_path, {".exr"})
    assert list(pattern.find()) == [1001, 1002]
    (tmp_path / "other.0001.exr").touch()
    with pytest.raises(BadPlate, match="several sequences"):
        folder_pattern(tmp_path, {".exr"})
    with pytest.raises(BadPlate, match="no numbered pictures"):
        folder_pattern(tmp_path, {".dpx"})


def test_an_output_of_several_frames_needs_a_number() -> None:
    with pytest.raises(BadOutput, match=r"out\.####\.png"):
        output_pattern(Path("out.png"))
