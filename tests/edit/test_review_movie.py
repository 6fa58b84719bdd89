"""The review movie of an edit: its sound, and the shapes of its wipes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

pytest.importorskip("opentimelineio")

import opentimelineio as otio
from helpers.command import scumble
from opentimelineio.opentime import RationalTime, TimeRange

from scumble.edit.wipes import SHAPES, share_of_next, wipe_named
from scumble.media.open import open_plate

RATE, SAMPLES = 24, 48000


def tone(hertz: float, seconds: float) -> Any:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * SAMPLES)) / SAMPLES).astype(np.float32) / 4


def movie(path: Path, sound: Any, grey: int = 128, channels: int = 2) -> None:
    """Grey, as long as its sound."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=RATE, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        track: Any = container.add_stream("pcm_s16le", rate=SAMPLES, layout="mono" if channels == 1 else "stereo")
        for _ in range(round(len(sound) / SAMPLES * RATE)):
            picture = np.full((64, 96, 3), grey, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(np.stack([sound] * channels), "fltp", "mono" if channels == 1 else "stereo")
        frame.sample_rate = SAMPLES
        container.mux(track.encode(frame))
        container.mux(track.encode())


def wave(path: Path, sound: Any) -> None:
    with av.open(str(path), "w") as container:
        track: Any = container.add_stream("pcm_s16le", rate=SAMPLES, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None], "fltp", "mono")
        frame.sample_rate = SAMPLES
        container.mux(track.encode(frame))
        container.mux(track.encode())


def heard(path: Path) -> Any:
    """The sound of a movie (n, 2), from its first frame on."""
    resampler = av.AudioResampler("fltp", "stereo", SAMPLES)
    parts: list[tuple[int, Any]] = []
    with av.open(str(path)) as container:
        for decoded in container.decode(audio=0):
            for frame in resampler.resample(decoded):
                assert frame.pts is not None
                assert frame.time_base is not None
                parts.append((round(frame.pts * frame.time_base * SAMPLES), frame.to_ndarray().T))
    whole = np.zeros((max(at + len(part) for at, part in parts), 2), np.float32)
    for at, part in parts:
        whole[max(0, at) : at + len(part)] = part[max(0, -at) :]
    return whole


def strength(sound: Any, hertz: float, begin: float, end: float) -> float:
    """Amplitude of a tone between two seconds."""
    part = sound[round(begin * SAMPLES) : round(end * SAMPLES), 0]
    return float(2 * abs(np.mean(part * np.exp(-2j * np.pi * hertz * np.arange(len(part)) / SAMPLES))))


def review(folder: Path, document: str, *words: str) -> Path:
    done = scumble("edit", folder / document, "-o", folder / "out", "--look", "identity", "--progress", "none", *words)
    assert done.returncode == 0, done.stderr
    return folder / "out" / "review.mp4"


def test_the_clips_that_are_seen_are_heard_where_no_sound_track_is(tmp_path: Path) -> None:
    """A cut at one second, then a dissolve of half a second, a clip at half speed, and one that runs backwards."""
    low, high = tone(500, 4), tone(900, 4)
    rising = np.concatenate([tone(600, 1), tone(1200, 1), tone(700, 2)])
    for name, sound in (("A001", low), ("B001", high), ("C001", rising)):
        movie(tmp_path / f"{name}.mov", sound)
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C        00:00:01:00 00:00:02:00 01:00:00:00 01:00:01:00\n"
        "002  B001  V  C        00:00:00:00 00:00:01:00 01:00:01:00 01:00:02:00\n"
        "003  B001  V  C        00:00:01:00 00:00:01:00 01:00:02:00 01:00:02:00\n"
        "003  A001  V  D  012   00:00:02:00 00:00:03:00 01:00:02:00 01:00:03:00\n"
        "004  B001  V  C        00:00:00:00 00:00:00:12 01:00:03:00 01:00:04:00\nM2   B001  012.0  00:00:00:00\n"
        "005  C001  V  C        00:00:00:00 00:00:02:00 01:00:04:00 01:00:06:00\nM2   C001  -024.0  00:00:02:00\n"
    )
    sound = heard(review(tmp_path, "cut.edl", "--rate", "24"))
    assert len(sound) == pytest.approx(6 * SAMPLES, abs=2048)
    found = {
        "first": strength(sound, 500, 0.1, 0.9),
        "not yet": strength(sound, 900, 0.1, 0.9),
        "second": strength(sound, 900, 1.1, 1.9),
        "goes": strength(sound, 900, 2.2, 2.3),
        "comes": strength(sound, 500, 2.2, 2.3),
        "is there": strength(sound, 500, 2.6, 2.9),
        "slow, at its pitch": strength(sound, 900, 3.2, 3.8),
        "backwards, its end first": strength(sound, 1200, 4.1, 4.9),
        "and its beginning last": strength(sound, 600, 5.1, 5.9),
    }
    assert found == pytest.approx(
        {
            "first": 0.25,
            "not yet": 0,
            "second": 0.25,
            "goes": 0.125,
            "comes": 0.125,
            "is there": 0.25,
            "slow, at its pitch": 0.25,
            "backwards, its end first": 0.25,
            "and its beginning last": 0.25,
        },
        abs=0.03,
    )
    edge = np.abs(sound[round(0.98 * SAMPLES) : round(1.02 * SAMPLES)]).max()
    assert edge < 0.3  # a cut, not a click


