"""From a layer to a command line, and to the first message: what the process gives up."""

from __future__ import annotations

import functools
import marshal
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.sandbox import bubblewrap, landlock, sandbox_exec, seccomp, view
from assistant.sandbox.layers import Layer
from assistant.sandbox.lifetime import Process, start
from assistant.sandbox.limits import Limits

_INSIDE = Path(__file__).with_name("inside")
# A format that every Python since 3.4 reads: a project's may be another than ours.
_MARSHAL = 4


def started(layer: Layer, limits: Limits, stdin: bytes) -> Process:
    """Start the interpreter in `layer`; it waits for the first message.

    Raises:
        SandboxUnavailable: the system refuses another process, pipe or file.
    """
    seen = view.bare()
    python = [seen.executable, *seen.flags, "-c", _text(_INSIDE / "start.py")]
    if layer is Layer.BUBBLEWRAP:
        line = bubblewrap.command(limits, seen, "{info}", "{filter}")
        return start(
            [*line, *python],
            environment=view.ENVIRONMENT,
            folder="/",
            stdin=stdin,
            filters=seccomp.early(),
        )
    if layer is Layer.SANDBOX_EXEC:
        python = [*sandbox_exec.command(seen), *python]
    folder = landlock.working_folder()
    return start(python, environment=view.ENVIRONMENT, folder=folder, stdin=stdin)


def message(layer: Layer, limits: Limits, program: Path) -> bytes:
    """The first message to the process."""
    namespaces = layer is Layer.BUBBLEWRAP
    setup: dict[str, Any] = {
        "limits": asdict(limits),
        "bootstrap": _code(_INSIDE / "bootstrap.py"),
        "program": _code(program),
        "own_namespace": namespaces,
        "kernel": layer in (Layer.BUBBLEWRAP, Layer.LANDLOCK),
        "parent": 0 if namespaces else os.getpid(),
        "rules": None if namespaces else landlock.rules(view.bare()),
        "filters": [seccomp.late()] if namespaces else [seccomp.early(), seccomp.late()],
        "no_truncation": seccomp.no_truncation(),
        "own_pid": seccomp.OWN_PID.to_bytes(4, "little"),
    }
    return marshal.dumps(setup, _MARSHAL)


@functools.cache
def _text(file: Path) -> str:
    return file.read_text("utf-8")


@functools.cache
def _code(file: Path) -> Any:
    """What marshal can send of a program: here the compiled code."""
    return compile(_text(file), "<worker>", "exec", dont_inherit=True)
