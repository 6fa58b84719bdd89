"""The fuzz corpus: small valid files of every kind that Scumble reads, and broken ones made from them.

`write_valid(folder)` and `write_broken(folder)` write them under fixed names; the table of bad inputs
(`test_bad_input.py`) and the fuzz harness (`fuzz.py`) use both. Needs no torch.
"""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import OpenImageIO as oiio
from safetensors.numpy import save, save_file

from helpers.pictures import picture, random_look
from scumble.core import colour
from scumble.core.frames import Frame
from scumble.look.look import Look
from scumble.media.movie_writer import MovieWriter
from scumble.media.picture_writer import write_picture
from scumble.media.plate import WriterSettings
from scumble.network.shape import SIZES

PICTURES = ("png", "jpg", "exr", "tif", "dpx", "webp")


def tiny_look() -> Look:
    """The look of `good.look`."""
    return random_look(1, SIZES["painter"]["tiny"])


def write_valid(folder: Path) -> None:
    """`good.png` and the other picture formats, `good.mp4`, `good.mkv`, `plate.1001.png` to 1004, `good.look`, `good.toml`."""
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in PICTURES:
        space = colour.LINEAR if suffix == "exr" else colour.DISPLAY
        write_picture(folder / f"good.{suffix}", Frame(1, picture(48, 64), space), WriterSettings(quality=90))
    for number in range(1001, 1005):
        frame = Frame(number, picture(48, 64, number), colour.DISPLAY)
        write_picture(folder / f"plate.{number}.png", frame, WriterSettings())
    for suffix in ("mp4", "mkv"):
        writer = MovieWriter(folder / f"good.{suffix}", WriterSettings(size=(64, 48), frame_rate=Fraction(24)))
        for i in range(12):
            writer.write(Frame(i + 1, picture(48, 64, i // 4), colour.DISPLAY))
        writer.close()
    tiny_look().save(folder / "good.look")
    (folder / "good.toml").write_text("[losses]\nstyle = 10.0\n[run]\nseed = 1\n")


def write_broken(folder: Path) -> None:
    """Files that no command may swallow; `folder` must hold the valid ones."""
    for suffix in (*PICTURES, "mp4", "mkv", "look"):
        data = (folder / f"good.{suffix}").read_bytes()
        (folder / f"truncated.{suffix}").write_bytes(data[: len(data) * 3 // 5])
        (folder / f"header.{suffix}").write_bytes(data[:40])
        (folder / f"empty.{suffix}").write_bytes(b"")
        (folder / f"text.{suffix}").write_text("this is not what its name says\n" * 20)
        with zipfile.ZipFile(folder / f"zip.{suffix}", "w") as archive:
            archive.writestr("a.txt", "nothing to see")
        (folder / f"folder.{suffix}").mkdir(exist_ok=True)
    (folder / "huge.png").write_bytes(png_header(40_000, 40_000))
    (folder / "nothing.png").write_bytes(png_header(0, 0))
    write_picture(folder / "dot.png", Frame(1, picture(1, 1), colour.DISPLAY), WriterSettings())
    _deep_exr(folder / "deep.exr")
    for number, size in ((1, (48, 64)), (2, (48, 64)), (3, (40, 64))):
        frame = Frame(number, picture(*size, number), colour.DISPLAY)
        write_picture(folder / f"sizes.{number:04d}.png", frame, WriterSettings())
    for number in (1, 2, 4):
        frame = Frame(number, picture(48, 64, number), colour.DISPLAY)
        write_picture(folder / f"hole.{number:04d}.png", frame, WriterSettings())
    for number in (1, 2, 3):
        source = "truncated.png" if number == 2 else "good.png"
        (folder / f"rotten.{number:04d}.png").write_bytes((folder / source).read_bytes())
    (folder / "phone.heic").write_text("what this machine cannot read")
    holed = picture(48, 64)
    holed[10, 20] = np.nan
    write_picture(folder / "nan.exr", Frame(1, holed, colour.LINEAR), WriterSettings(bits=32))
    _damaged_frame(folder / "damaged.mov")
    _sound_only(folder / "sound.mp4")
    _changing_size(folder / "sizes.mkv")
    (folder / "no_rate.mp4").write_bytes(_without_durations((folder / "good.mp4").read_bytes()))
    (folder / "picture.mp4").write_bytes((folder / "good.png").read_bytes())
    _broken_looks(folder)
    _broken_settings(folder)


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header says this size, with one row's worth of nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def _deep_exr(path: Path) -> None:
    spec = oiio.ImageSpec(8, 8, 5, oiio.FLOAT)
    spec.channelnames = ("R", "G", "B", "A", "Z")
    spec.deep = True
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), spec)
    deep = oiio.DeepData()
    deep.init(64, 5, [oiio.FLOAT] * 5, ["R", "G", "B", "A", "Z"])
    for pixel in range(64):
        deep.set_samples(pixel, 1)
        deep.set_deep_value(pixel, 0, 0, 0.5)
    output.write_deep_image(deep)
    output.close()


def _damaged_frame(path: Path) -> None:
    """ProRes whose frame 5 of 8 has a header and rubbish: the decoder conceals it without an error."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv422p10le"
        for i in range(8):
            shown = av.VideoFrame.from_ndarray((picture(48, 64, i) * 255).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(shown))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        place, size = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size][4]
    data = bytearray(path.read_bytes())
    data[place + 200 : place + size] = b"\xa5" * (size - 200)
    path.write_bytes(data)


def _sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        for i in range(40):
            frame.pts = i * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _changing_size(path: Path) -> None:
    """Motion JPEG: every frame is a picture of its own, so the size can change under way."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=24, options={"strict": "unofficial"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        small = av.CodecContext.create("mjpeg", "w")
        small.width, small.height, small.pix_fmt, small.time_base = 32, 24, "yuvj420p", Fraction(1, 24)
        for i in range(8):
            height, width = (48, 64) if i < 5 else (24, 32)
            shown = av.VideoFrame.from_ndarray((picture(height, width) * 255).astype(np.uint8))
            shown.pts, shown.time_base = i, Fraction(1, 24)
            if i < 5:
                container.mux(stream.encode(shown))
                continue
            for packet in small.encode(shown.reformat(format="yuvj420p")):
                packet.stream = stream
                container.mux(packet)
        container.mux(stream.encode(None))


def _without_durations(mp4: bytes) -> bytes:
    """An mp4 whose samples all last 0 ticks: every frame at the same moment."""
    data = bytearray(mp4)
    at = data.index(b"stts")
    (count,) = struct.unpack_from(">I", data, at + 8)
    for i in range(count):
        struct.pack_into(">I", data, at + 16 + 8 * i, 0)
    at = data.find(b"ctts")
    if at > 0:
        (count,) = struct.unpack_from(">I", data, at + 8)
        for i in range(count):
            struct.pack_into(">I", data, at + 16 + 8 * i, 0)
    return bytes(data)


def _broken_looks(folder: Path) -> None:
    look = random_look(1, SIZES["painter"]["tiny"])
    good = look.to_bytes()
    (folder / "random.look").write_bytes(np.random.default_rng(0).bytes(4096))
    changed = bytearray(good)
    changed[0:8] = struct.pack("<Q", 1 << 40)
    (folder / "long_header.look").write_bytes(changed)
    _, facts, arrays = split_look(good)

    def write(name: str, new_facts: dict[str, object], new_arrays: dict[str, np.ndarray]) -> None:
        (folder / name).write_bytes(save(new_arrays, metadata={"facts": json.dumps(new_facts)}))

    write("newer.look", {**facts, "schema": 99}, arrays)
    write("older.look", {**facts, "schema": 6}, arrays)
    write("no_schema.look", {k: v for k, v in facts.items() if k != "schema"}, arrays)
    write("word_schema.look", {**facts, "schema": "two"}, arrays)
    write("other.look", {**facts, "kind": "universal"}, arrays)
    write("shape.look", facts, {**arrays, "kernel.head": arrays["kernel.head"][:, :2]})
    write("palette.look", facts, {**arrays, "palette.mean": np.zeros(5, np.float32)})
    write("lost.look", facts, {k: v for k, v in arrays.items() if k != "gamma.head"})
    write("nan.look", facts, {**arrays, "beta.head": np.full_like(arrays["beta.head"], np.nan)})
    write("inf.look", facts, {**arrays, "gamma.head": np.full_like(arrays["gamma.head"], np.inf)})
    write("giant.look", {**facts, "architecture": {"form": "unet", "widths": [10**9, 2], "blocks": [1, 1]}}, arrays)
    write("words.look", {**facts, "architecture": "large"}, arrays)
    write("colour.look", {**facts, "keep_color": "a lot"}, arrays)
    write("facts.look", {**facts, "name": ["not", "a", "name"]}, arrays)
    save_file({"a": np.zeros(3, np.float32)}, folder / "strange.look")
    (folder / "list.look").write_bytes(save(arrays, metadata={"facts": "[1, 2]"}))
    (folder / "not_json.look").write_bytes(save(arrays, metadata={"facts": "{"}))
    (folder / "nested.look").write_bytes(save(arrays, metadata={"facts": "[" * 100_000}))


def split_look(data: bytes) -> tuple[dict[str, object], dict[str, object], dict[str, np.ndarray]]:
    """Header, facts and arrays of a look's bytes."""
    from safetensors.numpy import load

    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["facts"]), load(data)


def _broken_settings(folder: Path) -> None:
    for name, text in {
        "key": "[losses]\nstlye = 3",
        "table": "[loses]\nstyle = 3",
        "type": "[losses]\nstyle = 'much'",
        "choice": "[discriminator]\nkind = 'wasserstein'",
        "range": "[schedule]\ndecay = 7.0",
        "negative": "[losses]\nstyle = -1.0",
        "nan": "[losses]\nstyle = nan",
        "syntax": "[losses\n",
        "layer": "[losses.style_layers]\nrelu9_9 = 1.0",
        "flat": "losses = 3",
    }.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "binary.toml").write_bytes(bytes(range(128, 256)))
    (folder / "folder.toml").mkdir(exist_ok=True)
