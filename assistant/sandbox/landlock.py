"""The layer `landlock`: rules of the kernel that the process puts on itself, without a helper.

Reading is allowed where Python lies, writing nowhere but into /dev/null, and the filter of system
calls does the rest: no process, no socket, nothing that Landlock does not cover (modes, times,
attributes, flags and leases of files, signals). It needs Linux 5.13, and neither namespaces nor a
program.

The oldest version of Landlock that is accepted is the first. What later ones added is used where
it is there: truncation (3) is refused by the filter before, network (4), devices (5), signals and
abstract sockets (6) by the filter always. What stays visible is names: whether a path exists, its
size and its times.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from assistant import locations
from assistant.errors import AssistantError
from assistant.sandbox import seccomp, syscalls
from assistant.sandbox.view import View

NEWEST = 7
"""The newest version whose rights the process names; a newer kernel knows them all."""


def rules(
    view: View, folders: Iterable[str] = (), listed: Iterable[str] = (), files: Iterable[str] = ()
) -> dict[str, Any]:
    """What the process is told to allow itself.

    Args:
        view: of Python.
        folders: to be readable with all that is below them.
        listed: folders whose content may be listed, with all below.
        files: to be readable.
    """
    paths = [Path(path) for path in view.paths]
    return {
        "newest": NEWEST,
        "folders": [*(str(path) for path in paths if path.is_dir()), *folders],
        "listed": [*listed, working_folder()],
        "files": [*(str(path) for path in paths if not path.is_dir()), *files, "/dev/urandom"],
        "written": ["/dev/null"],
    }


def working_folder() -> str:
    """An empty folder to start in. Nothing is ever written there, so one serves all."""
    try:
        folder = locations.cache_dir() / "empty"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, AssistantError):
        return "/"  # the disk is full, for example; what is there can not be listed
    return str(folder)


def missing() -> str | None:
    """What is not there that the layer needs, without trying it."""
    if not sys.platform.startswith("linux"):
        return "it is part of Linux"
    return seccomp.problem(syscalls.machine())


def explain(message: str) -> str:
    """A failed start in words: what the process said, and the likely cause."""
    if "Landlock, or does not have it" in message:
        return f"{message}; it needs Linux 5.13 with landlock among the active security modules"
    return message or "the process ended without a word"
