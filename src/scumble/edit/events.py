"""The events of a timeline: what of which media is seen where, with speed and handles."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import opentimelineio as otio

from scumble.edit.clock import rate_of, seconds
from scumble.edit.wipes import wipe_named

NEAR = Fraction(1, 1000)  # of a frame: what numbers in floating point lose

SAME = Fraction(1, 10**6)  # of a second

REEL = re.compile(r"reel([ _]name)?", re.IGNORECASE)

EFFECT = re.compile(r"effectid|name", re.IGNORECASE)  # what a document calls its transition

Seconds = Fraction


class MediaRange(NamedTuple):
    """The first and the last frame of a media that are seen, counted from its first one, and handles around them."""

    first: Fraction
    last: Fraction
    before: int = 0
    after: int = 0
    reach: Fraction = Fraction(0)
    """Where the last frame of the timeline falls; beyond `last` where media are slower than the timeline."""


@dataclass(frozen=True)
class Source:
    """What a document says of an event's media."""

    url: str = ""
    """Path, URL or file name; a sequence's has `#` for the digits of the number."""
    is_sequence: bool = False
    reel: str = ""
    names: tuple[str, ...] = ()
    """Names under which it may lie: the clip's, the file's."""
    start: Seconds | None = None
    """The media's clock at its first frame; None where the document does not say."""
    rate: Fraction | None = None
    """Frames a second."""
    frames: int | None = None
    """Length."""
    first: int = 0
    """Number of a sequence's first file."""


@dataclass(frozen=True)
class Event:
    """One clip of an edit as it is seen."""

    track: str
    number: str
    """The document's own number, or the place in its track."""
    name: str
    source: Source
    record: tuple[int, int]
    """First frame and the one after the last, counted from the timeline's start."""
    begins: Seconds
    """The media's clock at the first frame that is seen; at the lowest one where it runs backwards."""
    count: Fraction
    """Frames that it lasts, at `rate`."""
    rate: Fraction
    """At which the document counts this clip."""
    speed: Fraction = Fraction(1)
    """0 is a still frame, less than 0 runs backwards."""
    overlap: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))
    """Frames, at `rate`, that transitions show of it before and after."""
    fades: tuple[Seconds, Seconds] = (Fraction(0), Fraction(0))
    """How long the transitions last by which it comes and goes."""
    wipe: int = 0
    """By which it comes, of `scumble.edit.wipes`; 0 is a dissolve."""
    warps: tuple[float, ...] = ()
    """By how many frames a time warp shows other ones, for each that it lasts."""
    is_warped: bool = False
    """Its speed changes in a way that the document does not say: all of the media may be seen."""
    left_out: str = ""
    """Why nothing is painted; empty where something is."""
    clip: Any = None
    """The clip in the timeline."""

    @property
    def id(self) -> str:
        """As in V1/003."""
        return f"{self.track}/{self.number}"

    def media_range(self, handles: int = 0, rate: Fraction | None = None, frames: int | None = None) -> MediaRange:
        """The frames of the media that are seen, with transitions, and handles as far as there is media for them.

        What the media itself says of its `rate` and length in `frames` is believed before the document.
        """
        source, speed = self.source, abs(self.speed)
        rate = rate or source.rate or self.rate
        frames = source.frames if frames is None else frames
        if self.is_warped and frames is not None:
            return MediaRange(Fraction(0), Fraction(frames - 1))
        begins = self.begins - (source.start or 0)
        room = -1 if frames is None else frames - self.count * rate / self.rate + 5
        if begins < -SAME and 0 <= self.begins * rate <= room:
            begins = self.begins  # counted from the sequence's first file, not by its numbers
        first = last = begins * rate
        if self.warps:
            places = [Fraction(n + warp) * (speed or 1) for n, warp in enumerate(self.warps)]
            first, last = first + min(places), first + max(places)
        elif speed:
            lasts = self.count * speed
            if source.is_sequence:  # whole files
                lasts = Fraction(math.ceil(lasts - NEAR))
            last = first + lasts * rate / self.rate - 1
        sides = [max(Fraction(handles), side) for side in self.overlap]
        if self.speed < 0:
            sides.reverse()
        before, after = (math.ceil(side * speed - NEAR) for side in sides)
        before = max(0, min(before, math.floor(first + NEAR)))
        if frames is not None:
            after = max(0, min(after, frames - 1 - math.floor(last + NEAR)))
        reach = first + (self.count - 1) * speed * rate / self.rate if speed and not self.warps else last
        return MediaRange(first, last, before, after, reach if frames is None else min(reach, Fraction(frames - 1)))


