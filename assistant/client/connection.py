"""Connect to the target, ask, cancel: `connect`, then `Connection`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import httpx
import httpx_sse

from assistant import locations
from assistant.client import dialect, filling, readiness
from assistant.client.transport import (
    SILENCE_SECONDS,
    close_soon,
    daemon_client,
    endpoint_client,
)
from assistant.client.types import (
    ChatRequest,
    Chunk,
    Daemon,
    Endpoint,
    FillRequest,
    Inline,
    ModelInfo,
    Target,
)
from assistant.errors import AssistantError, DaemonProblem, EndpointProblem

_HEALTH_SECONDS = 10.0
_LIST_SECONDS = 30.0
"""For what is known without a model; an answer may take an endpoint far longer."""
_ATTEMPTS = 10
"""To be asked again where the daemon gives way to another client's model just then."""
# 409: it holds another model; 503: it is loading or stopping.
_NOT_READY = (409, 503)


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
    connection = Connection(target, start=start)
    try:
        await connection.make_ready()
    except BaseException:
        await connection.aclose()
        raise
    return connection


async def running() -> Connection | None:
    """A connection to the daemon if one runs, whatever it holds; never starts one.

    Raises:
        DaemonProblem: there is one, and it does not answer.
    """
    connection = Connection(Daemon(), start=False)
    try:
        alive = await connection.health() is not None
    except BaseException:
        await connection.aclose()
        raise
    if not alive:
        await connection.aclose()
    return connection if alive else None


