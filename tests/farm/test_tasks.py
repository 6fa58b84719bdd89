"""A render as tasks: what they are, in which order they run, and what becomes of those that fail."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.command import scumble
from helpers.numbered import numbered_movie, numbered_sequence
from helpers.pictures import SAMPLES

from scumble.core.errors import BadInput, ScumbleError
from scumble.core.progress import Progress
from scumble.farm.ray_cluster import RayCluster
from scumble.farm.run import LOSSES, TRIES, Ended, Finished, run_tasks
from scumble.farm.settings import FarmSettings
from scumble.farm.tasks import Request, Task, chunks, tasks_of
from scumble.look.shipped import find_look
from scumble.rendering.job import job_of
from scumble.rendering.options import RenderSettings
from scumble.rendering.words import as_words


def request(plate: Path, output: Path, *options: str) -> Request:
    return Request(output.name.split(".")[0], plate, output, ("--look=auvers", "--lines=32", *options))


def tasks(asked: Request, chunk: int = 4, preview_first: bool = False, **settings: object) -> list[Task]:
    job = job_of(asked.plate, find_look("auvers"), asked.output, RenderSettings(lines=32, **settings))  # type: ignore[arg-type]
    return tasks_of(asked, job, chunk, preview_first)


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plates")
    numbered_sequence(folder / "sh.####.png", range(1001, 1011))
    numbered_movie(folder / "sh.mov", 10)
    return folder


def test_a_sequence_is_measured_once_and_painted_in_parts(plates: Path, tmp_path: Path) -> None:
    made = tasks(request(plates / "sh.####.png", tmp_path / "out.####.png"))
    assert [task.step for task in made] == ["measure", "paint", "paint", "paint"]
    assert [task.frames for task in made[1:]] == [tuple(range(1001, 1005)), tuple(range(1005, 1009)), (1009, 1010)]
    assert all(task.needs == (made[0].name,) for task in made[1:])
    assert made[3].files == (str(tmp_path / "out.1009.png"), str(tmp_path / "out.1010.png"))
    (statistics,) = made[0].files
    assert all(f"--stats={statistics}" in task.command for task in made)
    assert "--measure-only" in made[0].command
    assert not list(tmp_path.iterdir())  # nothing is written


def test_a_person_can_run_the_commands(plates: Path, tmp_path: Path) -> None:
    for name, plate in (("pictures", "sh.####.png"), ("movie", "sh.mov")):
        suffix = ".####.png" if name == "pictures" else ".mov"
        made = tasks(request(plates / plate, tmp_path / name / f"parts{suffix}"))
        for task in made:
            done = scumble(*task.command[1:], cwd=tmp_path)
            assert done.returncode == 0, (task.command, done.stderr)
            assert all(Path(file).is_file() for file in task.files)
        whole = tmp_path / name / f"whole{suffix}"
        assert scumble("render", plates / plate, "--look", "auvers", "--lines", "32", "-o", whole).returncode == 0
        files = sorted(whole.parent.glob("whole.*"))
        assert len(files) == (10 if name == "pictures" else 1)
        for file in files:
            assert file.read_bytes() == file.with_name(file.name.replace("whole", "parts")).read_bytes()


def test_a_dry_run_prints_the_commands(plates: Path, tmp_path: Path) -> None:
    """In their order; of style pictures a look is made first. They paint what the render itself paints."""
    shutil.copy(SAMPLES / "vangogh_auvers.jpg", tmp_path / "style.jpg")
    how = ("render", plates / "sh.####.png", "--style", tmp_path / "style.jpg", "--lines", "32", "--chunk", "4")
    dry = scumble(*how, "--workers", "2", "--dry-run", "-o", tmp_path / "out" / "parts.####.png")
    assert dry.returncode == 0, dry.stderr
    lines = [line for line in dry.stdout.splitlines() if line.startswith("scumble ")]
    assert [line.split()[1] for line in lines] == ["look", "render", "render", "render", "render"]
    assert not (tmp_path / "out").exists()
    for line in lines:
        done = scumble(*shlex.split(line)[1:])
        assert done.returncode == 0, (line, done.stderr)
    assert scumble(*how, "-o", tmp_path / "out" / "whole.####.png").returncode == 0
    for number in range(1001, 1011):
        parts, whole = ((tmp_path / "out" / f"{name}.{number}.png").read_bytes() for name in ("parts", "whole"))
        assert parts == whole


def test_what_is_short_is_one_task(plates: Path, tmp_path: Path) -> None:
    (whole,) = tasks(request(plates / "sh.mov", tmp_path / "out.mov"), chunk=24)
    assert whole.step == "render"
    assert "--frames" not in " ".join(whole.command)
    (part,) = tasks(request(plates / "sh.mov", tmp_path / "out.mov"), chunk=24, frames=(2, 3))
    assert "--frames=2-3" in part.command
    (still,) = tasks(request(plates / "sh.1001.png", tmp_path / "out.png"), chunk=1)
    assert still.step == "render"


def test_statistics_of_other_options_are_not_taken(plates: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.####.png"
    one = tasks(request(plates / "sh.####.png", output))[0]
    other = tasks(request(plates / "sh.####.png", output, "--keep-color=1"), keep_color=1.0)[0]
    assert one.files != other.files


def test_previews_go_first(plates: Path, tmp_path: Path) -> None:
    made = tasks(request(plates / "sh.####.png", tmp_path / "out.####.png"), preview_first=True)
    paints = sorted((task for task in made if task.step == "paint"), key=lambda task: task.order)
    assert [task.frames for task in paints[:3]] == [(1001,), (1010,), (1006,)]
    assert sorted(n for task in paints for n in task.frames) == list(range(1001, 1011))
    assert chunks([5], 4, True) == [(5,)]
    assert chunks([5, 9], 4, True) == [(5,), (9,)]


def test_parts_grow_with_the_shot_where_all_have_enough() -> None:
    assert FarmSettings().frames_a_task(100, 2) == 24
    assert FarmSettings().frames_a_task(10_000, 2) == 1250
    assert FarmSettings(chunk=7).frames_a_task(10_000, 2) == 7


class Scripted:
    """Runs nothing: a task ends as the script says, time after time, then well."""

    def __init__(self, script: dict[str, list[Ended]], places: int = 2) -> None:
        self.script, self.count = script, places
        self.started: list[str] = []
        self.running: list[Task] = []
        self.stopped = False

    def places(self) -> int:
        return self.count

    def start(self, task: Task) -> None:
        self.started.append(task.name)
        self.running.append(task)

    def ended(self, seconds: float) -> list[Ended]:
        task = self.running.pop(0)
        told = self.script.get(task.name, [])
        return [told.pop(0) if told else Ended(task, 0)]

    def stop(self) -> None:
        self.stopped = True


def task(name: str, *needs: str, frames: Iterable[int] = (), order: int = 0, files: tuple[str, ...] = ()) -> Task:
    return Task(name, "paint", ("scumble", "render"), tuple(frames), files, needs, order)


def run(
    renders: dict[str, list[Task]], script: dict[str, list[Ended]], places: int = 2
) -> tuple[list[Finished], Scripted, list[Progress]]:
    mapper, heard = Scripted(script, places), []
    return list(run_tasks(list(renders.items()), mapper, heard.append)), mapper, heard


def test_tasks_run_in_their_order_and_after_what_they_need() -> None:
    shot = [task("measure"), task("b", "measure", frames=(2, 3), order=1), task("a", "measure", frames=(1,))]
    ends, mapper, heard = run({"x": shot, "y": [task("other", frames=(7,), order=2)]}, {}, places=1)
    assert [end.name for end in ends] == ["x", "y"]
    assert mapper.started == ["measure", "a", "b", "other"]
    assert [event.done for event in heard if event.frame is not None][-1] == heard[-1].total == 4
    assert mapper.stopped


def test_a_task_that_fails_is_tried_again_and_one_that_is_refused_is_not() -> None:
    first, second = task("first", frames=(1,)), task("second", frames=(2,))
    ends, mapper, heard = run(
        {"x": [first], "y": [second]},
        {
            "first": [Ended(first, 1, "it broke")],
            "second": [Ended(second, 2, "note: a\nscumble: p.png: is no picture")],
        },
    )
    assert {end.name: end.error and str(end.error) for end in ends} == {"x": None, "y": "p.png: is no picture"}
    assert mapper.started.count("first") == 2
    assert mapper.started.count("second") == 1
    assert isinstance(next(end.error for end in ends if end.error), BadInput)
    assert any("it broke" in event.text and event.is_note for event in heard)


def test_tries_and_losses_end() -> None:
    one = task("one")
    ends, mapper, _ = run({"x": [one]}, {"one": [Ended(one, 1, "it broke")] * 50})
    assert "it broke" in str(ends[0].error)
    assert ends[0].error is not None
    assert ends[0].error.exit_code == 1
    assert mapper.started.count("one") == TRIES
    ends, mapper, _ = run({"x": [one]}, {"one": [Ended(one, -9, is_lost=True)] * 50})
    assert "lost" in str(ends[0].error)
    assert mapper.started.count("one") == LOSSES


def test_a_failed_render_stops_no_other(tmp_path: Path) -> None:
    bad = task("bad", frames=(1,))
    rest = [task(f"rest {n}", "bad", frames=(n,)) for n in (2, 3)]
    ends, mapper, _ = run(
        {"x": [bad, *rest], "y": [task("good", frames=(9,))]}, {"bad": [Ended(bad, 2, "scumble: no")]}
    )
    assert [(end.name, end.error is None) for end in ends] == [("x", False), ("y", True)]
    assert not any(name.startswith("rest") for name in mapper.started)


def test_files_that_this_machine_does_not_see_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scumble.farm.run.UNSEEN", 0.0)
    ends, _, _ = run({"x": [task("one", files=(str(tmp_path / "elsewhere.png"),))]}, {})
    assert "all machines share" in str(ends[0].error)


def test_a_second_machine_is_asked_before_an_input_counts_as_wrong() -> None:
    """The first may lack the disk; where there is no second one, its word counts."""
    kinds = ("OutOfMemoryError", "WorkerCrashedError", "NodeDiedError", "RaySystemError", "ObjectLostError")
    errors = {name: type(name, (Exception,), {}) for name in (*kinds, "RayTaskError", "RayError")}

    def codes(machines: str, answers: str) -> list[int]:
        cluster = RayCluster.__new__(RayCluster)
        said = [(2, "scumble: sh.1001.exr: not there", machine) for machine in answers]
        cluster.ray = SimpleNamespace(exceptions=SimpleNamespace(**errors), get=lambda _: said.pop(0))
        cluster.avoided, cluster.fitting = {}, dict.fromkeys(machines, 1)
        return [cluster._end(None, task("a")).code for _ in answers]

    assert codes("AB", "AB") == [1, 2]
    assert codes("AB", "AA") == [1, 1]  # the same one again is no second one
    assert codes("A", "A") == [2]


def test_what_a_mapper_cannot_do_comes_through_and_it_is_stopped() -> None:
    class Gone(Scripted):
        def ended(self, seconds: float) -> list[Ended]:
            raise ScumbleError("nothing can run")

    mapper = Gone({})
    with pytest.raises(ScumbleError, match="nothing can run"):
        list(run_tasks([("x", [task("one")])], mapper))
    assert mapper.stopped


@pytest.mark.skipif(sys.platform != "linux", reason="other systems leave the children of a killed process alone")
def test_a_child_ends_with_its_parent(tmp_path: Path) -> None:
    """The process that waits for a task is killed: nobody needs the task any more."""
    parent = (
        "import subprocess, sys, os, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'from scumble.core.threads import end_with_parent; import time;"
        " end_with_parent(); print(1, flush=True); time.sleep(60)'], stdout=subprocess.PIPE)\n"
        "child.stdout.readline(); print(child.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
    for _ in range(100):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z":
            return
        subprocess.run(["sleep", "0.1"], check=True)
    pytest.fail("the child lives on")


def test_what_was_lost_after_its_work_is_done(tmp_path: Path) -> None:
    movie = tmp_path / "x.mov"
    movie.write_bytes(b"whole")
    encode = Task("encode", "encode", ("scumble", "encode"), (1,), (str(movie),))
    ends, mapper, _ = run({"x": [encode]}, {"encode": [Ended(encode, 1, is_lost=True)]})
    assert [end.error for end in ends] == [None]
    assert mapper.started == ["encode"]


def test_files_of_another_machine_may_be_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = tmp_path / "late.png"
    monkeypatch.setattr("scumble.farm.run.WAIT", 0.01)
    monkeypatch.setattr("scumble.farm.run.os.listdir", lambda _: late.write_bytes(b"now"))
    ends, _, _ = run({"x": [task("one", files=(str(late),))]}, {})
    assert [end.error for end in ends] == [None]


def test_other_machines_get_paths_in_full_and_the_same_colours(
    plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    measured = tasks(request(plates / "sh.####.png", tmp_path / "out.####.png"), stats=Path("s.json"))
    assert all(f"--stats={tmp_path / 's.json'}" in task.command for task in measured)
    monkeypatch.setenv("OCIO", "ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3")
    assert as_words({"lines": 64}) == ["--ocio=ocio://cg-config-v2.1.0_aces-v1.3_ocio-v2.3", "--lines=64"]
    (tmp_path / "auvers").mkdir()  # a folder of a look's name is not the look
    monkeypatch.delenv("OCIO")
    assert as_words({"look": ["auvers"]}) == ["--look=auvers"]


def test_a_process_takes_the_threads_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from scumble.core.errors import BadSettings
    from scumble.core.silent_openvino import op, ov
    from scumble.network.openvino_engine import OpenVinoEngine

    picture = op.parameter([1, 4], np.float32)
    monkeypatch.setenv("SCUMBLE_THREADS", "1")
    compiled = OpenVinoEngine().compile(ov.Model([op.relu(picture)], [picture], "one"), "f32")
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
    monkeypatch.setenv("SCUMBLE_THREADS", "many")
    with pytest.raises(BadSettings, match="SCUMBLE_THREADS"):
        OpenVinoEngine().compile(ov.Model([op.relu(picture)], [picture], "one"), "f32")
