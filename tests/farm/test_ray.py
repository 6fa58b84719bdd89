"""A Ray cluster on this machine: a head and three machines on loopback, each with a folder of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.numbered import numbered_movie, numbered_sequence

pytest.importorskip("ray")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 and the like are this machine on Linux"),
]

RAY = Path(sys.executable).with_name("ray")

PORT = 26379

ADDRESS = f"127.0.0.2:{PORT}"

TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "ab" * 32, "RAY_USAGE_STATS_ENABLED": "0"}

ENVIRONMENT = {**os.environ, **TOKEN, "PATH": f"{RAY.parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}


class Cluster:
    """Machines by the last number of their address; 2 is the head, on which nothing runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.machines: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, number: int) -> None:
        """Ray's machines must start one after the other."""
        home = self.folder / f"machine {number}"
        home.mkdir(exist_ok=True)
        words = ["start", "--block", "--node-ip-address", f"127.0.0.{number}"]
        if number == 2:
            words += ["--head", "--port", str(PORT), "--num-cpus", "0", "--include-dashboard=false"]
            words += ["--temp-dir", "/tmp/scumble-ray"]  # sockets have short names
        else:
            words += ["--address", ADDRESS, "--num-cpus", "1"]
        with (home / "log").open("wb") as log:
            self.machines[number] = subprocess.Popen(
                [RAY, *words], cwd=home, stdout=log, stderr=log, env=ENVIRONMENT, start_new_session=True
            )
        until = time.monotonic() + 60
        while b"started" not in (home / "log").read_bytes():
            assert time.monotonic() < until, (home / "log").read_text()
            time.sleep(0.3)

    def kill(self, number: int) -> None:
        """As a machine that loses its power."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"raylet/raylet" in words and f"node_ip_address=127.0.0.{number}".encode() in words:
                os.kill(int(process.name), signal.SIGKILL)
                return
        pytest.fail(f"machine {number} does not run")

    def stop(self) -> None:
        for machine in reversed(self.machines.values()):
            machine.send_signal(signal.SIGTERM)
        for machine in self.machines.values():
            try:
                machine.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(machine.pid, signal.SIGKILL)
                machine.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    try:
        for number in (2, 3, 4, 5):
            made.start(number)
        yield made
    finally:
        made.stop()


def words(plate: Path, output: Path, *more: str) -> list[str]:
    command = [sys.executable, "-P", "-m", "scumble.cli", "render", plate, "-o", output, "--look", "auvers"]
    return [*map(str, command), "--lines", "64", *more]


def frames(folder: Path) -> list[Path]:
    return sorted(folder.glob("x.*.png"))


def started(command: list[str], folder: Path, count: int) -> subprocess.Popen[str]:
    """A render that has written so many frames."""
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)
    until = time.monotonic() + 120
    while len(frames(folder)) < count:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < until
        time.sleep(0.1)
    return running


def test_a_machine_is_lost_and_then_all_of_them(cluster: Cluster, tmp_path: Path) -> None:
    plate = tmp_path / "plate/sh.####.png"
    numbered_sequence(plate, range(1001, 1097))
    done = subprocess.run(words(plate, tmp_path / "local/x.####.png"), env=ENVIRONMENT, check=False)
    assert done.returncode == 0
    command = words(plate, tmp_path / "ray/x.####.png", "--ray", ADDRESS, "--chunk", "8")
    running = started(command, tmp_path / "ray", 20)
    cluster.kill(4)
    out, said = running.communicate(timeout=300)
    assert running.returncode == 0, said
    assert out == ""  # Ray's own words stay away
    assert "raylet" not in said
    local = {p.name: p.read_bytes() for p in frames(tmp_path / "local")}
    assert len(local) == 96
    assert {p.name: p.read_bytes() for p in (tmp_path / "ray").iterdir()} == local

    command = words(plate, tmp_path / "gone/x.####.png", "--ray", ADDRESS, "--chunk", "8")
    running = started(command, tmp_path / "gone", 10)
    cluster.kill(3)
    cluster.kill(5)
    began = time.monotonic()
    _, said = running.communicate(timeout=120)
    assert time.monotonic() - began < 60
    assert running.returncode == 1
    assert "no machine of the cluster" in said
    assert "Traceback" not in said
    before = {p: p.stat().st_mtime_ns for p in frames(tmp_path / "gone")}
    assert 10 <= len(before) < 96
    cluster.start(6)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_bytes() for p in (tmp_path / "gone").iterdir()} == local
    assert {p: p.stat().st_mtime_ns for p in before} == before  # nothing was painted twice

    # what a task refuses is a sentence, and not tried again
    picture = tmp_path / "plate/sh.1050.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:-100])
    command = words(plate, tmp_path / "bad/x.####.png", "--ray", ADDRESS, "--chunk", "8")
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("scumble: ")
    assert "sh.1050.png" in done.stderr

    # without the token nobody gets in
    picture.write_bytes(whole)
    without = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(command, env=without, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "RAY_AUTH_TOKEN" in done.stderr


def test_the_head_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    plate = tmp_path / "plate/sh.####.png"
    numbered_sequence(plate, range(1001, 1097))
    command = words(plate, tmp_path / "x/x.####.png", "--ray", ADDRESS, "--chunk", "8")
    running = started(command, tmp_path / "x", 10)
    os.killpg(cluster.machines[2].pid, signal.SIGKILL)
    began = time.monotonic()
    _, said = running.communicate(timeout=120)
    assert time.monotonic() - began < 60
    assert running.returncode == 1
    assert "head" in said
    assert "Traceback" not in said


def test_a_cluster_of_this_machine_alone_paints_a_movie(tmp_path: Path) -> None:
    numbered_movie(tmp_path / "sh.mov", 24)
    for name, more in (("one", ()), ("ray", ("--ray", "local", "--chunk", "9"))):
        command = words(tmp_path / "sh.mov", tmp_path / name / "x.mov", *more)
        environment = {name: value for name, value in ENVIRONMENT.items() if name not in TOKEN}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "one/x.mov").read_bytes() == (tmp_path / "ray/x.mov").read_bytes()
    assert [p.name for p in (tmp_path / "ray").iterdir()] == ["x.mov"]


def test_a_task_that_no_machine_fits_is_a_sentence(tmp_path: Path) -> None:
    numbered_sequence(tmp_path / "sh.####.png", range(1, 9))
    more = ("--ray", "local", "--ray-cpus", "1000", "--chunk", "4")
    command = words(tmp_path / "sh.####.png", tmp_path / "x.####.png", *more)
    began = time.monotonic()
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 90
    assert done.returncode == 1
    assert "1000 CPU" in done.stderr
