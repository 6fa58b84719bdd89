"""FCPXML 1.5 to 1.14 as OpenTimelineIO timelines.

Our own reader, not OpenTimelineIO's adapter: that one rounds rates to whole numbers and loses or refuses half of real
documents. All times are fractions until they are written into the timeline.

Reference: Apple, "FCPXML Reference", https://developer.apple.com/documentation/professional-video-applications.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import opentimelineio as otio

from scumble.core.errors import BadInput
from scumble.edit.clock import rational
from scumble.edit.layers import layers

Seconds = Fraction
Element = ElementTree.Element

STORY = ("asset-clip", "clip", "video", "ref-clip", "sync-clip", "mc-clip", "title", "audition", "gap", "spine")

DEEPEST = 32  # compounds in compounds; more refer to themselves


class Placed(NamedTuple):
    """An item at a time of its sequence."""

    at: Seconds
    lasts: Seconds
    item: otio.core.Composable


@dataclass
class Lanes:
    """The items of a sequence by lane, 0 is the primary storyline, and its transitions by lane and cut."""

    items: dict[int, list[Placed]]
    transitions: dict[tuple[int, Seconds], tuple[str, Seconds, Seconds]]

    def add(self, lane: int, placed: Placed) -> None:
        self.items.setdefault(lane, []).append(placed)


def read_fcpxml(path: Path) -> list[otio.schema.Timeline]:
    """The projects of a document, each a timeline. Raises BadInput."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - expat bounds entities and fetches nothing
        return Document(root, path).timelines()
    except ElementTree.ParseError as error:
        raise BadInput(f"{path}: not whole ({error}); export the XML again") from error
    except RecursionError as error:
        raise BadInput(f"{path}: a compound clip holds itself; export the XML again") from error
    except (ValueError, KeyError, ZeroDivisionError, OverflowError) as error:
        raise BadInput(f"{path}: {error} is not what FCPXML may say there; export the XML again") from error


