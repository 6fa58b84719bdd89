"""EDL, CMX 3600 and what programs write under that name, as an OpenTimelineIO timeline.

Our own reader, not OpenTimelineIO's adapter: that one loses retimes and the record offset of a second track, and
refuses a byte order mark, a source over midnight, and events out of order. Columns are not counted: a line is an event
if it ends in four timecodes, and what stands before them are words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import opentimelineio as otio

from scumble.core.errors import BadInput
from scumble.edit.clock import rational
from scumble.edit.layers import layers
from scumble.media.timecode import frames_of

TIMECODE = r"\d{1,2}[:;.,]\d\d[:;.,]\d\d[:;.,]\d{2,3}"
EVENT = re.compile(rf"^\s*(\w*\d\w*)\s+(\S.*?)\s+({TIMECODE})\s+({TIMECODE})\s+({TIMECODE})\s+({TIMECODE})(?:\s.*)?$")
RETIME = re.compile(rf"^\s*M2\s+(.*?)\s*([+-]?\d+(?:\.\d+)?)\s+({TIMECODE})")
TRANSITION = re.compile(r"C|D|W\d+|K|KB|KO|KL")
CHANNEL = re.compile(r"V\d*|A\d*|AA|B|NONE|A\d*/V\d*|AA/V\d*|A\d*,\S*", re.IGNORECASE)
NOTE = re.compile(r"^\s*\*?\s*(FROM CLIP NAME|TO CLIP NAME|SOURCE FILE)\s*:\s*(.*?)\s*$", re.IGNORECASE)
LOCATOR = re.compile(rf"^\s*\*\s*LOC:\s*({TIMECODE})\s*(\S*)\s*(.*?)\s*$", re.IGNORECASE)
FREEZE = re.compile(r"^\s*\*[\s*]*FREEZE FRAME", re.IGNORECASE)
REEL = re.compile(r"REEL\s+(\S+)\s+(?:REPLACED BY|IS CLIP)\s*:?\s*(\S.*?)\s*$", re.IGNORECASE)

BLACK = ("BL", "BLACK")  # reels that are no media

DAY = 24 * 3600

COLOURS = {c.lower(): c for c in vars(otio.schema.MarkerColor).values() if isinstance(c, str) and c.isupper()}


@dataclass(frozen=True)
class Line:
    """One line of an event, in frames of the edit's rate."""

    event: str
    reel: str
    channel: str
    transition: str
    length: int
    """Of the transition."""
    source: tuple[int, int]
    record: tuple[int, int]
    place: int
    """Of the line in the file, from 1."""
    notes: dict[str, str] = field(default_factory=dict)
    markers: list[tuple[int, str, str]] = field(default_factory=list)
    """Record frame, colour and words."""
    speed: Fraction | None = None
    freezes: bool = False

    @property
    def frames(self) -> int:
        """That the event lasts."""
        return self.record[1] - self.record[0]


def read_edl(text: str, rate: Fraction, name: str) -> otio.schema.Timeline:
    """The timeline of an EDL's text at `rate` frames a second. `name` is for sentences. Raises BadInput."""
    title = re.search(r"^\s*TITLE:\s*(.*?)\s*$", text, re.MULTILINE)
    timeline = otio.schema.Timeline(title[1] if title else "")
    lines = list(_lines(text, rate, name))
    if not lines:
        raise BadInput(f"{name}: no event with four timecodes; give an EDL (CMX 3600) as an editor exports it")
    seen = [line for line in lines if "V" in line.channel.upper() or line.channel.upper() in ("B", "NONE")]
    start = min((line.record[0] for line in seen), default=min(line.record[0] for line in lines))
    timeline.global_start_time = rational(start, rate)
    timeline.metadata["scumble"] = {
        "sound": sorted({line.event for line in lines} - {line.event for line in seen}),
        "lines": len(lines),
    }
    for channel in sorted({_track(line) for line in seen}, key=lambda track: (len(track), track)):
        of_track = [line for line in seen if _track(line) == channel]
        # a line without length comes before what it begins
        of_track.sort(key=lambda line: (line.record[0], bool(line.frames), line.place))
        for n, layer in enumerate(layers(of_track, lambda line: line.record)):
            track = otio.schema.Track(channel if not n else f"{channel}.{n + 1}", kind=otio.schema.TrackKind.Video)
            track.extend(_items(layer, start, rate))
            timeline.tracks.append(track)
    return timeline


def _lines(text: str, rate: Fraction, name: str) -> Iterator[Line]:
    """The lines of all events with what is said of them below."""
    drops, current = False, None
    waiting: list[Line] = []  # of one event: comments speak of all of them
    reels: dict[str, str] = {}
    for place, words in enumerate(text.splitlines(), start=1):
        if match := EVENT.match(words):
            parsed = _event(match, rate, drops, place, name)
            if current is not None and parsed.event != current:
                yield from _named(waiting, reels)
                waiting, reels = [], {}
            waiting.append(parsed)
            current = parsed.event
        elif match := re.match(r"^\s*FCM:\s*(.*?)\s*$", words, re.IGNORECASE):
            drops = match[1].upper().startswith("DROP")
        elif waiting:
            _said(words, waiting, reels, rate, drops)
    yield from _named(waiting, reels)


