"""A plan and its output in words: `--dry-run`, and notes of what was not asked for."""

from __future__ import annotations

from scumble.core.downloads import PERSON_WHEEL, has_person_models
from scumble.core.frames import format_frames
from scumble.media.movie_pixels import NEAREST
from scumble.rendering.options import RenderSettings
from scumble.rendering.output import Output, Sound
from scumble.rendering.plan import Plan, vectors_in
from scumble.rendering.review import missing_letters
from scumble.shot.cuts import default_cuts
from scumble.shot.matte_spec import NOWHERE, MatteSpec

SOUND: dict[Sound, str] = {
    "none": "none",
    "copied": "copied",
    "no container": "left out: the output does not take it",
    "another rate": "left out: the frame rate is another one",
    "frames left out": "left out: frames are left out",
}


def in_words(plan: Plan, output: Output) -> str:
    """The text of `--dry-run`."""
    p, settings = plan.plate, plan.settings
    rate = f", {p.frame_rate} frames/s" if p.frame_rate else ""
    carried, review = _carried(plan), _review(output)
    return "\n".join(
        [
            f"plate      {p.path} ({p.kind}, {p.size[0]}x{p.size[1]}, {p.bits} bits{rate})",
            f"colour     {p.colour_space} ({p.colour_origin}), written as {output.space}",
            f"frames     {format_frames(plan.numbers)} ({len(plan.numbers)} of {len(p.numbers)})",
            f"shots      {_cuts(plan)}",
            *(
                f"look       {look.name} ({look.hash})" + (f" at {frame}" if len(plan.looks) > 1 else "")
                for frame, look in plan.looks
            ),
            *(f"look       {look.name} ({look.hash}) in {matte}" for matte, look in plan.matte_looks),
            *([f"carried    {carried}"] if carried else []),
            *([f"views      {_views(plan, output)}"] if p.views else []),
            f"matte      {_matte(settings)}",
            f"strength   {settings.strength}",
            f"network    {plan.network_size[0]}x{plan.network_size[1]}, {settings.engine}, {plan.precision}",
            *([f"review     {review}"] if review else []),
            f"stabilise  {_stabiliser(plan)}",
            f"painted    {_hold(plan)}",
            f"sound      {SOUND[output.sound]}",
            f"output     {output.path} ({_files(output)})",
            *(f"note       {note}" for note in (*_notes_of_plan(plan), *_notes_of_output(plan, output))),
        ]
    )


def notes_of(plan: Plan, output: Output) -> list[str]:
    """Notes about the output that the user did not ask for."""
    lost = output.sound not in ("none", "copied", "no container")  # of the last, each track has a note
    sound = [f"sound {SOUND[output.sound]}"] if lost else []
    return [*sound, *_notes_of_plan(plan), *_notes_of_output(plan, output)]


def _notes_of_plan(plan: Plan) -> list[str]:
    plate, settings = plan.plate, plan.settings
    said = []
    if plate.colour_origin.is_doubtful:
        said.append(f"{plate.colour_origin.words}: taken for {plate.colour_space}; --in-space names another")
    elif plate.colour_origin.is_assumed and not plate.is_movie and plate.colour_space.kind == "scene":
        said.append(
            f"the plate does not say its colour space: taken for {plate.colour_space}; --in-space names another"
        )
    repeated = sorted(plate.repeated & set(plan.numbers))
    if repeated:
        said.append(f"frames {format_frames(repeated)} are missing: each repeats the one before it")
    if plate.undecodable:
        frames = "1 frame" if plate.undecodable == 1 else f"{plate.undecodable} frames"
        said.append(f"{frames} at the beginning of the plate cannot be decoded and are left out")
    if plate.repeated_stamps:
        frames = "1 frame has" if plate.repeated_stamps == 1 else f"{plate.repeated_stamps} frames have"
        said.append(f"{frames} the time of the frame before: each is shown a tick later")
    if plate.other_pictures:
        pictures = "1 more picture" if plate.other_pictures == 1 else f"{plate.other_pictures} more pictures"
        said.append(f"the plate's file has {pictures}, of another size: only the first is painted")
    if plate.lost_timecode and not settings.timecode:
        said.append(f"the plate's timecode {plate.lost_timecode[:40]!r} is none: the output has no timecode")
    if not plate.is_rgb and plate.tags.matrix in NEAREST:
        matrix = NEAREST[plate.tags.matrix][1]
        said.append(f"the plate's matrix ({matrix}) is read and written as one near it: its colours are nearly right")
    if plate.is_interlaced:
        said.append("the plate is interlaced: its fields are painted as whole frames; deinterlace it first")
    asked = (settings.matte, *plan.matte_words)
    if any(MatteSpec.parse(words).kind == "auto" for words in asked) and not has_person_models():
        said.append(f"the models that find people are fetched first (36 MB of {PERSON_WHEEL}, once)")
    if settings.burn_in:
        names = [plate.path.name, *(look.name for look in plan.all_looks)]
        missing = missing_letters("".join(names))
        if missing:
            said.append(f"no font here has the letters {missing[:20]}: install one, such as Noto Sans CJK")
    if settings.stabilize == "vectors":
        vectors = vectors_in(plan)
        if vectors.backward is None or vectors.forward is None:
            side = "later" if vectors.backward is None else "earlier"
            said.append(f"the vectors lead one way ({vectors}): the stabiliser sees {side} frames only")
    return said


