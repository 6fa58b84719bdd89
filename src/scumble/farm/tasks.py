"""A shot as tasks: measure it once, paint its frames in parts, encode a movie. Each is a command that a person can run.

A part of a shot comes out as in the whole, so that tasks may run anywhere, in any order, and again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scumble.core.errors import ScumbleError
from scumble.core.files import digest
from scumble.core.frames import format_frames
from scumble.core.version import __version__
from scumble.farm.settings import CHUNK
from scumble.rendering.job import Job
from scumble.rendering.output import is_written_movie

Step = Literal["render", "measure", "paint", "encode"]

# what a movie's frames are kept with until they are encoded: exact, so that the movie is that of one process
EXACT = ("--bits=32", "--flat")


@dataclass(frozen=True)
class Task:
    """One command."""

    name: str
    step: Step
    command: tuple[str, ...]
    frames: tuple[int, ...]
    """Numbers that it paints or encodes; none for measuring."""
    files: tuple[str, ...]
    """What is there when it has ended well."""
    needs: tuple[str, ...] = ()
    """Tasks that must have ended well before."""
    order: int = 0
    """Lower ones go first."""

    @property
    def line(self) -> str:
        """The command as a line for a shell."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class Request:
    """A render in words: `scumble render PLATE -o OUTPUT OPTIONS`, all paths absolute."""

    name: str
    plate: Path
    output: Path
    options: tuple[str, ...]
    """Look and settings, without frames, statistics and overwriting."""
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """Where tasks keep what they hand on; it lies beside the output, and goes when all is done."""
        return self.output.parent / f".{re.sub('[#%]+', '', self.output.name).replace('..', '.')}.tasks"


@dataclass(frozen=True)
class Steps:
    """The commands of a render; that of painting lacks its frames, `--frames=A-B`."""

    measure: tuple[str, ...]
    paint: tuple[str, ...]
    encode: tuple[str, ...]
    """None of it for pictures."""
    statistics: Path
    pictures: Path
    """What painting writes: the output, or the frames of which it is encoded."""

    @property
    def values(self) -> list[str]:
        """The values of flags."""
        words = (word for command in (self.measure, self.paint, self.encode) for word in command)
        return list(dict.fromkeys(word.partition("=")[2] for word in words if word.startswith("--")))

    @property
    def paths(self) -> list[str]:
        """The absolute paths among them."""
        return [value for value in self.values if Path(value).is_absolute()]


def steps_of(request: Request, job: Job, clears_up: bool = False) -> Steps:
    """The steps of a render. Writes nothing. Where encoding `clears_up`, it removes the frames of the movie."""
    is_movie = is_written_movie(request.output)
    span = f"--frames={format_frames(job.plan.numbers)}"
    over = ("--overwrite",) if request.overwrite else ()
    stats = job.plan.settings.stats
    statistics = Path(os.path.abspath(stats)) if stats else request.folder / f"statistics.{_digest(request, job)}.json"
    look = _with_look(request, job)
    pictures = request.folder / "frames" / "frame.####.exr" if is_movie else request.output
    how = (*(_as_frames(look, job) if is_movie else look), f"--stats={statistics}")
    base = ("scumble", "render", str(request.plate), *how)
    return Steps(
        (*base, span, "--measure-only", "-o", str(pictures)),
        (*base, *(() if is_movie else over), "-o", str(pictures)),
        (
            *("scumble", "encode", str(pictures), f"--plate={request.plate}", span),
            *_for_encoding(request.options),
            *(("--remove-pictures",) if clears_up else ()),
            *(*over, "-o", str(request.output)),
        )
        if is_movie
        else (),
        statistics,
        pictures,
    )


def tasks_of(request: Request, job: Job, chunk: int = CHUNK, preview_first: bool = False) -> list[Task]:
    """The tasks of a render, in order. Writes nothing.

    `preview_first` paints first, last and middle frame before the others.
    """
    numbers = job.plan.numbers
    is_movie = is_written_movie(request.output)
    if (len(numbers) <= chunk and (is_movie or not preview_first)) or not (is_movie or job.output.is_sequence):
        return [_whole(request, job)]
    steps = steps_of(request, job)
    # one render after the other, so that frames do not pile up before they are encoded; only previews of all go first
    measure = Task(
        f"{request.name} measure", "measure", steps.measure, (), (str(steps.statistics),), (), 0 if preview_first else 1
    )
    previews = _previews(numbers) if preview_first else []
    paints = [
        Task(
            f"{request.name} {format_frames(part)}",
            "paint",
            (*steps.paint, f"--frames={format_frames(part)}"),
            part,
            files_of(steps.pictures, part),
            (measure.name,),
            0 if part[0] in previews else 1,
        )
        for part in chunks(numbers, chunk, preview_first)
    ]
    if not steps.encode:
        return [measure, *paints]
    names = tuple(task.name for task in paints)
    return [
        measure,
        *paints,
        Task(f"{request.name} encode", "encode", steps.encode, numbers, (str(request.output),), names, 1),
    ]


