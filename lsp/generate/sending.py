"""What goes to a model is kept as it goes, so that anybody can see exactly what was sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from assistant.context.types import Context
from assistant.errors import AssistantError, DaemonProblem, EndpointProblem
from assistant.tasks import TaskKind
from lsp.generate.arguments import position_arguments
from lsp.generate.jobs import Job, Wish, job_for
from lsp.python.reply import Refused

if TYPE_CHECKING:
    from assistant.client import ChatRequest, Chunk, ModelInfo
    from assistant.client.connection import Connection
    from lsp.server import AssistantServer


@dataclass(frozen=True, slots=True)
class LastSent:
    """The requests of the last answer for a document."""

    context: Context
    requests: Sequence[ChatRequest]


class Recording:
    """A connection that keeps what was sent over it, and whether it broke."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sent: list[ChatRequest] = []
        self.broken = False

    async def model_info(self) -> ModelInfo:
        """The model that answers."""
        return await self.connection.model_info()

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The answer as it comes."""
        self.sent.append(request)
        try:
            async with aclosing(self.connection.stream_chat(request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except (DaemonProblem, EndpointProblem):
            self.broken = True
            raise


async def context_command(
    server: AssistantServer, params: types.ExecuteCommandParams
) -> dict[str, Any]:
    """`assistant.context`: what was sent last for a document, or else what would be."""
    uri, position = position_arguments(server, params.arguments)
    last = server.proposals.sent.get(uri)
    if last is not None and last.requests:
        head = "What was sent last for this document:"
        requests, context = last.requests, last.context
    else:
        head = "Nothing was sent for this document yet. At this place it would be:"
        try:
            request, context = await _would_be(server, uri, position)
        except AssistantError as error:
            return {"text": str(error), "uri": uri}
        requests = [request]
    try:
        parts = [await _in_words(server, one, context) for one in requests]
    except AssistantError as error:
        return {"text": str(error), "uri": uri}
    return {"text": "\n\n".join([head, *parts]), "uri": uri}


async def _would_be(
    server: AssistantServer, uri: str, position: types.Position
) -> tuple[ChatRequest, Context]:
    """The request for the function at a place: to implement it, or to explain it.

    Raises:
        AssistantError: there is nothing, or no model.
    """
    from dataclasses import replace

    from assistant.answer import AnswerOptions, chat_request

    document = server.documents.seen(uri)
    if document is None:
        raise Refused("The document is not open.")
    if reason := server.context.refusal(document):
        raise Refused(f"Nothing of this document is sent to a model: it {reason}.")
    offset = server.documents.offset(document, position)
    job = _any_job(document, offset)
    region = job.region
    context = await server.context.for_generate(document, region.start, region.end)
    settings = server.engine.resolved().settings
    options = AnswerOptions(max_tokens=settings.ask.max_tokens)
    task = replace(job.task, context=context.pieces)
    return chat_request(task, await server.engine.model_info(), options), context


def _any_job(document: Any, offset: int) -> Job:
    try:
        return job_for(document, Wish(TaskKind.IMPLEMENT, offset, offset))
    except Refused:
        return job_for(document, Wish(TaskKind.EXPLAIN, offset, offset))


async def _in_words(server: AssistantServer, request: ChatRequest, context: Context) -> str:
    from assistant.context.budget import counted
    from assistant.context.explain import Sent, explained

    info = await server.engine.model_info()
    texts = [one["content"] for one in request.messages]
    numbers = await counted(await server.engine.connection(), texts)
    forced = "".join(one.text for one in request.forced)
    sent = Sent(request.messages, numbers, context, info.id, info.context_length, forced)
    return explained(sent)