class Document:
    """Resources and projects of an FCPXML."""

    def __init__(self, root: Element, path: Path) -> None:
        self.root, self.path = root, path
        resources = root.find("resources")
        every = list(resources) if resources is not None else []
        self.resources = {element.get("id", ""): element for element in every}

    def timelines(self) -> list[otio.schema.Timeline]:
        """One for each project; clips of an event that holds no project make one together."""
        found = [
            self._timeline(sequence, project.get("name", ""))
            for project in self.root.iter("project")
            for sequence in project.findall("sequence")
        ]
        if not found:
            raise BadInput(f"{self.path}: no project in it; export the project itself, not its clips")
        return found

    def _timeline(self, sequence: Element, name: str) -> otio.schema.Timeline:
        rate = self.rate_of(sequence.get("format"))
        if not rate:
            raise ValueError("a sequence without a format that has a frameDuration")
        timeline = otio.schema.Timeline(name)
        timeline.global_start_time = rational(time_of(sequence.get("tcStart")) * rate, rate)
        timeline.metadata["scumble"] = {"tcFormat": sequence.get("tcFormat", "NDF")}
        timeline.tracks.extend(self._tracks(sequence, rate, 0))
        return timeline

    def rate_of(self, format_id: str | None) -> Fraction:
        """Frames a second of a format; 0 where it has none, as stills."""
        duration = self.resources.get(format_id or "", Element("none")).get("frameDuration")
        return 1 / time_of(duration) if duration else Fraction(0)

    def _tracks(self, sequence: Element, rate: Fraction, depth: int) -> list[otio.schema.Track]:
        """A sequence's tracks, the lowest first; its own time begins at tcStart."""
        lanes = Lanes({}, {})
        for spine in sequence.findall("spine"):
            self._story(spine, time_of(sequence.get("tcStart")), Fraction(0), 0, rate, lanes, depth)
        return [
            track
            for lane in sorted(lanes.items)
            for track in _laid(lanes.items[lane], lanes, lane, rate, f"V{lane + 1}" if lane >= 0 else f"V1{lane}")
        ]

    def _story(
        self, spine: Element, origin: Seconds, base: Seconds, lane: int, rate: Fraction, lanes: Lanes, depth: int
    ) -> None:
        """The elements of a storyline, one after the other: time `origin` of it stands at `base` of its sequence."""
        at = base
        crossing: list[tuple[str, Seconds, Seconds]] = []
        for element in spine:
            if element.tag == "transition":
                offset = time_of(element.get("offset")) - origin + base
                crossing.append((element.get("name", ""), offset, offset + time_of(element.get("duration"))))
                continue
            if element.tag not in STORY:
                continue
            if element.get("offset") is not None:
                at = time_of(element.get("offset")) - origin + base
            for name, since, until in crossing:
                lanes.transitions[lane, at] = (name, at - since, until - at)
            crossing = []
            at += self._element(element, at, lane, rate, lanes, depth)
        for name, since, until in crossing:  # to black
            lanes.transitions[lane, at] = (name, at - since, until - at)

    def _element(self, element: Element, at: Seconds, lane: int, rate: Fraction, lanes: Lanes, depth: int) -> Seconds:
        """Puts an element and what is connected to it into lanes; how long it lasts."""
        if depth > DEEPEST:
            raise RecursionError
        if element.tag == "audition":  # the first is the one that was picked
            picked = next((child for child in element if child.tag in STORY), None)
            return Fraction(0) if picked is None else self._element(picked, at, lane, rate, lanes, depth)
        if element.tag == "spine":
            self._story(element, Fraction(0), at, lane, rate, lanes, depth)
            return Fraction(0)
        start, lasts = self._start(element), self._duration(element)
        item = None if element.tag == "gap" else self._item(element, start, lasts, rate, depth)
        if item is not None:
            item.enabled = element.get("enabled") != "0"
            lanes.add(lane, Placed(at, lasts, item))
        for child in element:
            if child.tag in STORY and child.get("lane") is not None:
                offset = time_of(child.get("offset"), start)
                self._element(child, at + offset - start, lane + int(child.get("lane", "0")), rate, lanes, depth)
        return lasts

    def _start(self, element: Element) -> Seconds:
        """Where an element's own time begins: its media's start, where it does not say."""
        asset = self.resources.get(element.get("ref", ""))
        default = time_of(asset.get("start")) if asset is not None and asset.tag == "asset" else Fraction(0)
        if asset is not None and asset.tag == "media":
            default = time_of(next((c.get("tcStart") for c in asset if c.tag in ("sequence", "multicam")), None))
        return time_of(element.get("start"), default)

    def _duration(self, element: Element) -> Seconds:
        asset = self.resources.get(element.get("ref", ""), Element("none"))
        return time_of(element.get("duration"), time_of(asset.get("duration")))

    def _item(
        self, element: Element, start: Seconds, lasts: Seconds, rate: Fraction, depth: int
    ) -> otio.core.Item | None:
        """A clip or a nested composition; None for sound."""
        if element.get("srcEnable") == "audio":
            return None
        resource = self.resources.get(element.get("ref", ""))
        if resource is not None and resource.tag == "media":
            return self._nested(element, resource, start, lasts, rate, depth)
        if element.tag in ("clip", "sync-clip"):
            return self._container(element, start, lasts, rate, depth)
        if resource is None or resource.tag != "asset":
            kind = "title" if element.tag == "title" else "a generator" if element.tag == "video" else "an effect"
            clip = _clip(element, Fraction(0), lasts, rate)
            clip.media_reference = otio.schema.GeneratorReference(generator_kind=kind)
            return clip
        if resource.get("hasVideo") != "1":
            return None
        return self._of_asset(element, resource, start, lasts, rate)

    def _of_asset(
        self, element: Element, asset: Element, start: Seconds, lasts: Seconds, rate: Fraction
    ) -> otio.schema.Clip:
        own = self.rate_of(asset.get("format")) or self.rate_of(element.get("format"))
        length = time_of(asset.get("duration"))
        is_still = not length or not own
        clip = _clip(element, Fraction(0) if is_still else start, lasts, rate)
        media = otio.schema.ExternalReference(target_url=_url(asset))
        media.name = asset.get("name", "")
        if is_still:
            clip.effects.append(otio.schema.FreezeFrame("still"))
            media.available_range = otio.opentime.TimeRange(rational(0, rate), rational(1, rate))
        else:
            media.available_range = otio.opentime.TimeRange(
                rational(time_of(asset.get("start")) * own, own), rational(round(length * own), own)
            )
            self._retime(element, clip, start, lasts, rate, own)
        clip.media_reference = media
        clip.metadata["scumble"]["asset"] = asset.get("id", "")
        clip.metadata["scumble"]["reel"] = _reel(asset) or _reel(element)
        return clip

    def _retime(
        self, element: Element, clip: otio.schema.Clip, start: Seconds, lasts: Seconds, rate: Fraction, own: Fraction
    ) -> None:
        """Speed changes and conformed rates as effects of the clip."""
        points = _time_map(element)
        conform = element.find("conform-rate")
        if len(points) > 1:
            values = [_mapped(points, start + n / rate) for n in range(max(1, round(lasts * rate)))]
            slopes = {(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points) if b[0] > a[0]}
            begins = min(values)
            clip.source_range = otio.opentime.TimeRange(rational(begins * rate, rate), rational(lasts * rate, rate))
            if len(slopes) == 1:
                speed = slopes.pop()
                if not speed:
                    clip.effects.append(otio.schema.FreezeFrame("hold"))
                elif speed != 1:
                    clip.effects.append(otio.schema.LinearTimeWarp("timeMap", time_scalar=float(speed)))
                return
            lookup = [float((value - begins) * own - n) for n, value in enumerate(values)]
            clip.effects.append(otio.schema.TimeEffect("timeMap", "TimeWarp", metadata={"lookup": lookup}))
        elif conform is not None and conform.get("scaleEnabled") != "0" and own != rate:
            # frame for frame: media of another rate runs at the timeline's
            clip.effects.append(otio.schema.LinearTimeWarp("conform-rate", time_scalar=float(rate / own)))

    def _nested(
        self, element: Element, media: Element, start: Seconds, lasts: Seconds, rate: Fraction, depth: int
    ) -> otio.core.Item | None:
        """A compound clip, or the angle that a multicam clip shows."""
        inner = next((child for child in media if child.tag in ("sequence", "multicam")), None)
        if inner is None:
            return None
        if inner.tag == "multicam":
            sources = [s for s in element.findall("mc-source") if s.get("srcEnable", "all") in ("all", "video")]
            shown = sources[0].get("angleID") if sources else None
            angles = inner.findall("mc-angle")
            angle = next((a for a in angles if a.get("angleID") == shown), None if shown else next(iter(angles), None))
            if angle is None:
                return None
            lanes = Lanes({}, {})
            self._story(angle, time_of(inner.get("tcStart")), Fraction(0), 0, rate, lanes, depth + 1)
            tracks = [t for lane in sorted(lanes.items) for t in _laid(lanes.items[lane], lanes, lane, rate, "angle")]
        else:
            tracks = self._tracks(inner, rate, depth + 1)
        return _stack(element, tracks, start - time_of(inner.get("tcStart")), lasts, rate)

    def _container(
        self, element: Element, start: Seconds, lasts: Seconds, rate: Fraction, depth: int
    ) -> otio.core.Item | None:
        """A `clip` or `sync-clip`: one media as a clip of its own, several as a nested composition."""
        inside = [child for child in element if child.tag in STORY and child.get("lane") is None]
        lone = inside[0] if len(inside) == 1 else None
        asset = self.resources.get(lone.get("ref", "")) if lone is not None else None
        if lone is not None and asset is not None and asset.tag == "asset":
            if asset.get("hasVideo") != "1":
                return None
            begins = self._start(lone) + start - time_of(lone.get("offset"))
            clip = self._of_asset(element, asset, begins, lasts, rate)
            return clip
        lanes = Lanes({}, {})
        for child in inside:
            self._element(child, time_of(child.get("offset")), 0, rate, lanes, depth + 1)
        tracks = [t for lane in sorted(lanes.items) for t in _laid(lanes.items[lane], lanes, lane, rate, "V1")]
        return _stack(element, tracks, start, lasts, rate) if tracks else None


