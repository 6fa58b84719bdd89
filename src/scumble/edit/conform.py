"""An edit painted: shots rendered where they are not done, and a timeline that shows them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from scumble.core.errors import BadOutput, ScumbleError
from scumble.core.files import written_whole
from scumble.core.progress import Progress, ignore
from scumble.edit.clock import rational
from scumble.edit.cut import Cut
from scumble.edit.documents import Edit
from scumble.edit.events import NEAR
from scumble.edit.overnight import INDEX, Judged, judge, write_index
from scumble.edit.relink import document_names, relinked
from scumble.edit.review import review_identity, write_review
from scumble.edit.shots import Shot
from scumble.edit.sound import sound_of
from scumble.edit.table import Row
from scumble.farm.export import export
from scumble.farm.paint import paint_by_tasks
from scumble.farm.settings import FarmSettings, QueueName
from scumble.media.pattern import parse_pattern
from scumble.quality.qc import Limits
from scumble.rendering.job import Job
from scumble.rendering.run import run

STATE = "edit.json"

TIMELINE = "timeline.otio"

QUEUE_FOLDER = "farm"  # for jobs of a render queue

HANDED = "handed"  # over to a queue: the word before a shot's identity, and the time of the file that it replaces


@dataclass(frozen=True)
class Conformed:
    """What became of an edit."""

    failed: tuple[tuple[Shot, str], ...]
    """Shots that could not be painted, and why."""
    now: int
    """Events that were painted now, not before."""
    notes: tuple[str, ...]
    page: Path | None
    """Of all reports."""


def paint(
    cut: Cut,
    folder: Path,
    tell: Callable[[Progress], None] = ignore,
    overwrite: bool = False,
    with_reports: bool = True,
    farm: FarmSettings = FarmSettings(),
) -> Conformed:
    """Render the shots that are not done, and write timelines, documents and reports.

    What fails is said and does not stop the rest. A timeline shows what is done. Raises BadOutput.
    """
    checked, shots = cut.checked, cut.shots
    known, ours = _state(folder)
    targets = _targets(cut, with_reports)
    _check_free(cut, folder, [name for name in targets if name not in ours and not overwrite], targets)
    ours |= {name: ours.get(name, "") for name in targets}
    folder.mkdir(parents=True, exist_ok=True)
    failed: list[tuple[Shot, str]] = []
    now = 0

    def begin(shot: Shot) -> None:
        known[shot.name] = ""  # ours, and not whole until it is done
        _keep(folder, known, ours)

    for shot, error in _rendered(shots, known, overwrite, tell, farm, begin):
        if error is not None:
            failed.append((shot, str(error)))
        elif known.get(shot.name) != shot.identity:
            known[shot.name] = shot.identity
            _keep(folder, known, ours)
            now += len(shot.rows)
    judged: list[Judged] = []
    said: list[str] = []
    for shot in shots if with_reports else ():
        if all(shot is not lost for lost, _ in failed):
            try:
                judged.append(judge(shot, folder, Limits(), tell))
            except ScumbleError as error:
                said.append(f"{shot.name} is painted, not measured: {error}")
    _keep(folder, known, ours)
    lost = {id(shot) for shot, _ in failed}
    done = [shot for shot in shots if id(shot) not in lost]
    painted = {id(row) for shot in done for row in shot.rows}
    timelines = [painted_timeline(edit, done, rows, folder) for edit, rows in checked]
    write_timeline(timelines, folder)
    others = [row for _, rows in checked for row in rows if id(row) not in painted]
    documents, notes = relinked(checked[0][0], done, others)
    for name, data in documents.items():
        with written_whole(folder / name) as part:
            part.write_bytes(data)
    page = None
    if with_reports:
        for n, (edit, rows) in enumerate(checked, start=1):
            name = review_name(n, len(checked))
            try:
                sounds = () if edit.is_movie else sound_of(edit, rows, cut.library)
                identity = review_identity(rows, done, sounds)
                if ours[name] == identity and (folder / name).is_file():
                    continue
                write_review(edit, rows, done, folder / name, sounds, tell)
            except ScumbleError as error:
                said.append(f"no review movie: {error}")
                continue
            ours[name] = identity
        _keep(folder, known, ours)
        unpainted = [(row, reason) for shot, reason in failed for row in shot.rows]
        every = [row for _, rows in checked for row in rows]
        page = write_index(folder, checked[0][0].path.stem, judged, unpainted, every)
    return Conformed(tuple(failed), now, (*said, *notes), page)


def _rendered(
    shots: Sequence[Shot],
    known: dict[str, str],
    overwrite: bool,
    tell: Callable[[Progress], None],
    farm: FarmSettings,
    begin: Callable[[Shot], None],
) -> Iterator[tuple[Shot, ScumbleError | None]]:
    """Shots as they are done, or with what stopped them; those that were done before among them.

    `begin` hears of each before anything of it is written. Raises ScumbleError where nothing can run any more.
    """
    by_tasks: list[tuple[Shot, Job]] = []
    for shot in shots:
        try:
            if not _is_done(shot, known):
                if _is_handed_over(shot, known) and not overwrite:
                    raise BadOutput(
                        "a render queue has it; run the same command again when it is painted, or give --overwrite to"
                        " paint it here"
                    )
                # frames of a sequence know by themselves whether they are done
                is_ours = shot.name in known and not shot.is_sequence
                job = shot.job(overwrite or is_ours)
                job.output.check()
                begin(shot)
                if farm.spreads:
                    by_tasks.append((shot, job))
                    continue
                run(job, tell)
        except ScumbleError as error:
            yield shot, error
            continue
        shutil.rmtree(shot.request(False).folder, ignore_errors=True)  # of a queue, if it did the shot
        yield shot, None
    if not by_tasks:
        return
    by_name = {shot.name: shot for shot, _ in by_tasks}
    requests = [(shot.request(job.output.settings.overwrite), job) for shot, job in by_tasks]
    for finished in paint_by_tasks(requests, farm.mapper(), tell, farm):
        yield by_name[finished.name], finished.error


def todo(shots: Sequence[Shot], folder: Path) -> list[Shot]:
    """The shots that are not done, by what their last render was made of. Raises ScumbleError."""
    known, _ = _state(folder)
    return [shot for shot in shots if not _is_done(shot, known)]


def _is_done(shot: Shot, known: dict[str, str]) -> bool:
    there = all(file.is_file() for file in shot.files)
    if _is_handed_over(shot, known) and there and not shot.is_sequence:
        return _written(shot) != int(known[shot.name].split()[2])
    return there and known.get(shot.name) == shot.identity


def _is_handed_over(shot: Shot, known: dict[str, str]) -> bool:
    """Whether a queue has this very shot. Frames of a sequence that are all there say themselves whether they are."""
    words = known.get(shot.name, "").split()
    if len(words) != 3 or words[:2] != [HANDED, shot.identity]:
        return False
    return not (shot.is_sequence and all(file.is_file() for file in shot.files))


def _written(shot: Shot) -> int:
    """When the shot's one file was written; 0 where there is none, or many."""
    return shot.files[0].stat().st_mtime_ns if not shot.is_sequence and shot.files[0].is_file() else 0


