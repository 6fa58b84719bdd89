"""What a render paints, settled before the first pixel: plate, looks, frames, sizes, mattes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

from scumble.core.errors import BadPlate, BadSettings
from scumble.core.frames import MOST_FRAMES, NO_MARGIN, Frame, FrameRange, Margin, format_frames, gaps
from scumble.core.keyed import Keyed
from scumble.look.look import Look
from scumble.media.open import open_plate
from scumble.media.plate import Plate
from scumble.network.engine import Precision, find_engine
from scumble.network.tiling import canvas, on_grid
from scumble.rendering.options import LINES, MOST_OVERSCAN, RenderSettings
from scumble.rendering.output import Output, proxy_size
from scumble.rendering.review import reduced
from scumble.shot.matte import Matte, shaped
from scumble.shot.motion import Vectors, vectors_of
from scumble.shot.open_matte import parse_matte

BEYOND = 16  # pixels at the network's size that resizing reaches further than the network

LEAST = 16  # lines and columns that the network sees; strokes are drawn at an eighth of them


@dataclass(frozen=True)
class Plan:
    """What is painted: frames of a plate, by which looks, at which size. Where it goes is an `Output`."""

    plate: Plate
    looks: tuple[tuple[int, Look], ...]  # with the frame at which each stands alone
    numbers: tuple[int, ...]
    network_size: tuple[int, int]  # width, height of the display window as the network sees it
    frame_size: tuple[int, int]  # width, height of the finished picture: the plate's, except for proxies
    margin: Margin  # overscan that is painted along, or less than 0 where there is no data; on the network's grid
    precision: Precision
    settings: RenderSettings
    matte: Matte | None = None  # where the looks paint; None is the whole frame
    matte_looks: tuple[tuple[Matte, Look], ...] = ()  # looks painted over the others, each in its own matte
    matte_words: tuple[str, ...] = ()  # the words that asked for these mattes

    @property
    def look(self) -> Look:
        """The first look."""
        return self.looks[0][1]

    @property
    def all_looks(self) -> list[Look]:
        """The looks of the frame and those in mattes."""
        return [look for _, look in (*self.looks, *self.matte_looks)]

    def shares(self, number: int) -> list[float]:
        """Share of each look in a frame: they cross-fade from key to key."""
        places = range(len(self.looks))
        shares = [Keyed(tuple((f, float(i == k)) for i, (f, _) in enumerate(self.looks))) for k in places]
        return [share.at(number) for share in shares]

    def strength_at(self, number: int) -> float:
        """Strength in a frame."""
        strength = self.settings.strength
        return strength.at(number) if isinstance(strength, Keyed) else strength

    @property
    def mattes(self) -> list[Matte]:
        """All mattes."""
        return [*([] if self.matte is None else [self.matte]), *(matte for matte, _ in self.matte_looks)]

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Width and height at which the network sees display window and margin."""
        return canvas(self.plate.size, self.network_size, self.margin)

    @property
    def painted_size(self) -> tuple[int, int]:
        """Width and height of a painted frame with its margin."""
        (width, height), m = self.frame_size, self.margin
        return width + m.left + m.right, height + m.top + m.bottom

    @property
    def frame_bytes(self) -> int:
        """Of the pixels of a frame with its margin, red, green, blue and alpha."""
        return prod(self.painted_size) * 4 * (3 + self.plate.has_alpha)

    def read(self, numbers: Sequence[int]) -> Iterator[Frame]:
        """The plate's frames, at the size at which they are painted."""
        frames = self.plate.read(numbers, self.margin)
        return frames if self.frame_size == self.plate.size else (reduced(f, self.frame_size) for f in frames)

    @property
    def proxy_size(self) -> tuple[int, int]:
        """Width and height of the display window as it is written."""
        return proxy_size(self.plate.size, self.settings.proxy)


