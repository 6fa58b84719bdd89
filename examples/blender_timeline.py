"""Open a timeline that `scumble edit` wrote in Blender's video sequencer, and save it as a .blend.

blender -b -P examples/blender_timeline.py -- painted/timeline.otio painted/cut.blend
python examples/blender_timeline.py painted/timeline.otio painted/cut.blend    (with bpy from PyPI)

Video tracks become channels of movie and image strips, audio tracks of sound strips. Transitions are left as cuts and
retimes as plain speed: it says which. Nothing but Blender is needed: OpenTimelineIO's files are JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy


def frames(time: dict[str, Any], rate: Fraction) -> int:
    """A RationalTime of OpenTimelineIO in frames of the timeline."""
    return round(Fraction(time["value"]).limit_denominator(10**6) / Fraction(time["rate"]) * rate)


def clips(track: dict[str, Any], rate: Fraction) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Where each clip of a track begins on the timeline, how long it is, and the clip."""
    at = 0
    for child in track["children"]:
        kind = child["OTIO_SCHEMA"].partition(".")[0]
        if kind == "Transition":
            print(f"left as a cut: {child['name'] or 'transition'}")
            continue
        length = frames(child["source_range"]["duration"], rate)
        if kind == "Clip":
            yield at, length, child
        at += length


def media_of(clip: dict[str, Any]) -> dict[str, Any]:
    """The media that a clip shows."""
    many = clip.get("media_references")
    return many[clip["active_media_reference_key"]] if many else clip["media_reference"]


def add(strips: Any, clip: dict[str, Any], channel: int, at: int, length: int, rate: Fraction, folder: Path) -> None:
    """A strip for a clip; frame 1 of Blender is frame 0 of the timeline."""
    media = media_of(clip)
    begin = clip["source_range"]["start_time"]
    inside = frames(begin, rate) - frames((media.get("available_range") or clip["source_range"])["start_time"], rate)
    place = 1 + at - inside
    if media["OTIO_SCHEMA"].startswith("ImageSequence"):
        first, step = media["start_frame"], media.get("frame_step", 1)
        count = frames(media["available_range"]["duration"], rate)
        names = [
            f"{media['name_prefix']}{first + i * step:0{media['frame_zero_padding']}d}{media['name_suffix']}"
            for i in range(count)
        ]
        path = folder / media["target_url_base"]
        strip = strips.new_image(clip["name"], str(path / names[0]), channel, place)
        for name in names[1:]:
            strip.elements.append(name)
    elif media["OTIO_SCHEMA"].startswith("ExternalReference"):
        path = folder / media["target_url"]
        make = strips.new_sound if channel > SOUND else strips.new_movie
        strip = make(clip["name"], str(path), channel, place)
    else:
        print(f"offline: {clip['name']}")
        return
    strip.frame_offset_start = inside
    strip.frame_final_duration = length
    if clip["effects"]:
        print(f"at plain speed: {clip['name']}")


SOUND = 32  # channels above it are for sound


def open_timeline(path: Path) -> Any:
    """A new scene with the timeline in its sequencer."""
    timeline = json.loads(path.read_text("utf-8"))
    tracks = timeline["tracks"]["children"]
    scene = bpy.context.scene
    rated = next(child for track in tracks for child in track["children"] if "source_range" in child)
    rate = Fraction(rated["source_range"]["duration"]["rate"]).limit_denominator(1001)
    scene.render.fps = round(rate)
    scene.render.fps_base = float(scene.render.fps / rate)
    strips = scene.sequence_editor_create().strips
    channels = {"Video": 0, "Audio": SOUND}
    for track in tracks:
        channels[track["kind"]] += 1
        for at, length, clip in clips(track, rate):
            add(strips, clip, channels[track["kind"]], at, length, rate, path.parent)
    scene.frame_start = 1
    scene.frame_end = max((strip.frame_final_end - 1 for strip in strips), default=1)
    return scene


if __name__ == "__main__":
    words = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    made = open_timeline(Path(words[0]).resolve())
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(words[1]).resolve()))
    print(f"{len(made.sequence_editor.strips)} strips, {made.frame_end} frames")