def time_of(words: str | None, default: Seconds = Fraction(0)) -> Seconds:
    """Seconds of a time such as 1001/24000s. Raises ValueError."""
    if words is None:
        return default
    try:
        return Fraction(words.strip().removesuffix("s"))
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"time {words!r}") from error


def _time_map(element: Element) -> list[tuple[Seconds, Seconds]]:
    """Times of an element, and of what it shows."""
    return [(time_of(p.get("time")), time_of(p.get("value"))) for p in element.findall("timeMap/timept")]


def _mapped(points: list[tuple[Seconds, Seconds]], time: Seconds) -> Seconds:
    """The media's time that a time map shows; its ends go on as they came. Smooth points count as straight ones."""
    for (a, first), (b, last) in pairwise(points):
        if time <= b or (b, last) == points[-1]:
            return first + (time - a) * (last - first) / (b - a) if b > a else last
    return points[-1][1]


def _clip(element: Element, start: Seconds, lasts: Seconds, rate: Fraction) -> otio.schema.Clip:
    clip = otio.schema.Clip(
        name=element.get("name", ""),
        source_range=otio.opentime.TimeRange(rational(start * rate, rate), rational(lasts * rate, rate)),
        metadata={"scumble": {"keywords": [k.get("value", "") for k in element.findall("keyword")]}},
    )
    if element.get("srcEnable") == "video":
        clip.metadata["scumble"]["silent"] = True
    for marker in (*element.findall("marker"), *element.findall("chapter-marker")):
        at = otio.opentime.TimeRange(rational(time_of(marker.get("start")) * rate, rate), rational(1, rate))
        clip.markers.append(otio.schema.Marker(marker.get("value", ""), at))
    return clip