def asked_frames(source: Path | Plate, settings: RenderSettings) -> tuple[Plate, tuple[int, ...]]:
    """The plate, opened, and the frames that are to be painted. Raises BadPlate for frames that are not there."""
    plate = open_plate(source, settings.first_frame, settings.plate_options) if isinstance(source, Path) else source
    name, there = plate.path, set(plate.numbers)
    missing = gaps(plate.numbers)  # as ranges: one stray number far away has more holes than memory
    numbers = settings.frames
    if numbers is None and missing and settings.missing == "error":
        raise _lacking(plate, missing[0].first, ",".join(map(str, missing[:20])), plate.numbers)
    if numbers is None and settings.missing == "hold":
        _check_repeatable(plate, missing)
    if numbers is None:  # every number between first and last is wanted
        numbers = plate.numbers if settings.missing == "skip" else tuple(plate.frame_range)
    outside = [n for n in numbers if n not in plate.frame_range]
    if not numbers or outside:
        raise BadPlate(
            f"{name}: frame {outside[0] if outside else '(none)'} is outside the plate's {plate.frame_range};"
            " give --frames inside it"
        )
    holes = sorted(set(numbers) - there)
    if holes and settings.missing == "skip":
        numbers = tuple(n for n in numbers if n in there)
        if not numbers:
            raise BadPlate(f"{name}: all of these frames are missing ({format_frames(holes[:50])})")
    elif holes and settings.missing == "hold":
        _check_repeatable(plate, missing)
        # all holes of the plate, so that its shots are the same for every chunk
        plate = plate.repeating([n for gap in missing for n in gap])
    elif holes:
        raise _lacking(plate, holes[0], format_frames(holes[:50]), sorted(set(numbers) & there))
    return plate, numbers


def _lacking(plate: Plate, first: int, missing: str, left: Sequence[int]) -> BadPlate:
    """The refusal of a plate whose frame `first` is missing; `left` are the frames that could be rendered."""
    return BadPlate(
        f"{plate.path}: frame {first} is missing from {plate.frame_range} (missing: {missing}); give --missing hold to"
        f" repeat the frame before, --missing skip, or --frames {format_frames(left)}"
    )


def _check_repeatable(plate: Plate, missing: Sequence[FrameRange]) -> None:
    """Raises BadPlate where more frames would be held than anybody wants: a stray number far away."""
    count = sum(map(len, missing))
    if count > MOST_FRAMES:
        raise BadPlate(
            f"{plate.path}: {count} frames are missing from {plate.frame_range}, more than can be held; give"
            f" --missing skip, or --frames {format_frames(plate.numbers)}"
        )


def plan(
    source: Path | Plate,
    look: Look | Sequence[tuple[int, Look]],
    settings: RenderSettings,
    matte_looks: Sequence[tuple[str, Look]] = (),
    output: Output | None = None,
) -> Plan:
    """Settle everything that painting needs to know, writing nothing.

    Several looks come with the frames at which each stands alone; between those they cross-fade. What is painted for
    an `output` fits it: overscan for an EXR, the fast precision for a movie of 8 bits. Raises ScumbleError.
    """
    if output is None:
        plate, numbers = asked_frames(source, settings)
    else:
        plate, numbers = output.plate, output.numbers
    looks = ((0, look),) if isinstance(look, Look) else tuple(sorted(look, key=lambda keyed: keyed[0]))
    twice = next((a for (a, _), (b, _) in pairwise(looks) if a == b), None)
    if twice is not None:
        raise BadSettings(
            f"frame {twice} has two looks; give each a frame of its own, as in --look A@1001 --look B@1050"
        )
    find_engine(settings.engine)
    size = _network_size(plate.size, settings)
    every = [look for _, look in (*looks, *matte_looks)]
    size, margin = _with_window(plate, numbers, size, every, settings, output)
    precision: Precision = "f32"
    if settings.precision != "auto":
        precision = settings.precision
    elif output is not None and plate.is_movie and plate.bits == 8 and output.is_movie:
        precision = "fast"
    if settings.feather and not settings.matte and not matte_looks:
        raise BadSettings("feather softens a matte's edges; give a matte with it, as in --auto-matte person")
    matte = None
    if settings.matte:
        matte = shaped(parse_matte(settings.matte, plate, numbers), settings.invert_matte, settings.feather)
    others = tuple(
        (shaped(parse_matte(words, plate, numbers), False, settings.feather), other) for words, other in matte_looks
    )
    small = proxy_size(plate.size, settings.proxy)
    frame_size = size if small[1] < size[1] and settings.proxy > 1 else small
    words = tuple(asked for asked, _ in matte_looks)
    part = plate.within(margin) if min(margin) < 0 else plate
    made = Plan(part, looks, numbers, size, frame_size, margin, precision, settings, matte, others, words)
    if "vectors" in (settings.stabilize, settings.on_warp):  # refused before any work
        vectors = vectors_in(made)
        if settings.on_warp == "vectors" and vectors.backward is None:
            raise BadSettings(f"{plate.path}: no motion to the frame before ({vectors}); take --on-warp flow")
    return made


