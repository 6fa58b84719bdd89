"""The training data of a look: a show's footage and style pictures, packed in the run's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scumble.core.errors import BadInput, BadOutput, BadPlate, BadSettings
from scumble.core.files import written_whole
from scumble.core.progress import Listener, Progress, ignore, note, said
from scumble.look.making import picture_facts, picture_hash
from scumble.media.plate import PlateOptions
from scumble.train.data.dataset import PACKED, Dataset
from scumble.train.data.prepare import Source, files_of, prepare, stem_of
from scumble.train.journal import JOURNAL

FACTS = "material.json"

FRAMES = 48  # of each movie and sequence

CONTENT_LINES = 720  # at which a render shows the network its plate

STYLE_SIDE = 512  # pixels of the short side, at which strokes are learned

QUALITY = 95  # WebP's, which strokes outlive

RECORDED = 100  # style pictures of which the look keeps names and hashes


@dataclass(frozen=True)
class Material:
    """What a show brings."""

    content: Sequence[Path]
    """Folders, pictures, movies, sequences; or one packed data set."""
    style: Sequence[Path]
    """Pictures and folders of pictures, together one style; or one packed data set."""
    options: PlateOptions = field(default_factory=PlateOptions)
    """How the footage is to be understood."""
    licence: str = ""
    """Of what no MANIFEST.csv speaks of."""


@dataclass(frozen=True)
class PackedMaterial:
    """Packed data sets of content and of style, and what a look records of them."""

    content: Path
    style: Path
    facts: dict[str, Any]


def gather(
    material: Material,
    folder: Path,
    begun_with: Mapping[str, Any],
    tell: Listener = ignore,
    resume: bool = False,
) -> PackedMaterial:
    """Pack the material into a run's folder. The data of a run that is there is replaced at the end, if all is well.

    `resume` is for a run that goes on: with the same material and what else it was `begun_with`.
    Raises BadInput, BadPlate, BadSettings naming what cannot be trained on.
    """
    own = {**_identity(material, folder), **begun_with}
    if resume:
        known = _known(folder)
        if known is None:
            raise BadInput(f"{folder}: no run to go on with; leave --resume out to begin one")
        if changed := [key for key in own if known.get(key) != own[key]]:
            raise BadInput(
                f"{folder}: begun with other {' and '.join(changed)}; give the same again, or leave --resume out"
            )
    work = folder
    if (folder / JOURNAL).exists() and not resume:
        work = folder / ".new"
    fresh = not work.exists()
    try:
        work.mkdir(parents=True, exist_ok=True)
        _write(work, own)
        heard: list[Progress] = []
        content = _packed("content", material, work, folder, resume, heard, tell)
        style = _packed("style", material, work, folder, resume, heard, tell)
    except (BadInput, BadPlate, BadSettings):
        if fresh:
            shutil.rmtree(work, ignore_errors=True)
        raise
    except OSError as error:
        raise BadOutput(f"{work}: cannot be written ({error.strerror or error}); name another --run") from error
    for event in heard:
        tell(event)
    if work != folder:  # whatever else lies in the folder stays
        for part in (*(p for p in (content, style) if work in p.parents), work / FACTS):
            place = folder / part.name
            if place.is_dir():
                shutil.rmtree(place)
            part.replace(place)
        content, style = (folder / p.name if work in p.parents else p for p in (content, style))
        shutil.rmtree(work)
    return PackedMaterial(content, style, _facts(material, folder, content, style))


def begun_with_the_same(material: Material, folder: Path, begun_with: Mapping[str, Any]) -> bool:
    """Whether the run in a folder was begun with this material and with what else it was `begun_with`."""
    own = {**_identity(material, folder), **begun_with}
    return bool(_known(folder) == json.loads(json.dumps(own)))


def _known(folder: Path) -> dict[str, Any] | None:
    """What a run was begun with; None where there is none."""
    try:
        known = json.loads((folder / FACTS).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) else None


def _write(folder: Path, own: Mapping[str, Any]) -> None:
    with written_whole(folder / FACTS) as part:
        part.write_text(json.dumps(own, indent=1), "utf-8")


def _packed(
    kind: str,
    material: Material,
    work: Path,
    run: Path,
    resume: bool,
    heard: list[Progress],
    tell: Listener,
) -> Path:
    """The packed data set of a kind: the one that was given, the run's own, or one made now."""
    given = material.content if kind == "content" else material.style
    packed = [p for p in given if _is_packed(p)]
    if packed and len(given) > 1:
        raise BadInput(f"{packed[0]}: a packed data set stands alone; make one of everything, or name none")
    if packed:
        for split in ("train", "val", "test"):
            Dataset(packed[0], few=True).of(kind, split)
        return packed[0]
    output = work / kind
    if resume and (output / PACKED).is_file():
        return output
    content, style, size = (given, [], CONTENT_LINES) if kind == "content" else ([], given, STYLE_SIDE)
    done = prepare(
        content, style, output, size, QUALITY, FRAMES, material.licence, tell, True, material.options, True, run
    )
    files = {record.file for record in Dataset(output).records}
    for path in given:  # a named file must be usable; a file of a folder may be left out
        if not path.is_dir() and not any(name.startswith(stem_of(kind, path)) for name in files):
            why = next((f.sentence for f in done.skipped if f.path == path), f"{path}: black, flat, or there twice")
            shutil.rmtree(output)
            raise BadInput(f"{why}; take it out of --{kind}, or mend it")
    heard += [said(f"skipped {file.sentence}") for file in done.skipped] + [note(line) for line in done.notes]
    return output


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".zip" or (path / PACKED).is_file()


def _identity(material: Material, folder: Path) -> dict[str, Any]:
    """Identity of a run's material: names and sizes of all files, and how they are read."""
    options = material.options
    return {
        "footage": _files(material.content, "content", folder),
        "pictures": _files(material.style, "style", folder),
        "colour spaces": [options.layer, options.in_space, options.colours.name],
    }


def _files(paths: Sequence[Path], kind: str, folder: Path) -> list[list[str | int]]:
    facts: list[list[str | int]] = []
    for path in paths:
        if _is_packed(path):
            file = path / PACKED if path.is_dir() else path
            facts.append([path.name, picture_hash(file)] if file.is_file() else [path.name])
            continue
        for source in files_of(path, kind, folder, []):
            facts += [[file.name, file.stat().st_size] for file in source.files]
    return facts


def _facts(material: Material, folder: Path, content: Path, style: Path) -> dict[str, Any]:
    """What a look records of what it was trained on: its first style pictures, footage, licences."""
    records = {
        kind: [r for r in Dataset(p).records if r.kind == kind] for kind, p in (("content", content), ("style", style))
    }
    names = {record.file for record in records["style"]}
    sources = [s for p in material.style if not _is_packed(p) for s in files_of(p, "style", folder, [])]
    kept: list[Source] = [s for s in sources if any(n.startswith(stem_of("style", s.path)) for n in names)]
    files = [file for source in kept for file in source.files][:RECORDED]
    licences = {kind: sorted({r.licence or "none on record" for r in of_kind}) for kind, of_kind in records.items()}
    return {
        "sources": picture_facts([(path, 1.0) for path in files]),
        "style pictures": len(records["style"]),
        "content": [path.name for path in material.content],
        "licences": licences,
    }
