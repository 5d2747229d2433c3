"""Which layers of isolation there are, and which of them this machine offers.

A layer counts as usable when a whole sandbox was started in it: options, rules and limits
included. That is done once for a state of the machine and remembered on disk; that a layer does
not work is never remembered there, because the user may be mending it.
"""

from __future__ import annotations

import enum
import importlib
import sys
import threading
from types import ModuleType

from assistant.errors import AssistantError


class Layer(enum.Enum):
    """How a process is kept in; the value is the name in every verdict."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    SANDBOX_EXEC = "sandbox-exec"
    JOB_OBJECT = "job object"


_SYSTEMS = {
    Layer.BUBBLEWRAP: "linux",
    Layer.LANDLOCK: "linux",
    Layer.SANDBOX_EXEC: "darwin",
    Layer.JOB_OBJECT: "win32",
}


class SandboxUnavailable(AssistantError):
    """No layer of isolation works on this machine, so nothing untrusted is run."""

    @property
    def sentence(self) -> str:
        """Message and hint on one line, as a verdict says it."""
        return f"{self.message} {self.hint}".rstrip()


_problems: dict[Layer, str | None] = {}
"""What was found out in this process: why a layer does not work, or None when it does."""
_trying = threading.RLock()


def layers() -> tuple[Layer, ...]:
    """The layers that work on this machine, best first; each was really tried."""
    return tuple(layer for layer in Layer if problem(layer) is None)


def choose(wanted: Layer | None = None) -> Layer:
    """The best layer that works, or the wanted one.

    Raises:
        SandboxUnavailable: there is none.
    """
    for layer in Layer if wanted is None else (wanted,):
        if problem(layer) is None:
            return layer
    reason = unavailable_reason() if wanted is None else f"{wanted.value}: {problem(wanted)}"
    raise SandboxUnavailable(f"Nothing untrusted is run here. {reason}")


def unavailable_reason() -> str:
    """Why no layer works, and how to get one; empty when one does."""
    if layers():
        return ""
    return "; ".join(f"{layer.value}: {problem(layer)}" for layer in of_this_system() or Layer)


def of_this_system() -> tuple[Layer, ...]:
    """The layers that are a part of this operating system, whether they work or not."""
    return tuple(layer for layer, system in _SYSTEMS.items() if sys.platform == system)


def problem(layer: Layer) -> str | None:
    """Why `layer` does not work here, or None when it does."""
    if layer in _problems:  # nearly always, and without waiting for anybody
        return _problems[layer]
    from assistant.sandbox import probing

    with _trying:
        if layer not in _problems:
            found = _module(layer).missing()
            if found is None and not probing.remembered(layer):
                found = probing.tried(layer)
                if found is None:
                    probing.remember(layer)
            _problems[layer] = found
        return _problems[layer]


def tried_anew() -> dict[Layer, str | None]:
    """Why each layer does not work, or None when it does; whatever was found out before."""
    with _trying:
        for layer in Layer:
            forget(layer)
        return {layer: problem(layer) for layer in Layer}


def explain(layer: Layer, message: str) -> str:
    """What a failed start in `layer` said, with the likely cause and the way out."""
    explained: str = _module(layer).explain(message)
    return explained


def forget(layer: Layer) -> None:
    """A layer that was thought to work did not: it is tried again before its next use."""
    from assistant.sandbox import probing

    _problems.pop(layer, None)
    probing.forget(layer)


def _module(layer: Layer) -> ModuleType:
    """What knows the layer, imported when it is asked about: mostly the first one does."""
    return importlib.import_module(f"assistant.sandbox.{layer.name.lower()}")
