"""Where a plate's shots begin and end: hard cuts, dissolves, fades through black.

Hard cuts are found by PySceneDetect's adaptive detector. A dissolve is a span whose frames are
blends of its two ends, in proportion to time, between ends that look different; a fade is a run of
black frames inside the plate.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from scumble.core.cache import cached, keep
from scumble.core.errors import BadInput
from scumble.core.files import digest
from scumble.core.frames import Frame, frame_number
from scumble.core.working_space import to_working
from scumble.media.plate import Plate


def shots_of(plate: Plate, cuts: str | None = None, must: Container[int] = ()) -> list[Shot]:
    """A plate's shots: `auto` finds them, `none` takes the plate for one, else a text file of first frames.

    By default a movie may be an edit, a sequence is one shot. What was found once for a plate is not
    looked for again. Raises BadInput for a file that names no frames of the plate, BadPlate for a frame that `must`
    be read and cannot.
    """
    if cuts is None:
        cuts = default_cuts(plate)
    if cuts == "none" or len(plate.numbers) == 1:
        return [Shot(plate.numbers[0], plate.numbers[-1])]
    if cuts != "auto":
        return read_cuts(Path(cuts), plate.numbers)
    key = [RULES, plate.numbers[0], len(plate.numbers), files_identity(plate, plate.numbers)]
    shots = cached_shots(key)
    if shots is None:
        shots = detect(plate.read_what_can(plate.numbers, must))
        keep_shots(key, shots)
    return shots


def default_cuts(plate: Plate) -> str:
    """How shots are found where nothing is asked for: a movie may be an edit, a sequence is one shot."""
    return "auto" if plate.is_movie else "none"


def files_identity(plate: Plate, numbers: Sequence[int]) -> str:
    """Changes when the contents of these frames' files do, or what is read from them and what it means.

    Not by size and time: archives set times, and uncompressed frames all have one size.
    """
    files = [digest(path) for path in plate.files_of(numbers)]
    means = plate.options.colours.identity if plate.colour_space.conversion is not None else ""
    read_as = [plate.layer, plate.margin, plate.options.view, str(plate.colour_space), means]
    return hashlib.sha256(repr([files, read_as]).encode()).hexdigest()


SEEN = (256, 144)  # pixels at which cuts are looked for

SMALL = (48, 27)  # pixels at which dissolves are

SHORTEST = 8  # frames; a shorter span is a flash, not a shot

LENGTHS = (6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80)  # lengths of dissolves that are tried, end to end, in frames

BLEND = 0.35  # most that a frame of a dissolve differs from the blend of its ends, over their difference

AHEAD = 0.1  # most that a frame's share of the blend differs from its share of time

APART = 0.12  # least RMS difference between the two ends

ALIKE = 0.5  # correlation of the two ends from which they are one scene, moved or lit differently

BEYOND = 0.07  # most that the pictures around a span go on in its direction, over the difference of its ends

BLACK = 0.06  # at most a hundredth of the picture is brighter

RULES = 2  # counted up when shots are found in another way: what was found before is not taken

SUDDEN = 3  # times that: a picture so bright is no end of a fade

Begin = Literal["cut", "dissolve", "fade"]


@dataclass(frozen=True)
class Shot:
    """Frames `first` to `last`, both in it; its first `dissolve` frames are the last ones of the shot before too."""

    first: int
    last: int
    dissolve: int = 0
    begins: Begin = "cut"

    def share(self, number: int) -> float:
        """How much of a frame of the dissolve at its beginning is this shot's, from 0 to 1."""
        return min(1.0, max(0.0, (number - self.first + 1) / (self.dissolve + 1)))

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= self.last


class _Blend(NamedTuple):
    """Places of the last frame before and the first frame after a dissolve, and how good it is."""

    before: int
    after: int
    merit: float


