"""Trying a layer for real, and remembering on disk that it worked.

What is remembered holds for one boot of one kernel, one Python and one bwrap. Of the layers only
success is: that one does not work may change at any moment, by the user's own doing.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from assistant import __version__, locations
from assistant.errors import AssistantError
from assistant.sandbox.endings import Ended
from assistant.sandbox.layers import Layer, SandboxUnavailable

_PROGRAM = Path(__file__).with_name("inside") / "probe.py"
_KEPT_IN = b"kept in"


def tried(layer: Layer) -> str | None:
    """Start a whole sandbox in `layer`; why it does not hold, or None when it does."""
    from assistant.sandbox.process import Sandbox

    try:
        with Sandbox(_PROGRAM, layer=layer, proven=True) as box:
            found = box.receive()
    except SandboxUnavailable as error:
        return error.sentence.removeprefix(f"{layer.value}: ").removesuffix(".")
    except Ended as ended:
        return ended.detail
    return None if found == _KEPT_IN else f"it lets out: {found.decode('utf-8', 'replace')[:200]}"


def remembered(layer: Layer) -> bool:
    """Whether `layer` worked before in the state in which the machine is."""
    return layer.value in (noted("works") or ())


def remember(layer: Layer) -> None:
    """Note that `layer` works; nothing is noted where nothing can be written."""
    note("works", {*(noted("works") or ()), layer.value})


def forget(layer: Layer) -> None:
    """Take the note back."""
    if remembered(layer):
        note("works", {*(noted("works") or ())} - {layer.value})


def noted(name: str) -> list[str] | None:
    """What was noted under `name` in the state in which the machine is; None when nothing was."""
    words = _content().get(name)
    if isinstance(words, list) and all(isinstance(word, str) for word in words):
        return words
    return None


def note(name: str, words: Iterable[str]) -> None:
    """Keep `words` under `name`, for as long as the machine is in this state."""
    _write(_content() | {"state": _state(), name: sorted(words)})


def _content() -> dict[str, object]:
    """The file, if it is of this state; it is read anew, since others write it."""
    try:
        found = json.loads(_file().read_text("utf-8"))
        return found if found["state"] == _state() else {}
    except (OSError, ValueError, KeyError, TypeError, AssistantError):
        return {}


def _write(content: dict[str, object]) -> None:
    with contextlib.suppress(OSError, AssistantError):
        file = _file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Others may read or write it at the same time: it is replaced as a whole.
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        try:
            draft.write_text(json.dumps(content), "utf-8")
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)


def _file() -> Path:
    return locations.cache_dir() / "sandbox.json"


def _state() -> list[str]:
    """All that decides whether a layer works, as far as it can be seen."""
    from assistant.sandbox import bubblewrap

    parts = [__version__, sys.executable, sys.version, *_user(), *_kernel()]
    for program in (bubblewrap.binary(), sys.executable):
        with contextlib.suppress(OSError):
            if program:
                status = Path(program).stat()
                parts.append(f"{program} {status.st_mtime_ns} {status.st_size}")
    return parts


@functools.cache
def _kernel() -> list[str]:
    """Which boot of which kernel this is; it stays the same for as long as we run."""
    parts = []
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/version", "/proc/self/uid_map"):
        with contextlib.suppress(OSError):
            parts.append(Path(name).read_text())
    return parts


def _user() -> list[str]:
    return [str(os.getuid())] if hasattr(os, "getuid") else []
