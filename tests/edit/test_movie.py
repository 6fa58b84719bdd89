"""A finished movie as an edit: cuts found, painted, and a timeline of the same length with its sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

pytest.importorskip("opentimelineio")

import opentimelineio as otio
from helpers.command import scumble
from helpers.edits import shot
from helpers.numbered import numbered_movie

from scumble.edit.cut import Wishes, read_cut
from scumble.edit.documents import read_edits
from scumble.edit.movie import edl_of
from scumble.media.open import open_plate

CUTS = [0, 30, 54, 84]


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    path = tmp_path / "show.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=Fraction(24))
        sound = container.add_stream("aac", rate=48000)
        frames = [f for n, (a, b) in enumerate(pairwise(CUTS)) for f in shot(n + 3, b - a)]
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray((pixels * 255).astype(np.uint8), "rgb24")))
        container.mux(video.encode())
        tone = av.AudioFrame.from_ndarray(np.zeros((2, 48000 * CUTS[-1] // 24), np.float32), "fltp", "stereo")
        tone.sample_rate = 48000
        container.mux(sound.encode(tone))
        container.mux(sound.encode())
    return path


def test_shots_of_a_movie_are_painted_each_with_its_look(movie: Path) -> None:
    folder = movie.parent
    (folder / "looks.toml").write_text('[default]\nlook = "identity"\n[[rule]]\nshot = "*_sh020"\nskip = true\n')
    words = ("edit", movie, "-o", folder / "out", "-c", folder / "looks.toml", "--progress", "none")
    done = scumble(*words)
    assert done.returncode == 0, done.stderr
    assert "3 events: 2 painted (2 now), 1 skipped, 0 offline" in done.stderr
    timeline = otio.adapters.read_from_file(str(folder / "out" / "timeline.otio"))
    clips = list(timeline.video_tracks()[0].find_clips())
    assert [clip.source_range.start_time.value for clip in clips] == CUTS[:-1]
    assert timeline.duration().value == CUTS[-1]
    lengths = [
        len(open_plate(folder / "out" / clip.media_reference.target_url).numbers) for clip in (clips[0], clips[2])
    ]
    assert lengths == [30, 30]
    assert Path(clips[1].media_reference.target_url) == movie  # what is not painted shows the plate
    (sound,) = timeline.audio_tracks()
    assert sound.duration().value == CUTS[-1]
    # read again, the timeline and the EDL are the same cut of the same files
    found = {}
    for document, rate in (("timeline.otio", None), ("show.edl", Fraction(24))):
        cut = read_cut(
            folder / "out" / document, Wishes(None, rate, media=(folder, folder / "out" / "shots")), Path("x")
        )
        ((_, rows),) = cut.checked
        assert all(row.found.media is not None for row in rows), [row.reason for row in rows]
        found[document] = [
            (row.event.record, row.event.speed, row.found.media.path.name, row.found.frames)  # type: ignore[union-attr]
            for row in rows
        ]
    assert found["timeline.otio"] == [
        ((0, 30), 1, "V1_1_show_sh010.mov", (1, 30)),
        ((30, 54), 1, "show.mp4", (31, 54)),
        ((54, 84), 1, "V1_3_show_sh030.mov", (1, 30)),
    ]
    assert found["show.edl"] == found["timeline.otio"]
    # the review movie: as long, with the sound
    review = open_plate(folder / "out" / "review.mp4")
    assert (len(review.numbers), review.frame_rate, review.has_sound) == (CUTS[-1], 24, True)


def test_a_drop_frame_movie_has_a_drop_frame_list(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    numbered_movie(path, 15, "00:00:59;20", Fraction(30000, 1001))
    (edit,) = read_edits(path)
    assert edit.drops
    lines = edl_of(edit.timeline, edit.rate).splitlines()
    assert lines[1] == "FCM: DROP FRAME"
    assert lines[3].split()[4:] == ["00:00:59;20", "00:01:00;07", "00:00:59;20", "00:01:00;07"]
