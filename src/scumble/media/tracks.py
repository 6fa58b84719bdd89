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
from scumble.media.movie_reader import DEMUXERS, open_container
from scumble.media.plate import Tracks

SOUND_DEMUXERS = "wav,w64,aiff,caf,mp3,aac,flac"  # beside those of movies

PRIMING = Fraction(1, 5)  # seconds; AAC's 1024 to 2112 samples are less
FALL = Fraction(1, 2)  # seconds; stamps that fall further are a splice, not jitter

# of a file's header, what is true of its own encoding alone
OWN = {"encoder", "major_brand", "minor_version", "compatible_brands", "timecode", "comment"}
OF_TRACKS = ("language", "title", "handler_name")


def tracks_of(movie: Path, output: Path) -> Tracks:
    """What of a movie's tracks goes into an output, found by writing headers in memory."""
    suffix = output.suffix.lower()
    try:
        source = open_container(movie)
    except FFmpegError:
        return Tracks()
    lost: list[str] = []
    with source:
        sound = [(track, takers_of(track)) for track in source.streams.audio]
        subtitles = [(track, takers_of(track)) for track in source.streams.subtitles]
        # containers that take all of the sound that any takes
        whole = [s for s in CONTAINERS if all(s in takers for _, takers in sound if takers)]
        refused = ""
        for count, (track, takers) in enumerate(sound, 1):
            name = f"sound track {count} of {movie.name} ({_codec(track) or 'of a codec that is not known'})"
            if takers and suffix not in takers and whole:
                refused = refused or f"{output}: {name} does not go into {suffix}; write {' or '.join(whole)}"
            elif suffix not in takers:
                lost.append(f"{name} is left out: {f'{suffix} does not take it' if takers else 'no output takes it'}")
        for count, (_, takers) in enumerate(subtitles, 1):
            if suffix not in takers:
                remedy = f"; write {' or '.join(takers)} to keep it" if takers else ""
                lost.append(f"subtitle track {count} of {movie.name} is left out: {suffix} does not take it{remedy}")
        kept = [tuple(track.index for track, takers in tracks if suffix in takers) for tracks in (sound, subtitles)]
    return Tracks(kept[0], kept[1], tuple(lost), refused)


def _codec(stream: Any) -> str:
    return str(stream.codec_context.name) if stream.codec_context else ""


def takers_of(stream: Any) -> list[str]:
    """Suffixes of the containers that take a track: only a header that is written tells for sure."""
    muxers: set[str] = set()
    for muxer in {container.muxer for container in CONTAINERS.values()}:
        with suppress(FFmpegError, ValueError):  # PyAV's own refusals are ValueErrors
            with av.open(io.BytesIO(), "w", format=muxer) as trial:
                trial.add_stream_from_template(stream)
                trial.start_encoding()
            muxers.add(muxer)
    return [suffix for suffix, container in CONTAINERS.items() if container.muxer in muxers]


def open_sound(path: Path) -> Any:
    """Open a movie or a sound file for its sound. Raises FFmpegError, OSError for what is neither."""
    options = {"format_whitelist": f"{DEMUXERS},{SOUND_DEMUXERS}", "protocol_whitelist": "file"}
    return av.open(f"file:{path}", metadata_errors="replace", container_options=options)


def holds_sound(path: Path) -> bool:
    """Whether a file has a sound track that can be decoded."""
    try:
        with open_sound(path) as container:
            return any(stream.codec_context is not None for stream in container.streams.audio[:1])
    except (FFmpegError, OSError):
        return False


class TrackCopier:
    """Packets of a movie's tracks within a span of seconds, shifted to start at 0."""

    def __init__(self, movie: Path, tracks: Tracks, span: tuple[Fraction, Fraction | None], output: Any) -> None:
        self.source = open_container(movie)
        self.start, self.end = span
        self.waiting: Any = None
        self.last: dict[int, tuple[int, int]] = {}  # stamp and length of the packet before, for each track
        self.moved: dict[int, int] = {}  # ticks by which what follows a splice is late
        try:
            chosen = [self.source.streams[place] for place in (*tracks.sound, *tracks.subtitles)]
            self.streams = {stream.index: _copied(stream, output) for stream in chosen}
            self.packets = self.source.demux(*chosen) if chosen else iter(())
            output.metadata.update({k: v for k, v in self.source.metadata.items() if k.lower() not in OWN})
            chapters = self._chapters()
            if chapters:
                output.set_chapters(chapters)
        except BaseException:
            self.close()
            raise

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
