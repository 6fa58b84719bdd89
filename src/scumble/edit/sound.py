"""The sound of an edit for its review: what the sound tracks name, or else the sound of the clips that are seen.

Levels, pans and effects of the document are not followed. A clip of another speed keeps its pitch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import opentimelineio as otio
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as AllGiven
from av.error import FFmpegError
from numpy.typing import NDArray

from scumble.edit.documents import Edit
from scumble.edit.events import Event, events_of
from scumble.edit.media import Library
from scumble.edit.table import Row
from scumble.media.tracks import open_sound

SAMPLES = 48000  # a second

SLOWEST, FASTEST = Fraction(1, 8), 8  # times; beyond these nothing can be followed by ear

SAME = Fraction(1, 200)  # 23.976 and 24 differ by less

BACKWARDS = 120  # seconds that are turned around at most: they are held in memory

Seconds = Fraction

Samples = NDArray[np.float32]  # (n, 2)


@dataclass(frozen=True)
class Piece:
    """A stretch of a file's sound in the timeline."""

    path: Path
    at: Seconds
    """In the timeline, transitions included."""
    lasts: Seconds
    begins: Seconds
    """In the file, after its first frame; the lowest time, where it runs backwards."""
    speed: Fraction
    fades: tuple[Seconds, Seconds]
    """Of it, in which it comes and goes."""


def sound_of(edit: Edit, rows: Sequence[Row], library: Library) -> list[Piece]:
    """The pieces of an edit's sound, by their place. `rows` are its pictures."""
    return sorted(dict.fromkeys(_of_tracks(edit, library)) or dict.fromkeys(_of_clips(edit, rows)), key=_by_place)


def _by_place(piece: Piece) -> tuple[Seconds, str]:
    return piece.at, str(piece.path)


def _of_tracks(edit: Edit, library: Library) -> Iterator[Piece]:
    """What the sound tracks name. Left and right of one file are two clips there, of one piece."""
    with suppress(otio.exceptions.OTIOError, ValueError, OverflowError, ZeroDivisionError, NotImplementedError):
        for event in events_of(edit.timeline, edit.rate, sound=True):
            found = None if event.left_out else library.find_sound(event)
            if found is not None:
                yield from _piece(edit, event, *found, abs(event.speed))


def _of_clips(edit: Edit, rows: Sequence[Row]) -> Iterator[Piece]:
    """The sound of the media that are seen; of events that are seen at once, all."""
    for row in rows:
        event, media, seen = row.event, row.found.media, row.found.seen
        if event.left_out or media is None or seen is None or not media.has_sound or not media.rate:
            continue
        if event.clip is not None and event.clip.metadata.get("scumble", {}).get("silent"):
            continue
        count = max(1, event.record[1] - event.record[0])
        speed = (seen.last - seen.first + 1) / media.rate * edit.rate / count
        yield from _piece(edit, event, media.path, seen.first / media.rate, speed)


def _piece(edit: Edit, event: Event, path: Path, begins: Seconds, speed: Fraction) -> Iterator[Piece]:
    if event.warps or event.is_warped or not SLOWEST <= speed <= FASTEST or not event.speed:
        return
    before, after = (side / event.rate for side in event.overlap)
    at, end = event.record[0] / edit.rate - before, event.record[1] / edit.rate + after
    early = after if event.speed < 0 else before
    begins -= early * speed
    if abs(speed - 1) < SAME:
        speed = Fraction(1)
    late = max(Fraction(0), -begins / speed, -at)  # there is nothing before a file's beginning, or the timeline's
    begins, at = begins + late * speed, at + late
    yield Piece(path, at, end - at, begins, speed if event.speed > 0 else -speed, event.fades)


def mix(pieces: Sequence[Piece], seconds: Seconds, path: Path) -> None:
    """Write the sound of so many seconds as AAC. A file that cannot be read is silent from there on."""
    with av.open(str(path), "w", format="mp4") as output:
        stream: Any = output.add_stream("aac", rate=SAMPLES, layout="stereo")
        waiting, voices = list(pieces), list[_Voice]()
        total = round(seconds * SAMPLES)
        for first in range(0, total, SAMPLES):
            last = min(first + SAMPLES, total)
            while waiting and waiting[0].at * SAMPLES < last:
                voices.append(_Voice(waiting.pop(0)))
            block = np.zeros((last - first, 2), np.float32)
            for voice in voices:
                voice.add_to(block, first)
            voices = [voice for voice in voices if voice.last > last]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block.clip(-1, 1).T), "fltp", "stereo")
            frame.sample_rate, frame.pts = SAMPLES, first
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


