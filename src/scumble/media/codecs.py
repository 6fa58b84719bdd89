"""Which codecs a movie may be written in, with the encoder's options and the colour tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.video.reformatter import Interpolation

from scumble.core.errors import BadSettings


@dataclass(frozen=True)
class Container:
    """A kind of movie file, and the codecs that it has unless asked otherwise."""

    muxer: str  # FFmpeg's name
    shallow: str = "h264"  # for 8 bits
    deep: str = "hevc-10"  # for 10 bits
    deepest: str = "hevc-10"  # for more


# by suffix; the same suffixes as `media.plate.WRITTEN_MOVIES`
CONTAINERS = {
    ".mp4": Container("mp4"),
    ".m4v": Container("mp4"),
    ".mov": Container("mov", deep="prores-hq", deepest="prores-hq"),
    ".mkv": Container("matroska", deep="ffv1-10", deepest="ffv1-16"),
}

# the plain default lifts 4:2:0 by more than a code of 8 bits
EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP


@dataclass(frozen=True)
class Codec:
    """How pictures are encoded: FFmpeg's encoder, pixel format, its options, and containers that take it."""

    encoder: str
    pixels: str
    suffixes: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    with_alpha: str = ""  # the pixel format where there is alpha
    tag: str = ""
    least: tuple[int, int] = (16, 16)  # width and height that the encoder asks for
    has_crf: bool = False  # whether `--quality` reaches the encoder, as its constant rate factor
    crf_more: int = 0  # what is added to that, so that two encoders are alike
    carries_aspect: bool = True  # whether its own stream says how wide a pixel is
    takes_full_range: bool = True  # whether its stream says that a picture has the full range

    @property
    def bits(self) -> int:
        """Bits a channel."""
        return max(c.bits for c in av.VideoFormat(self.pixels).components)

    @property
    def is_rgb(self) -> bool:
        """Whether its pictures are not YUV."""
        return av.VideoFormat(self.pixels).is_rgb

    def coded(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height that are coded: even ones where chroma is shared by pixels beside or below each other."""
        chroma = av.VideoFormat(self.pixels, 64, 64).components[1]
        width, height = size
        return width + width % 2 * (chroma.width < 64), height + height % 2 * (chroma.height < 64)


_ANY, _APPLE = (".mp4", ".m4v", ".mov", ".mkv"), (".mov", ".mkv")

# x264's macroblock tree and its frame threads race: the same pictures become another movie each time. Without it
# a factor 2 higher gives files about 6 % larger, and half a decibel less of PSNR.
X264 = {"preset": "medium", "x264-params": "mbtree=0"}

X265 = {"preset": "medium", "x265-params": "log-level=error"}


def _prores(profile: int, pixels: str = "yuv422p10le", with_alpha: str = "") -> Codec:
    options = {"profile": str(profile), "vendor": "apl0"}
    return Codec("prores_ks", pixels, _APPLE, options, with_alpha, carries_aspect=False, takes_full_range=False)


def _dnxhr(profile: str, pixels: str) -> Codec:
    return Codec("dnxhd", pixels, (".mov",), {"profile": profile}, least=(256, 120))


def _ffv1(pixels: str, with_alpha: str) -> Codec:
    options = {"level": "3", "slicecrc": "1"}
    return Codec("ffv1", pixels, (".mkv",), options, with_alpha, carries_aspect=False)


CODECS = {
    "h264": Codec("libx264", "yuv420p", _ANY, X264, has_crf=True, crf_more=2),
    "h264-10": Codec("libx264", "yuv420p10le", _ANY, X264, has_crf=True, crf_more=2),
    "hevc": Codec("libx265", "yuv420p", _ANY, X265, tag="hvc1", has_crf=True),
    "hevc-10": Codec("libx265", "yuv420p10le", _ANY, X265, tag="hvc1", has_crf=True),
    "prores-proxy": _prores(0),
    "prores-lt": _prores(1),
    "prores": _prores(2),
    "prores-hq": _prores(3),
    "prores-4444": _prores(4, "yuv444p10le", "yuva444p10le"),
    "prores-4444xq": _prores(5, "yuv444p10le", "yuva444p10le"),
    "dnxhr-lb": _dnxhr("dnxhr_lb", "yuv422p"),
    "dnxhr-sq": _dnxhr("dnxhr_sq", "yuv422p"),
    "dnxhr-hq": _dnxhr("dnxhr_hq", "yuv422p"),
    "dnxhr-hqx": _dnxhr("dnxhr_hqx", "yuv422p10le"),
    "dnxhr-444": _dnxhr("dnxhr_444", "yuv444p10le"),
    "ffv1": _ffv1("bgr0", "gbrap10le"),
    "ffv1-10": _ffv1("gbrp10le", "gbrap10le"),
    "ffv1-16": _ffv1("gbrp16le", "gbrap16le"),
}


def codec_of(path: Path, bits: int, name: str = "", size: tuple[int, int] = (4096, 4096)) -> tuple[str, Codec]:
    """The codec asked for, else by suffix and bits of the plate. Raises BadSettings.

    What has more than 8 bits keeps them: as ProRes in a .mov, FFV1 in an .mkv, HEVC in an .mp4.
    """
    suffix = path.suffix.lower()
    own = CONTAINERS[suffix]
    name = name or (own.shallow if bits <= 8 else own.deep if bits == 10 else own.deepest)
    if name not in CODECS:
        raise BadSettings(f"codec {name!r}: choose one of {', '.join(CODECS)}")
    if suffix not in CODECS[name].suffixes:
        raise BadSettings(f"{path}: {name} does not go into {suffix}; write {' or '.join(CODECS[name].suffixes)}")
    least = CODECS[name].least
    if size[0] < least[0] or size[1] < least[1]:
        raise BadSettings(
            f"{path}: {name} takes pictures from {least[0]}x{least[1]} on, not {size[0]}x{size[1]}; take another codec"
        )
    return name, CODECS[name]
