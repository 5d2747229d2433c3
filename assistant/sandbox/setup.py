"""From a layer to a command line, and to the first message: what the process gives up."""

from __future__ import annotations

import functools
import marshal
import os
from dataclasses import asdict
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from assistant.sandbox import seccomp, view
from assistant.sandbox.layers import Layer, SandboxUnavailable
from assistant.sandbox.lifetime import Process, start
from assistant.sandbox.limits import Limits

if TYPE_CHECKING:
    from assistant.sandbox.project import Shown

_FUTURE = "from __future__ import annotations\n"
_DESCRIPTORS = ("{info}", "{filter}", "{words}")
_INSIDE = Path(__file__).with_name("inside")
_PACKAGE = Path(__file__).parents[1]
# A format that every Python since 3.4 reads: a project's may be another than ours.
_MARSHAL = 4


def started(layer: Layer, limits: Limits, stdin: bytes, shown: Shown | None = None) -> Process:
    """Start the interpreter in `layer`; it waits for the first message.

    Raises:
        SandboxUnavailable: the system refuses another process, pipe or file.
    """
    seen = shown.python if shown else view.bare()
    python = [seen.executable, *seen.flags, "-c", _text(_INSIDE / "start.py")]
    # Of the layers the one that is used: each import is a part of a verdict's time.
    if layer is Layer.BUBBLEWRAP:
        from assistant.sandbox import bubblewrap

        roots, masked = ((shown.root,), shown.masked) if shown else ((), ())
        line = bubblewrap.command(limits, seen, _DESCRIPTORS, roots, masked)
        return start(
            [*line, *python],
            environment=view.ENVIRONMENT,
            folder="/",
            stdin=stdin,
            filters=seccomp.early(),
            last_words=bubblewrap.LAST_WORDS,
        )
    if layer is Layer.SANDBOX_EXEC:
        if shown:
            raise SandboxUnavailable("There is no view of a project under sandbox-exec yet.")
        from assistant.sandbox import sandbox_exec

        python = [*sandbox_exec.command(seen), *python]
    from assistant.sandbox import landlock

    folder = landlock.working_folder()
    return start(python, environment=view.ENVIRONMENT, folder=folder, stdin=stdin)


def nursery(limits: Limits, control: int) -> Process:
    """Start an interpreter that forks (`assistant.sandbox.nursery`), in the layer `bubblewrap`.

    Raises:
        SandboxUnavailable: the system refuses another process, pipe or file.
    """
    from assistant.sandbox import bubblewrap

    seen = view.bare()
    # The child goes on where any other process begins.
    text = _text(_INSIDE / "nursery.py") + _text(_INSIDE / "start.py").replace(_FUTURE, "")
    line = bubblewrap.command(limits, seen, _DESCRIPTORS, first=True)
    return start(
        [*line, seen.executable, *seen.flags, "-c", text],
        environment=view.ENVIRONMENT,
        folder="/",
        filters=seccomp.forking(),
        last_words=bubblewrap.LAST_WORDS,
        control=control,
    )


def message(
    layer: Layer,
    limits: Limits,
    program: Path,
    shown: Shown | None = None,
    *,
    born: bool = False,
) -> bytes:
    """The first message to the process; `born` in a nursery, it has a weaker filter on."""
    namespaces = layer is Layer.BUBBLEWRAP
    filtered = namespaces and not born
    # Compiled code is for our own Python alone.
    own = shown is None or shown.python.executable == view.bare().executable
    code = _code if own else _text
    setup: dict[str, Any] = {
        "limits": asdict(limits),
        "bootstrap": code(_INSIDE / "bootstrap.py"),
        "program": code(program),
        "own_namespace": namespaces,
        "kernel": layer in (Layer.BUBBLEWRAP, Layer.LANDLOCK),
        "parent": 0 if namespaces else os.getpid(),
        "rules": None if namespaces else _rules(shown),
        "filters": [seccomp.late()] if filtered else [seccomp.early(), seccomp.late()],
        "no_truncation": seccomp.no_truncation(),
        "own_pid": seccomp.OWN_PID.to_bytes(4, "little"),
    }
    return marshal.dumps(setup, _MARSHAL)


def _rules(shown: Shown | None) -> dict[str, Any]:
    from assistant.sandbox import landlock

    if shown is None:
        return landlock.rules(view.bare())
    return landlock.rules(shown.python, shown.folders, shown.listed, shown.files)


@functools.cache
def _text(file: Path) -> str:
    return file.read_text("utf-8")


@functools.cache
def _code(file: Path) -> Any:
    """What marshal can send of a program: here the compiled code."""
    return compiled(file, "<worker>")


def compiled(file: Path, name: str) -> CodeType:
    """The code of a program, called `name` in what it says; that of our own from Python's cache.

    Compiling them all would cost a sixth of a verdict's time.
    """
    own = file.parent.name == "inside" and _PACKAGE in file.parents
    code = SourceFileLoader("program", str(file)).get_code("program") if own else None
    if code is not None:
        return _named(code, name)
    return compile(_text(file), name, "exec", dont_inherit=True)


def _named(code: CodeType, name: str) -> CodeType:
    """The same code without the path of its file, which is nobody's business inside."""
    parts = tuple(_named(c, name) if isinstance(c, CodeType) else c for c in code.co_consts)
    return code.replace(co_filename=name, co_consts=parts)
