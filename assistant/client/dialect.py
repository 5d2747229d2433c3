"""The JSON of requests, chunks and errors: our daemon's and other servers' alike."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from assistant import errors
from assistant.client.types import (
    ChatRequest,
    Chunk,
    Delta,
    Finished,
    ModelInfo,
    Progress,
)

# vLLM and OpenRouter say `reasoning`, llama-server and DeepSeek `reasoning_content`.
_REASONING_FIELDS = ("reasoning_content", "reasoning")


def chat_body(request: ChatRequest, *, ours: bool) -> dict[str, Any]:
    """The body of `POST /v1/chat/completions`, but for the model.

    Args:
        request: what to ask.
        ours: the server is our daemon, which knows the extensions.
    """
    optional = {
        "max_tokens": request.max_tokens,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "seed": request.seed,
        "stop": list(request.stop) or None,
    }
    body: dict[str, Any] = {
        "messages": [dict(message) for message in request.messages],
        "stream": True,
        "temperature": request.temperature,
    }
    body |= {name: value for name, value in optional.items() if value is not None}
    return body | (_ours(request) if ours else {"stream_options": {"include_usage": True}})


def _ours(request: ChatRequest) -> dict[str, Any]:
    """What only our daemon knows."""
    optional = {
        "reasoning_budget": request.reasoning_budget,
        "priority": request.priority or None,
        "lookup": None if request.lookup is None else list(request.lookup) or True,
    }
    body: dict[str, Any] = {
        "return_progress": request.return_progress,
        # The raw text: it is split here, and further (`assistant.format`).
        "reasoning_format": "none",
        "forced": [{"after": entry.after, "text": entry.text} for entry in request.forced],
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def model_info(entry: dict[str, Any]) -> ModelInfo:
    """One entry of `GET /v1/models`."""
    kind = entry.get("format") or {}
    meta = entry.get("meta")
    # Our daemon's own name, vLLM's, and llama-server's, which says 0 before it has loaded one.
    length = entry.get("context_length") or entry.get("max_model_len")
    if not length and isinstance(meta, dict):
        length = meta.get("n_ctx") or None
    return ModelInfo(
        id=str(entry.get("id", "")),
        format_name=kind.get("name"),
        format_version=kind.get("version"),
        fim=bool(entry.get("fim")),
        llama_server=entry.get("owned_by") == "llamacpp",
        context_length=length if isinstance(length, int) else None,
    )


class ChunkReader:
    """Turns the JSON objects of a stream into chunks.

    OpenAI's servers send the usage in a chunk of its own after the one with the finish reason,
    so the `Finished` comes from `close`.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}

    def feed(self, body: dict[str, Any]) -> Iterator[Chunk]:
        """The chunks in one object of the stream."""
        if progress := body.get("prompt_progress"):
            yield Progress(progress["total"], progress["cache"], progress["processed"])
        self._usage = body.get("usage") or self._usage
        self._timings = body.get("timings") or self._timings
        for choice in body.get("choices") or []:
            delta = choice.get("delta") or {}
            reasoning = next((delta[name] for name in _REASONING_FIELDS if delta.get(name)), "")
            if reasoning:
                yield Delta(reasoning, "reasoning")
            if text := delta.get("content") or choice.get("text"):
                yield Delta(text)
            self._reason = choice.get("finish_reason") or self._reason

    def close(self) -> Finished | None:
        """The end, or None when the stream broke off before it."""
        if self._reason is None:
            return None
        details = self._usage.get("prompt_tokens_details") or {}
        return Finished(
            reason=self._reason,
            prompt_tokens=self._usage.get("prompt_tokens") or 0,
            cached_tokens=details.get("cached_tokens") or 0,
            completion_tokens=self._usage.get("completion_tokens") or 0,
            prompt_ms=self._timings.get("prompt_ms") or 0.0,
            predicted_ms=self._timings.get("predicted_ms") or 0.0,
            tokens_per_second=self._timings.get("predicted_per_second") or 0.0,
        )


def error_of(body: Any, fallback: type[errors.AssistantError]) -> errors.AssistantError | None:
    """The error in a JSON object, as the class that the daemon raised; None when there is none."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(body, dict) and body.get("object") == "error":
        error = body  # older releases of vLLM
    if isinstance(error, str):
        return fallback(error)
    if not isinstance(error, dict):
        return None
    kind = getattr(errors, str(error.get("type")), None)
    if not (isinstance(kind, type) and issubclass(kind, errors.AssistantError)):
        kind = fallback
    message = str(error.get("message") or "The server reports an error without a reason.")
    return kind(message, hint=str(error.get("hint") or ""))


def refused(url: str, status: int, said: str) -> errors.EndpointProblem:
    """An endpoint does not let us in; its own words, such as "invalid key", name nobody."""
    return errors.EndpointProblem(
        f"The endpoint {url} answered with status {status}: {said}",
        hint="Does endpoint.api_key_env name the variable that holds its key?",
    )


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as UTF-8; halves of surrogate pairs, which a file may hold, are not sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
