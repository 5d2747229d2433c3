"""One generation of the model: the request that is sent, and the events that come back.

    task -> messages -> model -> splitter -> Reasoning | Code

What an answer makes of it (checks, verdicts, the terminal event) is in `answer` and `candidates`.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from assistant.checks import TestFile
from assistant.events import Code, Reasoning, Section, Stats
from assistant.format import FORMAT_NAME, FORMAT_VERSION, Splitter, code_opening
from assistant.tasks import (
    Task,
    TaskKind,
    find_signature,
    messages,
    messages_again,
    signature_of,
)

if TYPE_CHECKING:
    from assistant.checks.result import CheckResult
    from assistant.client import ChatRequest, Chunk, Finished, ModelInfo

SAMPLING_TEMPERATURE = 0.8
"""Of all candidates but the first, unless the options say otherwise; the first one is greedy."""
SAMPLING_TOP_P = 0.95
"""The least likely twentieth is never drawn; usual for sampling code."""


class Connection(Protocol):
    """What an answer needs of `assistant.client.connection.Connection`."""

    async def model_info(self) -> ModelInfo:
        """The model that answers."""

    def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The answer as it comes; closing the generator cancels the request."""


Judge = Callable[[str, threading.Event], "CheckResult"]
"""From the code of an answer to the verdict; the event, set from another thread, ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """How to generate and how to check."""

    max_tokens: int = 1024
    temperature: float = 0.0
    """0 is greedy: the same request gives the same answer."""
    seed: int | None = None
    candidates: int = 1
    """How many answers to sample at most; the best one is chosen (`assistant.candidates`)."""
    verify: bool = True
    """False: no checks at all; the verdict is `not checked`."""
    tests: TestFile | None = None
    """What the code has to stand; without them, its examples are run."""
    known_names: frozenset[str] = frozenset()
    """Names that the place of the code provides, such as those of the file it is meant for."""
    judge: Judge | None = None
    """Checks the code instead of the usual checks, for code that has a place in a file."""
    repairs: int = 0
    """How often an answer that failed its check is written again before it is offered
    (`assistant.repair`); of one answer only, not of several candidates."""


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of the prompt the model has read, in tokens; no part of the contract's events."""

    total: int
    cached: int
    processed: int
    attempt: int = 1
    """Which of the candidates is being written, from 1, and of how many."""
    of: int = 1


@dataclass(frozen=True, slots=True)
class Rejected:
    """An answer that did not stand its check, and is to be written again."""

    code: str
    found: str
    """What the check says of it."""


@dataclass(slots=True)
class Generation:
    """What is known of one generated answer while it comes in.

    Args:
        task: what is asked.
        options: how to generate.
        attempt: which of `options.candidates` this is, from 1.
        first: the number of its first candidate; a draft that is replaced takes a number, too.
        replaces: the candidate that its first event says it takes the place of.
        rejected: the answer that it is to be better than.
    """

    task: Task
    options: AnswerOptions
    attempt: int = 1
    first: int = 0
    replaces: int | None = None
    rejected: Rejected | None = None
    splitter: Splitter = field(init=False)
    code: dict[int, list[str]] = field(default_factory=dict)
    """The pieces of each candidate's code."""
    explained: set[int] = field(default_factory=set)
    """The candidates that have said something besides their thinking."""
    finished: Finished | None = None
    sent: float = 0.0
    first_token: float = 0.0

    def __post_init__(self) -> None:
        self.splitter = Splitter(self.first, language=self.task.language, explains=self.explains)

    @property
    def explains(self) -> bool:
        """The answer is words: there is no code in it that anybody could use."""
        return self.task.kind is TaskKind.EXPLAIN

    @property
    def candidate(self) -> int:
        """The number that the answer has now."""
        return self.splitter.candidate

    @property
    def source(self) -> str:
        """The code so far."""
        return "".join(self.code.get(self.candidate, ()))

    async def events(
        self, connection: Connection, info: ModelInfo
    ) -> AsyncGenerator[Reasoning | Code | PromptProgress, None]:
        """Ask, and give what comes; closing the generator cancels the request."""
        if self._of > 1:
            yield self._progress(0, 0, 0)
        request = chat_request(self.task, info, self.options, self.attempt, self.rejected)
        self.sent = time.monotonic()
        async with aclosing(connection.stream_chat(request)) as chunks:
            async for chunk in chunks:
                for event in self._translate(chunk):
                    yield event
        for event in self._collect(self.splitter.close()):
            yield event

    def _translate(self, chunk: Chunk) -> list[Reasoning | Code | PromptProgress]:
        from assistant.client import Delta, Finished, Progress

        match chunk:
            case Delta(text=text, channel=channel):
                self.first_token = self.first_token or time.monotonic()
                if channel == "reasoning":
                    self.splitter.thinking_is_apart()
                    return self._collect([Reasoning(self.candidate, Section.OTHER, text)])
                return self._collect(self.splitter.feed(text))
            case Progress(total=total, cached=cached, processed=processed):
                return [self._progress(total, cached, processed)]
            case Finished():
                self.finished = chunk
        return []

    def _progress(self, total: int, cached: int, processed: int) -> PromptProgress:
        return PromptProgress(total, cached, processed, self.attempt, self._of)

    @property
    def _of(self) -> int:
        return max(self.attempt, self.options.candidates)

    def _collect(self, events: list[Reasoning | Code]) -> list[Reasoning | Code | PromptProgress]:
        told: list[Reasoning | Code | PromptProgress] = []
        for event in events:
            if self.replaces is not None:
                event, self.replaces = _replacing(event, self.replaces), None
            if isinstance(event, Code):
                self.code.setdefault(event.candidate, []).append(event.text)
            elif event.section is not Section.OTHER and event.text.strip():
                self.explained.add(event.candidate)
            told.append(event)
        return told

    def refusal(self) -> str | None:
        """Why there is nothing to offer, or None when there is what was asked for."""
        reason = self.finished.reason if self.finished is not None else "unknown"
        if reason == "cancelled":
            return "The request was cancelled."
        if self.candidate in self.explained if self.explains else self.source.strip():
            return None
        if reason == "length":
            wanted = "explanation" if self.explains else "code"
            return (
                f"The answer reached its limit of {self._limit()} before any {wanted}.\n"
                "Allow a longer one: --max-tokens N, or max_tokens under [ask] in config.toml."
            )
        if self.explains:
            return "The model explained nothing.\nAsk again, or ask about less code."
        return "The model wrote no code.\nSay in the request what function or program you need."

    def cut_off(self) -> str:
        """What a verdict adds when the answer ended at its limit; empty otherwise."""
        if self.finished is None or self.finished.reason != "length":
            return ""
        return f"the answer was cut off at its limit of {self._limit()}"

    def _limit(self) -> str:
        written = self.finished.completion_tokens if self.finished is not None else 0
        return f"{written or self.options.max_tokens} tokens"

    def stats(self) -> Stats:
        """What it cost; what the server does not tell is measured here or 0."""
        finished = self.finished
        if finished is None:
            return Stats()
        ttft_ms = (self.first_token - self.sent) * 1000 if self.first_token else 0.0
        rate = finished.tokens_per_second
        if not rate and self.first_token:
            elapsed = time.monotonic() - self.first_token
            rate = finished.completion_tokens / elapsed if elapsed > 0 else 0.0
        return Stats(
            finished.prompt_tokens,
            finished.cached_tokens,
            finished.completion_tokens,
            ttft_ms,
            rate,
        )


