"""`scumble doctor`: what this machine and this installation can do."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from scumble.core.threads import allowed_cores
from scumble.core.version import __version__


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say what this machine and installation can do, what is missing, and how to get it.

    Exit code 1 when something is missing that every render needs.
    """
    checks = examine()
    if as_json:
        print(json.dumps(as_facts(checks), indent=2))
    else:
        for check in checks:
            mark = "ok  " if check.good else "FAIL" if check.needed else "--  "
            print(f"{mark} {check.group:9} {check.name:24} {check.found}")
            if not check.good:
                print(f"{'':39} {check.remedy}")
        print("renders work here" if works(checks) else "renders do NOT work here")
    if not works(checks):
        raise typer.Exit(1)


# Nothing else of the package is imported here: one of its dependencies may be what is missing.

EXTRAS = ("train", "gpu")

DOUBLE = 1e-5  # largest relative distance from double precision at which f32 counts as exact

READ = ("h264", "hevc", "prores", "dnxhd", "ffv1", "mjpeg", "vp9", "av1")


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, how it is, and what to do where it is not as it should be."""

    group: str
    name: str
    found: str
    good: bool = True
    needed: bool = False
    remedy: str = ""


def examine() -> list[Check]:
    """All checks in order; the ones with `needed` and not `good` keep a render from working."""
    checks: list[Check] = []
    for look in (_machine, _packages, _engines, _formats, _files, _extras):
        checks += look()
    return checks


def works(checks: list[Check]) -> bool:
    """Whether everything is there that a render needs."""
    return all(check.good for check in checks if check.needed)


def as_facts(checks: list[Check]) -> dict[str, Any]:
    """Plain values."""
    return {"scumble": __version__, "renders": works(checks), "checks": [asdict(check) for check in checks]}


def _machine() -> list[Check]:
    version = sys.version_info
    fits = (3, 11) <= version[:2] < (3, 14)
    cores, allowed = os.cpu_count() or 1, allowed_cores()
    of = f" of {cores}" if allowed != cores else ""
    free = shutil.disk_usage(Path.cwd()).free
    return [
        Check("machine", "scumble", __version__),
        Check("machine", "python", platform.python_version(), fits, True, "install Python 3.11, 3.12 or 3.13"),
        Check("machine", "system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        Check("machine", "cores", f"{allowed}{of}"),
        Check("machine", "memory", _memory()),
        Check(
            "machine",
            "free disk here",
            f"{free / 1e9:.1f} GB",
            free > 1e9,
            False,
            "make room: a minute of EXR is 10 GB",
        ),
    ]


def _memory() -> str:
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 1e9:.1f} GB"
    return "unknown"


def _requirements(extra: str = "") -> list[str]:
    """Names of the packages that Scumble, or one of its extras, asks for."""
    try:
        lines = importlib.metadata.requires("scumble") or []
    except importlib.metadata.PackageNotFoundError:  # run from its sources
        return []
    names = []
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        of = re.search(r"extra\s*==\s*['\"]([\w-]+)", line)
        if name and (of.group(1) if of else "") == extra:
            names.append(name.group())
    return names


def _packages() -> list[Check]:
    checks = []
    for name in _requirements():
        version = _installed_package(name)
        checks.append(Check("packages", name, version or "not installed", bool(version), True, f"pip install {name}"))
    with_window = _installed_package("opencv-python")
    if with_window:
        remedy = "pip uninstall opencv-python; pip install --force-reinstall opencv-python-headless"
        checks.append(
            Check("packages", "opencv-python", f"{with_window}, beside the headless one", False, False, remedy)
        )
    return checks


def _installed_package(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _engines() -> list[Check]:
    return [_tried("engines", "openvino", _openvino, True, "pip install --force-reinstall openvino"), _torch()]


def _openvino() -> str:
    import numpy as np

    from scumble.look.bake import bake
    from scumble.look.look import Look
    from scumble.look.shipped import find_look, identity_look, shipped_looks
    from scumble.look.statistics import reference_picture, reference_statistics
    from scumble.network import tiling
    from scumble.network.openvino_engine import OpenVinoEngine

    engine = OpenVinoEngine()
    look = find_look(min(shipped_looks()))
    plate = np.ascontiguousarray(reference_picture()[:280, :280])

    def painted(look: Look, window_pixels: int) -> Any:
        baked = bake(look, reference_statistics(look))
        return tiling.paint(plate, engine.painter(baked, "f32"), baked.architecture.stride, baked.halo, window_pixels)

    if not np.array_equal(painted(identity_look(), 1 << 30), plate):
        raise RuntimeError("the identity look changed a picture")
    if not np.array_equal(painted(look, 1 << 30), painted(look, 1)):
        raise RuntimeError("a frame painted in windows differs from one painted whole")
    away = _away_from_double(engine)
    if away > DOUBLE:
        raise RuntimeError(f"f32 is {away:.1e} away from double precision")
    kinds = engine.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    fast = "fast is bf16" if "BF16" in kinds else "no bf16 here: fast is f32"
    name = engine.core.get_property("CPU", "FULL_DEVICE_NAME").strip()
    return f"{name}; f32 within {away:.0e} of double; {fast}"


def _away_from_double(engine: Any) -> float:
    """Relative distance of a large matrix product in f32 from the same in double precision."""
    import numpy as np

    from scumble.core.silent_openvino import op, ov

    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((256, 256)).astype(np.float32) for _ in range(2))
    left = op.parameter([256, 256], np.float32)
    model = ov.Model([op.matmul(left, op.constant(b), False, False)], [left], "product")
    exact = a.astype(np.float64) @ b.astype(np.float64)
    single = np.asarray(engine.compile(model, "f32")(a)[0], np.float64)
    return float(np.linalg.norm(single - exact) / np.linalg.norm(exact))


def _torch() -> Check:
    try:
        there = find_spec("torch") is not None
    except ImportError:  # an import hook that refuses it
        there = False
    if not there:
        return Check("engines", "torch", "not installed", False, False, "pip install 'scumble[gpu]' for a GPU")

    def look() -> str:
        from scumble.network.torch_engine import engine

        torch_engine = engine()
        version = importlib.metadata.version("torch")
        return f"{version}, on {torch_engine.device.type}" + (
            "" if torch_engine.device.type != "cpu" else ": no GPU that it can use"
        )

    return _tried("engines", "torch", look, False, "pip install --force-reinstall torch")


def _tried(group: str, name: str, look: Callable[[], str], needed: bool, remedy: str) -> Check:
    try:
        facts = look()
    except Exception as error:  # a check that raises is a finding, not an end
        return Check(group, name, f"does not work ({type(error).__name__}: {error})", False, needed, remedy)
    return Check(group, name, facts, True, needed)


def _formats() -> list[Check]:
    def codecs() -> str:
        import av

        from scumble.media.codecs import CODECS

        readable = [name for name in READ if _codec(av, name, "r")]
        encoders = dict.fromkeys(codec.encoder for codec in CODECS.values())
        writable = [name for name in encoders if _codec(av, name, "w")]
        if "libx264" not in writable:
            raise RuntimeError("this FFmpeg writes no H.264")
        return f"reads {' '.join(readable)}; writes {' '.join(writable)}"

    def pictures() -> str:
        import OpenImageIO as oiio

        known = str(oiio.get_string_attribute("format_list")).split(",")
        wanted = ("openexr", "dpx", "tiff", "png", "jpeg", "webp")
        missing = [name for name in wanted if name not in known]
        if missing:
            raise RuntimeError(f"this OpenImageIO lacks {' '.join(missing)}")
        return " ".join(wanted)

    remedy = "pip install --force-reinstall av openimageio"
    return [
        _tried("formats", "movies", codecs, True, remedy),
        _tried("formats", "pictures", pictures, True, remedy),
    ]


def _codec(av: Any, name: str, mode: str) -> bool:
    try:
        av.codec.Codec(name, mode)
    except ValueError:
        return False
    return True


def _files() -> list[Check]:
    def looks() -> str:
        from scumble.look.shipped import find_look, shipped, shipped_looks

        if not shipped_looks():
            raise FileNotFoundError(shipped("looks"))
        return " ".join(find_look(name).name for name in shipped_looks())

    def universal() -> str:
        from scumble.look.shipped import load_universal, vgg_slice

        vgg_slice()
        return load_universal().hash

    def vgg() -> str:
        from scumble.core.downloads import vgg_path
        from scumble.network.vgg import Features

        return Features(vgg_path()).name

    again = "pip install --force-reinstall scumble"
    return [
        _tried("files", "shipped looks", looks, True, again),
        _tried("files", "universal generator", universal, True, again),
        _tried("files", "perceptual weights", vgg, False, "scumble weights fetch (for training and evaluate)"),
    ]


def _extras() -> list[Check]:
    checks = []
    for extra in EXTRAS:
        missing = [name for name in _requirements(extra) if not _installed_package(name)]
        state = f"without {', '.join(missing)}" if missing else "complete"
        checks.append(Check("extras", extra, state, not missing, False, f"pip install 'scumble[{extra}]'"))
    return checks
