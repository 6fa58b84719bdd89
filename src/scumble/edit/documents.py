"""Documents of edits opened: EDL, FCPXML, Final Cut Pro 7 XML, AAF, OpenTimelineIO; and movies, by their cuts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from scumble.core.errors import BadInput
from scumble.edit.clock import rate_of
from scumble.edit.edl import read_edl
from scumble.edit.fcpxml import read_fcpxml
from scumble.edit.movie import read_movie
from scumble.edit.xmeml import read_xmeml
from scumble.media.plate import MOVIES
from scumble.media.timecode import frames_of

SUFFIXES = (".edl", ".fcpxml", ".fcpxmld", ".xml", ".aaf", ".otio", ".otioz", ".otiod", ".json")

ADAPTERS = {".aaf": "AAF", ".json": "otio_json"}


@dataclass(frozen=True)
class Edit:
    """A document and the timeline that it holds."""

    path: Path
    timeline: otio.schema.Timeline
    rate: Fraction
    """Frames a second of the timeline."""
    notes: tuple[str, ...] = ()
    """For the user: what the document does not say and was assumed."""
    drops: bool = False
    """Whether its timecode drops numbers."""

    @property
    def is_movie(self) -> bool:
        """Whether it is a finished movie, in which cuts were found."""
        return self.path.suffix.lower() in MOVIES

    @property
    def names_media_once(self) -> bool:
        """Whether all events of a media refer to one entry: XML."""
        return self.path.suffix.lower() in (".fcpxml", ".xml")


def read_edits(path: Path, rate: Fraction | None = None) -> list[Edit]:
    """The timelines of a document: one, but for an FCPXML of several projects. Raises BadInput.

    `rate` is an EDL's, which says none.
    """
    suffix = path.suffix.lower()
    if suffix in MOVIES:
        timeline, own = read_movie(path)
        return [Edit(path, timeline, own, (), _says_drop(timeline))]
    if suffix not in SUFFIXES:
        raise BadInput(f"{path}: not a kind of edit that Scumble reads; give a movie, or one of {', '.join(SUFFIXES)}")
    if suffix == ".fcpxmld":  # a bundle
        path, suffix = path / "Info.fcpxml", ".fcpxml"
    if not path.exists():
        raise BadInput(f"{path}: no such file; name an edit")
    if suffix == ".edl":
        return [_edl(path, rate)]
    if rate is not None:
        raise BadInput(f"--rate {float(rate):g}: {path.name} says its own rate; leave --rate out")
    if suffix in (".fcpxml", ".xml") and b"<fcpxml" in _head(path):
        return [Edit(path, line, _rate_of(line), (), _says_drop(line)) for line in read_fcpxml(path)]
    try:
        if suffix == ".xml":
            read = read_xmeml(path)
        else:
            read = otio.adapters.read_from_file(str(path), adapter_name=ADAPTERS.get(suffix))
    except Exception as error:  # adapters raise any kind of error
        reason = (str(error) or type(error).__name__).strip().splitlines()[0][:200]
        raise BadInput(f"{path}: OpenTimelineIO cannot read it ({reason}); export it again, as OTIO or EDL") from error
    return [Edit(path, line, _rate_of(line), (), _says_drop(line)) for line in _timelines(read, path)]


def _timelines(read: object, path: Path) -> list[otio.schema.Timeline]:
    if isinstance(read, otio.schema.Timeline):
        if read.tracks is None:
            raise BadInput(f"{path}: a timeline without tracks; export it again")
        return [read]
    if isinstance(read, otio.schema.SerializableCollection):
        found = [timeline for item in read for timeline in _timelines(item, path)]
        if found:
            return found
    if isinstance(read, otio.schema.Clip | otio.schema.Track | otio.schema.Stack):
        timeline = otio.schema.Timeline(read.name)
        part = read if isinstance(read, otio.schema.Track) else otio.schema.Track(children=[read])
        timeline.tracks.append(part)
        return [timeline]
    raise BadInput(f"{path}: no timeline in it; export the sequence itself")


def _rate_of(timeline: otio.schema.Timeline) -> Fraction:
    """The rate at which most of a timeline's clips are counted."""
    if timeline.global_start_time is not None:
        return rate_of(timeline.global_start_time.rate)
    rates: dict[Fraction, int] = {}
    for clip in timeline.find_clips():
        if clip.source_range is not None:
            rate = rate_of(clip.source_range.duration.rate)
            rates[rate] = rates.get(rate, 0) + 1
    return max(rates, key=lambda rate: rates[rate], default=Fraction(24))


def _says_drop(timeline: otio.schema.Timeline) -> bool:
    """What FCPXML and Final Cut Pro 7's XML say of their timecode."""
    own = timeline.metadata.get("scumble", {}).get("tcFormat") == "DF"
    words = timeline.metadata.get("fcp_xml", {})
    sequence = words.get("timecode", {}) if hasattr(words, "get") else {}
    return own or (hasattr(sequence, "get") and sequence.get("displayformat") == "DF")


def _drops(text: str) -> bool:
    """Whether an EDL drops numbers, by FCM or by the signs of its timecodes."""
    return bool(re.search(r"^\s*FCM:\s*DROP|\d\d:\d\d:\d\d;\d\d", text, re.MULTILINE))


def _edl(path: Path, rate: Fraction | None) -> Edit:
    text = _text(path)
    if rate is not None:
        return Edit(path, read_edl(text, rate, str(path)), rate, (), _drops(text))
    supposed = supposed_rate(text)
    taken = f"taken for {float(supposed):.5g} frames/s by its timecodes"
    note = f"{path.name}: an EDL says no rate; {taken}: --rate names another"
    return Edit(path, read_edl(text, supposed, str(path)), supposed, (note,), _drops(text))


def supposed_rate(text: str) -> Fraction:
    """The lowest usual rate in which all timecodes of an EDL count, drop frame where it says so."""
    codes = re.findall(r"(\d{1,2}):(\d\d):(\d\d)([:;])(\d\d)", text)
    most = max((int(frame) for *_, frame in codes), default=0)
    if _drops(text):
        rate = Fraction(30000 if most < 30 else 60000, 1001)
        clocks = [f"{h.zfill(2)}:{m}:{s};{f}" for h, m, s, _, f in codes]
        return rate if all(frames_of(clock, rate) is not None for clock in clocks) else Fraction(round(rate))
    return next(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60, 100, 120) if most < rate or rate == 120)


def _text(path: Path) -> str:
    """An EDL's text, lines ended by a newline. Raises BadInput."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", "replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("latin-1")  # what old systems write
    if "\0" in text:
        raise BadInput(f"{path}: not a text; give an EDL (CMX 3600) as an editor exports it")
    return "\n".join(text.splitlines())


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)
