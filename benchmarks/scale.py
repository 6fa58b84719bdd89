"""How a film behaves on a farm: measured costs of a task, then a simulation with a seed. Makes docs/scale.md's figures.

python benchmarks/scale.py measure     writes benchmarks/scale.json from this machine, which should do nothing else
python benchmarks/scale.py simulate    prints the tables and writes docs/scale_*.svg; needs SimPy (pip install simpy)

A farm is nodes with places, each of which runs one task at a time; storage whose bandwidth all running transfers
share evenly; and losses: a node stops, its tasks begin anew elsewhere once that is noticed, and it comes back later.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent

MEASURED = HERE / "scale.json"

SEED = 7

FRAMES = 24  # that are painted to measure a frame


# -- what a task costs ---------------------------------------------------------------------------------------------


def measure() -> None:
    """Seconds and bytes of one task with one thread, on a plate of 1920x1080 half-float EXR."""
    import cv2

    from scumble.core.colour import LINEAR, srgb_to_linear
    from scumble.core.frames import Frame
    from scumble.media.open import open_plate
    from scumble.media.picture_writer import write_picture
    from scumble.media.plate import WriterSettings

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        plate = open_plate(HERE.parent / "samples/sintel_walk.mp4")
        for frame in plate.read(plate.numbers[:FRAMES]):
            pixels = cv2.resize(frame.pixels, (1920, 1080), interpolation=cv2.INTER_CUBIC).clip(0, 1)
            painted = Frame(frame.number, srgb_to_linear(pixels), LINEAR)
            write_picture(work / f"p.{frame.number:04d}.exr", painted, WriterSettings(bits=16))
        size = np.mean([p.stat().st_size for p in work.glob("p.*.exr")])
        environment = {
            **os.environ,
            "SCUMBLE_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "SCUMBLE_CACHE": str(work / "cache"),
        }

        def run(*words: str) -> tuple[float, list[float]]:
            """Seconds of a command, and those of its frames since it began to paint."""
            began = time.monotonic()
            command = [sys.executable, "-P", "-m", "scumble.cli", *words, "--progress", "json"]
            said = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=True)
            events = [json.loads(line) for line in said.stdout.splitlines()]
            return time.monotonic() - began, [e["seconds"] for e in events if e["event"] == "frame"]

        how = ("--look", "auvers", "--stats", "s.json")
        measuring, _ = run("render", "p.####.exr", *how, "--measure-only", "-o", "o.####.exr")
        whole, frames = run("render", "p.####.exr", *how, "-o", "o.####.exr")
        written = np.mean([p.stat().st_size for p in work.glob("o.*.exr")])
        a_frame = (frames[-1] - frames[4]) / (len(frames) - 5)
        encoding, _ = run("encode", "o.####.exr", "--codec", "prores-hq", "-o", "o.mov")
        facts = {
            "plate": f"1920x1080 half-float EXR, {FRAMES} frames; the network sees 720 lines; one thread",
            "measure_shot_s": round(measuring, 2),
            "start_task_s": round(whole - a_frame * len(frames), 2),
            "paint_frame_s": round(a_frame, 3),
            "encode_frame_s": round(encoding / len(frames), 3),
            "read_frame_mb": round(size / 1e6, 2),
            "write_frame_mb": round(written / 1e6, 2),
        }
    MEASURED.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(json.dumps(facts, indent=1))


# -- the farm ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Farm:
    """What is varied. A film of 2,000 shots is about 95 minutes at 24 frames/s."""

    shots: int = 2000
    nodes: int = 50
    places: int = 16
    """Tasks that a node runs at once, each on one core."""
    storage_mb: float = 2000.0
    """A second, read and written, for all."""
    chunk: int = 24
    life_h: float = 500.0
    """Mean hours between losses of a node; 0 is never."""
    away_h: float = 0.5
    """Hours until a lost node is back."""
    noticed_s: float = 12.0
    """Seconds until the loss of a node is noticed."""
    slow: float = 0.04
    """Share of nodes that are three times as slow: hot, old, busy with something else."""
    preview_first: bool = False


class Storage:
    """Bandwidth that is shared evenly by what is under way."""

    def __init__(self, env: Any, bandwidth: float) -> None:
        self.env, self.bandwidth = env, bandwidth
        self.left: dict[Any, float] = {}
        self.last = 0.0
        self.changed = env.event()
        self.busy = 0.0
        env.process(self._serve())

    def transfer(self, size: float) -> Any:
        """An event that comes when so many MB are through."""
        done = self.env.event()
        self._pass_time()
        self.left[done] = size
        self._wake()
        return done

    def drop(self, done: Any) -> None:
        """Of a task that was lost."""
        self._pass_time()
        if self.left.pop(done, None) is not None:
            self._wake()

    def _pass_time(self) -> None:
        spent = self.env.now - self.last
        if self.left:
            each = self.bandwidth * spent / len(self.left)
            self.left = {done: size - each for done, size in self.left.items()}
            self.busy += spent
        self.last = self.env.now

    def _wake(self) -> None:
        changed, self.changed = self.changed, self.env.event()
        changed.succeed()

    def _serve(self) -> Iterator[Any]:
        while True:
            if not self.left:
                yield self.changed
                continue
            first = min(self.left, key=lambda done: self.left[done])
            wait = max(0.0, self.left[first]) * len(self.left) / self.bandwidth
            yield self.env.timeout(wait + 1e-9) | self.changed
            self._pass_time()
            for done in [d for d, size in self.left.items() if size <= 1e-6]:
                del self.left[done]
                done.succeed()


@dataclass
class Task:
    shot: int
    frames: int
    kind: str  # measure or paint
    is_preview: bool = False
    tries: int = 0


def simulate(farm: Farm, costs: dict[str, Any]) -> dict[str, float]:
    """Hours until all is painted, and where the time went."""
    import simpy

    rng = np.random.default_rng(SEED)
    lengths = np.clip(rng.lognormal(np.log(50), 0.75, farm.shots), 8, 1000).astype(int)
    env = simpy.Environment()
    storage = Storage(env, farm.storage_mb)
    speeds = rng.lognormal(0, 0.08, farm.nodes) * np.where(rng.random(farm.nodes) < farm.slow, 3.0, 1.0)
    ready: deque[Task] = deque()
    behind: dict[int, list[Task]] = {}
    left: dict[int, int] = {}
    for shot, count in enumerate(lengths):
        parts = [min(farm.chunk, int(count) - first) for first in range(0, int(count), farm.chunk)]
        paints = [Task(shot, part, "paint") for part in parts]
        if farm.preview_first:
            paints = [*(Task(shot, 1, "paint", True) for _ in range(3)), *paints]
        behind[shot], left[shot] = paints, len(paints)
        ready.append(Task(shot, 0, "measure"))
    later: deque[Task] = deque()  # paints of measured shots, where previews go first
    state = {"waiting": env.event(), "computed": 0.0, "lost": 0.0, "tries": 0, "previews": 0.0, "losses": 0}
    done = env.event()
    shown = [0]

    def wake() -> None:
        waiting, state["waiting"] = state["waiting"], env.event()
        waiting.succeed()

    def next_task() -> Task | None:
        if ready:
            return ready.popleft()
        return later.popleft() if later else None

    def seconds(task: Task, speed: float) -> float:
        own = costs["measure_shot_s"] if task.kind == "measure" else costs["start_task_s"]
        return float((own + task.frames * costs["paint_frame_s"]) * speed)

    def megabytes(task: Task) -> float:
        if task.kind == "measure":
            return float(16 * costs["read_frame_mb"])  # frames that are looked at
        return float(task.frames * (costs["read_frame_mb"] + costs["write_frame_mb"]))

    def finish(task: Task) -> None:
        if task.kind == "measure":
            for paint in behind.pop(task.shot):
                if paint.is_preview:
                    ready.appendleft(paint)
                elif farm.preview_first:
                    later.append(paint)
                else:
                    ready.append(paint)
        else:
            left[task.shot] -= 1
            if task.is_preview:
                shown[0] += 1
                if shown[0] == 3 * farm.shots:
                    state["previews"] = env.now
            if not left[task.shot]:
                del left[task.shot]
                if not left and not done.triggered:
                    done.succeed()
        wake()

    def place(node: int, lost: list[Any]) -> Iterator[Any]:
        while True:
            task = next_task()
            if task is None:
                yield state["waiting"] | lost[0]
                if lost[0].triggered:
                    return
                continue
            task.tries += 1
            state["tries"] += 1
            began, transfer = env.now, None
            # reading and writing go on beside painting: a task takes as long as the longer of both
            transfer = storage.transfer(megabytes(task))
            work = env.timeout(seconds(task, speeds[node])) & transfer
            yield work | lost[0]
            if lost[0].triggered and not work.triggered:
                storage.drop(transfer)
                state["lost"] += env.now - began
                env.process(again(task))
                return
            state["computed"] += seconds(task, speeds[node])
            finish(task)

    def again(task: Task) -> Iterator[Any]:
        yield env.timeout(farm.noticed_s)
        ready.appendleft(task)
        wake()

    def node(number: int) -> Iterator[Any]:
        lives = np.random.default_rng([SEED, number])
        while True:
            lost = [env.event()]
            for _ in range(farm.places):
                env.process(place(number, lost))
            if not farm.life_h:
                return
            yield env.timeout(lives.exponential(farm.life_h * 3600))
            state["losses"] += 1
            lost[0].succeed()
            yield env.timeout(farm.away_h * 3600)

    for number in range(farm.nodes):
        env.process(node(number))
    env.run(done)
    places = farm.nodes * farm.places
    return {
        "hours": env.now / 3600,
        "frames": float(lengths.sum()),
        "busy": state["computed"] / (places * env.now),
        "storage": storage.busy / env.now,
        "tasks": float(state["tries"]),
        "losses": float(state["losses"]),
        "lost": state["lost"] / (places * env.now),
        "previews": state["previews"] / 3600,
    }


# -- the page's tables and plots -----------------------------------------------------------------------------------

VARIED: dict[str, tuple[str, list[Any]]] = {
    "storage_mb": ("storage, MB/s", [250, 500, 1000, 2000, 4000, 8000]),
    "chunk": ("frames a task", [1, 4, 8, 24, 64, 200, 1000]),
    "nodes": ("nodes", [10, 25, 50, 100, 200, 400]),
    "life_h": ("hours between losses of a node", [2, 8, 24, 100, 500, 0]),
    "slow": ("share of slow nodes", [0.0, 0.02, 0.04, 0.1, 0.2]),
}


def simulate_all() -> None:
    """Print the tables, write the plots."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"  # so that the same figures give the same file
    from matplotlib import pyplot

    costs = json.loads(MEASURED.read_text("utf-8"))
    usual = Farm()
    rows: dict[str, list[dict[str, float]]] = {}
    for name, (words, values) in VARIED.items():
        rows[name] = [simulate(replace(usual, **{name: value}), costs) for value in values]
        print(
            f"\n| {words} | hours | places busy | storage busy | tasks | losses | work lost |\n"
            "|---|---:|---:|---:|---:|---:|---:|"
        )
        for value, r in zip(values, rows[name], strict=True):
            shown = "never" if name == "life_h" and not value else value
            print(
                f"| {shown} | {r['hours']:.2f} | {r['busy']:.0%} | {r['storage']:.0%} | {r['tasks']:.0f} |"
                f" {r['losses']:.0f} | {r['lost']:.1%} |"
            )
    first = [simulate(replace(usual, preview_first=flag), costs) for flag in (False, True)]
    print(
        f"\npreviews first: those of all shots after {first[1]['previews']:.2f} h, all after {first[1]['hours']:.2f} h"
    )
    print(f"otherwise all after {first[0]['hours']:.2f} h; {first[0]['frames']:.0f} frames")
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained", sharey=True)
    for axis, name in zip(axes, ("storage_mb", "chunk", "nodes"), strict=True):
        words, values = VARIED[name]
        axis.plot(values, [r["hours"] for r in rows[name]], "o-", color="#7a4b2a")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xticks(values, [str(value) for value in values], rotation=45)
        axis.minorticks_off()
        axis.set_xlabel(words)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("hours for the film")
    hours = [0.1, 0.2, 0.5, 1, 2]
    axes[0].set_yticks(hours, [f"{value:g}" for value in hours])
    figure.savefig(HERE.parent / "docs/scale_hours.svg", metadata={"Date": None})


if __name__ == "__main__":
    {"measure": measure, "simulate": simulate_all}[sys.argv[1]]()