def events_of(timeline: otio.schema.Timeline, rate: Fraction, sound: bool = False) -> list[Event]:
    """All clips of the video tracks, nested ones too, by track and place; `sound` asks for those of the sound tracks.

    `rate` is the timeline's.
    """
    events = []
    for n, track in enumerate((part for part in timeline.tracks if _is_sound(part) == sound), start=1):
        is_track = isinstance(track, otio.schema.Track)
        whole = seconds(track.duration()) if not is_track or len(track) else Fraction(0)
        left_out = "" if track.enabled else "disabled track"
        place = Place(track.name or f"{'A' if sound else 'V'}{n}", "", Fraction(0), Fraction(1), rate, left_out, sound)
        start = seconds(track.source_range.start_time) if track.source_range and is_track else Fraction(0)
        events += list(_of_part(track, start, start + whole, place))
    if not sound:  # an EDL's events of sound alone count as well
        for number in timeline.metadata.get("scumble", {}).get("sound", ()):
            none = Fraction(0)
            events.append(Event("A", number, "", Source(), (0, 0), none, none, rate, left_out="sound only"))
    return events


class Sides(NamedTuple):
    """The transitions around a clip; see `Event`, here in seconds."""

    overlap: tuple[Seconds, Seconds] = (Fraction(0), Fraction(0))
    fades: tuple[Seconds, Seconds] = (Fraction(0), Fraction(0))
    wipe: int = 0


class Place(NamedTuple):
    """Where a composition stands in the timeline."""

    track: str
    prefix: str
    """Of the numbers of its clips."""
    at: Seconds
    scale: Fraction
    """Seconds of the composition that pass in one of the timeline."""
    rate: Fraction
    """The timeline's."""
    left_out: str
    sound: bool
    """Whether its sound is meant, not its pictures."""

    def record(self, since: Seconds, until: Seconds) -> tuple[int, int]:
        """Frames of the timeline between two times after the place's own beginning."""
        first, last = (round((self.at + time / self.scale) * self.rate) for time in (since, until))
        return first, max(last, first + 1)


def _is_sound(part: Any) -> bool:
    return bool(getattr(part, "kind", "") == otio.schema.TrackKind.Audio)


def _of_track(track: Any, low: Seconds, high: Seconds, place: Place) -> Iterator[Event]:
    """Events of what is seen of a track between two of its times."""
    at, count = Fraction(0), 0
    items = list(track)
    for i, item in enumerate(items):
        if isinstance(item, otio.schema.Transition):
            continue
        duration = seconds(item.duration())
        since, until = max(at, low), min(at + duration, high)
        if not isinstance(item, otio.schema.Gap):
            count += 1
            if until > since:
                sides = _sides(items[i - 1] if i else None, items[i + 1] if i + 1 < len(items) else None)
                yield from _of_item(item, since - at, until - since, since - low, count, sides, place)
        at += duration


def _sides(before: Any, after: Any) -> Sides:
    """The transitions of a clip, if its neighbours are any."""
    overlap, fades, wipe = [Fraction(0), Fraction(0)], [Fraction(0), Fraction(0)], 0
    if isinstance(before, otio.schema.Transition):
        overlap[0] = seconds(before.in_offset)
        fades[0] = overlap[0] + seconds(before.out_offset)
        wipe = wipe_named(" ".join((before.transition_type, before.name, *words_at(before.metadata, EFFECT.fullmatch))))
    if isinstance(after, otio.schema.Transition):
        overlap[1] = seconds(after.out_offset)
        fades[1] = seconds(after.in_offset) + overlap[1]
    return Sides((overlap[0], overlap[1]), (fades[0], fades[1]), wipe)


def _of_item(
    item: Any,
    into: Seconds,
    lasts: Seconds,
    since: Seconds,
    count: int,
    sides: Sides,
    place: Place,
) -> Iterator[Event]:
    """Events of a clip or a nested composition, from `into` it on, for so long; `since` its composition's beginning."""
    speed, warps, is_warped = _speed(item)
    trimmed = item.source_range or (item.trimmed_range() if not isinstance(item, otio.schema.Clip) else _whole(item))
    start = seconds(trimmed.start_time)
    left_out = place.left_out or ("" if item.enabled else "disabled")
    number = f"{place.prefix}{_number(item, count)}"
    record = place.record(since, since + lasts)
    if isinstance(item, otio.schema.Clip):
        rate = rate_of(trimmed.duration.rate)
        exact = Fraction(trimmed.duration.rate)
        source, missing = _source(item)
        yield Event(
            place.track,
            number,
            item.name or (source.names[0] if source.names else ""),
            source,
            record,
            start + into * abs(speed),
            (lasts * exact).limit_denominator(10**6),
            rate,
            speed,
            (sides.overlap[0] * rate, sides.overlap[1] * rate),
            sides.fades,
            sides.wipe,
            warps,
            is_warped,
            left_out or missing,
            item,
        )
        return
    events = list(_inside(item, number, start + into * abs(speed), lasts, speed, place, since, left_out))
    if not events:  # it counts, too
        why = left_out or "a nested sequence without pictures"
        rate = place.rate
        events = [Event(place.track, number, item.name, Source(), record, start, lasts * rate, rate, left_out=why)]
    yield from events


