"""One question and its answer, as it stands at this moment.

A `Turn` is fed with the events of `assistant.answer` and knows nothing of widgets; a timer of
the app shows it a few times a second. That is what keeps the cost of drawing independent of the
speed of the model.
"""

from __future__ import annotations

import enum
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.events import Code, Done, Event, Failed, Reasoning, Section, Stats, Verdict

Clock = Callable[[], float]

RATE_WINDOW_S = 2.0
MIN_WINDOW_S = 0.25
"""Tokens that arrive in one packet would make a rate of many thousands."""


class Phase(enum.Enum):
    """What is going on, in the words of the status line."""

    STARTING = "starting engine"
    READY = "ready"
    EVALUATING = "evaluating prompt"
    THINKING = "thinking"
    WRITING = "writing"
    CHECKING = "checking"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """True when nothing more will come."""
        return self in (Phase.DONE, Phase.STOPPED, Phase.FAILED)


class Speedometer:
    """Tokens per second over the last two seconds, from the times at which tokens came.

    The last value stays when tokens pause or end, since a falling number would say something
    about the pause and nothing about the model.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self.tokens = 0
        self.rate: float | None = None

    def tick(self) -> None:
        """Count one token, now."""
        now = self._clock()
        self.tokens += 1
        self._times.append(now)
        while now - self._times[0] > RATE_WINDOW_S and len(self._times) > 2:
            self._times.popleft()
        elapsed = now - self._times[0]
        if elapsed >= MIN_WINDOW_S:
            self.rate = (len(self._times) - 1) / elapsed


@dataclass
class Candidate:
    """One attempt at the answer: its reasoning by section, its code, its verdict."""

    sections: list[tuple[Section, str]] = field(default_factory=list)
    code: str = ""
    verdict: Verdict | None = None

    def add_reasoning(self, section: Section, text: str) -> None:
        """Append to the open section, or open the next one."""
        if self.sections and self.sections[-1][0] is section:
            self.sections[-1] = (section, self.sections[-1][1] + text)
        else:
            self.sections.append((section, text))


class Turn:
    """A question, the answer so far, and the clock readings that the screen shows."""

    def __init__(
        self, question: str, *, language: str = "python", clock: Clock = time.monotonic
    ) -> None:
        self.question = question
        self.language = language
        self.phase = Phase.STARTING
        self.prompt_percent: int | None = None
        self.speed = Speedometer(clock)
        self.stats: Stats | None = None
        self.note = ""
        """Why the turn failed or stopped, for the user; empty otherwise."""
        self._clock = clock
        self._started = clock()
        self._first_token: float | None = None
        self._thinking_from: float | None = None
        self._thinking_to: float | None = None
        self._candidates: dict[int, Candidate] = {0: Candidate()}
        self._shown = 0

    @property
    def shown(self) -> Candidate:
        """The candidate on the screen: the newest, and at the end the chosen one."""
        return self._candidates[self._shown]

    @property
    def empty(self) -> bool:
        """True while nothing of the answer has come."""
        return not (self.shown.sections or self.shown.code)

    @property
    def first_token_s(self) -> float | None:
        """Seconds from the request to the first token; None before it."""
        if self.stats is not None and self.stats.ttft_ms:
            return self.stats.ttft_ms / 1000
        return None if self._first_token is None else self._first_token - self._started

    @property
    def thinking_s(self) -> float:
        """Seconds spent on reasoning, up to now or to its end."""
        if self._thinking_from is None:
            return 0.0
        return (self._thinking_to or self._clock()) - self._thinking_from

    @property
    def thinking(self) -> bool:
        """True while reasoning is arriving."""
        return self._thinking_from is not None and self._thinking_to is None

    def sent(self) -> None:
        """The engine is there and has the request: from here the first token is awaited."""
        self._started = self._clock()
        self.phase = Phase.EVALUATING

    def progress(self, processed: int, total: int) -> None:
        """The engine has evaluated `processed` of `total` prompt tokens."""
        self.phase = Phase.EVALUATING
        self.prompt_percent = min(100, 100 * processed // max(total, 1))

    def token(self) -> None:
        """One token has come, whatever becomes of it."""
        if self._first_token is None:
            self._first_token = self._clock()
        if self.phase is Phase.EVALUATING:
            self._think()
        self.speed.tick()

    def generated(self) -> None:
        """The model has ended; what follows is the check."""
        self._stop_thinking()
        self.phase = Phase.CHECKING

    def apply(self, event: Event) -> None:
        """Take in one event of the answer; a turn that is over takes none."""
        if self.phase.over:
            return
        match event:
            case Reasoning(section=section, text=text):
                self._show(event.candidate)
                self._think()
                self.shown.add_reasoning(section, text)
            case Code(text=text):
                self._show(event.candidate)
                self._stop_thinking()
                self.phase = Phase.WRITING
                self.shown.code += text
            case Verdict():
                self._show(event.candidate)
                self.shown.verdict = event
            case Done(stats=stats):
                self._show(event.candidate)
                self.stats = stats
                self._end(Phase.DONE)
            case Failed(reason=reason):
                self.fail(reason)

    def fail(self, reason: str) -> None:
        """The answer can not go on; what has come stays."""
        if not self.phase.over:
            self.note = reason
            self._end(Phase.FAILED)

    def stop(self) -> None:
        """The user has stopped the answer; what has come stays."""
        if not self.phase.over:
            self._end(Phase.STOPPED)

    def _show(self, candidate: int) -> None:
        self._candidates.setdefault(candidate, Candidate())
        self._shown = candidate

    def _think(self) -> None:
        if self._thinking_from is None:
            self._thinking_from = self._clock()
        if not self.shown.code:  # prose behind the code is no new thinking
            self.phase = Phase.THINKING

    def _stop_thinking(self) -> None:
        if self._thinking_to is None and self._thinking_from is not None:
            self._thinking_to = self._clock()

    def _end(self, phase: Phase) -> None:
        self._stop_thinking()
        self.phase = phase
