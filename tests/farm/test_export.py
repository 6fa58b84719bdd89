"""Jobs for render queues: each queue's own reader takes them, and what they say paints what one process paints."""

from __future__ import annotations

import importlib.util
import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from helpers.command import scumble
from helpers.numbered import numbered_movie, numbered_sequence
from helpers.pictures import SAMPLES

QUEUES = ("openjd", "deadline", "opencue", "tractor", "flamenco")

OPENJD = Path(sys.executable).with_name("openjd")


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("my plates")  # with a space in its name
    numbered_sequence(folder / "sh.####.png", range(1, 9))
    numbered_movie(folder / "sh.mov", 8)
    shutil.copy(SAMPLES / "vangogh_auvers.jpg", folder / "style.jpg")
    return folder


def exported(plates: Path, plate: str, output: Path, queue: str, *words: str) -> Path:
    done = scumble(
        *("farm", "export", plates / plate, "--style", plates / "style.jpg", "--lines", "32", "--chunk", "3"),
        *("-o", output, "--to", queue, *words),
    )
    assert done.returncode == 0, done.stderr
    assert "submit it by" in done.stderr
    return output.parent / f"x.{queue}"


def ran(line: str | list[str], folder: Path) -> None:
    """A command line of a job, as a worker runs it."""
    words = shlex.split(line) if isinstance(line, str) else line
    assert words[0] == "scumble"
    done = scumble(*words[1:], cwd=folder)
    assert done.returncode == 0, (words, done.stderr)


def test_nothing_is_painted_and_nothing_written_over(plates: Path, tmp_path: Path) -> None:
    for queue in QUEUES:
        exported(plates, "sh.mov", tmp_path / "x.mov", queue)
    assert not (tmp_path / "x.mov").exists()
    again = ("farm", "export", plates / "sh.mov", "--look", "auvers", "-o", tmp_path / "x.mov")
    done = scumble(*again)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert scumble(*again, "--overwrite").returncode == 0
    assert scumble(*again, "--bundle", tmp_path / "elsewhere").returncode == 0
    assert (tmp_path / "elsewhere/template.json").is_file()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--workers", "2"), "leave --workers"),
        (("--preview-first",), "parts the frames"),
        (("--to", "deadline", "--frames", "1-3,5-8"), "without gaps"),
        (("--chunk", "500"), "150"),
    ],
)
def test_what_a_queue_cannot_do_is_refused(words: tuple[str, ...], sentence: str, plates: Path, tmp_path: Path) -> None:
    done = scumble("farm", "export", plates / "sh.mov", "--look", "auvers", "-o", tmp_path / "x.mov", *words)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not OPENJD.exists(), reason="openjd-cli is not installed")