def _replacing(event: Reasoning | Code, replaces: int) -> Reasoning | Code:
    if isinstance(event, Code):
        return Code(event.candidate, event.text, replaces)
    return Reasoning(event.candidate, event.section, event.text, replaces)


def chat_request(
    task: Task,
    info: ModelInfo,
    options: AnswerOptions,
    attempt: int = 1,
    rejected: Rejected | None = None,
) -> ChatRequest:
    """What is sent for `task`.

    A model that was trained here gets the request as it is, and continues the signature that the
    request gives, so that the function is called what the user called it. Of an explanation it
    writes its sections, and no code. It knows no conversations: after a rejected answer it is
    asked the same again and drawn from, as for another candidate; other models are told what was
    found.

    Args:
        task: what is asked.
        info: the model that is asked.
        options: how to generate.
        attempt: which of the candidates this is, from 1.
        rejected: the answer that this one is to be better than.
    """
    from assistant.client import ChatRequest, Forced

    trained = info.format_name == FORMAT_NAME and info.format_version == FORMAT_VERSION
    signature = signature_of(task) if trained and task.language == "python" else None
    forced = Forced(code_opening(task.language), f"{signature}\n") if signature else None
    told = rejected if not trained else None
    asked = messages(task, trained_format=trained)
    if told is not None:
        asked += messages_again(task, told.code, told.found)
    sampled = attempt > 1 and told is None
    temperature = options.temperature or (SAMPLING_TEMPERATURE if sampled else 0.0)
    return ChatRequest(
        messages=asked,
        max_tokens=options.max_tokens,
        temperature=temperature,
        top_p=SAMPLING_TOP_P if sampled else None,
        seed=seed_of(options.seed, attempt) if attempt > 1 and temperature else options.seed,
        forced=(forced,) if forced else (),
        stop=(code_opening("").rstrip(),) if trained and task.kind is TaskKind.EXPLAIN else (),
    )


def seed_of(seed: int | None, attempt: int) -> int:
    """The seed of one candidate: another for each, the same in every run of the same request.

    Hashed, so that the candidates of one seed are not those of the next one.
    """
    digest = hashlib.sha256(f"{seed or 0}:{attempt}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


_IN_BACKTICKS = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def names_given(request: str) -> frozenset[str]:
    """Names that the request puts in backticks: the answer may use them without binding them.

    Those of a signature are left out: the answer itself has to bind them.
    """
    quoted = " ".join(_IN_BACKTICKS.findall(request))
    own = _IDENTIFIER.findall(find_signature(request) or "")
    return frozenset(_IDENTIFIER.findall(quoted)) - frozenset(own)
