"""Every error an artist or a farm may see, drawn as a tree.

    ScumbleError                 exit code 1: the work failed
    ├── TrainingFailed           a loss stopped being a number
    ├── NoNetwork                a download that did not come
    └── BadInput                 exit code 2: the user can mend it; a farm must not retry
        ├── BadSettings          a wrong key, type or range in a settings file or flag
        ├── BadLook              a look or weights file that is not one, or does not fit
        ├── BadPlate             a plate, style picture or frame range that cannot be read
        ├── BadOutput            an output that is in the way or cannot be written
        └── NotInstalled         an extra or a download that this command needs

A message is one sentence (or two) that names the file, the frame where there is one, and the remedy.
"""

from __future__ import annotations


class ScumbleError(Exception):
    """Base of all of them; `exit_code` is what the command line ends with."""

    exit_code = 1


class TrainingFailed(ScumbleError):
    """Training stopped by itself; the message names the last good checkpoint."""


class NoNetwork(ScumbleError):
    """Something could not be downloaded; another try may succeed."""


class BadInput(ScumbleError):
    """Something the user gave is wrong and only the user can mend it."""

    exit_code = 2


class NotFound(BadInput):
    """What is asked for by its name is not there, or not there any more."""


class BadSettings(BadInput):
    """A wrong key, type or range; the message names the key, the file and the nearest right key."""


class BadOption(BadSettings):
    """The value of one option, named by its flag without dashes: the command line puts them before it."""


class BadLook(BadInput):
    """A look or weights file that cannot be used."""


class BadPlate(BadInput):
    """A plate, picture or frame range that cannot be used."""


class BadOutput(BadInput):
    """An output path that cannot be used."""


class NotInstalled(BadInput):
    """An optional part is missing; the message says how to get it."""