@pytest.mark.parametrize("plate", ["sh.####.png", "sh.mov"])
def test_open_job_description_runs(plate: str, plates: Path, tmp_path: Path) -> None:
    suffix = plate.removeprefix("sh")
    folder = exported(plates, plate, tmp_path / f"x{suffix}", "openjd")
    template = json.loads((folder / "template.json").read_text())
    assert [step["name"] for step in template["steps"]] == [
        "Measure",
        "Paint",
        *(["Encode"] if suffix == ".mov" else []),
    ]
    assert str(plates) not in json.dumps(template)  # paths are parameters, which a queue can map
    command = shlex.join([str(Path(sys.executable).with_name("scumble"))])
    words = ["run", folder / "template.json", "-p", f"file://{folder / 'paths.json'}", "-p", f"Scumble={command}"]
    done = subprocess.run([OPENJD, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"openjd_progress: 100", done.stdout)
    whole = tmp_path / "whole" / f"x{suffix}"
    how = ("--style", plates / "style.jpg", "--lines", "32")
    assert scumble("render", plates / plate, *how, "-o", whole).returncode == 0
    for file in whole.parent.iterdir():
        assert file.read_bytes() == (tmp_path / file.name).read_bytes()
    assert len(list(whole.parent.iterdir())) == (1 if suffix == ".mov" else 8)


@pytest.mark.full
def test_deadline_cloud_reads_the_bundle(plates: Path, tmp_path: Path) -> None:
    parameters = pytest.importorskip("deadline.client.job_bundle.parameters")
    folder = exported(plates, "sh.mov", tmp_path / "x.mov", "openjd")
    read = {p["name"]: p.get("value") for p in parameters.read_job_bundle_parameters(str(folder))}
    assert read["Plate"] == str(plates / "sh.mov")
    assert read["Output"] == str(tmp_path / "x.mov")
    loader = pytest.importorskip("deadline.client.job_bundle.loader")
    assets = loader.read_yaml_or_json_object(str(folder), "asset_references", True)["assetReferences"]
    assert str(plates / "sh.mov") in assets["inputs"]["filenames"]
    assert all(Path(file).is_file() for file in assets["inputs"]["filenames"])
    assert str(tmp_path) in assets["outputs"]["directories"]


def values(path: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_deadline(plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = exported(plates, "sh.mov", tmp_path / "x.mov", "deadline")
    paint = values(folder / "2_paint.job")
    assert (paint["Plugin"], paint["Frames"], paint["ChunkSize"]) == ("CommandLine", "1-8", "3")
    for step, frames in (("1_measure", [()]), ("2_paint", [(1, 3), (4, 6), (7, 8)]), ("3_encode", [()])):
        plugin = values(folder / f"{step}.plugin")
        for part in frames:
            arguments = plugin["Arguments"].replace("<QUOTE>", '"')
            if part:
                arguments = arguments.replace("<STARTFRAME>", str(part[0])).replace("<ENDFRAME>", str(part[1]))
            ran(f"{plugin['Executable']} {arguments}", tmp_path)
    assert (tmp_path / "x.mov").is_file()
    # each job waits for the one before
    fake = tmp_path / "deadlinecommand"
    fake.write_text(f'#!/bin/sh\ncat "$1" >> "{tmp_path}/jobs"\necho JobID=$(basename "$1" .job)\n')
    fake.chmod(0o755)
    if sys.platform != "win32":
        monkeypatch.setenv("DEADLINE_PATH", str(tmp_path))
        subprocess.run([sys.executable, folder / "submit.py"], check=True)
        jobs = (tmp_path / "jobs").read_text()
        assert re.findall(r"JobDependencies=(\S+)", jobs) == ["1_measure", "2_paint"]


def test_tractor(plates: Path, tmp_path: Path) -> None:
    script = (exported(plates, "sh.####.png", tmp_path / "x.####.png", "tractor") / "job.alf").read_text()
    tclsh = shutil.which("tclsh")
    assert script.count("{") == script.count("}")
    lines = re.findall(r"RemoteCmd \{(.*?)\} -service", script)
    commands = [re.findall(r"\{([^{}]*)\}", line) for line in lines]
    if tclsh:  # Tcl reads the words as they are meant
        read = subprocess.run(
            [tclsh],
            input=f"foreach w {{{lines[0]}}} {{puts $w}}\n",
            capture_output=True,
            text=True,
            check=True,
        )
        assert read.stdout.splitlines() == commands[0]
    assert len(commands) == 4
    for words in commands:
        ran(words, tmp_path)
    assert len(list(tmp_path.glob("x.*.png"))) == 8


def test_opencue(plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the outline library that notes what it is told."""
    folder = exported(plates, "sh.mov", tmp_path / "x.mov", "opencue")
    noted: list[Any] = []

    class Shell:
        def __init__(self, name: str, **arguments: Any) -> None:
            self.name, self.arguments, self.after = name, arguments, ""

        def depend_all(self, other: Shell) -> None:
            self.after = other.name

    class Outline:
        def __init__(self, name: str, **arguments: Any) -> None:
            self.name = name

        def add_layer(self, layer: Shell) -> None:
            noted.append(layer)

    def module(name: str, **contents: Any) -> types.ModuleType:
        made = types.ModuleType(name)
        vars(made).update(contents)
        monkeypatch.setitem(sys.modules, name, made)
        return made

    launched: list[Any] = []
    cuerun = module("outline.cuerun", launch=lambda job, **_: launched.append(job))
    module("outline.modules.shell", Shell=Shell)
    module("outline.modules")
    module("outline", Outline=Outline, cuerun=cuerun)
    runpy.run_path(str(folder / "submit.py"))
    assert [(layer.name, layer.after) for layer in noted] == [
        ("measure", ""),
        ("paint", "measure"),
        ("encode", "paint"),
    ]
    assert len(launched) == 1
    assert noted[1].arguments["range"] == "1-8"
    assert noted[1].arguments["chunk"] == 3
    # OpenCue joins the words by spaces
    line = " ".join(noted[1].arguments["command"]).replace("#FRAME_START#", "2").replace("#FRAME_END#", "3")
    for layer in (" ".join(noted[0].arguments["command"]), line):
        ran(layer, tmp_path)
    assert len(list((tmp_path / ".x.mov.tasks/frames").iterdir())) == 2


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the job type")
def test_flamenco(plates: Path, tmp_path: Path) -> None:
    """In node, with a stand-in for the manager that parts frames as Flamenco's does."""
    folder = exported(plates, "sh.mov", tmp_path / "x.mov", "flamenco")
    (script,) = folder.glob("*.js")
    manager = """
    const author = {
      Task: (name, type) => ({ name, type, commands: [], needs: [],
        addCommand(c) { this.commands.push(c); }, addDependency(t) { this.needs.push(t.name); } }),
      Command: (name, parameters) => ({ name, ...parameters }),
    };
    const frameChunker = (frames, size) => {
      const [first, last] = frames.split("-").map(Number), chunks = [];
      for (let a = first; a <= last; a += size) chunks.push(`${a}-${Math.min(last, a + size - 1)}`);
      return chunks;
    };
    """
    end = """
    const settings = Object.fromEntries(JOB_TYPE.settings.map(s => [s.key, s.default])), tasks = [];
    compileJob({ settings, addTask: t => tasks.push(t) });
    console.log(JSON.stringify(tasks));
    """
    (tmp_path / "all.js").write_text(manager + script.read_text() + end)
    said = subprocess.run(["node", tmp_path / "all.js"], capture_output=True, text=True, check=True).stdout
    tasks = json.loads(said)
    assert [task["name"] for task in tasks] == ["measure", "paint-1-3", "paint-4-6", "paint-7-8", "encode"]
    assert tasks[1]["needs"] == ["measure"]
    assert tasks[4]["needs"] == ["paint-1-3", "paint-4-6", "paint-7-8"]
    for task in tasks:
        ran([task["commands"][0]["exe"], *task["commands"][0]["args"]], tmp_path)
    assert (tmp_path / "x.mov").is_file()


def test_an_edit_as_jobs(plates: Path, tmp_path: Path) -> None:
    """The queue paints; the edit then takes its movie over and does not paint it again."""
    if importlib.util.find_spec("opentimelineio") is None:
        pytest.skip("needs OpenTimelineIO")
    (tmp_path / "cut.edl").write_text(
        "001  sh.mov   V  C  00:00:00:00 00:00:00:06 01:00:00:00 01:00:00:06\n* SOURCE FILE: sh.mov\n"
    )
    (tmp_path / "looks.toml").write_text('[default]\nlook = "auvers"\nlines = 32\n')
    words = ("edit", tmp_path / "cut.edl", "--rate", "24", "--media", plates, "-c", tmp_path / "looks.toml")
    words = (*words, "-o", tmp_path / "out", "--no-reports", "--progress", "none")
    done = scumble(*words, "--to", "tractor")
    assert done.returncode == 0, done.stderr
    (submit,) = done.stdout.splitlines()
    done = scumble(*words)  # while the queue is at it
    assert done.returncode == 1
    assert "a render queue has it" in done.stderr
    script = Path(shlex.split(submit)[1]).read_text()
    for command in re.findall(r"RemoteCmd \{(.*?)\} -service", script):
        ran(re.findall(r"\{([^{}]*)\}", command), tmp_path)
    (movie,) = (tmp_path / "out/shots").glob("*.mov")
    written = movie.stat().st_mtime_ns
    assert not list((tmp_path / "out/shots/.V1_001_sh.mov.tasks/frames").iterdir())  # they are in the movie
    done = scumble(*words)
    assert done.returncode == 0, done.stderr
    assert "1 painted" in done.stderr
    assert movie.stat().st_mtime_ns == written
    assert [p.name for p in (tmp_path / "out/shots").iterdir()] == [movie.name]  # nothing is left of the queue's work
    assert scumble(*words, "--to", "tractor").stdout == ""  # nothing more to do