def _event(match: re.Match[str], rate: Fraction, drops: bool, place: int, name: str) -> Line:
    words = match[2].split()
    transition, length = "C", 0
    if len(words) > 2 and words[-1].isdigit() and TRANSITION.fullmatch(words[-2].upper()):
        length = int(words.pop())
    if len(words) > 1 and TRANSITION.fullmatch(words[-1].upper()):
        transition = words.pop().upper()
    elif len(words) > 2 and words[-2:] and TRANSITION.fullmatch(words[-2].upper()) and words[-1] == "F":
        words.pop()
        transition = words.pop().upper()
    channel = words.pop() if len(words) > 1 and CHANNEL.fullmatch(words[-1]) else "V"
    at = [_frames(match[i], rate, drops, place, name) for i in range(3, 7)]
    day = round(rate) * DAY
    source, record = ((a, b if b >= a else b + day) for a, b in (at[:2], at[2:]))  # over midnight
    return Line(match[1], " ".join(words), channel, transition, length, source, record, place)


def _frames(words: str, rate: Fraction, drops: bool, place: int, name: str) -> int:
    """A timecode as frames: numbers are dropped where it says so by its signs, or the file by FCM."""
    *clock, frame = re.split(r"[:;.,]", words)
    sign = ";" if (";" in words or drops) and round(rate) % 30 == 0 else ":"
    count = frames_of(f"{':'.join(part.zfill(2) for part in clock)}{sign}{frame}", rate)
    if count is None and sign == ";" and ";" not in words:  # FCM says so, the number does not
        count = frames_of(f"{':'.join(part.zfill(2) for part in clock)}:{frame}", rate)
    if count is None:
        raise BadInput(f"{name}: line {place}: {words} is no timecode at {float(rate):g} frames/s; give --rate")
    return count


def _said(words: str, waiting: list[Line], reels: dict[str, str], rate: Fraction, drops: bool) -> None:
    """What a line below an event says of it."""
    last = waiting[-1]
    if match := RETIME.match(words):
        place = next((i for i, line in enumerate(waiting) if line.reel == match[1] and line.frames), len(waiting) - 1)
        waiting[place] = replace(waiting[place], speed=Fraction(match[2]) / round(rate))
    elif match := NOTE.match(words):
        name = match[1].upper()
        if name == "SOURCE FILE" and name in last.notes and "TO CLIP NAME" in last.notes:
            name = "TO SOURCE FILE"  # two names, two files, in one order
        last.notes.setdefault(name, match[2])
    elif match := LOCATOR.match(words):
        frame = frames_of(match[1].replace(".", ":"), rate)
        last.markers.append((last.record[0] if frame is None else frame, match[2], match[3]))
    elif FREEZE.match(words):
        waiting[-1] = replace(last, freezes=True)
    elif match := REEL.search(words):
        reels[match[1]] = match[2]


def _named(waiting: Sequence[Line], reels: dict[str, str]) -> Iterator[Line]:
    """Lines of one event, each with the names that are its own."""
    notes = {name: words for line in waiting for name, words in line.notes.items()}
    for line in waiting:
        own = dict(notes)
        comes_in = line.transition != "C" and "TO CLIP NAME" in own
        if comes_in and "TO SOURCE FILE" in own:
            own["SOURCE FILE"] = own["TO SOURCE FILE"]
        own["name"] = own.get("TO CLIP NAME" if comes_in else "FROM CLIP NAME", "")
        yield replace(line, reel=reels.get(line.reel, line.reel), notes=own)


def _track(line: Line) -> str:
    """V, V2 and so on."""
    match = re.search(r"V(\d*)", line.channel.upper())
    return f"V{match[1].lstrip('0') or 1}" if match else "V1"


def _items(lines: Sequence[Line], start: int, rate: Fraction) -> Iterator[otio.core.Composable]:
    """Clips, gaps and transitions of one track."""
    at = start
    for line in lines:
        if not line.frames:
            continue  # the clip before a transition: it stands there already
        if line.record[0] > at:
            yield otio.schema.Gap(duration=rational(line.record[0] - at, rate))
        if line.transition != "C" and line.length:
            kind = otio.schema.TransitionTypes.SMPTE_Dissolve if line.transition == "D" else f"Wipe {line.transition}"
            yield otio.schema.Transition(
                transition_type=kind, in_offset=rational(0, rate), out_offset=rational(line.length, rate)
            )
        yield _clip(line, rate)
        at = line.record[1]


def _clip(line: Line, rate: Fraction) -> otio.schema.Clip:
    first, speed = line.source[0], line.speed
    lasts = line.source[1] - line.source[0]
    if speed is None and (line.freezes or (lasts == 1 < line.frames)):
        speed = Fraction(0)
    effects: list[otio.schema.Effect] = []
    if speed == 0:
        effects.append(otio.schema.FreezeFrame("freeze"))
    elif speed is not None and speed != 1:
        effects.append(otio.schema.LinearTimeWarp("speed", time_scalar=float(speed)))
        needed = round(line.frames * abs(speed))
        if speed < 0 and abs(lasts - needed) > 1:  # Avid names the frame from which it runs backwards
            first = first + 1 - needed
    file = line.notes.get("SOURCE FILE", "")
    where = {"reel": line.reel, "file": file, "event": line.event, "line": line.place}
    black = line.reel.upper() in BLACK
    clip = otio.schema.Clip(
        name=line.notes["name"] or file or line.reel,
        media_reference=otio.schema.GeneratorReference(generator_kind="black")
        if black
        else otio.schema.ExternalReference(target_url=file)
        if file
        else otio.schema.MissingReference(name=line.reel),
        source_range=otio.opentime.TimeRange(rational(first, rate), rational(line.frames, rate)),
        effects=effects,
        metadata={"scumble": where},
    )
    for frame, colour, words in line.markers:
        at = otio.opentime.TimeRange(rational(first + frame - line.record[0], rate), rational(1, rate))
        clip.markers.append(otio.schema.Marker(words, at, COLOURS.get(colour.lower(), colour.upper() or "RED")))
    return clip