def hand_over(
    cut: Cut, folder: Path, queue: QueueName, farm: FarmSettings, overwrite: bool = False
) -> Iterator[tuple[Shot, str | ScumbleError]]:
    """Write each shot that is not done as a job for a render queue.

    Gives it with the command that submits the job, or with what stops it. The next run takes over what is painted.
    """
    known, ours = _state(folder)
    for shot in cut.shots:
        try:
            if _is_done(shot, known):
                continue
            job = shot.job(overwrite or (shot.name in known and not shot.is_sequence))
            request = shot.request(job.output.settings.overwrite)
            submit = export(request, job, farm, queue, folder / QUEUE_FOLDER / shot.name, overwrite=True)
        except ScumbleError as error:
            yield shot, error
            continue
        known[shot.name] = f"{HANDED} {shot.identity} {_written(shot)}"
        _keep(folder, known, ours)
        yield shot, submit


def _targets(cut: Cut, with_reports: bool) -> list[str]:
    """Names of the files that are written beside the shots."""
    count = len(cut.checked)
    reviews = [review_name(n, count) for n in range(1, count + 1)]
    return [TIMELINE, *document_names(cut.checked[0][0]), *([INDEX, *reviews] if with_reports else [])]


def _check_free(cut: Cut, folder: Path, names: Sequence[str], every: Sequence[str]) -> None:
    """Nothing that somebody else made is written over, the edit itself never. Raises BadOutput."""
    own = cut.checked[0][0].path.resolve()
    if any((folder / name).resolve() == own for name in every):
        raise BadOutput(f"{folder}: the edit itself lies there and would be written over; choose another output folder")
    taken = next((folder / name for name in names if (folder / name).exists()), None)
    if taken is not None:
        raise BadOutput(f"{taken}: is there already, and is not of this edit; give --overwrite, or another folder")


