"""The layer `sandbox-exec` of macOS. **Written, untested**: nobody has run it on a Mac yet.

`sandbox-exec` is deprecated and has no successor for command-line programs. The profile denies
everything that it does not name; what Python needs to start was taken from public reports. There
is no temporary folder: nothing can be written. Memory is not bounded by the kernel there, so the
parent looks at it ten times a second; processor time is, by a limit.

Like every layer it is tried before it is used: where the profile lets something out, or keeps
Python from starting, the layer counts as missing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from assistant.sandbox.view import View

_PROGRAM = "/usr/bin/sandbox-exec"
# What the dynamic linker and the start of Python read, beside Python itself.
_SYSTEM = ("/usr/lib", "/System/Library", "/System/Volumes/Preboot/Cryptexes", "/Library/Apple")
_PROFILE = """(version 1)
(deny default)
(deny process-fork)
(deny network*)
(allow process-exec (literal {executable}))
(allow signal (target self))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read* (literal "/") (literal "/dev/urandom") (literal "/dev/random"))
(allow file-read* file-write-data (literal "/dev/null"))
(allow file-read* {folders})
(allow file-map-executable {folders})
"""


def command(view: View) -> list[str]:
    """The start of the command line; the interpreter and its arguments follow."""
    folders = " ".join(f"(subpath {_quoted(path)})" for path in (*view.paths, *_SYSTEM))
    profile = _PROFILE.format(executable=_quoted(view.executable), folders=folders)
    return [_PROGRAM, "-p", profile]


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def missing() -> str | None:
    """What is not there that the layer needs, without trying it."""
    if sys.platform != "darwin":
        return "it is part of macOS"
    return None if Path(_PROGRAM).exists() else f"{_PROGRAM} does not exist"


def explain(message: str) -> str:
    """A failed start in words."""
    return message or "the process ended without a word"
