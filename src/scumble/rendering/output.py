"""Where a render goes: checked before any work, named, sized, with the plate's sound and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from scumble.core.colour import DISPLAY, ColourSpace
from scumble.core.errors import BadOutput
from scumble.core.version import __version__
from scumble.media.aov import STROKE
from scumble.media.movie_reader import MoviePlate
from scumble.media.pattern import output_pattern, parse_pattern
from scumble.media.plate import MOVIES, STILLS, Plate, WriterSettings, formats, is_movie
from scumble.media.sequence import StillsPlate
from scumble.rendering.stamp import is_ours

if TYPE_CHECKING:
    from scumble.rendering.plan import Plan


def proxy_size(size: tuple[int, int], proxy: int) -> tuple[int, int]:
    """A plate's size divided by `proxy`."""
    return max(1, round(size[0] / proxy)), max(1, round(size[1] / proxy))


def shot_name(plate: Plate) -> str:
    """What a plate's shot is called: its file's name, or a sequence's without numbers, or its folder's."""
    if isinstance(plate, StillsPlate) and plate.pattern is not None:
        return plate.pattern.before.rstrip("._-") or plate.pattern.folder.absolute().name
    return plate.path.stem


def checked_output(
    plate: Plate, output: Path, numbers: Sequence[int], overwrite: bool, painting: bool = True
) -> tuple[Path, tuple[Path, ...]]:
    """The output with its name, where it is a folder, and the files that will be written.

    A `painting` may be a movie, and goes on with frames that Scumble made; mattes do neither. Raises
    BadOutput for a format that cannot be written, and for files that are in the way.
    """
    if output.is_dir() or (not output.suffix and parse_pattern(output) is None):
        name = Path(same_name(plate))
        output = output / (name if painting or name.suffix.lower() == ".exr" else name.with_suffix(".png"))
    if not painting and output.suffix.lower() in MOVIES | {".jpg", ".jpeg", ".webp"}:
        raise BadOutput(f"{output}: {output.suffix} would change codes; give PNG, TIFF or EXR, as in roto.####.png")
    if not is_movie(output) and output.suffix.lower() not in STILLS:
        raise BadOutput(f"{output}: {output.suffix or 'no suffix'} is not a format that Scumble writes; {formats()}")
    files = output_files(output, numbers)
    for folder in {f.parent for f in files}:
        blocked = next((p for p in (folder, *folder.parents) if p.exists() and not p.is_dir()), None)
        if blocked is not None:
            raise BadOutput(f"{output}: {blocked} is a file, not a folder; choose another output")
    sources = {f.resolve() for f in (plate.files.values() if isinstance(plate, StillsPlate) else [plate.path])}
    if any(f.resolve() in sources for f in files):
        raise BadOutput(f"{output}: the output is the plate itself; choose another output")
    sequence = painting and parse_pattern(output) is not None
    foreign = next((f for f in files if f.exists() and not overwrite and not (sequence and is_ours(f))), None)
    if foreign is not None:
        made = ", and was not made by Scumble" if sequence else ""
        raise BadOutput(f"{foreign}: is there already{made}; give --overwrite to replace it")
    return output, files


def movie_space(plate: ColourSpace, bits: int) -> ColourSpace:
    """What a movie is written in: the plate's own space where its numbers fit, else sRGB as Rec. 709."""
    if plate.kind == "display":
        return plate
    return DISPLAY if plate.is_linear or bits < 10 else plate


def times_of(job: Plan) -> tuple[Fraction, ...]:
    """Seconds at which a movie of varying rate shows its frames, from the first that is painted on."""
    plate, numbers = job.plate, job.numbers
    whole = numbers == tuple(range(numbers[0], numbers[-1] + 1))
    if not isinstance(plate, MoviePlate) or not plate.variable or job.settings.frame_rate is not None or not whole:
        return ()
    return tuple(plate.seconds(n) - plate.seconds(numbers[0]) for n in (*numbers, numbers[-1] + 1))


def same_name(plate: Plate) -> str:
    """The plate's own name, for an output that is a folder; a movie becomes a sequence of PNG."""
    if plate.kind == "movie":
        return f"{plate.path.stem}.####.png"
    if plate.kind == "still":
        return plate.path.name
    assert isinstance(plate, StillsPlate)
    if plate.pattern is None:
        return plate.path.name
    return Path(str(plate.pattern)).name


def output_files(output: Path, numbers: Sequence[int]) -> tuple[Path, ...]:
    """The files that an output stands for: one movie, one still, or a picture a frame."""
    if is_movie(output):
        return (output,)
    if len(numbers) == 1 and parse_pattern(output) is None:
        return (output,)
    pattern = output_pattern(output)
    return tuple(pattern.path(n) for n in numbers)


def sound_of(job: Plan) -> tuple[tuple[Fraction, Fraction | None] | None, str]:
    """The span of the plate's sound that goes along, or None; and the words for the plan."""
    plate, numbers = job.plate, job.numbers
    if not isinstance(plate, MoviePlate) or not plate.has_sound or not is_movie(job.output):
        return None, "none"
    if job.settings.frame_rate not in (None, plate.frame_rate):
        return None, "left out: the frame rate is another one"
    if numbers != tuple(range(numbers[0], numbers[-1] + 1)):
        return None, "left out: frames are left out"
    end = None if numbers[-1] == plate.numbers[-1] else plate.seconds(numbers[-1] + 1)
    return (plate.seconds(numbers[0]), end), "copied"


def looks_in_words(job: Plan) -> str:
    """Names and hashes of the looks, as headers have them."""
    return " + ".join(f"{look.name} {look.hash}" for _, look in job.looks)


def writer_settings(job: Plan, frame_mark: Callable[[int], str]) -> WriterSettings:
    plate, settings = job.plate, job.settings
    span, _ = sound_of(job)
    times = times_of(job) if is_movie(job.output) else ()
    return WriterSettings(
        frame_rate=settings.frame_rate or plate.frame_rate or Fraction(24),
        quality=settings.quality,
        size=job.output_size,
        bits=plate.bits,
        out_space=job.space,
        layer=settings.layer,
        out_layer=settings.out_layer,
        aovs=settings.aovs,
        breadth=STROKE * job.plate.size[1] / job.network_size[1],
        sound_from=plate.path if span else None,
        sound_span=span or (Fraction(0), None),
        alpha=plate.has_alpha,
        times=times,
        time_base=plate.time_base if times and isinstance(plate, MoviePlate) else Fraction(1, 90000),
        codec=settings.codec,
        told=bool(settings.in_space),
        metadata=plate.metadata(job.numbers[0]),
        mark=f"Scumble {__version__}, look {looks_in_words(job)}, {job.precision}, strength {settings.strength}",
        frame_mark=frame_mark,
    )
