"""A finished movie as an edit: its shots are found, each is an event."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import opentimelineio as otio

from scumble.edit.clock import rational
from scumble.media.open import open_plate
from scumble.media.timecode import frames_of, later
from scumble.shot.cuts import shots_of

STEP = 10  # shots are numbered sh010, sh020, so that others fit between


def read_movie(path: Path) -> tuple[otio.schema.Timeline, Fraction]:
    """The movie as a timeline, and its rate. A dissolve is cut in its middle: the plate holds it already.

    Raises BadPlate.
    """
    plate = open_plate(path)
    rate = plate.frame_rate or Fraction(24)
    said = plate.metadata(plate.numbers[0]).timecode or ""
    first = frames_of(said, rate) or 0
    count = len(plate.numbers)
    whole = otio.opentime.TimeRange(rational(first, rate), rational(count, rate))
    timeline = otio.schema.Timeline(path.stem, global_start_time=rational(first, rate))
    timeline.metadata["scumble"] = {"tcFormat": "DF" if ";" in said else "NDF"}
    video = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    cuts = [shot.first - plate.numbers[0] + (shot.dissolve + 1) // 2 for shot in shots_of(plate)]
    for n, (begin, end) in enumerate(zip(cuts, [*cuts[1:], count], strict=True), start=1):
        video.append(
            otio.schema.Clip(
                f"{path.stem}_sh{STEP * n:03d}",
                otio.schema.ExternalReference(str(path.absolute()), whole),
                otio.opentime.TimeRange(rational(first + begin, rate), rational(end - begin, rate)),
            )
        )
    timeline.tracks.append(video)
    if plate.has_sound:  # as it is, in one piece
        sound = otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio)
        sound.append(otio.schema.Clip(path.stem, otio.schema.ExternalReference(str(path.absolute()), whole), whole))
        timeline.tracks.append(sound)
    return timeline, rate


def edl_of(timeline: otio.schema.Timeline, rate: Fraction) -> str:
    """Cuts of a timeline's first track as an EDL, with the files that its clips show."""
    start = timeline.global_start_time
    at = 0 if start is None else round(start.value)
    drops = timeline.metadata.get("scumble", {}).get("tcFormat") == "DF"
    zero = "00:00:00;00" if drops else "00:00:00:00"
    lines = [f"TITLE: {timeline.name}", f"FCM: {'DROP FRAME' if drops else 'NON-DROP FRAME'}", ""]
    for n, clip in enumerate(timeline.video_tracks()[0].find_clips(), start=1):
        count, source = round(clip.source_range.duration.value), round(clip.source_range.start_time.value)
        codes = " ".join(str(later(zero, f, rate)) for f in (source, source + count, at, at + count))
        name = getattr(clip.media_reference, "target_url", "") or clip.name
        lines += [f"{n:03d}  AX       V     C        {codes}", f"* FROM CLIP NAME: {Path(name).name}"]
        at += count
    return "\n".join(lines) + "\n"
