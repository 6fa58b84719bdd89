"""Where a movie's shots begin: hard cuts found by PySceneDetect's adaptive detector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from scumble.frames import Frame

SEEN = (256, 144)  # pixels at which cuts are looked for
SHORTEST = 8  # frames; less is a flash, not a shot


def first_frames(frames: Iterable[Frame]) -> list[int]:
    """Number of the first frame of every shot, of frames in order; the very first frame is one."""
    from scenedetect import FrameTimecode
    from scenedetect.detectors import AdaptiveDetector

    detector = AdaptiveDetector(min_scene_len=SHORTEST)
    numbers: list[int] = []
    cuts: list[int] = []

    def at(place: int) -> FrameTimecode:
        return FrameTimecode(place, 24.0)  # the rate does not matter: places are counted in frames

    for frame in frames:
        small = cv2.resize(frame.pixels, SEEN, interpolation=cv2.INTER_AREA)
        blue_first = np.ascontiguousarray((small[:, :, ::-1].clip(0, 1) * 255).astype(np.uint8))
        cuts += [found.frame_num for found in detector.process_frame(at(len(numbers)), blue_first)]
        numbers.append(frame.number)
    if not numbers:
        return []
    cuts += [found.frame_num for found in detector.post_process(at(len(numbers) - 1))]
    return [numbers[place] for place in sorted({0, *cuts})]


def shots(frames: Iterable[Frame]) -> list[tuple[int, ...]]:
    """Frame numbers of each shot, of frames in order."""
    numbers: list[int] = []

    def counted() -> Iterator[Frame]:
        for frame in frames:
            numbers.append(frame.number)
            yield frame

    starts = first_frames(counted())
    return [
        tuple(n for n in numbers if n >= first and (following is None or n < following))
        for first, following in zip(starts, [*starts[1:], None], strict=True)
    ]
