"""The way to a model: the user's daemon, or an OpenAI-compatible endpoint.

    types.py       targets, requests, and the chunks of an answer
    dialect.py     their JSON
    filling.py     that of filling in the middle
    start.py       starting the daemon, once for all clients
    stop.py        ending it, even when it hangs
    transport.py   the HTTP clients
    renewing.py    what a cancelled request leaves behind in them
    readiness.py   waiting until the daemon holds the right model
    connection.py  connect, ask, cancel

The HTTP library is loaded when `connect`, `running` or `Connection` is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assistant.client.types import (
    ChatRequest,
    Chunk,
    Daemon,
    Delta,
    Endpoint,
    FileText,
    FillRequest,
    Finished,
    Forced,
    Inline,
    ModelInfo,
    Progress,
    Target,
)

if TYPE_CHECKING:
    from assistant.client.connection import Connection, connect, running

__all__ = [
    "ChatRequest",
    "Chunk",
    "Connection",
    "Daemon",
    "Delta",
    "Endpoint",
    "FileText",
    "FillRequest",
    "Finished",
    "Forced",
    "Inline",
    "ModelInfo",
    "Progress",
    "Target",
    "connect",
    "running",
]


def __getattr__(name: str) -> Any:
    if name in ("Connection", "connect", "running"):
        from assistant.client import connection

        return getattr(connection, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
