"""How answers look: a chat, a raw completion, or llama-server's own, each for one request.

A fast model makes thousands of pieces a second and the loop that sends them shares the machine
with the model, so what is the same in every event of an answer is written once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Protocol

from assistant.daemon import logprobs
from assistant.daemon.protocol import event, to_json
from assistant.engine.types import Finished, FinishReason, PromptProgress, TokenProbability

Probabilities = tuple[TokenProbability, ...]
_NATIVE_STOPS = {FinishReason.LENGTH: "limit", FinishReason.CANCELLED: "none"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    content: str
    reasoning: str
    finished: Finished
    probabilities: Probabilities = ()


class Shape(Protocol):
    """The events of a stream, and the answer in one piece."""

    def opening(self) -> bytes:
        """The first event: it tells that the request was accepted."""

    def piece(self, content: str, reasoning: str, found: Probabilities) -> bytes:
        """An event with text, of one channel or both."""

    def progress(self, progress: PromptProgress) -> bytes:
        """An event that tells how much of the prompt is read."""

    def last(self, finished: Finished) -> bytes:
        """The last events: why it ended, and what it cost."""

    def whole(self, answer: Answer) -> dict[str, Any]:
        """The answer in one piece."""


@dataclass(slots=True)
class ChatShape:
    """`/v1/chat/completions`."""

    id: str
    model: str
    created: int
    usage: bool = False
    """What it cost comes in an event of its own, without a choice."""
    _prefix: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._prefix = _opened(self._envelope([{"index": 0, "finish_reason": None, "delta": {}}]))

    def opening(self) -> bytes:
        """See `Shape`."""
        return self._event({"role": "assistant", "content": ""})

    def piece(self, content: str, reasoning: str, found: Probabilities) -> bytes:
        """See `Shape`."""
        if not reasoning and not found:
            return f'{self._prefix}{{"content":{quoted(content)}}}}}]}}\n\n'.encode()
        delta = {"reasoning_content": reasoning} if reasoning else {}
        if content or not reasoning:
            delta["content"] = content
        return self._event(delta, logprobs={"content": logprobs.entries(found)} if found else None)

    def progress(self, progress: PromptProgress) -> bytes:
        """See `Shape`."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": None, "delta": {}}
        return event(self._envelope([choice]) | {"prompt_progress": _numbers(progress)})

    def last(self, finished: Finished) -> bytes:
        """See `Shape`."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": finished.reason.value, "delta": {}}
        end = self._envelope([choice])
        if self.usage:
            return event(end) + event(self._envelope([]) | cost(finished))
        return event(end | cost(finished))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """See `Shape`."""
        message = {"role": "assistant", "content": answer.content}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finished.reason.value}
        choice["message"] = message
        if answer.probabilities:
            choice["logprobs"] = {"content": logprobs.entries(answer.probabilities)}
        body = self._envelope([choice]) | {"object": "chat.completion"}
        return body | cost(answer.finished)

    def _event(self, delta: dict[str, Any], **more: Any) -> bytes:
        extra = {name: value for name, value in more.items() if value is not None}
        return event(self._envelope([{"index": 0, "finish_reason": None, "delta": delta} | extra]))

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


@dataclass(slots=True)
class TextShape:
    """`/v1/completions`."""

    id: str
    model: str
    created: int
    usage: bool = False
    _prefix: str = field(init=False, repr=False)
    _sent: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        self._prefix = _opened(self._envelope([{"index": 0, "finish_reason": None, "text": ""}]))

    def opening(self) -> bytes:
        """See `Shape`."""
        return self.piece("", "", ())

    def piece(self, content: str, reasoning: str, found: Probabilities) -> bytes:
        """See `Shape`."""
        offset = self._sent
        self._sent += len(content)
        if not reasoning and not found:
            return f"{self._prefix}{quoted(content)}}}]}}\n\n".encode()
        choice: dict[str, Any] = {"index": 0, "finish_reason": None, "text": content}
        if reasoning:
            choice["reasoning_content"] = reasoning
        if found:
            choice["logprobs"] = logprobs.columns(found, offset)
        return event(self._envelope([choice]))

    def progress(self, progress: PromptProgress) -> bytes:
        """See `Shape`."""
        choice = {"index": 0, "finish_reason": None, "text": ""}
        return event(self._envelope([choice]) | {"prompt_progress": _numbers(progress)})

    def last(self, finished: Finished) -> bytes:
        """See `Shape`."""
        choice = {"index": 0, "finish_reason": finished.reason.value, "text": ""}
        end = self._envelope([choice])
        if self.usage:
            return event(end) + event(self._envelope([]) | cost(finished))
        return event(end | cost(finished))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """See `Shape`."""
        choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finished.reason.value}
        choice |= {"text": answer.content, "logprobs": None}
        if answer.reasoning:
            choice["reasoning_content"] = answer.reasoning
        if answer.probabilities:
            choice["logprobs"] = logprobs.columns(answer.probabilities, 0)
        return self._envelope([choice]) | cost(answer.finished)

    def _envelope(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


@dataclass(slots=True)
class NativeShape:
    """llama-server's own: `/completion` and `/infill`."""

    model: str

    def opening(self) -> bytes:
        """See `Shape`."""
        return self.piece("", "", ())

    def piece(self, content: str, reasoning: str, found: Probabilities) -> bytes:
        """See `Shape`."""
        if not reasoning and not found:
            return f'data: {{"index":0,"stop":false,"content":{quoted(content)}}}\n\n'.encode()
        body: dict[str, Any] = {"index": 0, "stop": False, "content": content}
        if reasoning:
            body["reasoning_content"] = reasoning
        if found:
            body["completion_probabilities"] = logprobs.entries(found)
        return event(body)

    def progress(self, progress: PromptProgress) -> bytes:
        """See `Shape`."""
        numbers = _numbers(progress)
        return event({"index": 0, "stop": False, "content": "", "prompt_progress": numbers})

    def last(self, finished: Finished) -> bytes:
        """See `Shape`."""
        return event(self._end("", finished))

    def whole(self, answer: Answer) -> dict[str, Any]:
        """See `Shape`."""
        body = self._end(answer.content, answer.finished)
        if answer.reasoning:
            body["reasoning_content"] = answer.reasoning
        if answer.probabilities:
            body["completion_probabilities"] = logprobs.entries(answer.probabilities)
        return body

    def _end(self, content: str, finished: Finished) -> dict[str, Any]:
        how = "word" if finished.stop else _NATIVE_STOPS.get(finished.reason, "eos")
        return {
            "index": 0,
            "content": content,
            "stop": True,
            "model": self.model,
            "stop_type": how,
            "stopping_word": finished.stop or "",
            "truncated": False,
            "tokens_predicted": finished.completion_tokens,
            "tokens_evaluated": finished.prompt_tokens,
            "tokens_cached": finished.cached_tokens,
        } | cost(finished)


