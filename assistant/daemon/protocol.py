"""Requests and answers of the daemon as JSON: the OpenAI dialect with llama-server's extensions.

Everything that comes in is checked here, by type and by range, before it reaches the engine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.engine.types import (
    Finished,
    Forced,
    Limits,
    Message,
    PromptProgress,
    Sampling,
)
from assistant.errors import AssistantError, RequestProblem

PROTOCOL = 1
LOAD_FAILED = 4
"""Exit status of a daemon that told a client why its model can not be loaded."""
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
DONE = "data: [DONE]\n\n"
PING = ": still working\n\n"


@dataclass(frozen=True, slots=True)
class Request:
    """What `/v1/chat/completions` and `/v1/completions` have in common."""

    sampling: Sampling
    limits: Limits
    stream: bool
    progress: bool
    model: str
    """The one that the client expects; empty: any."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`POST /v1/chat/completions`."""

    common: Request
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class TextRequest:
    """`POST /v1/completions`; with a suffix it fills in the middle."""

    common: Request
    prompt: str
    suffix: str | None


@dataclass(frozen=True, slots=True)
class _Body:
    """A JSON object that is read with checks; messages name the field."""

    values: Mapping[str, Any] = field(repr=False)

    def get(self, name: str, kind: type, default: Any = None) -> Any:
        value = self.values.get(name)
        if value is None:
            return default
        # A bool is an int for Python and a mistake for a client.
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        if wrong and not (kind is float and type(value) is int):
            raise RequestProblem(f"{name!r} has to be of type {kind.__name__}, not {value!r:.80}.")
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        given = self.get(name, float, default)
        try:
            value = float(given)
        except OverflowError:  # a whole number of hundreds of digits
            value = math.inf
        if not (math.isfinite(value) and low <= value <= high):
            raise RequestProblem(f"{name!r} is {value}; it has to be from {low} to {high}.")
        return value

    def integer(self, name: str, low: int, high: int) -> int | None:
        value = self.get(name, int)
        if value is not None and not low <= value <= high:
            raise RequestProblem(f"{name!r} is {value}; it has to be from {low} to {high}.")
        return None if value is None else int(value)


def parse_chat(data: bytes) -> ChatRequest:
    """Read a chat request.

    Raises:
        RequestProblem: it is not JSON, or a field is missing, ill-typed or out of range.
    """
    body = _object(data)
    messages = body.get("messages", list, [])
    return ChatRequest(_common(body), tuple(_message(entry) for entry in messages))


def parse_text(data: bytes) -> TextRequest:
    """Read a raw completion request.

    Raises:
        RequestProblem: it is not JSON, or a field is missing, ill-typed or out of range.
    """
    body = _object(data)
    prompt = body.get("prompt", str)
    if prompt is None:
        raise RequestProblem("'prompt' is missing; it has to be a text.")
    return TextRequest(_common(body), prompt, body.get("suffix", str))