def detect(frames: Iterable[Frame]) -> list[Shot]:
    """The shots of frames in order; memory does not grow with their number."""
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    def at(place: int) -> FrameTimecode:
        return FrameTimecode(place, 24.0)  # any rate will do: places are counted in frames

    detector = AdaptiveDetector(min_scene_len=SHORTEST)
    numbers: list[int] = []
    cuts: list[int] = []
    levels: list[float] = []  # how bright each frame is
    blends = _Blends()
    for frame in frames:
        display = to_working(frame.pixels, frame.colour_space).pixels
        small = cv2.resize(display, SEEN, interpolation=cv2.INTER_AREA).clip(0, 1)
        blue_first = np.ascontiguousarray((small[:, :, ::-1] * 255).astype(np.uint8))
        cuts += [cut.frame_num for cut in detector.process_frame(at(len(numbers)), blue_first)]
        thumb = cv2.resize(small, SMALL, interpolation=cv2.INTER_AREA)
        levels.append(float(np.quantile(thumb.max(axis=2), 0.99)))
        blends.add(np.asarray(thumb, np.float32).reshape(-1))
        numbers.append(frame.number)
    if not numbers:
        return []
    cuts += [cut.frame_num for cut in detector.post_process(at(len(numbers) - 1))]
    return _shots(numbers, cuts, levels, blends.best())


def as_text(shots: Sequence[Shot], numbers: Sequence[int]) -> str:
    """A line a shot: first and last frame, how many of the plate's `numbers` are in it, how it begins."""
    lines = []
    for place, shot in enumerate(shots, start=1):
        how = f"dissolve of {shot.dissolve}" if shot.dissolve else shot.begins if place > 1 else "begin"
        lines.append(f"{place:4}  {shot.first:>7}-{shot.last:<7} {len(frames_of(shot, numbers)):>6} frames  {how}")
    return "\n".join(lines)