def review_name(place: int, count: int) -> str:
    """Of the review movie of a timeline, of so many."""
    return f"review{'' if count == 1 else place}.mp4"


def _state(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Identities of the shots that were rendered, by name, and of the other files that are ours.

    The identity of what is written every time is empty.
    """
    try:
        found = json.loads((folder / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}, {}
    if not isinstance(found, dict):
        return {}, {}
    parts = [part if isinstance(part, dict) else {} for part in (found.get("shots"), found.get("files"))]
    shots, files = ({str(name): str(identity) for name, identity in part.items()} for part in parts)
    return shots, files


def _keep(folder: Path, known: dict[str, str], files: dict[str, str]) -> None:
    with written_whole(folder / STATE) as part:
        part.write_text(json.dumps({"shots": known, "files": files}, indent=1) + "\n", "utf-8")


def painted_timeline(edit: Edit, shots: Sequence[Shot], rows: Sequence[Row], folder: Path) -> otio.schema.Timeline:
    """The edit with the painted shots in place of their plates, which stay as another media of each clip."""
    mine = {id(row) for row in rows}
    for shot, row in ((own, row) for own in shots for row in own.rows if id(row) in mine):
        clip = row.event.clip
        plate = clip.media_reference.deepcopy()  # OpenTimelineIO 0.18 frees the clip's own while it is set anew
        painted = _reference(shot, row, folder)
        clip.set_media_references({"painted": painted, "plate": plate}, "painted")
    return edit.timeline


def _reference(shot: Shot, row: Row, folder: Path) -> Any:
    """The painted media with its range on the document's own clock, so that the clip's range stays."""
    event, found = row.event, row.found
    media, seen = found.media, found.seen
    assert media is not None
    assert seen is not None
    # an EDL counts frames, whatever second they take
    rate = event.rate if event.source.start is None else media.rate or event.source.rate or event.rate
    first, last = shot.frames
    # where the first painted frame stands, seen from the first one that the clip shows
    away = Fraction(first - media.numbers[0]) - Fraction(int(seen.first + NEAR))
    begins = event.begins + away / rate
    span = otio.opentime.TimeRange(rational(begins * rate, rate), rational(last - first + 1, rate))
    relative = Path(os.path.relpath(shot.output, folder)).as_posix()
    pattern = parse_pattern(shot.output)
    if pattern is None:
        return otio.schema.ExternalReference(relative, span)
    return otio.schema.ImageSequenceReference(
        f"{Path(relative).parent.as_posix()}/",
        pattern.before,
        pattern.after,
        start_frame=first,
        rate=float(rate),
        frame_zero_padding=pattern.digits,
        available_range=span,
    )


def write_timeline(timelines: Sequence[otio.schema.Timeline], folder: Path) -> Path:
    """timeline.otio; several timelines of a document as a collection."""
    whole: Any = (
        timelines[0] if len(timelines) == 1 else otio.schema.SerializableCollection("timelines", list(timelines))
    )
    path = folder / TIMELINE
    with written_whole(path) as part:
        part.write_text(whole.to_json_string(indent=1), "utf-8")
    return path