def _stack(
    element: Element, tracks: list[otio.schema.Track], start: Seconds, lasts: Seconds, rate: Fraction
) -> otio.schema.Stack:
    effects: list[otio.schema.Effect] = []
    points = _time_map(element)
    if len(points) > 1 and lasts:  # a ramp counts by its mean speed
        first, last = _mapped(points, start), _mapped(points, start + lasts)
        speed, start = (last - first) / lasts, min(first, last)
        effects = [otio.schema.LinearTimeWarp("timeMap", time_scalar=float(speed))] if speed != 1 else []
    seen = otio.opentime.TimeRange(rational(start * rate, rate), rational(lasts * rate, rate))
    return otio.schema.Stack(element.get("name", ""), children=tracks, source_range=seen, effects=effects)


def _laid(placed: list[Placed], lanes: Lanes, lane: int, rate: Fraction, name: str) -> Iterator[otio.schema.Track]:
    """Items of a lane as tracks: one, and more where they overlap."""
    placed = sorted(placed, key=lambda item: item.at)
    for n, layer in enumerate(layers(placed, lambda item: (item.at, item.at + item.lasts))):
        track = otio.schema.Track(name if not n else f"{name}.{n + 1}", kind=otio.schema.TrackKind.Video)
        at = Fraction(0)
        for item in layer:
            if item.at > at:
                track.append(otio.schema.Gap(duration=rational((item.at - at) * rate, rate)))
            if (lane, item.at) in lanes.transitions:
                track.append(_transition(*lanes.transitions[lane, item.at], rate))
            track.append(item.item)
            at = item.at + item.lasts
        if (lane, at) in lanes.transitions:
            track.append(_transition(*lanes.transitions[lane, at], rate))
        yield track


def _transition(name: str, before: Seconds, after: Seconds, rate: Fraction) -> otio.schema.Transition:
    return otio.schema.Transition(
        name, otio.schema.TransitionTypes.SMPTE_Dissolve, rational(before * rate, rate), rational(after * rate, rate)
    )


def _url(asset: Element) -> str:
    """Of the original media, before a proxy's."""
    kinds = {rep.get("kind") or "original-media": rep.get("src") or "" for rep in asset.findall("media-rep")}
    return kinds.get("original-media") or next(iter(kinds.values()), "") or asset.get("src") or ""


def _reel(element: Element) -> str:
    said: Mapping[str, str] = {md.get("key", ""): md.get("value", "") for md in element.findall("metadata/md")}
    return said.get("com.apple.proapps.studio.reel", "") or said.get("com.apple.proapps.spotlight.kMDItemReelName", "")
