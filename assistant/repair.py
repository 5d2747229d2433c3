"""One answer that is written again while it does not stand its check.

    answer -> verdict, failed -> answer again -> verdict -> the better of the two

A model that was trained here is drawn from once more; another one is told what the check found
(`assistant.generation.chat_request`). Each attempt is a candidate with a verdict. The best one is
the one to use, by the order of `assistant.candidates`, of equals the first. Its verdict is the
last one and says what else was tried; where it was told before, it is told again.

Nothing that goes wrong in a later attempt loses the first answer.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assistant.candidates import Attempt
from assistant.errors import AssistantError
from assistant.events import Done, Event, Failed
from assistant.generation import AnswerOptions, Connection, Generation, PromptProgress, Rejected
from assistant.judging import judged
from assistant.tasks import Task

if TYPE_CHECKING:
    from assistant.client import ModelInfo

log = logging.getLogger(__name__)

_MOST_TOLD = 200
"""Characters of another attempt's verdict in that of the chosen one."""
_ORDINALS = {1: "first", 2: "second", 3: "third"}


@dataclass(slots=True)
class Repaired:
    """The attempts at one answer; used by `assistant.answer.answer`."""

    task: Task
    options: AnswerOptions
    attempts: list[Attempt] = field(default_factory=list)
    """The last one may be under way."""
    lost: dict[int, str] = field(default_factory=dict)
    """Why an attempt, by its number, has no verdict."""

    @property
    def candidate(self) -> int:
        """The number that an error is told with."""
        return self.attempts[-1].generation.candidate if self.attempts else 0

    async def events(self, connection: Connection) -> AsyncGenerator[Event | PromptProgress, None]:
        """What is generated, and a verdict on each attempt, that on the chosen one last."""
        info = await connection.model_info()
        async with aclosing(self._attempted(connection, info)) as events:
            async for event in events:
                yield event
        while (failed := self._to_repair()) is not None:
            if not failed.told:
                yield failed.verdict()
            async with aclosing(self._attempted_again(connection, info, failed)) as events:
                async for event in events:
                    yield event
        chosen = self._best()
        for one in self.attempts:
            if one.result is not None and not (one.told or one is chosen):
                yield one.verdict()
        if chosen is not None:
            yield chosen.verdict(self._tried(chosen))

    async def _attempted(
        self, connection: Connection, info: ModelInfo, rejected: Rejected | None = None
    ) -> AsyncGenerator[Event | PromptProgress, None]:
        """Generate one answer and check it; the same code twice has one verdict."""
        before = self.attempts[-1].generation if self.attempts else None
        first = before.candidate + 1 if before is not None else 0
        replaces = before.candidate if before is not None else None
        number = len(self.attempts) + 1
        generation = Generation(self.task, self.options, number, first, replaces, rejected)
        attempt = Attempt(generation)
        self.attempts.append(attempt)
        async with aclosing(generation.events(connection, info)) as events:
            async for event in events:
                yield event
        if (refusal := generation.refusal()) is not None:
            self.lost[number] = refusal.partition("\n")[0]
        elif any(one.generation.source == generation.source for one in self.attempts[:-1]):
            self.lost[number] = "The same code came again."
        else:
            attempt.result = await judged(generation)

    async def _attempted_again(
        self, connection: Connection, info: ModelInfo, failed: Attempt
    ) -> AsyncGenerator[Event | PromptProgress, None]:
        """Another attempt: what goes wrong in it is noted, and no more are made."""
        assert failed.result is not None
        found = f"{failed.result.outcome.value}: {failed.result.detail}"
        rejected = Rejected(failed.generation.source, found)
        number = len(self.attempts) + 1
        try:
            async with aclosing(self._attempted(connection, info, rejected)) as events:
                async for event in events:
                    yield event
        except AssistantError as error:
            log.debug("another attempt failed", exc_info=True)
            self.lost[number] = error.message
        except Exception as error:
            log.exception("another attempt failed unexpectedly")
            self.lost[number] = f"Unexpected {type(error).__name__}."

    def _to_repair(self) -> Attempt | None:
        """The attempt to improve on, or None when no more are to be made."""
        last = self.attempts[-1]
        failed = last.result is not None and last.result.outcome.failed
        return last if failed and len(self.attempts) <= self.options.repairs else None

    def _best(self) -> Attempt | None:
        judged_ones = [one for one in self.attempts if one.result is not None]
        return min(judged_ones, key=lambda one: one.order, default=None)

    def _tried(self, chosen: Attempt) -> str:
        """What the verdict on the chosen one says of the others; empty when there are none."""
        if len(self.attempts) == 1:
            return ""
        others = [self._told(one) for one in self.attempts if one is not chosen]
        return "; ".join([f"{_ordinal(chosen)} attempt", *others])

    def _told(self, one: Attempt) -> str:
        if one.result is None:
            reason = self.lost.get(one.generation.attempt, "")
            return f"the {_ordinal(one)} came to nothing: {_short(reason.rstrip('.'))}"
        said = f"{one.result.outcome.value}: {one.result.detail}"
        return f"the {_ordinal(one)} failed: {_short(said)}"

    def terminal(self) -> Done | Failed:
        """The last event, once everything has ended without an error."""
        chosen = self._best()
        if chosen is None:
            first = self.attempts[0].generation
            return Failed(first.candidate, first.refusal() or "No answer was written.")
        return Done(chosen.generation.candidate, chosen.generation.stats())


def _ordinal(attempt: Attempt) -> str:
    number = attempt.generation.attempt
    return _ORDINALS.get(number, f"{number}th")


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TOLD else f"{text[: _MOST_TOLD - 3]}..."
