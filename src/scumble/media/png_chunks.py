"""Chunks of a PNG that OpenImageIO does not read or write [W3C, PNG, third edition]."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunks_of(path: Path) -> dict[bytes, bytes]:
    """The chunks before the pixels by name; of several of a name the first. Empty for what is no PNG."""
    chunks: dict[bytes, bytes] = {}
    with path.open("rb") as f:
        if f.read(8) != SIGNATURE:
            return {}
        while len(head := f.read(8)) == 8:
            size, name = struct.unpack(">I4s", head)
            if name in (b"IDAT", b"IEND") or size > 1 << 24:
                break
            chunks.setdefault(name, f.read(size))
            f.read(4)  # its checksum; the library checks the picture
    return chunks


def is_animated(path: Path) -> bool:
    """Whether a PNG holds several pictures."""
    counts = chunks_of(path).get(b"acTL", b"")
    return len(counts) == 8 and struct.unpack(">II", counts)[0] > 1


def gamma_and_primaries(path: Path) -> dict[bytes, bytes]:
    """gAMA and cHRM of a PNG whose colours nothing else names; they are all that it says of its colours."""
    chunks = chunks_of(path)
    if chunks.keys() & {b"cICP", b"iCCP", b"sRGB"}:
        return {}
    return {name: chunks[name] for name in (b"cHRM", b"gAMA") if name in chunks}


def names_colours(path: Path) -> bool:
    """Whether cICP, or else gAMA or cHRM, say what a PNG's colours are."""
    return b"cICP" in chunks_of(path) or bool(gamma_and_primaries(path))


def with_chunk(data: bytes, name: bytes, content: bytes) -> bytes:
    """A PNG with a chunk more, behind its header."""
    chunk = name + content
    whole = struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    behind = 8 + 8 + 13 + 4  # signature and IHDR
    return data[:behind] + whole + data[behind:]
