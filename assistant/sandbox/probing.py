"""Trying a layer for real, and remembering on disk that it worked.

What is remembered holds for one boot of one kernel, one Python and one bwrap. Only success is:
that a layer does not work may change at any moment, by the user's own doing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

from assistant import __version__, locations
from assistant.errors import AssistantError
from assistant.sandbox.endings import Ended
from assistant.sandbox.layers import Layer

_PROGRAM = Path(__file__).with_name("inside") / "probe.py"
_KEPT_IN = b"kept in"


def tried(layer: Layer) -> str | None:
    """Start a whole sandbox in `layer`; why it does not hold, or None when it does."""
    from assistant.sandbox.process import Sandbox

    try:
        with Sandbox(_PROGRAM, layer=layer, proven=True) as box:
            found = box.receive()
    except AssistantError as error:
        return error.message.removeprefix(f"{layer.value}: ")
    except Ended as ended:
        return ended.detail
    return None if found == _KEPT_IN else f"it lets out: {found.decode('utf-8', 'replace')[:200]}"


def remembered(layer: Layer) -> bool:
    """Whether `layer` worked before in the state in which the machine is."""
    try:
        found = json.loads(_file().read_text("utf-8"))
        return found["state"] == _state() and layer.value in found["works"]
    except (OSError, ValueError, KeyError, TypeError, AssistantError):
        return False


def remember(layer: Layer) -> None:
    """Note that `layer` works; nothing is noted where nothing can be written."""
    works = [other.value for other in Layer if other is layer or remembered(other)]
    _write({"state": _state(), "works": works})


def forget(layer: Layer) -> None:
    """Take the note back."""
    if remembered(layer):
        works = [other.value for other in Layer if other is not layer and remembered(other)]
        _write({"state": _state(), "works": works})


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


def _state() -> str:
    """A digest of all that decides whether a layer works, as far as it can be seen."""
    parts = [__version__, sys.executable, sys.version, *_user()]
    for name in ("/proc/sys/kernel/random/boot_id", "/proc/version", "/proc/self/uid_map"):
        with contextlib.suppress(OSError):
            parts.append(Path(name).read_text())
    for program in (shutil.which("bwrap"), sys.executable):
        with contextlib.suppress(OSError):
            if program:
                status = Path(program).stat()
                parts.append(f"{program} {status.st_mtime_ns} {status.st_size}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _user() -> list[str]:
    return [str(os.getuid())] if hasattr(os, "getuid") else []