class _Voice:
    """A piece as its samples come."""

    def __init__(self, piece: Piece) -> None:
        self.piece = piece
        self.first, self.last = (round(t * SAMPLES) for t in (piece.at, piece.at + piece.lasts))
        self.blocks = _played(piece)
        self.left: Samples = np.zeros((0, 2), np.float32)

    def add_to(self, block: Samples, first: int) -> None:
        """Add what sounds in a block (n, 2) whose first sample has that number."""
        begin, end = max(first, self.first), min(first + len(block), self.last)
        if end <= begin:
            return
        samples = self._next(end - begin)
        place = np.arange(begin - self.first, end - self.first, dtype=np.float32)[:, None]
        comes, goes = (float(t * SAMPLES) for t in self.piece.fades)
        if comes:
            samples = samples * np.clip(place / comes, 0, 1)
        if goes:
            samples = samples * np.clip((self.last - self.first - place) / goes, 0, 1)
        block[begin - first : end - first] += samples

    def _next(self, count: int) -> Samples:
        while len(self.left) < count:
            more = next(self.blocks, None)
            if more is None:
                more = np.zeros((count - len(self.left), 2), np.float32)
            self.left = np.concatenate([self.left, more])
        samples, self.left = self.left[:count], self.left[count:]
        return samples


def _played(piece: Piece) -> Iterator[Samples]:
    """Samples of a piece at its speed, in blocks."""
    speed = abs(piece.speed)
    blocks = _decoded(piece.path, piece.begins, piece.lasts * speed)
    if piece.speed < 0:
        if piece.lasts * speed > BACKWARDS:
            return iter(())
        whole = [block[::-1] for block in blocks]
        blocks = iter(whole[::-1])
    return blocks if speed == 1 else _at_tempo(blocks, speed)


def _decoded(path: Path, begins: Seconds, lasts: Seconds) -> Iterator[Samples]:
    """So many seconds of a file's first sound track from a time on, counted from its first frame; silence between."""
    resampler: Any = av.AudioResampler("flt", "stereo", SAMPLES)
    wanted, end = round(begins * SAMPLES), round((begins + lasts) * SAMPLES)
    with suppress(FFmpegError, OSError), open_sound(path) as container:
        stream = container.streams.audio[0]
        if stream.codec_context is None:  # of a codec that is not known
            return
        clock = container.streams.video[0] if container.streams.video else stream
        zero = (clock.start_time or 0) * clock.time_base
        container.seek(max(0, int((zero + begins - 1) * av.time_base)), backward=True)
        for decoded in container.decode(stream):
            for frame in resampler.resample(decoded):
                samples = frame.to_ndarray().reshape(-1, 2)
                at = round((frame.pts * frame.time_base - zero) * SAMPLES)
                if at > wanted:
                    yield np.zeros((min(at, end) - wanted, 2), np.float32)
                    wanted = min(at, end)
                samples = samples[max(0, wanted - at) : max(0, end - at)]
                if len(samples):
                    wanted += len(samples)
                    yield samples
            if wanted >= end:
                return


def _at_tempo(blocks: Iterator[Samples], speed: Fraction) -> Iterator[Samples]:
    """The same at another speed, its pitch kept."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=SAMPLES, format="flt", layout="stereo", time_base=Fraction(1, SAMPLES))
    chain = [source]
    while speed < Fraction(1, 2):  # the least that the filter does at once
        chain.append(graph.add("atempo", "0.5"))
        speed *= 2
    chain += [graph.add("atempo", f"{float(speed):.6f}"), graph.add("abuffersink")]
    graph.link_nodes(*chain).configure()
    given = 0
    for block in blocks:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block).reshape(1, -1), "flt", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLES, given, Fraction(1, SAMPLES)
        given += len(block)
        source.push(frame)
        yield from _pulled(chain[-1])
    source.push(None)
    yield from _pulled(chain[-1])


def _pulled(sink: Any) -> Iterator[Samples]:
    with suppress(NothingYet, AllGiven):
        while True:
            yield sink.pull().to_ndarray().reshape(-1, 2)