def _object(data: bytes) -> _Body:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RequestProblem(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RequestProblem(f"The body has to be a JSON object, not {type(body).__name__}.")
    return _Body(body)


def _common(body: _Body) -> Request:
    sampling = Sampling(
        temperature=body.number("temperature", 0.0, 0.0, 10.0),
        top_k=_top_k(body.integer("top_k", 0, 1_000_000)),
        top_p=body.number("top_p", 0.95, 0.0, 1.0),
        seed=body.integer("seed", -(2**63), 2**64),
    )
    limits = Limits(
        max_tokens=body.integer("max_tokens", 1, 10_000_000),
        stop=_stops(body),
        forced=tuple(_forced(entry) for entry in body.get("forced", list, [])),
    )
    return Request(
        sampling,
        limits,
        stream=body.get("stream", bool, False),
        progress=body.get("return_progress", bool, False),
        model=body.get("model", str, ""),
    )


def _top_k(value: int | None) -> int:
    """0 keeps all candidates, as in llama-server."""
    return Sampling().top_k if value is None else value


def _message(entry: Any) -> Message:
    if not isinstance(entry, dict):
        raise RequestProblem(f"A message has to be an object, not {entry!r:.80}.")
    body = _Body(entry)
    role, content = body.get("role", str), entry.get("content")
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if role is None or not isinstance(content, str):
        raise RequestProblem("A message needs a 'role' and a 'content', both texts.")
    return Message(role, content)


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
    if not isinstance(text, str):
        raise RequestProblem("Only parts of type 'text' can be read in a message.")
    return text


def _stops(body: _Body) -> tuple[str, ...]:
    stops = body.values.get("stop")
    if stops is None:
        return ()
    stops = [stops] if isinstance(stops, str) else stops
    good = isinstance(stops, list) and all(isinstance(stop, str) and stop for stop in stops)
    if not good or len(stops) > MAX_STOPS or max(map(len, stops), default=0) > MAX_STOP_CHARACTERS:
        raise RequestProblem(
            f"'stop' has to be a text or at most {MAX_STOPS} texts of 1 to "
            f"{MAX_STOP_CHARACTERS} characters."
        )
    return tuple(stops)


def _forced(entry: Any) -> Forced:
    after = entry.get("after") if isinstance(entry, dict) else None
    text = entry.get("text") if isinstance(entry, dict) else None
    if not (isinstance(after, str) and after and isinstance(text, str) and text):
        raise RequestProblem("An entry of 'forced' needs the texts 'after' and 'text'.")
    return Forced(after, text)


def error_body(error: AssistantError, status: int) -> dict[str, Any]:
    """An error as clients read it; `type` is the name of the class in `assistant.errors`."""
    # A message may quote what a client sent, half characters included.
    message = error.message.encode("utf-8", "backslashreplace").decode()
    body = {"code": status, "message": message, "type": type(error).__name__}
    return {"error": body | ({"hint": error.hint} if error.hint else {})}


def event(body: Mapping[str, Any]) -> str:
    """One server-sent event, in ASCII: some clients end a line at U+2028 or U+0085, too."""
    return f"data: {json.dumps(body, separators=(',', ':'))}\n\n"


@dataclass(frozen=True, slots=True)
class Shape:
    """How answers of one route look: a chat or a raw completion, for one request."""

    id: str
    model: str
    created: int
    chat: bool

    def opening(self) -> dict[str, Any]:
        """The first chunk: it tells that the request was accepted."""
        return self._chunk({"role": "assistant", "content": ""}, None)

    def delta(self, text: str) -> dict[str, Any]:
        """A chunk with text."""
        return self._chunk({"content": text}, None)

    def progress(self, progress: PromptProgress) -> dict[str, Any]:
        """A chunk that tells how much of the prompt is read."""
        numbers = {
            "total": progress.total,
            "cache": progress.cached,
            "processed": progress.processed,
        }
        return self._chunk({}, None) | {"prompt_progress": numbers}

    def last(self, finished: Finished) -> dict[str, Any]:
        """The last chunk: why it ended, and what it cost."""
        return self._chunk({}, finished.reason.value) | cost(finished)

    def whole(self, text: str, finished: Finished) -> dict[str, Any]:
        """The answer in one piece."""
        content: dict[str, Any] = {"text": text}
        if self.chat:
            content = {"message": {"role": "assistant", "content": text}}
        choice = {"index": 0, "finish_reason": finished.reason.value} | content
        kind = "chat.completion" if self.chat else "text_completion"
        return self._envelope(kind, choice) | cost(finished)

    def _chunk(self, delta: dict[str, Any], reason: str | None) -> dict[str, Any]:
        content: dict[str, Any] = {"delta": delta}
        if not self.chat:
            content = {"text": delta.get("content", "")}
        choice = {"index": 0, "finish_reason": reason} | content
        return self._envelope("chat.completion.chunk" if self.chat else "text_completion", choice)

    def _envelope(self, kind: str, choice: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": [choice],
        }


def cost(finished: Finished) -> dict[str, Any]:
    """`usage` as OpenAI has it and `timings` as llama-server has them."""
    seconds = finished.predicted_ms / 1000
    return {
        "usage": {
            "prompt_tokens": finished.prompt_tokens,
            "completion_tokens": finished.completion_tokens,
            "total_tokens": finished.prompt_tokens + finished.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": finished.cached_tokens},
        },
        "timings": {
            "cache_n": finished.cached_tokens,
            "prompt_n": finished.prompt_tokens - finished.cached_tokens,
            "prompt_ms": round(finished.prompt_ms, 3),
            "predicted_n": finished.completion_tokens,
            "predicted_ms": round(finished.predicted_ms, 3),
            "predicted_per_second": round(finished.completion_tokens / seconds, 3)
            if seconds
            else 0.0,
        },
    }
