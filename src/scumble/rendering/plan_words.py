"""The plan of a render in words, for `--dry-run` and the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scumble.core.errors import BadSettings
from scumble.core.frames import format_frames
from scumble.media.codecs import codec_of
from scumble.media.movie_reader import MoviePlate
from scumble.media.plate import is_movie
from scumble.media.sequence import StillsPlate
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import times_of
from scumble.shot.matte import NOWHERE
from scumble.shot.motion import Vectors, vectors_of

if TYPE_CHECKING:
    from scumble.rendering.plan import Plan


def carried_in_words(job: Plan) -> str:
    numbers = sorted({key.number for look in job.all_looks for key in look.keys})
    if not numbers or not job.settings.carry:
        return ""
    share = "" if job.settings.carry == 1 else f", {job.settings.carry:g} of them"
    return f"key frames {format_frames(numbers)}{share}"


def notes_of_movie(job: Plan, plate: MoviePlate) -> list[str]:
    said = []
    if plate.interlaced:
        said.append("the plate is interlaced: its fields are painted as whole frames; deinterlace it first")
    if plate.variable:
        kept = "kept" if times_of(job) else "lost in a sequence or at another rate"
        said.append(f"the plate's frame rate varies: the times of its frames are {kept}")
    if plate.rotation:
        said.append(f"the plate is turned by {plate.rotation} degrees for display: the output is upright")
    if (
        plate.has_alpha
        and is_movie(job.output)
        and not codec_of(job.output, plate.bits, job.settings.codec)[1].with_alpha
    ):
        said.append("the output's codec has no alpha; take prores-4444 to keep it")
    return said


def aspect_is_lost(job: Plan) -> bool:
    """FFmpeg writes Matroska's display size only for codecs that carry the aspect themselves."""
    if job.output.suffix.lower() != ".mkv" or job.plate.pixel_aspect is None:
        return False
    return codec_of(job.output, job.plate.bits, job.settings.codec)[1].encoder in ("ffv1", "prores_ks")


def keeps_alpha(job: Plan) -> bool:
    if is_movie(job.output):
        return bool(codec_of(job.output, job.plate.bits, job.settings.codec)[1].with_alpha)
    return job.output.suffix.lower() not in (".jpg", ".jpeg", ".dpx")


def matte_in_words(settings: RenderSettings) -> str:
    if not settings.matte:
        return "none: all of the frame"
    if settings.matte == NOWHERE:
        return "the plate shows where no look has one"
    feather = f", feather {settings.feather:g}" if settings.feather else ""
    return f"{settings.matte}{', inverted' if settings.invert_matte else ''}{feather}"


def review_in_words(job: Plan) -> str:
    settings, size = job.settings, "x".join(map(str, job.output_size))
    words = [f"proxy 1/{settings.proxy}"] if settings.proxy > 1 else []
    words += [f"plate and painting, {settings.compare}"] if settings.compare else []
    words += ["burn-in"] if settings.burn_in else []
    return f"{', '.join(words)}, {size}" if words else ""


def files_in_words(job: Plan) -> str:
    count = f"{len(job.files)} file{'s' * (len(job.files) != 1)}"
    if not is_movie(job.output):
        return count
    name, codec = codec_of(job.output, job.plate.bits, job.settings.codec)
    return f"{count}, {name}, {codec.bits} bits"


def vectors_in(job: Plan) -> Vectors:
    """The plate's motion channels. Raises BadSettings where it cannot have any."""
    if not isinstance(job.plate, StillsPlate) or job.plate.files[job.numbers[0]].suffix.lower() != ".exr":
        raise BadSettings(f"{job.plate.path}: motion vectors stand in EXR sequences; take flow instead")
    return vectors_of(job.plate.files[job.numbers[0]], job.settings.vectors)


def hold_in_words(job: Plan) -> str:
    settings = job.settings
    if settings.on == 1:
        return "every frame"
    along = {None: "", "flow": " along optical flow", "vectors": ""}[settings.on_warp]
    if settings.on_warp == "vectors":
        along = f" along vectors: {vectors_in(job)}"
    return f"every {settings.on} frames, held{along}"


def stabiliser_in_words(job: Plan) -> str:
    if job.settings.stabilize is None:
        return "no"
    along = "optical flow" if job.settings.stabilize == "flow" else f"vectors: {vectors_in(job)}"
    return f"{job.settings.window} frames on each side, along {along}"


def cuts_in_words(job: Plan) -> str:
    if job.settings.stats is not None and job.settings.stats.exists():
        return f"statistics of {job.settings.stats}"
    cuts = job.settings.cuts or ("auto" if job.plate.kind == "movie" else "none")
    return {"auto": "found when rendering", "none": "one"}.get(cuts, f"by {cuts}")
