"""The JSON of filling in the middle: `POST /infill`, as llama-server has it and our daemon."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from assistant.client.dialect import ChunkReader
from assistant.client.types import Chunk, Delta, FillRequest, Finished, Inline, Progress
from assistant.errors import EndpointProblem

_REASONS = {"limit": "length", "eos": "stop", "word": "stop", "none": "cancelled"}


def fill_body(request: FillRequest, *, ours: bool) -> dict[str, Any]:
    """The body of the request, but for the model.

    Args:
        request: what to fill in.
        ours: the server is our daemon, which knows the extensions.
    """
    body: dict[str, Any] = {
        "input_prefix": request.prefix,
        "prompt": request.typed,
        "input_suffix": request.suffix,
        "input_extra": [{"filename": file.name, "text": file.text} for file in request.extra],
        "n_predict": request.max_tokens,
        "temperature": request.temperature,
        "stop": list(request.stop),
        "cache_prompt": True,
        "stream": True,
    }
    if request.line_ms is not None:
        body["t_max_predict_ms"] = request.line_ms
    if request.seed is not None:
        body["seed"] = request.seed
    if not ours:
        return body
    source = {"client": request.client, "document": request.document}
    return body | {
        # Whichever model fills in: it need not be the one that answers.
        "model": "",
        "filename": request.file_name,
        "repository": request.repository,
        "priority": request.priority or "inline",
        "source": source,
        "return_progress": True,
    }


def unable(url: str) -> EndpointProblem:
    """Most servers know no such request."""
    return EndpointProblem(
        f"The endpoint {url} can not complete inside of a line: it has no /infill.",
        hint="llama-server has, and so has the local engine (endpoint.url left empty).",
    )


def inline_of_daemon(entry: Mapping[str, Any] | None) -> Inline:
    """What the daemon's status says of the role."""
    if entry is None:
        return Inline(reason="the model is being loaded", soon=True)
    if entry.get("model"):
        return Inline(str(entry["model"]))
    return Inline(reason=str(entry.get("reason") or ""), soon=bool(entry.get("loading")))


def inline_of_endpoint(status: int, text: str, model: str, url: str) -> Inline | None:
    """What the answer to an empty `/infill` tells; None when it tells nothing of that.

    llama-server misses the prefix (400) when it can; 501 when its model can not. Most servers have
    no such route; LM Studio says so with status 200.
    """
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    error = body.get("error") if isinstance(body, dict) else None
    if status == 503:
        return Inline(reason=f"the endpoint {url} is loading its model", soon=True)
    if status == 501:
        said = error.get("message") if isinstance(error, dict) else None
        return Inline(reason=f"the endpoint {url} can not: {said or 'its model can not'}")
    if status in (404, 405) or (status == 200 and error):
        return Inline(reason=unable(url).message.rstrip("."))
    return Inline(model) if status in (200, 400, 422) else None


class FillReader:
    """Turns the JSON objects of such a stream into chunks."""

    def __init__(self) -> None:
        self._last: dict[str, Any] | None = None

    def feed(self, body: dict[str, Any]) -> Iterator[Chunk]:
        """The chunks in one object of the stream."""
        if progress := body.get("prompt_progress"):
            yield Progress(progress["total"], progress["cache"], progress["processed"])
        if text := body.get("content"):
            yield Delta(str(text))
        if body.get("stop") is True:
            self._last = body

    def close(self) -> Finished | None:
        """The end, or None when the stream broke off before it."""
        last = self._last
        if last is None:
            return None
        timings = last.get("timings") or {}
        read, cached = timings.get("prompt_n") or 0, timings.get("cache_n") or 0
        kind = str(last.get("stop_type") or "stop")
        return Finished(
            reason=_REASONS.get(kind, kind),
            prompt_tokens=read + cached,
            cached_tokens=cached,
            completion_tokens=timings.get("predicted_n") or 0,
            prompt_ms=timings.get("prompt_ms") or 0.0,
            predicted_ms=timings.get("predicted_ms") or 0.0,
            tokens_per_second=timings.get("predicted_per_second") or 0.0,
            model=str(last.get("model") or ""),
        )


Reader = ChunkReader | FillReader
"""Whatever turns a stream into chunks."""