def _of_part(part: Any, low: Seconds, high: Seconds, place: Place) -> Iterator[Event]:
    """Events of what stands in a stack: a track, or a clip or stack by itself."""
    if isinstance(part, otio.schema.Track):
        yield from _of_track(part, low, high, place)
    elif not isinstance(part, otio.schema.Gap):
        high = min(high, seconds(part.duration()))
        if high > low:
            yield from _of_item(part, low, high - low, Fraction(0), 1, Sides(), place)


def _inside(
    item: Any, number: str, low: Seconds, lasts: Seconds, speed: Fraction, place: Place, since: Seconds, left_out: str
) -> Iterator[Event]:
    """Events of a nested composition from its time `low` on, for so long in the one around it."""
    scale = place.scale * (abs(speed) or 1)
    inner = Place(place.track, f"{number}.", place.at + since / place.scale, scale, place.rate, left_out, place.sound)
    parts = [item] if isinstance(item, otio.schema.Track) else list(item)
    for n, part in enumerate(parts, start=1):
        if isinstance(part, otio.schema.Track) and _is_sound(part) != place.sound:
            continue
        prefix = inner.prefix if len(parts) == 1 else f"{inner.prefix}{n}."
        high = low + lasts * (abs(speed) or 1)
        yield from _of_part(part, low, high, inner._replace(prefix=prefix))


def _whole(clip: Any) -> Any:
    try:
        return clip.trimmed_range()
    except otio.exceptions.OTIOError:  # neither a range nor media with one
        zero = otio.opentime.RationalTime(0, 24)
        return otio.opentime.TimeRange(zero, zero)


def _speed(item: Any) -> tuple[Fraction, tuple[float, ...], bool]:
    """Speed, offsets of a time warp, and whether there is one that the document does not tell."""
    speed, is_warped = Fraction(1), False
    warps: tuple[float, ...] = ()
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):  # of which a freeze frame is one
            speed *= Fraction(effect.time_scalar).limit_denominator(100000)
        elif isinstance(effect, otio.schema.TimeEffect):
            lookup = effect.metadata.get("lookup")
            if lookup:
                warps = tuple(float(value) for value in lookup)
            else:
                is_warped = True
    return speed, warps, is_warped


def _number(item: Any, count: int) -> str:
    own = item.metadata.get("scumble", {})
    return str(own.get("event", count)) if isinstance(own, Mapping) else str(count)


def _source(clip: Any) -> tuple[Source, str]:
    """What a clip says of its media, and why there is nothing to paint."""
    media = clip.media_reference
    if isinstance(media, otio.schema.GeneratorReference):
        return Source(names=(clip.name,)), f"no media: {media.generator_kind or 'a generator'}"
    own = clip.metadata.get("scumble", {})
    start = rate = frames = None
    if media is not None and media.available_range is not None:
        available = media.available_range
        rate, start = rate_of(available.duration.rate), seconds(available.start_time)
        frames = round(available.duration.value)
    is_sequence = isinstance(media, otio.schema.ImageSequenceReference)
    if is_sequence:
        digits = "#" * max(1, media.frame_zero_padding)
        base = f"{media.target_url_base.rstrip('/')}/" if media.target_url_base else ""
        url = f"{base}{media.name_prefix}{digits}{media.name_suffix}"
        names = [clip.name, media.name_prefix.rstrip("._-")]
    else:
        url = getattr(media, "target_url", "") or ""
        names = [clip.name, media.name if media is not None else "", own.get("file", ""), url]
    known = tuple(dict.fromkeys(name for name in names if name))
    first = media.start_frame if is_sequence else 0
    return Source(url, is_sequence, _reel(clip), known, start, rate, frames, first), ""


def _reel(clip: Any) -> str:
    """The reel, where a document keeps one: its places differ from program to program."""
    media = clip.media_reference
    metadata = [clip.metadata, *([media.metadata] if media is not None else [])]
    return next((reel for values in metadata for reel in words_at(values, REEL.fullmatch)), "")


def words_at(values: Any, is_meant: Callable[[str], object]) -> Iterator[str]:
    """Texts that stand in metadata, however deep, under a name that is meant, or there under `name`."""
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        if not is_meant(name):
            yield from words_at(value, is_meant)
            continue
        found = value.get("name") if isinstance(value, Mapping) else value
        if isinstance(found, str) and found:
            yield found
