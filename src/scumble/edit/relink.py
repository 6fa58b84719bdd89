"""The editor's own document with its media changed, and nothing else: what writers of documents lose stays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from scumble.edit.documents import Edit
from scumble.edit.edl import EVENT
from scumble.edit.movie import edl_of
from scumble.edit.shots import Shot
from scumble.edit.table import Row
from scumble.media.plate import MOVIES

NAMED = re.compile(r"^(\s*\*?\s*(FROM CLIP NAME|TO CLIP NAME|SOURCE FILE)\s*:\s*)(.*?)(\s*)$", re.IGNORECASE)


def relinked_edl(data: bytes, shots: Sequence[Shot]) -> bytes:
    """An EDL's bytes with the painted files in place of clip names and source files.

    A transition's event names two clips: what comes in is its own, what goes out is the event before.
    """
    encoding = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(data[:2], "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "latin-1", data.decode("latin-1")
    painted = {int(row.event.clip.metadata["scumble"]["line"]): shot for shot in shots for row in shot.rows}
    lines = text.splitlines(keepends=True)
    went: Shot | None = None  # the clip that a transition's event goes out of
    now: Shot | None = None
    event, is_transition = "", False
    for place, line in enumerate(lines, start=1):
        bare = line.lstrip("\ufeff").rstrip("\r\n")
        if match := EVENT.match(bare):
            if match[1] != event:
                event, is_transition, went = match[1], False, now
            words = match[2].split()
            is_transition = is_transition or any(re.fullmatch(r"D|W\d+|K[BOL]?", word) for word in words[-2:])
            now = painted.get(place, now if match[5] == match[6] else None)
            continue
        named = NAMED.match(bare)
        if named is None:
            continue
        goes_out = is_transition and named[2].upper() == "FROM CLIP NAME"
        shot = went if goes_out else now
        if shot is not None:
            ending = line[len(line.rstrip("\r\n")) :]
            lines[place - 1] = f"{named[1]}{shot.output.name}{named[4]}{ending}"
    return "".join(lines).encode(encoding)


def relinked_xml(data: bytes, shots: Sequence[Shot], others: Sequence[Row], is_fcpxml: bool) -> tuple[bytes, list[str]]:
    """An XML's bytes with the painted files' URLs, and notes on media that keep their plates.

    A media is named once. So it is changed where all its painted events show one file, and none shows the plate.
    """
    text, notes = data.decode("utf-8", "surrogateescape"), []
    files: dict[str, set[Path]] = {}
    for shot, row in ((own, row) for own in shots for row in own.rows):
        files.setdefault(_media_id(row, is_fcpxml), set()).add(shot.files[0])
    seen = {_media_id(row, is_fcpxml) for row in others if not row.event.left_out}
    for name, outputs in files.items():
        if not name:
            continue
        if name in seen:
            notes.append(f"media {name} is also seen where nothing was painted: it keeps its plate")
            continue
        if len(outputs) > 1:
            notes.append(f"media {name} has {len(outputs)} paintings and is named once: it keeps its plate")
            continue
        url = escape(outputs.pop().absolute().as_uri())
        text = (_with_src if is_fcpxml else _with_pathurl)(text, name, url)
    return text.encode("utf-8", "surrogateescape"), notes


def _media_id(row: Row, is_fcpxml: bool) -> str:
    clip = row.event.clip
    if is_fcpxml:
        return str(clip.metadata.get("scumble", {}).get("asset", ""))
    media = clip.media_references().get("plate", clip.media_reference)
    return str(media.metadata.get("fcp_xml", {}).get("@id", ""))


def _with_src(text: str, asset: str, url: str) -> str:
    """FCPXML with another `src` of an asset's original media."""
    start = re.search(rf'<asset\b[^>]*\bid=["\']{re.escape(asset)}["\'][^>]*>', text)
    if start is None:
        return text
    end = start.end() if start[0].endswith("/>") else text.index("</asset>", start.end())
    tags = list(re.finditer(r"<media-rep\b[^>]*>", text[start.end() : end])) if end > start.end() else []
    original = next((t for t in tags if "proxy-media" not in t[0]), tags[0] if tags else None)
    at = (start.end() + original.start(), start.end() + original.end()) if original else start.span()
    tag = re.sub(r'(\bsrc=)(["\']).*?\2', lambda m: f"{m[1]}{m[2]}{url}{m[2]}", text[at[0] : at[1]])
    return text[: at[0]] + tag + text[at[1] :]


def _with_pathurl(text: str, file: str, url: str) -> str:
    """Final Cut Pro 7's XML with another `pathurl` of a file, where it is described."""
    for start in re.finditer(rf'<file\b[^>]*\bid=["\']{re.escape(file)}["\'][^>]*(?<!/)>', text):
        end = text.index("</file>", start.end())
        path = re.search(r"<pathurl>.*?</pathurl>", text[start.end() : end], re.DOTALL)
        if path is not None:
            at = start.end() + path.start()
            return f"{text[:at]}<pathurl>{url}</pathurl>{text[start.end() + path.end() :]}"
    return text


def document_names(edit: Edit) -> list[str]:
    """Names of the documents that `relinked` gives."""
    suffix = edit.path.suffix.lower()
    if suffix in MOVIES:
        return [f"{edit.path.stem}.edl"]
    return [edit.path.name] if suffix in (".edl", ".fcpxml", ".xml") else []


def relinked(edit: Edit, shots: Sequence[Shot], others: Sequence[Row]) -> tuple[Mapping[str, bytes], list[str]]:
    """New documents by file name, for the kinds of documents in which only names change, and notes.

    `others` are events that show their plates.
    """
    path, suffix = edit.path, edit.path.suffix.lower()
    if suffix in MOVIES:
        return {f"{path.stem}.edl": edl_of(edit.timeline, edit.rate).encode()}, []
    if suffix == ".edl":
        return {path.name: relinked_edl(path.read_bytes(), shots)}, []
    if suffix in (".fcpxml", ".xml"):
        data = path.read_bytes()
        new, notes = relinked_xml(data, shots, others, b"<fcpxml" in data[:4096])
        return {path.name: new}, [f"{path.name}: {note}" for note in notes]
    return {}, []
