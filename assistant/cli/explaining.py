"""`ask --explain-context`: what goes to the model is shown at the moment when it goes.

It stands between the answer and the connection, so that what is shown can be nothing else than what
is sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

from assistant.client.types import ChatRequest, Chunk, ModelInfo
from assistant.context.budget import counted
from assistant.context.explain import Sent
from assistant.context.types import Context
from assistant.generation import Connection


class Explaining:
    """A connection that shows each request before it is sent; one that was shown, once."""

    def __init__(
        self, connection: Connection, context: Context, show: Callable[[Sent], None]
    ) -> None:
        self._connection = connection
        self._context = context
        self._show = show
        self._shown: list[tuple[Sequence[Mapping[str, str]], str]] = []

    async def model_info(self) -> ModelInfo:
        """The model that answers."""
        return await self._connection.model_info()

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Show the request, then send it."""
        forced = "".join(one.text for one in request.forced)
        if (request.messages, forced) not in self._shown:
            self._shown.append((request.messages, forced))
            self._show(await self._sent(request, forced))
        async with aclosing(self._connection.stream_chat(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _sent(self, request: ChatRequest, forced: str) -> Sent:
        info = await self._connection.model_info()
        numbers = await counted(self._connection, [one["content"] for one in request.messages])
        return Sent(request.messages, numbers, self._context, info.id, info.context_length, forced)
