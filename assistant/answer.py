"""From a task to the events of its answer; the one path that every front end takes.

    task -> generation -> Reasoning | Code -> checks -> Verdict -> Done | Failed

One answer by itself is run here; several candidates in `candidates`, one that is written again
when it fails in `repair`. An explanation (`TaskKind.EXPLAIN`) holds no code: it is `Reasoning` of
the section `EXPLANATION`, or of the four sections, with the code that it quotes in its fences; its
verdict is `not checked`.

Whatever happens, exactly one terminal event comes, and it comes last. Closing the generator
closes the HTTP stream, which cancels the request in the daemon, and kills a check that runs.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from assistant.errors import AssistantError
from assistant.events import Done, Event, Failed, Verdict
from assistant.generation import (
    AnswerOptions,
    Connection,
    Generation,
    PromptProgress,
    chat_request,
    names_given,
)
from assistant.judging import judged
from assistant.tasks import Task, TaskKind

if TYPE_CHECKING:
    from assistant.candidates import Several
    from assistant.repair import Repaired

__all__ = [
    "AnswerOptions",
    "Connection",
    "PromptProgress",
    "answer",
    "chat_request",
    "names_given",
]

log = logging.getLogger(__name__)


async def answer(
    task: Task, connection: Connection, options: AnswerOptions | None = None
) -> AsyncGenerator[Event | PromptProgress, None]:
    """Answer `task` over `connection`.

    Yields:
        Reasoning and code as they come, prompt progress before them, the verdict on the final
        candidate, and last one `Done` or `Failed`. No exception of ours leaves the generator:
        an error's message and hint are the reason of `Failed`.
    """
    run = _run_of(task, options or AnswerOptions())
    try:
        async with aclosing(run.events(connection)) as events:
            async for event in events:
                yield event
        last: Done | Failed = run.terminal()
    except AssistantError as error:
        log.debug("the answer failed", exc_info=True)
        last = Failed(run.candidate, str(error))
    except Exception as error:
        # A bug of ours; the front end still gets its terminal event, the log the traceback.
        log.exception("the answer failed unexpectedly")
        reason = f"Unexpected {type(error).__name__}: {error}. This is a bug in the assistant."
        last = Failed(run.candidate, reason)
    yield last


def _run_of(task: Task, options: AnswerOptions) -> _Single | Repaired | Several:
    if task.kind is TaskKind.EXPLAIN:  # words have no verdict that could choose among them
        return _Single(task, replace(options, candidates=1))
    if options.candidates == 1 and not (options.repairs and options.verify):
        return _Single(task, options)
    if options.candidates == 1:
        from assistant.repair import Repaired

        return Repaired(task, options)
    from assistant.candidates import Several

    return Several(task, options)


@dataclass(slots=True)
class _Single:
    """One generation and its verdict."""

    task: Task
    options: AnswerOptions
    generation: Generation = field(init=False)

    def __post_init__(self) -> None:
        self.generation = Generation(self.task, self.options)

    @property
    def candidate(self) -> int:
        return self.generation.candidate

    async def events(self, connection: Connection) -> AsyncGenerator[Event | PromptProgress, None]:
        """What is generated, then the verdict on it."""
        info = await connection.model_info()
        async with aclosing(self.generation.events(connection, info)) as events:
            async for event in events:
                yield event
        if self.generation.refusal() is None:
            result = await judged(self.generation)
            yield Verdict(self.candidate, result.outcome, result.layer, result.detail)

    def terminal(self) -> Done | Failed:
        """The last event, once the stream has ended without an error."""
        if refusal := self.generation.refusal():
            return Failed(self.candidate, refusal)
        return Done(self.candidate, self.generation.stats())
