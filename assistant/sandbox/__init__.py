"""Running an untrusted Python program: isolated, bounded, and gone afterwards.

A `Sandbox` is one fresh process in the best layer of isolation that the machine offers, with a
channel of frames to it. Deliberately absent: verdicts and values (`assistant.checks`),
and any way to run without isolation.
"""

from typing import TYPE_CHECKING, Any

from assistant.sandbox.endings import Ended, Ending
from assistant.sandbox.layers import Layer, SandboxUnavailable, layers, unavailable_reason
from assistant.sandbox.limits import Limits
from assistant.sandbox.process import Sandbox

if TYPE_CHECKING:
    from assistant.sandbox.project import Project

__all__ = [
    "Ended",
    "Ending",
    "Layer",
    "Limits",
    "Project",
    "Sandbox",
    "SandboxUnavailable",
    "layers",
    "unavailable_reason",
]


def __getattr__(name: str) -> Any:
    """`Project`, imported when it is asked for: a check without one is spared its import."""
    if name != "Project":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from assistant.sandbox.project import Project

    return Project
