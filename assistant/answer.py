"""From a task to the events of its answer; the one path that every front end takes.

    task -> messages -> model -> splitter -> Reasoning | Code -> checks -> Verdict -> Done | Failed

Whatever happens, exactly one terminal event comes, and it comes last. Closing the generator
closes the HTTP stream, which cancels the request in the daemon, and kills a check that runs.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from assistant.checks import CheckResult, TestFile, check
from assistant.errors import AssistantError
from assistant.events import Code, Done, Event, Failed, Reasoning, Section, Stats, Verdict
from assistant.format import FORMAT_NAME, FORMAT_VERSION, Splitter, code_opening
from assistant.tasks import Task, find_signature, messages

if TYPE_CHECKING:
    from assistant.client import ChatRequest, Chunk, Finished, ModelInfo

log = logging.getLogger(__name__)


class Connection(Protocol):
    """What an answer needs of `assistant.client.connection.Connection`."""

    async def model_info(self) -> ModelInfo:
        """The model that answers."""

    def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The answer as it comes; closing the generator cancels the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOptions:
    """How to generate and how to check."""

    max_tokens: int = 1024
    temperature: float = 0.0
    """0 is greedy: the same request gives the same answer."""
    seed: int | None = None
    verify: bool = True
    """False: no checks at all; the verdict is `not checked`."""
    tests: TestFile | None = None
    """Only with tests is generated code run."""
    known_names: frozenset[str] = frozenset()
    """Names that the place of the code provides, such as those of the file it is meant for."""


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of the prompt the model has read, in tokens; no part of the contract's events."""

    total: int
    cached: int
    processed: int


async def answer(
    task: Task, connection: Connection, options: AnswerOptions | None = None
) -> AsyncGenerator[Event | PromptProgress, None]:
    """Answer `task` over `connection`.

    Yields:
        Reasoning and code as they come, prompt progress before them, the verdict on the final
        candidate, and last one `Done` or `Failed`. No exception of ours leaves the generator:
        an error's message and hint are the reason of `Failed`.
    """
    run = _Run(task, options or AnswerOptions())
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


@dataclass(slots=True)
class _Run:
    """What is known of one answer while it comes in."""

    task: Task
    options: AnswerOptions
    splitter: Splitter = field(init=False)
    code: dict[int, list[str]] = field(default_factory=dict)
    """The pieces of each candidate's code."""
    finished: Finished | None = None
    sent: float = 0.0
    first_token: float = 0.0

    def __post_init__(self) -> None:
        self.splitter = Splitter(language=self.task.language)

    @property
    def candidate(self) -> int:
        return self.splitter.candidate

    @property
    def source(self) -> str:
        return "".join(self.code.get(self.candidate, ()))

    async def events(self, connection: Connection) -> AsyncGenerator[Event | PromptProgress, None]:
        info = await connection.model_info()
        request = chat_request(self.task, info, self.options)
        self.sent = time.monotonic()
        async with aclosing(connection.stream_chat(request)) as chunks:
            async for chunk in chunks:
                for event in self._translate(chunk):
                    yield event
        for event in self._collect(self.splitter.close()):
            yield event
        if self._refusal() is None:
            yield await self._verdict()

    def _translate(self, chunk: Chunk) -> list[Event | PromptProgress]:
        from assistant.client import Delta, Finished, Progress

        match chunk:
            case Delta(text=text, channel=channel):
                self.first_token = self.first_token or time.monotonic()
                if channel == "reasoning":
                    return [Reasoning(self.candidate, Section.OTHER, text)]
                return self._collect(self.splitter.feed(text))
            case Progress(total=total, cached=cached, processed=processed):
                return [PromptProgress(total, cached, processed)]
            case Finished():
                self.finished = chunk
        return []

    def _collect(self, events: list[Reasoning | Code]) -> list[Event | PromptProgress]:
        for event in events:
            if isinstance(event, Code):
                self.code.setdefault(event.candidate, []).append(event.text)
        return list(events)

    def terminal(self) -> Done | Failed:
        """The last event, once the stream has ended without an error."""
        refusal = self._refusal()
        return Failed(self.candidate, refusal) if refusal else Done(self.candidate, self._stats())

    def _refusal(self) -> str | None:
        """Why there is nothing to offer, or None when there is code."""
        reason = self.finished.reason if self.finished is not None else "unknown"
        if reason == "cancelled":
            return "The request was cancelled."
        if self.source.strip():
            return None
        if reason == "length":
            return (
                f"The answer reached its limit of {self._limit()} before any code.\n"
                "Allow a longer one: --max-tokens N, or max_tokens under [ask] in config.toml."
            )
        return "The model wrote no code.\nSay in the request what function or program you need."

    def _limit(self) -> str:
        written = self.finished.completion_tokens if self.finished is not None else 0
        return f"{written or self.options.max_tokens} tokens"

    async def _verdict(self) -> Verdict:
        result = await self._check()
        detail = result.detail
        if self.finished is not None and self.finished.reason == "length":
            detail += f"; the answer was cut off at its limit of {self._limit()}"
        return Verdict(self.candidate, result.outcome, result.layer, detail)

    async def _check(self) -> CheckResult:
        """The checks, in a thread so that the front end stays alive while tests run."""
        stop = threading.Event()
        try:
            return await asyncio.to_thread(
                check,
                self.source,
                language=self.task.language,
                known_names=self.options.known_names | names_given(self.task.request),
                tests=self.options.tests,
                verify=self.options.verify,
                stop=stop,
            )
        finally:
            stop.set()

    def _stats(self) -> Stats:
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


def chat_request(task: Task, info: ModelInfo, options: AnswerOptions) -> ChatRequest:
    """What is sent for `task`.

    A model that was trained here gets the request as it is, and continues the signature that the
    request gives, so that the function is called what the user called it.
    """
    from assistant.client import ChatRequest, Forced

    trained = info.format_name == FORMAT_NAME and info.format_version == FORMAT_VERSION
    signature = find_signature(task.request) if trained and task.language == "python" else None
    forced = Forced(code_opening(task.language), f"{signature}\n") if signature else None
    return ChatRequest(
        messages=messages(task, trained_format=trained),
        max_tokens=options.max_tokens,
        temperature=options.temperature,
        seed=options.seed,
        forced=(forced,) if forced else (),
    )


_IN_BACKTICKS = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def names_given(request: str) -> frozenset[str]:
    """Names that the request puts in backticks: the answer may use them without binding them.

    Those of a signature are left out: the answer itself has to bind them.
    """
    quoted = " ".join(_IN_BACKTICKS.findall(request))
    own = _IDENTIFIER.findall(find_signature(request) or "")
    return frozenset(_IDENTIFIER.findall(quoted)) - frozenset(own)
