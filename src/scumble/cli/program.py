"""The entry point: commands in the order of `--help`, and errors as one sentence with an exit code."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import warnings

import typer

from scumble.cli import terminal
from scumble.cli.apps import ClickException, app, data_app, farm_app, look_app, weights_app
from scumble.cli.doctor import doctor
from scumble.cli.edit import edit
from scumble.cli.encode import encode
from scumble.cli.farm import farm_export
from scumble.cli.grammar import SeveralValues, WithPanels, WithSettings
from scumble.cli.look import look_info, look_make, look_mix
from scumble.cli.quality import evaluate, qc
from scumble.cli.render import matte, render
from scumble.cli.review import sheet, shots
from scumble.cli.studio import studio
from scumble.cli.teach import look_match, look_suggest, look_train
from scumble.cli.terminal import refuse
from scumble.cli.train import data_examples, data_prepare, train, weights_fetch
from scumble.core.errors import BadOption, ScumbleError
from scumble.core.threads import end_with_parent

for _name, _group in (("look", look_app), ("data", data_app), ("farm", farm_app), ("weights", weights_app)):
    app.add_typer(_group, name=_name)

# in the order of `scumble --help`
app.command(cls=WithSettings)(render)
app.command()(encode)
app.command()(matte)
app.command(cls=SeveralValues)(sheet)
app.command()(shots)
app.command(cls=SeveralValues)(edit)
app.command()(train)
app.command(cls=SeveralValues)(evaluate)
app.command()(qc)
app.command(cls=SeveralValues)(studio)
app.command()(doctor)
look_app.command("make")(look_make)
look_app.command("mix")(look_mix)
look_app.command("info")(look_info)
look_app.command("train", cls=SeveralValues)(look_train)
look_app.command("match", cls=SeveralValues)(look_match)
look_app.command("suggest", cls=SeveralValues)(look_suggest)
data_app.command("prepare", cls=SeveralValues)(data_prepare)
data_app.command("examples", cls=SeveralValues)(data_examples)
farm_app.command("export", cls=WithPanels)(farm_export)
weights_app.command("fetch")(weights_fetch)


def main() -> None:
    """Entry point: errors of the tree become one sentence and their exit code."""
    _quiet_libraries()
    # a farm stops a task by SIGTERM, a terminal that closes by SIGHUP: all unwind, so that nothing half-written stays
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _stop)
    if os.environ.get("SCUMBLE_ENDS_WITH_PARENT") and sys.platform == "linux":
        end_with_parent()
    try:
        sys.exit(app(standalone_mode=False))
    except Stopped as stopped:
        refuse(f"stopped{terminal.goes_on and '; '}{terminal.goes_on}", stopped.exit_code)
    except ScumbleError as error:
        refuse(f"--{error}" if isinstance(error, BadOption) else str(error), error.exit_code)
    except ClickException as error:
        if not str(error):  # a group without a command shows its help
            error.show()
            sys.exit(error.exit_code)
        path = error.ctx.command_path if getattr(error, "ctx", None) else "scumble"
        words = error.format_message().rstrip(".").replace("Value error, ", "")
        refuse(f"{words}; see {path} --help", error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError as error:
        refuse(f"not enough memory ({error}); give fewer --lines, or a machine with more", 1)
    except OSError as error:
        # unforeseen, such as a full disk under the printed output
        refuse(f"{error.filename or 'standard output'}: {error.strerror or error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        refuse("stopped", 130)


class Stopped(SystemExit):
    """The command was asked to end by a signal. Typer would turn a KeyboardInterrupt into an exit without a word."""

    def __init__(self, number: int) -> None:
        self.exit_code = 128 + number
        super().__init__(self.exit_code)


def _stop(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # what is unwound is not disturbed by a second one
    raise Stopped(number)


def _quiet_libraries() -> None:
    """Keep stderr to ourselves: libpng, FFmpeg and others write there behind our back.

    What we say goes on to the real stderr, a crash's stack too; `SCUMBLE_DEBUG=1` lets everything through.
    """
    if os.environ.get("SCUMBLE_DEBUG") or sys.stderr is None:
        return
    sys.stderr.flush()
    try:
        real = os.dup(2)
    except OSError:  # closed by the caller
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(real, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(sys.stderr)
    warnings.simplefilter("ignore")
