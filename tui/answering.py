"""From a prompt to a finished turn, whatever happens on the way.

The only caller of `assistant.answer` in this room. Every way an answer can end is turned into a
phase of the turn here: done, stopped by the user, failed with a reason.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Any, cast

from assistant import locations
from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.client import ChatRequest, Chunk, Connection, Delta
from assistant.errors import AssistantError
from assistant.tasks import Task
from tui.engine_link import EngineLink
from tui.turn import Turn

log = logging.getLogger(__name__)


class Metered:
    """A connection that tells the turn of each token, and when the model has ended.

    The events of an answer are cut by meaning; the speed and the moment at which the check
    begins are only known where the tokens come from.
    """

    def __init__(self, connection: Connection, turn: Turn) -> None:
        self._connection = connection
        self._turn = turn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    async def stream_chat(self, request: ChatRequest) -> AsyncIterator[Chunk]:
        """The chunks of the connection, unchanged."""
        async with aclosing(self._connection.stream_chat(request)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Delta):
                    self._turn.token()
                yield chunk
        self._turn.generated()


async def answer_turn(turn: Turn, link: EngineLink, options: AnswerOptions) -> None:
    """Ask the engine and feed the turn until it is over.

    Args:
        turn: the new turn; its phase tells afterwards how it ended.
        link: where the connection comes from; it is dropped when it has failed.
        options: how to generate and check.

    Raises:
        asyncio.CancelledError: the user stopped the answer; the stream is closed by then.
    """
    try:
        trouble = await trouble_of(_run(turn, link, options))
    except asyncio.CancelledError:
        turn.stop()
        raise
    if trouble:
        turn.fail(trouble)
        await link.drop()


async def _run(turn: Turn, link: EngineLink, options: AnswerOptions) -> None:
    connection = await link.get()
    turn.sent()
    await _stream(turn, Metered(connection, turn), options)
    if not turn.phase.over:
        turn.fail("The answer ended without its last event.")


async def trouble_of(work: Awaitable[object]) -> str:
    """What went wrong in `work`, for the user; empty when nothing did.

    A bug must not take the conversation with it: an unexpected error is told like any other, and
    the log has its traceback.
    """
    try:
        await work
    except AssistantError as error:
        return str(error)
    except Exception as error:
        log.exception("unexpected error")
        hint = f"The log has more: {locations.log_path('tui')}"
        return f"Unexpected {type(error).__name__}: {error}. This is a bug.\n{hint}"
    return ""


async def _stream(turn: Turn, connection: Metered, options: AnswerOptions) -> None:
    events_of = answer(Task(turn.question), cast("Connection", connection), options)
    async with aclosing(events_of) as events:
        async for event in events:
            if isinstance(event, PromptProgress):
                turn.progress(event.processed, event.total)
            else:
                turn.apply(event)
