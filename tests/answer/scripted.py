"""A connection that says what a test tells it to: the generator's contract, without a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.client import ChatRequest, Chunk, Delta, Finished, ModelInfo
from assistant.events import Code, Done, Event, Failed, Reasoning, Section, Verdict
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.tasks import Task

TRAINED = ModelInfo("made-here", FORMAT_NAME, FORMAT_VERSION, context_length=512)
FOREIGN = ModelInfo("from-elsewhere")

REASONING = {
    Section.INTENT: "Add two numbers, even `ä` and 😀.\n",
    Section.STEPS: "1. Add them.\n",
    Section.FORMULAS: "None\n",
    Section.EDGE_CASES: "- no numbers\n",
}
CODE = 'def add(a, b):\n    """Not the end: ```"""\n    return a + b\n'
TEXT = (
    "".join(f"## {section.value}\n{text}" for section, text in REASONING.items())
    + f"## Code\n````python\n{CODE}````"
)


@dataclass
class Scripted:
    """Sends `pieces`, then ends as told; remembers what it was asked and whether it was closed."""

    pieces: Sequence[Chunk | BaseException]
    info: ModelInfo | BaseException = TRAINED
    requests: list[ChatRequest] = field(default_factory=list)
    closed: bool = False
    """The stream's generator has been closed or has ended."""

    async def model_info(self) -> ModelInfo:
        if isinstance(self.info, BaseException):
            raise self.info
        return self.info

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        try:
            for piece in self.pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed = True


def saying(*texts: str, reason: str = "stop", tokens: int = 7) -> list[Chunk | BaseException]:
    """The chunks of an answer in `texts`."""
    end = Finished(reason, prompt_tokens=5, cached_tokens=2, completion_tokens=tokens)
    return [*map(Delta, texts), end]


async def collect(
    connection: Scripted, task: Task | None = None, **options: object
) -> list[Event | PromptProgress]:
    """All events of one answer."""
    task = task or Task("add two numbers")
    given = AnswerOptions(**options)  # type: ignore[arg-type]
    return [event async for event in answer(task, connection, given)]


def assert_contract(events: Sequence[Event | PromptProgress]) -> None:
    """One terminal event, last; a verdict only just before it; reasoning is never code."""
    terminal = [event for event in events if isinstance(event, Done | Failed)]
    assert terminal == [events[-1]]
    verdicts = [event for event in events if isinstance(event, Verdict)]
    if isinstance(events[-1], Done):
        assert verdicts == [events[-2]]
        assert verdicts[0].candidate == events[-1].candidate
    else:
        assert not verdicts


def code_of(events: Sequence[Event | PromptProgress], candidate: int = 0) -> str:
    return "".join(e.text for e in events if isinstance(e, Code) and e.candidate == candidate)


def reasoning_of(events: Sequence[Event | PromptProgress]) -> str:
    return "".join(e.text for e in events if isinstance(e, Reasoning))
