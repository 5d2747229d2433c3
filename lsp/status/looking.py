"""Looking at the engine: while it starts and loads, and after it has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from assistant.errors import AssistantError
from lsp.status.state import Figures, Kind, Status, loading_message, ready_message

if TYPE_CHECKING:
    from assistant.client import Inline
    from assistant.client.connection import Connection
    from lsp.engine import Engine

SWITCHED_OFF = "switched off in this editor (option inline)"
POLL_SECONDS = 0.25
_OTHERS = 4
"""Looks at an engine that is loaded and still not ours, until somebody else is using it."""
STARTING = "The engine is starting."
WAITING = "The engine holds another model for another program; waiting until it is free."


async def look(
    engine: Engine, connection: Connection, *, suggests: bool
) -> tuple[Status, Figures] | None:
    """How the engine is; None when the daemon does not run.

    Args:
        engine: whose connection it is.
        connection: the way to it.
        suggests: suggestions are wanted in this editor.

    Raises:
        DaemonProblem: it does not answer.
        EndpointProblem: likewise.
    """
    if not engine.is_local:
        model = (await connection.model_info()).id
        inline = await _inline(engine, suggests)
        ready = Status(
            kind=Kind.READY, message=ready_message(model, inline), model=model, inline=inline
        )
        return ready, Figures()
    health = await connection.health()
    if health is None:
        return None
    told = await connection.status()
    figures, model = _figures(told), str((told.get("model") or {}).get("id", ""))
    if health.get("status") != "ok":
        return _loading(model, health), figures
    inline = await _inline(engine, suggests)
    ready = Status(
        kind=Kind.READY,
        message=ready_message(model, inline),
        model=model,
        inline=inline,
        memory_bytes=figures.memory_bytes,
        queue=(figures.running, figures.waiting),
    )
    return ready, figures


async def _inline(engine: Engine, suggests: bool) -> Inline:
    """Who completes in a line, or why nobody does."""
    from assistant.client.types import Inline

    return await engine.inline() if suggests else Inline(reason=SWITCHED_OFF)


def opening(engine: Engine) -> Status:
    """A connection is being opened, and this is all that is known of it."""
    url = engine.resolved().settings.endpoint.url
    return Status(kind=Kind.STARTING, message=f"Connecting to {url}." if url else STARTING)


async def watch_opening(engine: Engine, show: Callable[[Status], None]) -> None:
    """Show how far the opening of a connection to the daemon is, until cancelled."""
    settings = engine.resolved().settings
    if settings.endpoint.url:
        return
    from assistant.client import Daemon
    from assistant.client.connection import Connection

    name, others = settings.model or "the embedded model", 0
    async with Connection(Daemon(), start=False) as daemon:
        while True:
            try:
                health = await daemon.health() or {}
            except AssistantError:
                return  # it hangs; who opens the connection is told, and tells
            match health.get("status"):
                case "loading":
                    show(_loading(name, health))
                case "ok":
                    others += 1
                    if others == _OTHERS:
                        show(Status(kind=Kind.STARTING, message=WAITING))
                case _:
                    others = 0
                    show(Status(kind=Kind.STARTING, message=STARTING))
            await asyncio.sleep(POLL_SECONDS)


def _loading(model: str, health: dict[str, Any]) -> Status:
    progress = float(health.get("progress") or 0.0)
    return Status(
        kind=Kind.LOADING,
        message=loading_message(model, progress),
        progress=progress,
        model=model,
    )


def _figures(told: dict[str, Any]) -> Figures:
    queue = told.get("queue") or {}
    engines = [one for one in (told.get("engines") or {}).values() if isinstance(one, dict)]
    return Figures(
        memory_bytes=told.get("memory_bytes"),
        running=queue.get("running", 0),
        waiting=queue.get("waiting", 0),
        tokens=sum(one.get("generated_tokens", 0) for one in engines),
        seconds=sum(one.get("generated_seconds", 0.0) for one in engines),
    )