def test_a_clip_of_which_the_picture_alone_is_used_is_silent(tmp_path: Path) -> None:
    movie(tmp_path / "a.mov", tone(500, 2))
    (tmp_path / "cut.fcpxml").write_text(
        '<?xml version="1.0"?><!DOCTYPE fcpxml><fcpxml version="1.11"><resources>'
        '<format id="r" frameDuration="100/2400s"/>'
        '<asset id="a" start="0s" duration="2s" hasVideo="1" hasAudio="1" format="r"><media-rep src="a.mov"/></asset>'
        '</resources><library><event><project name="cut"><sequence format="r"><spine>'
        '<asset-clip ref="a" offset="0s" start="0s" duration="1s" srcEnable="video"/>'
        '<asset-clip ref="a" offset="1s" start="1s" duration="1s"/>'
        "</spine></sequence></project></event></library></fcpxml>"
    )
    sound = heard(review(tmp_path, "cut.fcpxml"))
    assert strength(sound, 500, 0.1, 0.9) == pytest.approx(0, abs=0.01)
    assert strength(sound, 500, 1.1, 1.9) == pytest.approx(0.25, abs=0.03)


def test_sound_tracks_are_heard_instead_of_the_clips(tmp_path: Path) -> None:
    """Music from a file, and left and right of one clip, which are one sound."""
    movie(tmp_path / "A001.mov", tone(500, 2))
    wave(tmp_path / "music.wav", tone(800, 3))
    clip = otio.schema.Clip("a", otio.schema.ExternalReference("A001.mov"), span(0, 48))
    music = otio.schema.Clip("m", otio.schema.ExternalReference("/elsewhere/music.wav"), span(24, 24))
    own = otio.schema.Clip("a", otio.schema.ExternalReference("A001.mov"), span(0, 12))
    tracks = [
        otio.schema.Track("V1", [clip]),
        otio.schema.Track("A1", [gap(24), music], kind="Audio"),
        otio.schema.Track("A2", [own], kind="Audio"),
        otio.schema.Track("A3", [own.clone()], kind="Audio"),
    ]
    otio.schema.Timeline("cut", tracks=tracks).to_json_file(str(tmp_path / "cut.otio"))
    sound = heard(review(tmp_path, "cut.otio"))
    assert strength(sound, 500, 0.1, 0.4) == pytest.approx(0.25, abs=0.03)
    assert strength(sound, 500, 0.6, 1.9) == pytest.approx(0, abs=0.01)
    assert strength(sound, 800, 0.1, 0.9) == pytest.approx(0, abs=0.01)
    assert strength(sound, 800, 1.1, 1.9) == pytest.approx(0.25, abs=0.08)  # mono in both channels


