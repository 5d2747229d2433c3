"""The routes that answer. Light work only: all decoding happens in the worker's thread."""

from __future__ import annotations

import asyncio
import os
import re
import time
import uuid
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assistant.daemon import preparing, requests, views
from assistant.daemon.access import Gate
from assistant.daemon.answers import Manner, Stream, Whole
from assistant.daemon.controls import Controls
from assistant.daemon.outbox import AT_THE_END, READING_SECONDS
from assistant.daemon.protocol import REQUEST_ID
from assistant.daemon.reading import client_of, engine_of, ready, service_of
from assistant.daemon.reasoning import Channels
from assistant.daemon.replies import Refused, error_reply, json_reply, status_of
from assistant.daemon.service import MAX_OF_CLIENT, Open, Service
from assistant.daemon.shapes import ChatShape, NativeShape, Shape, TextShape
from assistant.daemon.worker import Job
from assistant.engine.engine import Engine
from assistant.engine.types import Prepared, Priority, Role
from assistant.errors import (
    AssistantError,
    DaemonProblem,
    EngineProblem,
    RequestProblem,
)

Asked = requests.ChatRequest | requests.TextRequest | requests.FillRequest
_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)


def build_app(service: Service) -> Starlette:
    """The ASGI application."""
    posts = {
        ("/v1/chat/completions", "/chat/completions"): chat,
        ("/v1/completions",): completion,
        # llama-server's own names and shapes.
        ("/completion", "/completions"): native_completion,
        ("/infill",): infill,
        ("/tokenize",): views.tokenize,
        ("/detokenize",): views.detokenize,
        ("/shutdown",): shutdown,
    }
    gets = {
        ("/health", "/v1/health"): views.health,
        ("/version",): views.version,
        ("/status",): views.status,
        ("/v1/models", "/models"): views.models,
        ("/props",): views.props,
        ("/metrics",): views.show_metrics,
    }
    routes = [Route(path, call) for paths, call in gets.items() for path in paths]
    routes += [
        Route(path, call, methods=["POST"]) for paths, call in posts.items() for path in paths
    ]
    routes.append(Route("/v1/requests/{id}", cancel, methods=["DELETE"]))
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Gate, access=service.access)],
        exception_handlers={
            AssistantError: _problem,
            Refused: _refusal,
            HTTPException: _unknown,
            Exception: _defect,
        },
    )
    app.router.redirect_slashes = False
    app.state.service = service
    return app


async def chat(request: Request) -> Response:
    """Answer a chat."""

    def shape(service: Service, job: Job, controls: Controls) -> Shape:
        return ChatShape(job.id, service.name_of(job.role), int(time.time()), controls.usage)

    return await _answered(request, requests.parse_chat, shape)


async def completion(request: Request) -> Response:
    """Continue a raw prompt, or fill in the middle when there is a suffix."""

    def shape(service: Service, job: Job, controls: Controls) -> Shape:
        return TextShape(job.id, service.name_of(job.role), int(time.time()), controls.usage)

    return await _answered(request, requests.parse_text, shape)


async def native_completion(request: Request) -> Response:
    """The same, in llama-server's own shape."""
    return await _answered(request, requests.parse_text, _native)


async def infill(request: Request) -> Response:
    """Fill in the middle, as llama-server's clients ask for it."""
    return await _answered(request, requests.parse_fill, _native)


async def shutdown(request: Request) -> Response:
    """End the daemon; with `?when=idle` only if it has nothing to do."""

    service = service_of(request)
    if request.query_params.get("when") == "idle" and service.busy:
        return json_reply({"status": "busy"}, 409)
    service.stop()
    return json_reply({"status": "stopping", "pid": os.getpid()})


async def cancel(request: Request) -> Response:
    """Cancel a request by its id."""
    service = service_of(request)
    one = service.open.get(request.path_params["id"])
    if one is None:
        given = request.path_params["id"][:128]
        raise Refused(404, RequestProblem(f"There is no request {given!r} any more."))
    service.cancel(one)
    return json_reply({"status": "cancelled"})


def _native(service: Service, job: Job, _: Controls) -> Shape:
    return NativeShape(service.name_of(job.role))