class Connection:
    """Made by `connect`. Use `async with`, or `aclose`."""

    def __init__(self, target: Target, *, start: bool) -> None:
        self._target = target
        self._start = start
        self._llama_server = False
        if isinstance(target, Endpoint):
            self._client, self._model = endpoint_client(target), target.model
        else:
            self._client, self._model = daemon_client(), ""

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; running answers of it are cancelled."""
        await self._client.aclose()

    def close_when_unused(self) -> None:
        """Close it when the last one who holds it lets go of it; running answers go on."""
        loop = asyncio.get_running_loop()
        weakref.finalize(self, close_soon, self._client, loop).atexit = False

    @property
    def local(self) -> bool:
        """Whether it leads to our own daemon, which knows priorities and tells its status."""
        return self._ours

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

    async def models(self) -> list[dict[str, Any]]:
        """`GET /v1/models`, as it comes."""
        found: list[dict[str, Any]] = (await self._get("/v1/models")).get("data") or []
        return found

    async def count_tokens(self, texts: Sequence[str]) -> list[int] | None:
        """How many tokens the model makes of each text; None where the server does not tell."""
        if not (self._ours or self._llama_server):
            return None
        try:
            return [await self._count(text) for text in texts]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

    async def _count(self, text: str) -> int:
        # As text: a token of the template that stands in somebody's file is no token here.
        body = {"content": text, "parse_special": False}
        response = await self._client.post(self._url("/tokenize"), json=body)
        return len(response.raise_for_status().json()["tokens"])

    async def status(self) -> dict[str, Any]:
        """`GET /status` of the daemon."""
        return await self._get("/status")

    async def inline(self) -> Inline:
        """Who completes inside of a line, or why nobody does; nothing is generated for it.

        Raises:
            DaemonProblem: the daemon does not run.
            EndpointProblem: the endpoint does not answer.
        """
        if self._ours:
            return filling.inline_of_daemon((await self.status()).get("inline"))
        try:
            # A server that has it misses the text before the cursor, and says so.
            response = await self._client.post(self._url("/infill"), json={})
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        found = filling.inline_of_endpoint(
            response.status_code, response.text, self._model, str(self._client.base_url)
        )
        if found is None:
            await self._check(response)
        return found or Inline(self._model)

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
    ) -> AsyncGenerator[Chunk, None]:
        """Ask; the answer as it comes. Closing the iterator cancels the request.

        The last chunk is a `Finished`.

        Raises:
            RequestProblem: the request can not be served.
            DaemonProblem: the daemon died in mid-answer; the next `connect` starts another.
            EndpointProblem: the endpoint failed.
        """
        body = dialect.chat_body(request, ours=self._ours)
        if self._llama_server:
            # It looks for a closed stream when it writes: without progress not before the prompt
            # is read, which takes minutes on a slow machine.
            body["return_progress"] = True
        if request.model and not self._ours:
            body["model"] = request.model
        # Closed with this one, so that the request is cancelled when `aclose` returns.
        async with aclosing(self._stream("/v1/chat/completions", body, request_id)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        """Fill in the middle; as `stream_chat` otherwise."""
        body = filling.fill_body(request, ours=self._ours)
        stream = self._stream("/infill", body, request_id, filling.FillReader())
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                yield chunk

    async def cancel(self, request_id: str) -> None:
        """Cancel a request by the id that it was sent with; harmless when it has ended."""
        try:
            await self._client.delete(f"/v1/requests/{request_id}")
        except httpx.HTTPError as error:
            raise self._broken(error) from error

    async def _stream(
        self, path: str, body: dict[str, Any], request_id: str, reader: filling.Reader | None = None
    ) -> AsyncGenerator[Chunk, None]:
        headers = {"Content-Type": "application/json"}
        if request_id:
            headers["X-Request-Id"] = request_id
        reader = reader or dialect.ChunkReader()
        try:
            async with self._opened(path, body, headers) as response:
                async for event in httpx_sse.EventSource(response).aiter_sse():
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

    @contextlib.asynccontextmanager
    async def _opened(
        self, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Send a request and check its status.

        Between two requests the daemon may have ended because it was idle, or have been given
        another model by another client; then it is made ready and asked again.
        """
        attempts = _ATTEMPTS if self._ours else 1
        while True:
            attempts -= 1
            content = dialect.encoded({"model": self._model} | body)
            request = self._client.build_request(
                "POST", self._url(path), content=content, headers=headers
            )
            try:
                response = await self._client.send(request, stream=True)
            except httpx.ConnectError:
                if not attempts:
                    raise
            else:
                if not attempts or response.status_code not in _NOT_READY:
                    break
                await response.aclose()
            await self.make_ready()
        try:
            await self._check(response)
            yield response
        finally:
            await response.aclose()

    def _chunks(self, reader: filling.Reader, data: str) -> list[Chunk]:
        try:
            body = json.loads(data)
            if error := dialect.error_of(body, self._problem):
                raise error
            return list(reader.feed(body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._problem(f"The server sent what is no chunk: {data[:200]!r}.") from error

    async def _get(self, path: str) -> dict[str, Any]:
        try:
            response = await self._client.get(self._url(path), timeout=_LIST_SECONDS)
            await self._check(response)
            body = response.json()
        except httpx.HTTPError as error:
            raise self._broken(error) from error
        except ValueError as error:
            raise self._problem(f"The answer to {path} is not JSON.") from error
        return body if isinstance(body, dict) else {}

    def _url(self, path: str) -> str:
        # An endpoint's base address may carry the version already.
        base = str(self._client.base_url).rstrip("/")
        bare = base.removesuffix("/v1")
        return path if bare == base else path.removeprefix("/v1") if "/v1" in path else bare + path

    async def _check(self, response: httpx.Response) -> None:
        if response.is_success:
            return
        await response.aread()
        if response.status_code == 404 and response.url.path.endswith("/infill"):
            raise filling.unable(str(self._client.base_url))
        try:
            error = dialect.error_of(response.json(), self._problem)
        except ValueError:
            error = None
        if not self._ours and response.status_code in (401, 403):
            said = error.message if error else repr(response.text[:200])
            raise dialect.refused(str(self._client.base_url), response.status_code, said)
        raise error or self._problem(
            f"{response.url} answered with status {response.status_code}: {response.text[:200]!r}."
        )

    def _broken(self, error: Exception | None) -> AssistantError:
        """The connection failed: in whose words it is told."""
        if self._ours and isinstance(error, httpx.TimeoutException):
            return DaemonProblem(
                f"The engine daemon has not answered for {SILENCE_SECONDS:.0f} seconds.",
                hint="End it with: assistant stop. The next request starts a new one.",
            )
        if self._ours and isinstance(error, httpx.ConnectError):
            return DaemonProblem(
                "The engine daemon does not run.", hint="Start it with: assistant serve"
            )
        if self._ours:
            return DaemonProblem(
                "The engine daemon died in mid-answer.",
                hint="The next request starts a new one. Why it died may be in "
                f"{locations.log_path('daemon')}.",
            )
        cause = f"{type(error).__name__}: {error}" if error else "the stream ended before its end"
        return EndpointProblem(
            f"The endpoint {self._client.base_url} failed ({cause}).",
            hint="Is the server running, and is endpoint.url right?",
        )

    async def health(self) -> dict[str, Any] | None:
        """The daemon's `/health`; None when none is there.

        Raises:
            DaemonProblem: there is one, and it does not answer, or not to us: it has too many
                connections, say.
        """
        try:
            response = await self._client.get("/health", timeout=_HEALTH_SECONDS)
            body = response.json()
        except httpx.TimeoutException as error:
            raise DaemonProblem(
                f"The engine daemon has not answered within {_HEALTH_SECONDS:.0f} seconds; it "
                "hangs.",
                hint="End it with: assistant stop",
            ) from error
        except (httpx.HTTPError, ValueError):
            return None
        if not isinstance(body, dict) or "status" not in body:
            raise dialect.error_of(body, DaemonProblem) or DaemonProblem(
                f"The engine daemon tells nothing of itself ({response.text[:200]!r}).",
                hint="End it with: assistant stop",
            )
        return body

    async def make_ready(self) -> None:
        """Wait until the target has its model loaded; start the daemon where that is allowed.

        Raises:
            DaemonProblem: as `connect`.
            ModelProblem: as `connect`.
            EndpointProblem: as `connect`.
        """
        if isinstance(self._target, Endpoint):
            info = await self.model_info()
            self._model, self._llama_server = info.id, info.llama_server
            return
        self._model = await readiness.of_daemon(self, self._target, start=self._start)