def test_a_disabled_sound_track_is_not_heard(tmp_path: Path) -> None:
    movie(tmp_path / "A001.mov", tone(500, 1))
    wave(tmp_path / "music.wav", tone(800, 3))
    silent = otio.schema.Track(
        "A1", [otio.schema.Clip("m", otio.schema.ExternalReference("music.wav"), span(0, 24))], kind="Audio"
    )
    silent.enabled = False
    spoken = otio.schema.Clip("a", otio.schema.ExternalReference("A001.mov"), span(0, 24))
    tracks = [
        otio.schema.Track("V1", [spoken.clone()]),
        silent,
        otio.schema.Track("A2", [spoken], kind="Audio"),
    ]
    otio.schema.Timeline("cut", tracks=tracks).to_json_file(str(tmp_path / "cut.otio"))
    sound = heard(review(tmp_path, "cut.otio"))
    assert strength(sound, 800, 0.1, 0.9) == pytest.approx(0, abs=0.01)
    assert strength(sound, 500, 0.1, 0.9) == pytest.approx(0.25, abs=0.03)


def span(first: int, count: int) -> Any:
    return TimeRange(RationalTime(first, RATE), RationalTime(count, RATE))


def gap(count: int) -> Any:
    return otio.schema.Gap(duration=RationalTime(count, RATE))


def test_a_wipe_goes_over_the_picture(tmp_path: Path) -> None:
    movie(tmp_path / "A001.mov", tone(500, 3), grey=40)
    movie(tmp_path / "B001.mov", tone(500, 3), grey=200)
    (tmp_path / "cut.edl").write_text(
        "001  A001  V  C        00:00:00:00 00:00:01:00 01:00:00:00 01:00:01:00\n"
        "002  A001  V  C        00:00:01:00 00:00:01:00 01:00:01:00 01:00:01:00\n"
        "002  B001  V  W001 024 00:00:00:00 00:00:02:00 01:00:01:00 01:00:03:00\n"
    )
    plate = open_plate(review(tmp_path, "cut.edl", "--rate", "24"))
    rows = {f.number: f.pixels[32, :, 1] for f in plate.read([plate.numbers[0] + n for n in (20, 36, 60)])}
    before, during, after = rows.values()
    assert before.max() < 0.3
    assert after.min() > 0.6
    assert float((during > 0.5).mean()) == pytest.approx(0.5, abs=0.05)
    assert during[:40].min() > 0.6
    assert during[-40:].max() < 0.3


@pytest.mark.parametrize("wipe", sorted(SHAPES))
def test_every_wipe_goes_from_none_to_all(wipe: int) -> None:
    shares = [share_of_next(wipe, share, (160, 90)) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert np.asarray(shares[0]).max() == 0
    assert np.asarray(shares[-1]).min() == 1
    areas = [float(np.mean(share)) for share in shares]
    assert areas == sorted(areas)
    assert areas[1] < areas[2] < areas[3]
    assert np.asarray(shares[2]).shape == (90, 160, 1)


@pytest.mark.parametrize(
    ("wipe", "inside", "outside"),
    [
        (3, (0, 0), (159, 89)),  # from the corner at the top left
        (5, (159, 89), (0, 0)),
        (21, (80, 0), (0, 45)),
        (101, (80, 45), (0, 45)),
        (119, (80, 45), (0, 45)),
        (201, (120, 2), (40, 2)),  # a hand from twelve o'clock on
        (203, (40, 87), (120, 2)),
    ],
)
def test_wipes_begin_where_their_numbers_say(wipe: int, inside: tuple[int, int], outside: tuple[int, int]) -> None:
    share = np.asarray(share_of_next(wipe, 0.3, (160, 90)))[..., 0]
    assert (share[inside[1], inside[0]], share[outside[1], outside[0]]) == (1, 0)


@pytest.mark.parametrize(
    ("name", "wipe"),
    [
        ("Wipe W022", 22),
        ("SMPTE_Dissolve", 0),
        ("Wipe W099", 0),
        ("Edge Wipe", 1),
        ("Clock Wipe", 201),
        ("Removal", 0),
        ("Iris Oval", 119),
    ],
)
def test_wipes_by_name(name: str, wipe: int) -> None:
    assert wipe_named(name) == wipe


def test_a_dissolve_is_one_number() -> None:
    assert share_of_next(0, 0.25, (160, 90)) == Fraction(1, 4)
