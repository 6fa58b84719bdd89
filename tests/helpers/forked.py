"""Commands run by copies of one process that has imported everything: the same `main`, without two seconds of imports.

`python -m helpers.forked` reads a line of JSON a command (arguments, folder, environment, files for stdout and
stderr), forks, runs the command line in the copy, and answers with its exit code. Linux only: elsewhere, and for
whatever needs more, `helpers.command` starts the installed command.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from functools import cache
from importlib.util import find_spec
from pathlib import Path

WANTED = (
    "scumble.cli.program",
    "scumble.rendering.run",
    "scumble.rendering.contact_sheet",
    "scumble.look.making",
    "scumble.quality.qc",
    "scumble.quality.evaluate",
    *(
        ("scumble.train.train_look", "scumble.train.match.refine", "scumble.train.data.prepare")
        if find_spec("torch")
        else ()
    ),
)


class Forks:
    """One such process, for one process of tests."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "helpers.forked"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.lock = threading.Lock()

    def run(self, arguments: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """The command with these arguments, to its end."""
        with tempfile.TemporaryDirectory(prefix="scumble-") as text:
            outputs = [str(Path(text) / name) for name in ("stdout", "stderr")]
            asked = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "outputs": outputs}
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            with self.lock:
                self.process.stdin.write(json.dumps(asked) + "\n")
                self.process.stdin.flush()
                code = int(self.process.stdout.readline())
            said = [Path(path).read_text("utf-8", errors="strict") for path in outputs]
        return subprocess.CompletedProcess(["scumble", *arguments], code, *said)


AT_IMPORT = ("TORCH_COMPILE_DISABLE", "PYTHONPATH")  # read when modules are imported: a copy would not see a change


STARTING = threading.Lock()


def forks() -> Forks:
    """The process for the environment of this moment."""
    with STARTING:  # two threads would start one each
        return _forks(tuple(os.environ.get(name) for name in AT_IMPORT))


@cache
def _forks(at_import: tuple[str | None, ...]) -> Forks:
    return Forks()


def serve() -> None:
    """Import, then fork for every line."""
    from importlib import import_module

    for name in WANTED:
        import_module(name)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(**asked)
        status = os.waitpid(child, 0)[1]
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


def _command(arguments: list[str], cwd: str, environment: dict[str, str], outputs: list[str]) -> None:
    """The command line in the copy, which ends here."""
    code = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for number, path in enumerate(outputs, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(cwd)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["scumble", *arguments]
        from scumble.cli import main

        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