def _network_size(plate: tuple[int, int], settings: RenderSettings) -> tuple[int, int]:
    """Width and height at which the network sees a plate of this width and height."""
    width, height = plate
    lines = float(min(height, LINES) if settings.lines is None else settings.lines or height) / settings.stroke
    seen = width * max(LEAST, lines) / height
    if lines < LEAST:  # a strip of few rows is not made longer: memory goes with its pixels
        seen = min(seen, max(width, LINES))
    return max(LEAST, round(seen)), round(max(LEAST, lines))


def _with_window(
    plate: Plate,
    numbers: tuple[int, ...],
    size: tuple[int, int],
    looks: Sequence[Look],
    settings: RenderSettings,
    output: Output | None,
) -> tuple[tuple[int, int], Margin]:
    """The network's size, and the window that is painted where an EXR can hold it. Raises BadPlate."""
    # files for review hold neither other layers nor windows
    as_plate = settings.proxy == 1 and settings.compare is None and not settings.burn_in
    if output is None or not output.is_exr or not as_plate:
        return size, NO_MARGIN
    # measured on the whole plate, so that all chunks have one size
    windows = [eye.window(plate.numbers, numbers) for eye in (plate, *output.eyes)]
    window = Margin(*map(max, zip(*windows, strict=True)))
    part = _data_alone(plate, window, size, looks, settings)
    margin = part or Margin(*(max(0, side) for side in window))
    if not any(margin):
        return size, margin
    size, margin = on_grid(plate.size, size, margin, max(look.architecture.stride for look in looks))
    width, height = plate.size[0] + margin.left + margin.right, plate.size[1] + margin.top + margin.bottom
    if width * height > MOST_OVERSCAN * plate.size[0] * plate.size[1]:
        raise BadPlate(
            f"{plate.path}: with all its overscan the plate is {width}x{height}, its picture {plate.size[0]}x"
            f"{plate.size[1]}; crop its data windows (Nuke: Crop, reformat off)"
        )
    return size, margin


def _data_alone(
    plate: Plate, window: Margin, size: tuple[int, int], looks: Sequence[Look], settings: RenderSettings
) -> Margin | None:
    """The window of the data with all that its painting depends on, where that is far smaller than the picture.

    Outside it an EXR holds nothing. None where other frames or painted frames are brought along: those need it all.
    """
    carries = settings.carry and any(look.painted_frames for look in looks)
    if carries or settings.stabilize or settings.on_warp:
        return None
    halo = max(look.architecture.receptive_field() for look in looks) + BEYOND
    beyond = -(-halo * plate.size[1] // size[1])
    part = Margin(*(min(max(0, side), side + beyond) for side in window))
    width, height = plate.size[0] + part.left + part.right, plate.size[1] + part.top + part.bottom
    small = 0 < width * height < plate.size[0] * plate.size[1] / 2 and width > 0
    return part if small else None


def vectors_in(plan: Plan) -> Vectors:
    """The plate's motion channels. Raises BadSettings where it cannot have any."""
    plate = plan.plate
    if not plate.channels:
        raise BadSettings(f"{plate.path}: motion vectors stand in EXR sequences; take flow instead")
    return vectors_of(plate.channels[plan.numbers[0]], plan.settings.vectors)