def cost(finished: Finished) -> dict[str, Any]:
    """`usage` as OpenAI has it and `timings` as llama-server has them."""
    read = finished.prompt_tokens - finished.cached_tokens
    timings: dict[str, Any] = {"cache_n": finished.cached_tokens}
    timings |= _pace("prompt", read, finished.prompt_ms)
    timings |= _pace("predicted", finished.completion_tokens, finished.predicted_ms)
    timings["queue_ms"] = round(finished.queue_ms, 3)
    if finished.drafted:
        timings |= {"draft_n": finished.drafted, "draft_n_accepted": finished.accepted}
    return {
        "usage": {
            "prompt_tokens": finished.prompt_tokens,
            "completion_tokens": finished.completion_tokens,
            "total_tokens": finished.prompt_tokens + finished.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": finished.cached_tokens},
        },
        "timings": timings,
    }


def _pace(name: str, tokens: int, milliseconds: float) -> dict[str, Any]:
    return {
        f"{name}_n": tokens,
        f"{name}_ms": round(milliseconds, 3),
        f"{name}_per_token_ms": round(milliseconds / tokens, 3) if tokens else 0.0,
        f"{name}_per_second": round(tokens / milliseconds * 1000, 3) if milliseconds else 0.0,
    }


def _numbers(progress: PromptProgress) -> dict[str, int]:
    return {
        "total": progress.total,
        "cache": progress.cached,
        "processed": progress.processed,
    }


def _opened(body: dict[str, Any]) -> str:
    """An event up to the last value of its only choice, which is empty in `body`."""
    text = to_json(body)
    return "data: " + text[: -len("{}}]}")]
