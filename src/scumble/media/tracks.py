"""What of a movie goes along without being painted: sound, subtitles, chapters and what its header says."""

from __future__ import annotations

import io
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError

from scumble.media.codecs import CONTAINERS
from scumble.media.movie_reader import open_container
from scumble.media.plate import Tracks

PRIMING = Fraction(1, 5)  # seconds; AAC's 1024 to 2112 samples are less
FALL = Fraction(1, 2)  # seconds; stamps that fall further are a splice, not jitter

# of a file's header, what is true of its own encoding alone
OWN = {"encoder", "major_brand", "minor_version", "compatible_brands", "timecode", "comment"}
OF_TRACKS = ("language", "title", "handler_name")


def tracks_of(movie: Path, output: Path) -> Tracks:
    """What of a movie's tracks goes into an output, found by writing headers in memory."""
    suffix = output.suffix.lower()
    sound: list[int] = []
    subtitles: list[int] = []
    lost: list[str] = []
    refused = ""
    try:
        source = open_container(movie)
    except FFmpegError:
        return Tracks()
    with source:
        for count, stream in enumerate(source.streams.audio, 1):
            codec = _codec(stream)
            others = [other for other in CONTAINERS if _takes(other, stream)]
            if suffix in others:
                sound.append(stream.index)
            elif others:
                refused = (
                    f"{output}: sound track {count} of {movie.name} ({codec}) does not go into {suffix}; write"
                    f" {' or '.join(others)}"
                )
            elif codec:
                lost.append(
                    f"sound track {count} of the plate ({codec}) is left out: no movie that is written takes it"
                )
            else:
                lost.append(f"sound track {count} of the plate is left out: its codec is not known")
        for count, stream in enumerate(source.streams.subtitles, 1):
            if _takes(suffix, stream):
                subtitles.append(stream.index)
            else:
                others = [other for other in CONTAINERS if _takes(other, stream)]
                remedy = f"; {' or '.join(others)} takes them" if others else ""
                lost.append(f"subtitle track {count} of the plate is left out: {suffix} does not take it{remedy}")
    return Tracks(tuple(sound), tuple(subtitles), tuple(lost), refused)


def _codec(stream: Any) -> str:
    return str(stream.codec_context.name) if stream.codec_context else ""


def _takes(suffix: str, stream: Any) -> bool:
    """Whether a container takes a track: only its header tells for sure."""
    if not stream.codec_context:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=CONTAINERS[suffix].muxer) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (FFmpegError, ValueError):  # PyAV's own refusal is a ValueError
        return False
    return True


class TrackCopier:
    """Packets of a movie's tracks within a span of seconds, shifted to start at 0."""

    def __init__(self, movie: Path, tracks: Tracks, span: tuple[Fraction, Fraction | None], output: Any) -> None:
        self.source = open_container(movie)
        self.start, self.end = span
        chosen = [self.source.streams[place] for place in (*tracks.sound, *tracks.subtitles)]
        self.streams = {stream.index: _copied(stream, output) for stream in chosen}
        self.packets = self.source.demux(*chosen) if chosen else iter(())
        self.waiting: Any = None
        self.last: dict[int, tuple[int, int]] = {}  # stamp and length of the packet before, for each track
        self.moved: dict[int, int] = {}  # ticks by which what follows a splice is late
        output.metadata.update({k: v for k, v in self.source.metadata.items() if k.lower() not in OWN})
        chapters = self._chapters()
        if chapters:
            output.set_chapters(chapters)

    def until(self, seconds: Fraction | None) -> list[Any]:
        """Packets that start before `seconds` of the output; None for all that are left."""
        packets: list[Any] = []
        while True:
            packet = self.waiting or next(self.packets, None)
            self.waiting = None
            if packet is None:
                return packets
            if packet.pts is None or not packet.size:
                continue
            at = packet.pts * packet.time_base - self.start
            # from the first frame on; a codec's priming, just before 0, belongs to a movie's start
            if at < -PRIMING or (at < 0 < self.start) or (self.end is not None and at >= self.end - self.start):
                continue
            if seconds is not None and at >= seconds:
                self.waiting = packet
                return packets
            self._place(packet)
            packets.append(packet)

    def _place(self, packet: Any) -> None:
        """Count a packet from the output's start; its stamp rises above the one before, as muxers ask."""
        track = packet.stream.index
        shift = self.moved.get(track, 0) - round(self.start / packet.time_base)
        packet.dts = packet.pts if packet.dts is None else packet.dts
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        if track in self.last:
            before, length = self.last[track]
            if packet.dts <= before:
                fallen = (before - packet.dts) * packet.time_base > FALL
                late = before + (max(length, 1) if fallen else 1) - packet.dts
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
                if fallen:
                    self.moved[track] = self.moved.get(track, 0) + late
        self.last[track] = packet.dts, packet.duration or 0
        packet.stream = self.streams[track]

    def _chapters(self) -> list[Any]:
        """The movie's chapters that begin or go on within the span."""
        kept: list[Any] = []
        for chapter in self.source.chapters():
            unit = chapter["time_base"]
            begins = max(Fraction(0), chapter["start"] * unit - self.start)
            ends = chapter["end"] * unit - self.start
            if self.end is not None:
                ends = min(ends, self.end - self.start)
            if ends > begins:
                kept.append({**chapter, "start": round(begins / unit), "end": round(ends / unit)})
        return kept

    def close(self) -> None:
        """Close the movie that is copied from."""
        with suppress(FFmpegError):
            self.source.close()


def _copied(stream: Any, output: Any) -> Any:
    """The output's track for one of the movie's: with its language, title and flags."""
    made = output.add_stream_from_template(stream)
    said = stream.metadata
    made.metadata.update({name: said[name] for name in OF_TRACKS if name in said})
    if "title" in said and output.format.name != "matroska":  # MP4 has no titles: players show the handler
        made.metadata["handler_name"] = said["title"]
    made.disposition = stream.disposition
    return made
