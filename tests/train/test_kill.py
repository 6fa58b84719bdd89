"""Training that is killed or stopped and goes on gives the bits of a run that nobody disturbed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from helpers.command import scumble
from helpers.killing import STEPS, arguments
from safetensors.numpy import load_file


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, dataset: Path) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = scumble(*arguments(folder, dataset), "-o", folder / "run")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def assert_equal(run: Path, other: Path) -> None:
    """All weights, moments and averages, the journal, and every fact but the time that it took."""
    for name in ("resume", "best", "travel"):
        a, b = (load_file(folder / f"{name}.safetensors") for folder in (run, other))
        assert a.keys() == b.keys()
        assert not [key for key in a if not np.array_equal(a[key], b[key])]
    assert (run / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()
    cards = [json.loads((folder / "card.json").read_text()) | {"seconds": 0} for folder in (run, other)]
    assert cards[0] == cards[1]
    grids = [sorted(p.name for p in (folder / "grids").iterdir()) for folder in (run, other)]
    assert grids[0] == grids[1]


@pytest.mark.full
@pytest.mark.parametrize("at", [1, 17])
def test_n_steps_and_the_rest_are_all_steps(at: int, undisturbed: Path, tmp_path: Path, dataset: Path) -> None:
    command = [*arguments(tmp_path, dataset), "-o", str(tmp_path / "run")]
    first = scumble(*command, "--stop-at", at)
    assert first.returncode == 0, first.stderr
    assert f"stopped at step {at}" in first.stderr
    assert not (tmp_path / "run" / "card.json").exists()
    assert "holds a run already" in scumble(*command).stderr  # hours of work are not overwritten by a repeated line
    second = scumble(*command, "--resume", tmp_path / "run")
    assert second.returncode == 0, second.stderr
    assert_equal(tmp_path / "run", undisturbed)


def lines_of(journal: Path) -> int:
    return len(journal.read_bytes().splitlines()) if journal.exists() else 0


def kill_at_random(command: list[str], run: Path, kills: int, rng: random.Random) -> list[int]:
    """Start, SIGKILL some steps later at a random moment, and again, until a run ends by itself.

    Returns the length of the journal at every kill.
    """
    executable = Path(sys.executable).with_name("scumble")
    journal = run / "metrics.jsonl"
    found: list[int] = []
    while True:
        more = ["--resume", str(run)] if run.exists() else []
        # the first falls before there is a checkpoint, or while it is written
        wanted = lines_of(journal) + (rng.randrange(1, 4) if found else 0)
        with subprocess.Popen(
            [executable, *command, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            if len(found) < kills:
                while process.poll() is None and (not journal.exists() or lines_of(journal) < wanted):
                    time.sleep(0.01)
                time.sleep(rng.uniform(0, 0.3))
                process.kill()
            _, said = process.communicate(timeout=600)
        if process.returncode == -signal.SIGKILL:
            found.append(lines_of(journal))
            continue
        assert process.returncode == 0, said.decode()
        return found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.full
@pytest.mark.parametrize(("kills", "steps"), [(2, STEPS), (10, 160)])
def test_sigkill_at_random_moments(kills: int, steps: int, undisturbed: Path, tmp_path: Path, dataset: Path) -> None:
    command = [*arguments(tmp_path, dataset), "--steps", str(steps)]
    if steps != STEPS:
        undisturbed = tmp_path / "undisturbed"
        assert scumble(*command, "-o", undisturbed).returncode == 0
    # a fixed seed: which step a kill meets differs from machine to machine all the same
    found = kill_at_random([*command, "-o", str(tmp_path / "run")], tmp_path / "run", kills, random.Random(kills))
    assert len(found) == kills
    assert found == sorted(set(found))  # every start went on from the one before
    assert_equal(tmp_path / "run", undisturbed)
    assert not list((tmp_path / "run").glob(".*.part*"))


@pytest.mark.full
def test_killed_before_the_first_checkpoint_was_whole(undisturbed: Path, tmp_path: Path, dataset: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "metrics.jsonl").write_text('{"step": 2, "total": 1.0}\n')
    shutil.copy(undisturbed / "best.safetensors", run)
    (run / ".resume.123.part.safetensors").write_bytes(b"half")
    done = scumble(*arguments(tmp_path, dataset), "-o", run, "--resume", run)
    assert done.returncode == 0, done.stderr
    assert "beginning anew" in done.stderr
    assert_equal(run, undisturbed)
    assert not list(run.glob(".*"))


@pytest.mark.full
def test_a_run_goes_on_in_another_folder_and_is_whole_there(undisturbed: Path, tmp_path: Path, dataset: Path) -> None:
    command = [*arguments(tmp_path, dataset)]
    first, second = tmp_path / "first", tmp_path / "second"
    assert scumble(*command, "-o", first, "--stop-at", 17).returncode == 0
    refused = scumble(*command, "-o", undisturbed, "--resume", first)
    assert refused.returncode == 2
    assert "holds a run already" in refused.stderr
    done = scumble(*command, "-o", second, "--resume", first)
    assert done.returncode == 0, done.stderr
    assert_equal(second, undisturbed)
    assert not (first / "card.json").exists()
    # without -o a run goes on where it is
    done = scumble(*command, "--resume", first)
    assert done.returncode == 0, done.stderr
    assert_equal(first, undisturbed)


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
def test_sigterm_saves_after_the_step_in_hand(undisturbed: Path, tmp_path: Path, dataset: Path) -> None:
    run = tmp_path / "run"
    command = [*arguments(tmp_path, dataset), "-o", str(run), "--set", "run.save_minutes=100.0"]
    executable = Path(sys.executable).with_name("scumble")
    with subprocess.Popen([executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not (run / "grids" / "val_0000007.jpg").exists():
            time.sleep(0.01)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"go on with --resume" in said
    done = scumble(*arguments(tmp_path, dataset), "-o", run, "--resume", run)
    assert done.returncode == 0, done.stderr
    assert_equal(run, undisturbed)
