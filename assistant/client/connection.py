"""Connect to the target, ask, cancel: `connect`, then `Connection`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import httpx_sse

from assistant import locations
from assistant.client import dialect, start
from assistant.client.types import (
    ChatRequest,
    Chunk,
    Daemon,
    Endpoint,
    FillRequest,
    ModelInfo,
    Target,
)
from assistant.errors import AssistantError, DaemonProblem, EndpointProblem
from assistant.models import store

START_SECONDS = 30.0
"""How long a daemon may take until it answers `/health`; loading is not part of it."""
_CONNECT_SECONDS = 5.0
# The daemon sends a sign of life every 5 seconds while it works.
_SILENCE_SECONDS = 60.0
_FIRST_DELAY, _LONGEST_DELAY = 0.02, 0.5
_DAEMON_URL = "http://daemon"


async def connect(target: Target, *, start: bool = True) -> Connection:
    """A connection to a model that is ready to answer.

    Args:
        target: the user's daemon or an endpoint.
        start: start the daemon when it does not run.

    Raises:
        DaemonProblem: it does not run (and `start` is False), does not start, or died too often.
        ModelProblem: the model is missing or can not be loaded.
        EndpointProblem: the endpoint can not be reached or has no model.
    """
    if isinstance(target, Endpoint):
        connection = Connection(_endpoint_client(target), target)
    else:
        connection = Connection(_daemon_client(), target)
    try:
        await connection._make_ready(start=start)
    except BaseException:
        await connection.aclose()
        raise
    return connection


async def running() -> Connection | None:
    """A connection to the daemon if one runs, whatever it holds; never starts one."""
    connection = Connection(_daemon_client(), Daemon())
    if await connection._health() is None:
        await connection.aclose()
        return None
    return connection


class Connection:
    """Made by `connect`. Use `async with`, or `aclose`."""

    def __init__(self, client: httpx.AsyncClient, target: Target) -> None:
        self._client = client
        self._target = target
        self._model = target.model if isinstance(target, Endpoint) else ""

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; running answers of it are cancelled."""
        await self._client.aclose()

    @property
    def _ours(self) -> bool:
        return isinstance(self._target, Daemon)

    @property
    def _problem(self) -> type[AssistantError]:
        return DaemonProblem if self._ours else EndpointProblem

    async def model_info(self) -> ModelInfo:
        """The model that answers.

        Raises:
            EndpointProblem: the server lists none, or not the one that is configured.
        """
        entries = (await self._get("/v1/models")).get("data") or []
        infos = [dialect.model_info(entry) for entry in entries]
        wanted = self._model
        found = [info for info in infos if wanted in ("", info.id)]
        if not found:
            known = ", ".join(info.id for info in infos) or "none"
            raise self._problem(
                f"The server has no model {wanted!r}; it lists: {known}.",
                hint="Set endpoint.model to one of these.",
            )
        return found[0]

    async def status(self) -> dict[str, Any]:
        """`GET /status` of the daemon."""
        return await self._get("/status")

    async def shutdown(self, *, when_idle: bool = False) -> bool:
        """End the daemon; False when it is busy and was only to end if idle."""
        query = "?when=idle" if when_idle else ""
        try:
            response = await self._client.post("/shutdown" + query)
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        return response.status_code == 200

    async def stream_chat(
        self, request: ChatRequest, *, request_id: str = ""
    ) -> AsyncIterator[Chunk]:
        """Ask; the answer as it comes. Closing the iterator cancels the request.

        The last chunk is a `Finished`.

        Raises:
            RequestProblem: the request can not be served.
            DaemonProblem: the daemon died in mid-answer; the next `connect` starts another.
            EndpointProblem: the endpoint failed.
        """
        if not self._ours and not self._model:
            self._model = (await self.model_info()).id
        body = dialect.chat_body(request, self._model, ours=self._ours)
        async for chunk in self._stream("/v1/chat/completions", body, request_id):
            yield chunk

    async def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncIterator[Chunk]:
        """Fill in the middle; only the daemon can. As `stream_chat` otherwise."""
        body = dialect.fill_body(request)
        async for chunk in self._stream("/v1/completions", body, request_id):
            yield chunk

    async def cancel(self, request_id: str) -> None:
        """Cancel a request by the id that it was sent with; harmless when it has ended."""
        try:
            await self._client.delete(f"/v1/requests/{request_id}")
        except httpx.HTTPError as error:
            raise self._broken(error) from error

    async def _stream(
        self, path: str, body: dict[str, Any], request_id: str
    ) -> AsyncIterator[Chunk]:
        headers = {"X-Request-Id": request_id} if request_id else {}
        reader = dialect.ChunkReader()
        try:
            async with httpx_sse.aconnect_sse(
                self._client, "POST", self._url(path), json=body, headers=headers
            ) as source:
                await self._check(source.response)
                async for event in source.aiter_sse():
                    if event.data == "[DONE]":
                        break
                    for chunk in self._chunks(reader, event.data):
                        yield chunk
        except (httpx.HTTPError, httpx_sse.SSEError) as error:
            raise self._broken(error) from error
        finished = reader.close()
        if finished is None:
            raise self._broken(None)
        yield finished

    def _chunks(self, reader: dialect.ChunkReader, data: str) -> list[Chunk]:
        try:
            body = json.loads(data)
            if error := dialect.error_of(body, self._problem):
                raise error
            return list(reader.feed(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._problem(f"The server sent what is no chunk: {data[:200]!r}.") from error

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            response = await self._client.get(self._url(path))
            await self._check(response)
            body = response.json()
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        except ValueError as error:
            raise self._problem(f"The answer to {path} is not JSON.") from error
        return body if isinstance(body, dict) else {}

    def _url(self, path: str) -> str:
        # An endpoint's base address may carry the version already.
        base = str(self._client.base_url)
        return path.removeprefix("/v1") if base.rstrip("/").endswith("/v1") else path

    async def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        await response.aread()
        try:
            error = dialect.error_of(response.json(), self._problem)
        except ValueError:
            error = None
        raise error or self._problem(
            f"{response.url} answered with status {response.status_code}: {response.text[:200]!r}."
        )

    def _broken(self, error: Exception | None) -> AssistantError:
        """The connection failed: in whose words it is told."""
        if self._ours and isinstance(error, httpx.TimeoutException):
            return DaemonProblem(
                f"The engine daemon has not answered for {_SILENCE_SECONDS:.0f} seconds.",
                hint="End it with: assistant stop. The next request starts a new one.",
            )
        if self._ours:
            return DaemonProblem(
                "The engine daemon died in mid-answer, or was ended.",
                hint="The next request starts a new one. Why it died may be in "
                f"{locations.log_path('daemon')}.",
            )
        cause = f"{type(error).__name__}: {error}" if error else "the stream ended before its end"
        return EndpointProblem(
            f"The endpoint {self._client.base_url} failed ({cause}).",
            hint="Is the server running, and is endpoint.url right?",
        )

    async def _health(self) -> dict[str, Any] | None:
        """The daemon's health; None when none is there."""
        try:
            response = await self._client.get("/health", timeout=_CONNECT_SECONDS)
            body = response.json()
        except httpx.TimeoutException as error:
            raise DaemonProblem(
                "The engine daemon accepts connections and does not answer.",
                hint="End it with: assistant stop",
            ) from error
        except (httpx.HTTPError, OSError, ValueError):
            return None
        return body if isinstance(body, dict) else None

    async def _make_ready(self, *, start: bool) -> None:
        if isinstance(self._target, Endpoint):
            self._model = (await self.model_info()).id
            return
        path = store.resolve(self._target.model)
        starter = _Starter(self._target, path) if start else None
        delay, silent_since = _FIRST_DELAY, time.monotonic()
        while True:
            health = await self._health()
            if health is not None:
                silent_since = time.monotonic()
                if health["status"] == "failed":
                    raise dialect.error_of(health, DaemonProblem) or DaemonProblem(
                        str(health.get("detail"))
                    )
                if health["status"] == "ok" and await self._holds(path):
                    return
            elif starter is None:
                raise DaemonProblem(
                    "The engine daemon does not run.", hint="Start it with: assistant serve"
                )
            else:
                starter.step()
            if time.monotonic() - silent_since > START_SECONDS:
                raise DaemonProblem(
                    f"The engine daemon has not answered within {START_SECONDS:.0f} seconds.",
                    hint=f"See {locations.log_path('daemon')}.",
                )
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, _LONGEST_DELAY)

    async def _holds(self, path: Path) -> bool:
        """Whether the daemon has loaded `path`; ends an idle one that holds another model."""
        try:
            loaded = (await self.status())["model"]["path"]
        except (DaemonProblem, KeyError):
            return False
        if os.path.realpath(loaded) == os.path.realpath(path):
            return True
        await self.shutdown(when_idle=True)
        return False


class _Starter:
    """Starts the daemon whenever the lock is free; knows when its own attempt failed."""

    def __init__(self, target: Daemon, path: Path) -> None:
        self._target = target
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def step(self) -> None:
        """Called while no daemon answers.

        Raises:
            DaemonProblem: the daemon that was started here ended before it answered.
        """
        if self._process is None:
            self._process = start.start(self._target, self._path, store.name_of(self._path))
        elif (code := self._process.poll()) is not None:
            raise DaemonProblem(
                f"The engine daemon ended with status {code} before it answered:\n"
                f"{start.last_words()}",
                hint=f"The whole log: {locations.log_path('daemon')}",
            )


def _daemon_client() -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(uds=os.fspath(locations.socket_path()))
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    return httpx.AsyncClient(transport=transport, base_url=_DAEMON_URL, timeout=timeout)


def _endpoint_client(target: Endpoint) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    # A server without prompt progress is silent while it reads a long prompt.
    timeout = httpx.Timeout(600.0, connect=10.0)
    base = target.url.rstrip("/")
    return httpx.AsyncClient(base_url=base, headers=headers, timeout=timeout)
