"""A teacher behind an OpenAI-compatible endpoint: vLLM, llama-server, Ollama, a service.

One call is sent once here and its answer judged: whole and from the model that was asked for, or
by what name it failed. An answer under another model's name stops the run before it is kept: a
gateway that falls back to a smaller model would spoil the records silently.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import httpx
import httpx_sse

from assistant.errors import EndpointProblem
from training.teachers import meter
from training.teachers.calls import Answer, Call, Teacher, body_of
from training.teachers.limits import retry_after
from training.teachers.protocol import Broken, Busy, Refused

KEY_VARIABLE = "ASSISTANT_TEACHER_KEY"

_THIS_REQUEST = (400, 413, 422)
"""The request is wrong: too long for the model, most of all."""
_FINISHED = ("stop", "eos", "length", "content_filter")
"""Ends that are the model's. vLLM says `abort` when it is shut down: half an answer."""
_NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")
"""Comes as 429, and no waiting helps."""


@dataclass(frozen=True)
class Address:
    """Where and how it is reached."""

    url: str
    """With the API's version, such as http://localhost:8000/v1."""
    answers_as: str = ""
    """The name under which the server answers, where it is not the one that is asked for."""
    timeout: float = 600.0
    """Seconds without a byte after which a request counts as lost."""
    stream: bool = False
    """Take answers as they are written: a server that has died is noticed sooner."""
    connections: int = 32


class Endpoint:
    """A `Backend`. Use it from one event loop; `aclose` it when done."""

    def __init__(self, address: Address, teacher: Teacher) -> None:
        """Make the client; nothing is sent yet.

        Raises:
            EndpointProblem: the address is none.
        """
        self._address, self._teacher = address, teacher
        self._names = {teacher.model, address.answers_as or teacher.model}
        self._url = f"{address.url.rstrip('/')}/chat/completions"
        try:
            host = httpx.URL(self._url).host
        except httpx.InvalidURL as error:
            raise EndpointProblem(
                f"{address.url!r} is not an address: {error}", hint="correct contexts.teacher"
            ) from error
        key = os.environ.get(KEY_VARIABLE, "")
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(address.timeout, connect=min(address.timeout, 30.0), pool=None),
            limits=httpx.Limits(max_connections=address.connections),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # A request to this machine must not leave it through a proxy of the environment.
            trust_env=host not in ("localhost", "127.0.0.1", "::1"),
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, call: Call) -> Answer:
        """As `Backend.send`."""
        body = body_of(call, self._teacher.model, stream=self._address.stream)
        try:
            async with self._client.stream("POST", self._url, json=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise self._failure(response)
                if self._address.stream:
                    return await self._streamed(call, response)
                await response.aread()
                return self._whole(call, response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Broken(f"{self._url}: {_said(error)}", unreachable=True) from error
        except (httpx.HTTPError, httpx.StreamError, httpx_sse.SSEError) as error:
            raise Broken(f"{self._url}: {_said(error)}") from error

    def _whole(self, call: Call, response: httpx.Response) -> Answer:
        try:
            body = response.json()
        except ValueError as error:
            raise Broken(f"{self._url} sent no JSON: {response.text[:120]!r}") from error
        return read_body(body, call, self._names)

    async def _streamed(self, call: Call, response: httpx.Response) -> Answer:
        text: list[str] = []
        finish, usage = "", None
        async for event in httpx_sse.EventSource(response).aiter_sse():
            if event.data == "[DONE]":
                break
            try:
                chunk: dict[str, Any] = json.loads(event.data)
                _check(chunk, self._names)
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices") or ():
                    text.append((choice.get("delta") or {}).get("content") or "")
                    finish = choice.get("finish_reason") or finish
            except (ValueError, TypeError, AttributeError) as error:
                raise Broken(f"{self._url} sent what is no chunk: {event.data[:120]!r}") from error
        if finish not in _FINISHED:
            raise Broken(f"{self._url}: the stream ended in mid-answer ({finish or 'no end'})")
        return _answer("".join(text), finish, usage, call)

    def _failure(self, response: httpx.Response) -> Exception:
        status, text = response.status_code, response.text[:300]
        said = f"{self._url} answered with status {status}: {text}"
        if status == 429 and not any(word in text for word in _NO_MONEY):
            return Busy(said, retry_after(response.headers.get("Retry-After")))
        if status == 503 and "Retry-After" in response.headers:
            return Busy(said, retry_after(response.headers["Retry-After"]))
        if status >= 500 or status == 408:
            return Broken(said)
        if status in _THIS_REQUEST:
            return Refused(said)
        return EndpointProblem(
            f"{self._url} refused with status {status}: {text}",
            hint=f"check contexts.teacher, contexts.teacher_model and the key in {KEY_VARIABLE}; "
            "what was answered is kept",
        )


def read_body(body: Any, call: Call, names: set[str]) -> Answer:
    """The answer in the JSON of a whole completion, as an endpoint or a batch file gives it.

    Raises:
        Broken: it is not such a JSON, or the model was stopped in mid-answer.
        EndpointProblem: another model answered than one of `names`.
    """
    try:
        _check(body, names)
        choice = body["choices"][0]
        # A model that has thought until its limit has no content.
        text = choice["message"].get("content") or ""
        finish = choice.get("finish_reason") or "stop"
        if not isinstance(text, str):
            raise ValueError("the content is no text")
        if finish not in _FINISHED:
            raise Broken(f"the answer was stopped in the middle ({finish})")
        return _answer(text, finish, body.get("usage"), call)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Broken(
            f"this is not what a chat endpoint answers ({error!r}): {json.dumps(body)[:120]}"
        ) from error


def _check(body: dict[str, Any], names: set[str]) -> None:
    if body.get("error"):
        raise Broken(f"the server says: {json.dumps(body['error'])[:300]}")
    answered = body.get("model")
    if answered and answered not in names:
        asked = " or ".join(sorted(names))
        raise EndpointProblem(
            f"{asked} was asked, and the endpoint answers as {answered!r}: another model's "
            "answers are not kept",
            hint="if it is the same model under another name: "
            f"--set contexts.teacher_answers_as={answered}; else correct the server",
        )


def _answer(text: str, finish: str, usage: Any, call: Call) -> Answer:
    counted = usage if isinstance(usage, dict) else {}
    # A server that does not count: better an estimate than an hour that costs nothing.
    prompt = counted.get("prompt_tokens") or meter.prompt_tokens(call.characters)
    completion = counted.get("completion_tokens") or meter.prompt_tokens(len(text))
    kind = "length" if finish == "length" else "stop"
    return Answer(text, kind, int(prompt), int(completion))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