def _shots(
    numbers: Sequence[int], cuts: Iterable[int], levels: Sequence[float], blends: Sequence[_Blend]
) -> list[Shot]:
    """Cuts inside a dissolve or beside a fade are the same change seen twice."""
    starts: dict[int, tuple[Begin, int]] = {place: ("cut", 0) for place in cuts if place}
    for first, last in _runs([place for place, level in enumerate(levels) if level < BLACK]):
        if first > 0 and last < len(numbers) - 1:
            # beginning and end of a run of black are seen as cuts, and fades as dissolves from and to it
            starts = {p: s for p, s in starts.items() if not first - 2 <= p <= last + 2}
            blends = [b for b in blends if b.after < first - 2 or b.before > last + 2 or not _touches(b, first, last)]
            if _is_sudden(levels[:first]):  # cut to black: what comes after it fades in, or is cut to as well
                starts[first] = ("cut", 0)
            elif _is_sudden(levels[:last:-1]):
                starts[last + 1] = ("cut", 0)
            else:
                starts[(first + last + 1) // 2] = ("fade", 0)
    for blend in blends:
        starts = {p: s for p, s in starts.items() if not blend.before - 2 <= p <= blend.after + 2}
        starts[blend.before + 1] = ("dissolve", blend.after - blend.before - 1)
    places = sorted({0, *starts})
    shots = []
    for place, following in zip(places, [*places[1:], len(numbers)], strict=True):
        begins, dissolve = starts.get(place, ("cut", 0))
        more = starts[following][1] if following in starts else 0
        last = min(following + more, len(numbers)) - 1
        shots.append(Shot(numbers[place], numbers[last], dissolve, begins))
    return shots


def _is_sudden(levels: Sequence[float]) -> bool:
    """Whether the picture beside black, which is the last of these, is as bright as those beyond it."""
    near, beyond = levels[-1], levels[-min(3, len(levels))]
    return near > SUDDEN * BLACK and near > beyond * 3 / 4


def _touches(blend: _Blend, first: int, last: int) -> bool:
    return blend.before <= last and blend.after >= first


def _runs(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of neighbours."""
    for i, place in enumerate(places):
        if i == 0 or places[i - 1] != place - 1:
            last = i
            while last + 1 < len(places) and places[last + 1] == places[last] + 1:
                last += 1
            yield place, places[last]


class _Blends:
    """Finds dissolves in small pictures as they come, over a window of the longest dissolve and its surroundings."""

    def __init__(self) -> None:
        self.window: deque[NDArray[np.float32]] = deque(maxlen=max(LENGTHS) + 2 * _around(max(LENGTHS)) + 1)
        self.count = 0
        self.blends: list[_Blend] = []

    def add(self, small: NDArray[np.float32]) -> None:
        """Try every length of dissolve that ends as far before this picture as it must be seen to stay ended."""
        self.window.append(small)
        self.count += 1
        for length in LENGTHS:
            self._try(length, _around(length))

    def _try(self, length: int, around: int) -> None:
        before = len(self.window) - 1 - around - length
        if before - around < 0:
            return
        merit = self._merit(before, length, around)
        if merit is not None:
            place = self.count - 1 - around
            self.blends.append(_Blend(place - length, place, merit))

    def _merit(self, first: int, length: int, around: int) -> float | None:
        """The pictures `first` to `first + length` of the window as a dissolve; None if they are none.

        Part of a dissolve has ends that are nearer to each other, more than a dissolve is less linear:
        the whole has the most difference between its ends at the least departure from a linear blend.
        """
        before, after = self.window[first], self.window[first + length]
        way = after - before
        size = float(way @ way)
        if size < APART**2 * len(way):
            return None
        a, b = before - before.mean(), after - after.mean()
        if float(a @ b) > ALIKE * float(np.sqrt((a @ a) * (b @ b))):
            return None
        # a camera that moves goes on beyond both ends of any span, a dissolve does not
        if float((self.window[first - around] - before) @ way) < -BEYOND * size:
            return None
        if float((self.window[first + length + around] - after) @ way) > BEYOND * size:
            return None
        faults = []
        for k in sorted({round(length * part / 6) for part in range(1, 6)}):
            away = self.window[first + k] - before
            share = float(away @ way) / size
            rest = away - share * way
            fault = float(np.sqrt((rest @ rest) / size))
            if fault > BLEND or abs(share - k / length) > AHEAD:
                return None
            faults.append(fault + abs(share - k / length))
        return float(np.sqrt(size / len(way)) * (1 - 2 * np.mean(faults)))

    def best(self) -> list[_Blend]:
        """The best of dissolves that overlap, in order."""
        chosen: list[_Blend] = []
        for blend in sorted(self.blends, key=lambda b: -b.merit):
            if all(blend.after <= c.before or blend.before >= c.after for c in chosen):
                chosen.append(blend)
        return sorted(chosen)


def _around(length: int) -> int:
    """Frames before and after a dissolve that are looked at."""
    return max(3, length // 3)


def frames_of(shot: Shot, numbers: Sequence[int]) -> Sequence[int]:
    """The numbers of a plate that stand in a shot, in order."""
    return numbers[bisect_left(numbers, shot.first) : bisect_right(numbers, shot.last)]


def own_frames(shots: Sequence[Shot], numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """The frames that belong to each shot alone; all frames of a shot that consists of dissolves only."""
    own = []
    for place, shot in enumerate(shots):
        after = shots[place + 1].first if place + 1 < len(shots) else shot.last + 1
        mine = frames_of(shot, numbers)
        own.append(tuple(n for n in mine if shot.first + shot.dissolve <= n < after) or tuple(mine))
    return own


def read_cuts(path: Path, numbers: Sequence[int]) -> list[Shot]:
    """Shots by a text file of first frames, one a line (`#` begins a comment). Raises BadInput."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(
            f"{path}: cannot be read as a list of first frames ({error}); write one number a line"
        ) from error
    firsts = {numbers[0]}
    places = {number: place for place, number in enumerate(numbers)}
    for place, line in enumerate(lines, start=1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        number = frame_number(word)
        if number is None or number not in places:
            raise BadInput(f"{path}: line {place}: {word[:40]!r} is not a frame of {numbers[0]}-{numbers[-1]}")
        firsts.add(number)
    begins = sorted(firsts)
    ends = [numbers[places[first] - 1] for first in begins[1:]]
    return [Shot(first, last) for first, last in zip(begins, [*ends, numbers[-1]], strict=True)]


def cached_shots(key: object) -> list[Shot] | None:
    """Shots that were found before."""
    entry = cached("shots", key)
    with suppress(KeyError, TypeError, ValueError, OverflowError):
        if entry is not None:
            return [Shot(**shot) for shot in entry["shots"]]
    return None


def keep_shots(key: object, shots: Sequence[Shot]) -> None:
    """For `cached_shots`."""
    keep("shots", key, {"shots": [asdict(shot) for shot in shots]})
