"""Requests to a scheduler that the test steps itself, so that every order of events is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from assistant.engine.engine import Engine
from assistant.engine.lane import Lane
from assistant.engine.running import Ticket
from assistant.engine.scheduler import Scheduler
from assistant.engine.types import (
    Finished,
    FinishReason,
    Output,
    Prepared,
    Priority,
    PromptProgress,
    Text,
)
from assistant.errors import AssistantError

TOLERANCE = 0.25
"""Rounding differs with the number of rows in a call and the place of tokens in memory: keys and
values are kept in float16. On these models it moves the lead of a token by up to 0.11 of about 8
(the deviation of their logits). Where the lead is less than this the choice may differ; what
follows can not be compared."""
STEPS = 20_000
"""More than any test needs: what takes longer hangs."""


@dataclass
class Asked:
    """A request and what came of it."""

    ticket: Ticket
    outputs: list[Output | AssistantError] = field(default_factory=list)

    @property
    def ends(self) -> list[Finished | AssistantError]:
        """Last outputs; exactly one is right."""
        return [out for out in self.outputs if isinstance(out, Finished | AssistantError)]

    @property
    def end(self) -> Finished:
        """How it ended."""
        (end,) = self.ends
        assert isinstance(end, Finished), end
        assert self.outputs[-1] is end
        return end

    @property
    def text(self) -> str:
        """What it said."""
        return "".join(out.text for out in self.outputs if isinstance(out, Text))

    @property
    def chosen(self) -> list[tuple[int, float]]:
        """Each token, and its lead over the second best in logits."""
        told = [p for out in self.outputs if isinstance(out, Text) for p in out.probabilities]
        return [(p.token, p.alternatives[0][2] - p.alternatives[1][2]) for p in told]

    @property
    def evaluated(self) -> list[int]:
        """How much of the prompt was read, after each step."""
        return [out.processed for out in self.outputs if isinstance(out, PromptProgress)]


class Desk:
    """A scheduler without a thread."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.row_seconds: float | None = None
        """Plan as if each row of a call took so long: prompts are read in many calls."""
        self.scheduler = Scheduler()
        self.scheduler.attach(engine)

    @property
    def lane(self) -> Lane:
        """What the scheduler knows of the engine."""
        return self.scheduler._lanes[self.engine]

    def ask(
        self, request: Prepared, priority: Priority = Priority.INTERACTIVE, source: str = ""
    ) -> Asked:
        """Submit a request."""
        outputs: list[Output | AssistantError] = []
        ticket = Ticket(request, outputs.append, priority, source)
        self.scheduler.submit(self.engine, ticket)
        return Asked(ticket, outputs)

    def step(self, count: int = 1) -> None:
        """Some calls."""
        for _ in range(count):
            if self.row_seconds is not None:
                for _ in range(20):  # newer calls weigh more than those that were really made
                    self.lane.pace.observe(64, 64 * self.row_seconds)
            self.scheduler.step()

    def finish(self, asked: Sequence[Asked]) -> None:
        """Step until these have ended."""
        for _ in range(STEPS):
            if all(one.ends for one in asked):
                return
            self.step()
        raise AssertionError(f"{sum(not one.ends for one in asked)} requests never ended")

    def all_of(self, request: Prepared, priority: Priority = Priority.INTERACTIVE) -> Asked:
        """One request, to its end."""
        asked = self.ask(request, priority)
        self.finish([asked])
        return asked

    def assert_empty(self) -> None:
        """Nothing is held, here and in llama.cpp, but what is parked; and that can go."""
        self.scheduler.step()
        figures = self.scheduler.figures(self.engine)
        assert figures is not None
        assert (figures.running, figures.waiting) == (0, 0)
        assert not self.scheduler._inline
        self.lane.cache.forget_parked()
        assert self.lane.cache.free == figures.cells
        context = self.engine.context
        held = [
            context._lib.llama_memory_seq_pos_max(context._memory, sequence)
            for sequence in range(context.sequences)
        ]
        assert set(held) == {-1}


def cancelled(asked: Asked) -> bool:
    """Whether it ended by a cancel."""
    return asked.end.reason is FinishReason.CANCELLED


def same(one: Asked, alone: Asked) -> bool:
    """Whether a stream equals its solo run, up to a choice that rounding may decide.

    A cancelled one has to be a beginning of it.
    """
    for (token, _), (expected, lead) in zip(one.chosen, alone.chosen, strict=False):
        if token != expected:
            return lead < TOLERANCE
    return one.text == alone.text or (cancelled(one) and alone.text.startswith(one.text))
