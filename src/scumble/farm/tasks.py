"""A shot as tasks: measure it once, paint its frames in parts, encode a movie. Each is a command that a person can run.

A part of a shot comes out as in the whole, so that tasks may run anywhere, in any order, and again.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from scumble.core.errors import ScumbleError
from scumble.core.files import digest
from scumble.core.frames import format_frames
from scumble.farm.settings import CHUNK
from scumble.rendering.job import Job
from scumble.rendering.output import is_written_movie

Step = Literal["render", "measure", "paint", "encode"]

# what a movie's frames are kept with until they are encoded: exact, so that the movie is that of one process
EXACT = ("--bits", "32")


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

    def as_json(self) -> dict[str, Any]:
        """Plain values, and the command as a line for a shell."""
        return {**asdict(self), "line": shlex.join(self.command)}


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
        stem = self.output.name.split(".")[0].strip("#%_- ") or "shot"
        return self.output.parent / f".{stem}{self.output.suffix}.tasks"


def tasks_of(request: Request, job: Job, chunk: int = CHUNK, preview_first: bool = False) -> list[Task]:
    """The tasks of a render, in order. Writes nothing.

    `preview_first` paints first, last and middle frame before the others.
    """
    numbers, plate = job.plan.numbers, job.plan.plate
    over = ("--overwrite",) if request.overwrite else ()
    base = ("scumble", "render", str(request.plate))
    is_movie = is_written_movie(request.output)
    span = ("--frames", format_frames(numbers))
    if (len(numbers) <= chunk and (is_movie or not preview_first)) or not (is_movie or job.output.is_sequence):
        given = span if numbers != plate.numbers else ()
        words = (*base, *request.options, *_statistics(job), *given, *over, "-o", str(request.output))
        return [Task(request.name, "render", words, numbers, _texts(job.output.files))]
    statistics = job.plan.settings.stats or request.folder / f"statistics.{_digest(request, job)}.json"
    shared = ("--stats", str(statistics))
    look = _with_look(request)
    frames = request.folder / "frames" / "frame.####.exr" if is_movie else request.output
    kept = (*_as_frames(look, job), *EXACT) if is_movie else look
    measure = Task(
        f"{request.name} measure",
        "measure",
        (*base, *kept, *shared, *span, "--measure-only", "-o", str(frames)),
        (),
        (str(statistics),),
    )
    parts = chunks(numbers, chunk, preview_first)
    paints = [
        Task(
            f"{request.name} {format_frames(part)}",
            "paint",
            (*base, *kept, *shared, "--frames", format_frames(part), *(() if is_movie else over), "-o", str(frames)),
            part,
            files_of(frames, part),
            (measure.name,),
            0 if preview_first and len(part) == 1 and part[0] in _previews(numbers) else 1,
        )
        for part in parts
    ]
    if not is_movie:
        return [measure, *paints]
    words = ("scumble", "encode", str(frames), "--plate", str(request.plate), *span, *_for_encoding(request.options))
    encode = Task(
        f"{request.name} encode",
        "encode",
        (*words, *over, "-o", str(request.output)),
        numbers,
        (str(request.output),),
        tuple(task.name for task in paints),
        2,
    )
    return [measure, *paints, encode]


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
    files = [digest(file) for file in job.plan.plate.files_of(job.plan.numbers[:1])]
    facts = [request.options, job.plan.numbers, [look.hash for look in job.plan.all_looks], files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _statistics(job: Job) -> tuple[str, ...]:
    stats = job.plan.settings.stats
    return () if stats is None else ("--stats", str(stats))


def kept_look(request: Request) -> Path:
    """The file of a look that is made of style pictures: made once, so that all machines paint with the same."""
    return request.folder / "style.look"


def _with_look(request: Request) -> tuple[str, ...]:
    """The options with a look in place of style pictures."""
    without = _without(request.options, {"style"})
    return request.options if without == request.options else (*without, f"--look={kept_look(request)}")


# what concerns the movie and not its frames
OF_MOVIES = {"codec", "out-space", "frame-rate"}

# what the movie needs to know again
ENCODING = {*OF_MOVIES, "first-frame", "missing", "layer", "view", "in-space", "ocio", "quality"}


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
        f"--precision={job.plan.precision}",
        *((f"--out-space={plate.colour_space.name}",) if is_known else ()),
    )


def _for_encoding(options: Sequence[str]) -> tuple[str, ...]:
    names = {word[2:].partition("=")[0] for word in options if word.startswith("--")}
    return _without(options, names - ENCODING)


def _without(options: Sequence[str], names: set[str]) -> tuple[str, ...]:
    """Options without some; each is one word, as in --lines=360, or a flag."""
    return tuple(word for word in options if word[2:].partition("=")[0] not in names)