def _notes_of_output(plan: Plan, output: Output) -> list[str]:
    plate = plan.plate
    said = [*output.tracks.lost]
    if plate.is_variable:
        kept = "kept" if output.times else "lost in a sequence or at another rate"
        said.append(f"the plate's frame rate varies: the times of its frames are {kept}")
    painted = [plate.options.view or next(iter(plate.views), ""), *(eye.options.view for eye in output.eyes)]
    others = [view for view in plate.views if view not in painted]
    if others:
        how = "leave --view out for all" if plate.options.view else "an EXR at full size holds all that have the layer"
        said.append(f"view {', '.join(painted)} is painted, {', '.join(others)} not: {how}")
    if output.eyes and plan.mattes:
        said.append(f"the matte is that of view {plate.views[0]} in all views: by --view each can have its own")
    if output.eyes and "vectors" in (plan.settings.stabilize, plan.settings.on_warp):
        said.append(f"the vectors are those of view {plate.views[0]} in all views: flow sees each for itself")
    if plate.rotation:
        said.append(f"the plate is turned by {plate.rotation} degrees for display: the output is upright")
    if plate.is_mirrored:
        said.append("the plate is mirrored for display: the output is as players show it")
    if plate.is_movie and plate.has_alpha and output.is_movie and not output.keeps_alpha:
        said.append("the output's codec has no alpha; take prores-4444 to keep it")
    if plate.hdr and output.is_movie and output.keeps_codes and not plate.hdr.options(output.codec[1].encoder):
        said.append(
            f"HDR10's mastering display and light levels are lost: {output.codec[0]} does not take them; hevc-10 does"
        )
    if output.loses_aspect:
        name = output.codec[0]
        said.append(f"pixel aspect {plate.pixel_aspect} is lost: {name} in .mkv has no place for it; take .mov")
    if plate.has_alpha and not output.keeps_alpha:
        said.append("the output has no alpha: what is transparent stands over black; prores-4444 or EXR keep it")
    if output.is_movie and (output.size[0] % 2 or output.size[1] % 2):
        coded = output.codec[1].coded(output.size)
        if coded != output.size:
            even = "x".join(map(str, coded))
            said.append(f"the movie is {even}: its codec needs even sides, the last row or column is repeated")
    return said


def _carried(plan: Plan) -> str:
    numbers = sorted({key.number for look in plan.all_looks for key in look.painted_frames})
    carry = plan.settings.carry
    if not numbers or not carry:
        return ""
    return f"key frames {format_frames(numbers)}" + ("" if carry == 1 else f", {carry:g} of them")


def _views(plan: Plan, output: Output) -> str:
    views, chosen = plan.plate.views, plan.plate.options.view
    if output.eyes:
        painted = [views[0], *(eye.options.view for eye in output.eyes)]
        return f"{' and '.join(painted)}, with one set of statistics"
    return f"{chosen or views[0]} of {', '.join(views)}"


def _matte(settings: RenderSettings) -> str:
    if not settings.matte:
        return "none: all of the frame"
    if settings.matte == str(NOWHERE):
        return "the plate shows where no look has one"
    feather = f", feather {settings.feather:g}" if settings.feather else ""
    return f"{settings.matte}{', inverted' if settings.invert_matte else ''}{feather}"


def _review(output: Output) -> str:
    settings = output.settings
    words = [f"proxy 1/{settings.proxy}"] if settings.proxy > 1 else []
    words += [f"plate and painting, {settings.compare}"] if settings.compare else []
    words += ["burn-in"] if settings.burn_in else []
    return f"{', '.join(words)}, {'x'.join(map(str, output.size))}" if words else ""


def _files(output: Output) -> str:
    count = f"{len(output.files)} file{'s' * (len(output.files) != 1)}"
    if not output.is_movie:
        return count
    name, codec = output.codec
    return f"{count}, {name}, {codec.bits} bits"


def _hold(plan: Plan) -> str:
    settings = plan.settings
    if settings.on == 1:
        return "every frame"
    along = {None: "", "flow": " along optical flow", "vectors": ""}[settings.on_warp]
    if settings.on_warp == "vectors":
        along = f" along vectors: {vectors_in(plan)}"
    return f"every {settings.on} frames, held{along}"


def _stabiliser(plan: Plan) -> str:
    settings = plan.settings
    if settings.stabilize is None:
        return "no"
    along = "optical flow" if settings.stabilize == "flow" else f"vectors: {vectors_in(plan)}"
    return f"{settings.window} frames on each side, along {along}"


def _cuts(plan: Plan) -> str:
    settings = plan.settings
    if settings.stats is not None and settings.stats.exists():
        return f"statistics of {settings.stats}"
    cuts = settings.cuts or default_cuts(plan.plate)
    return {"auto": "found when rendering", "none": "one"}.get(cuts, f"by {cuts}")