async def _answered(
    request: Request,
    parse: Callable[[bytes], Asked],
    shape: Callable[[Service, Job, Controls], Shape],
) -> Response:
    """Read, prepare, queue, answer."""
    arrived = time.perf_counter()
    service = ready(request)
    data = await request.body()

    def work() -> tuple[Asked, Engine, Role, Prepared]:
        asked = parse(data)
        with service.worker.using():
            engine, role = engine_of(service, asked.controls.model, _roles(service, asked))
            return asked, engine, role, preparing.prepare(engine, asked)

    # Before it is prepared: a cancel has to find it, and the daemon is busy with it.
    one = _entered(service, _id_of(request, service), client_of(request, "") or None)
    try:
        # In a thread: a long source file takes milliseconds to read, render and tokenise.
        asked, engine, role, prepared = await asyncio.to_thread(work)
        controls = asked.controls
        job = Job(
            one.id,
            prepared,
            service.outbox(_every(controls)),
            priority=controls.priority,
            source=controls.source,
            role=role,
        )
        job.ticket.arrived = arrived  # the preparation of the newer one may have been quicker
        _submit(service, one, job, client_of(request, controls.client))
    except BaseException:
        service.forget(one.id)
        raise
    manner = Manner(
        shape(service, job, controls), _channels(engine, prepared, controls), controls.progress
    )
    return Stream(service, job, manner) if controls.stream else Whole(service, job, manner)


def _every(controls: Controls) -> float:
    """How often text is sent: at once to an editor, which decides by it when it has enough."""
    if not controls.stream:
        return AT_THE_END
    return 0.0 if controls.priority is Priority.INLINE else READING_SECONDS


def _roles(service: Service, asked: Asked) -> tuple[Role, ...]:
    """Who may answer; a raw prompt may go to either model."""
    if isinstance(asked, requests.FillRequest):
        return (Role.INLINE,)
    if isinstance(asked, requests.ChatRequest):
        return (Role.GENERATE,)
    named_inline = asked.controls.model not in ("", service.model_name)
    return (Role.INLINE,) if named_inline else (Role.GENERATE, Role.INLINE)


def _channels(engine: Engine, prepared: Prepared, controls: Controls) -> Channels | None:
    if not controls.split:
        # A continued answer holds its tag itself.
        opened = prepared.thinking if not prepared.before else ""
        return Channels(thinking=opened, whole=True) if opened else None
    return Channels(
        sections=preparing.writes_sections(engine),
        thinking=prepared.thinking,
        before=prepared.before,
    )


def _id_of(request: Request, service: Service) -> str:
    given = request.headers.get(REQUEST_ID, "")
    if given and not _ID.fullmatch(given):
        raise RequestProblem(
            f"The {REQUEST_ID} {given[:40]!r} has to be 1 to 128 letters, digits and '-_.:'."
        )
    if given in service.open:
        raise RequestProblem(f"The {REQUEST_ID} {given!r} is in use by another request.")
    return given or uuid.uuid4().hex


def _entered(service: Service, id: str, client: str | None) -> Open:
    """Take a request up.

    Raises:
        Refused: with status 429: its client has too many.
    """
    one = service.enter(id, client)
    if one is None:
        raise _too_many(f"This program has {MAX_OF_CLIENT} requests open.")
    return one


def _submit(service: Service, one: Open, job: Job, client: str) -> None:
    """Queue a request that is prepared.

    Raises:
        Refused: with status 429: too many are waiting; 503: the daemon ends.
    """
    if service.stopping:
        raise Refused(503, DaemonProblem("The engine daemon is stopping."))
    if not service.name(one, client):
        raise _too_many(f"This program has {MAX_OF_CLIENT} requests open.")
    if not service.worker.submit(job):
        raise _too_many(f"{service.worker.waiting} requests are waiting for the engine already.")
    one.job = job
    if one.cancelled:
        service.cancel(one)


def _too_many(what: str) -> Refused:
    return Refused(429, DaemonProblem(what, hint="See who is asking: assistant status"))


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, AssistantError)
    return error_reply(error, status_of(error))


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error_reply(error.error, error.status)


async def _unknown(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method[:40]} {request.url.path[:200]}"
    problem = RequestProblem(f"There is no route {what} ({error.detail}).")
    reply = error_reply(problem, error.status_code)
    reply.headers.update(error.headers or {})
    return reply


async def _defect(_: Request, error: Exception) -> Response:
    # It is logged where it goes on to.
    return error_reply(EngineProblem(f"A defect of the daemon: {type(error).__name__}."), 500)