def _whole(request: Request, job: Job) -> Task:
    """A render that is not worth parting."""
    numbers, stats = job.plan.numbers, job.plan.settings.stats
    words = (
        *("scumble", "render", str(request.plate)),
        *request.options,
        *(() if stats is None else (f"--stats={os.path.abspath(stats)}",)),
        *((f"--frames={format_frames(numbers)}",) if numbers != job.plan.plate.numbers else ()),
        *(("--overwrite",) if request.overwrite else ()),
        *("-o", str(request.output)),
    )
    return Task(request.name, "render", words, numbers, _texts(job.output.files))


def chunks(numbers: Sequence[int], size: int, preview_first: bool) -> list[tuple[int, ...]]:
    """Numbers in parts of at most `size`; `preview_first` takes first, last and middle one by themselves.

    >>> chunks(range(1, 8), 3, False)
    [(1, 2, 3), (4, 5, 6), (7,)]
    >>> chunks(range(1, 8), 3, True)
    [(1,), (7,), (4,), (2, 3), (5, 6)]
    """
    previews = _previews(numbers) if preview_first else []
    runs: list[list[int]] = [[]]
    for n in numbers:
        if n in previews or len(runs[-1]) == size:
            runs.append([])
        if n not in previews:
            runs[-1].append(n)
    return [*((n,) for n in previews), *(tuple(run) for run in runs if run)]


def _previews(numbers: Sequence[int]) -> list[int]:
    return list(dict.fromkeys((numbers[0], numbers[-1], numbers[len(numbers) // 2])))


def files_of(pattern: Path, numbers: Sequence[int]) -> tuple[str, ...]:
    """The files of a sequence's frames."""
    from scumble.media.pattern import output_pattern

    made = output_pattern(pattern)
    return _texts([made.path(n) for n in numbers])


def _texts(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(map(str, paths))


def _digest(request: Request, job: Job) -> str:
    """Of all that statistics may depend on: those of an earlier try with other options are not taken."""
    plate = [
        (str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in job.plan.plate.files_of(job.plan.numbers)
    ]
    others = [digest(Path(value)) for word in request.options if Path(value := word.partition("=")[2]).is_file()]
    looks = [look.hash for look in job.plan.all_looks]
    facts = [__version__, request.options, job.plan.numbers, looks, plate, others]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def kept_look(request: Request, job: Job) -> Path:
    """The file of a look that is made of style pictures: made once, so that all machines paint with the same."""
    return request.folder / f"style.{job.plan.look.hash}.look"


def _with_look(request: Request, job: Job) -> tuple[str, ...]:
    """The options with a look in place of style pictures."""
    without = _without(request.options, {"style"})
    return request.options if without == request.options else (*without, f"--look={kept_look(request, job)}")


# what concerns the movie and not its frames
OF_MOVIES = {"codec", "out-space", "frame-rate"}

# what the movie needs to know again
ENCODING = {*OF_MOVIES, "first-frame", "timecode", "missing", "layer", "view", "in-space", "ocio", "quality"}


def _as_frames(options: Sequence[str], job: Job) -> tuple[str, ...]:
    """Options for the frames of a movie: the precision that the movie would have, and the plate's own space."""
    own = list(_without(options, {*OF_MOVIES, "precision"}))
    plate = job.plan.plate
    try:
        is_known = plate.options.colours.space(plate.colour_space.name) == plate.colour_space
    except ScumbleError:
        is_known = False
    return (
        *own,
        *EXACT,
        f"--precision={job.plan.precision}",
        *((f"--out-space={plate.colour_space.name}",) if is_known else ()),
    )


def _for_encoding(options: Sequence[str]) -> tuple[str, ...]:
    names = {word[2:].partition("=")[0] for word in options if word.startswith("--")}
    return _without(options, names - ENCODING)


def _without(options: Sequence[str], names: set[str]) -> tuple[str, ...]:
    """Options without some; each is one word, as in --lines=360, or a flag."""
    return tuple(word for word in options if word[2:].partition("=")[0] not in names)
