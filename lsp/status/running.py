"""A command with progress, and a cancel button that ends it like the request's cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from lsprotocol import types

from assistant.errors import AssistantError
from lsp.progress import Progress

if TYPE_CHECKING:
    from lsp.server import AssistantServer

T = TypeVar("T")


async def with_progress(
    server: AssistantServer,
    title: str,
    token: types.ProgressToken | None,
    work: Callable[[Progress], Coroutine[Any, Any, T]],
) -> T | None:
    """Run `work`; None when its cancel button was pressed.

    Raises:
        AssistantError: from the work.
        asyncio.CancelledError: the request was cancelled.
    """
    current = asyncio.current_task()
    assert current is not None
    pressed = False

    def cancel() -> None:
        nonlocal pressed
        pressed = True
        task.cancel()

    progress = server.tokens.begin(title, token, cancel)
    task = asyncio.create_task(work(progress))
    last_words = "stopped"
    try:
        result = await task
        last_words = "done"
        return result
    except asyncio.CancelledError:
        if not pressed or current.cancelling():
            raise
        return None
    except AssistantError:
        last_words = "failed"
        raise
    finally:
        server.tokens.end(progress, last_words)
