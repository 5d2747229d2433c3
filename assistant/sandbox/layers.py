"""Which layers of isolation there are, and which of them this machine offers."""

from __future__ import annotations

import enum
import functools

from assistant.errors import AssistantError


class Layer(enum.Enum):
    """How a process is kept in; the value is the name in every verdict."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    SANDBOX_EXEC = "sandbox-exec"
    JOB_OBJECT = "job object"


class SandboxUnavailable(AssistantError):
    """No layer of isolation works on this machine, so nothing untrusted is run."""


@functools.cache
def layers() -> tuple[Layer, ...]:
    """The layers that work on this machine, best first; each was tried once."""
    from assistant.sandbox import bubblewrap

    return (Layer.BUBBLEWRAP,) if bubblewrap.problem() is None else ()


@functools.cache
def unavailable_reason() -> str:
    """Why no layer works, and how to get one; empty when one does."""
    from assistant.sandbox import bubblewrap

    return "" if layers() else f"bubblewrap: {bubblewrap.problem()}"
