"""The routes of the daemon. Light work only: all decoding happens in the worker's thread."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import time
import uuid
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assistant import __version__
from assistant.daemon import protocol
from assistant.daemon.answers import REQUEST_ID, Stream, Whole
from assistant.daemon.service import Service
from assistant.daemon.worker import Job, Outbox, Phase
from assistant.engine.engine import Engine
from assistant.errors import (
    AssistantError,
    DaemonProblem,
    EngineProblem,
    ModelProblem,
    RequestProblem,
)

_MAX_ID = 128


def build_app(service: Service) -> Starlette:
    """The ASGI application."""
    app = Starlette(
        routes=[
            Route("/health", health),
            Route("/version", version),
            Route("/status", status),
            Route("/v1/models", models),
            Route("/v1/chat/completions", chat, methods=["POST"]),
            Route("/v1/completions", completion, methods=["POST"]),
            Route("/v1/requests/{id}", cancel, methods=["DELETE"]),
            Route("/shutdown", shutdown, methods=["POST"]),
        ],
        exception_handlers={AssistantError: _problem, _Refused: _refusal, ClientDisconnect: _gone},
    )
    app.state.service = service
    return app


async def health(request: Request) -> Response:
    """Whether the model is loaded; answered at once, also while it is being loaded."""
    service = _service(request)
    worker = service.worker
    body: dict[str, Any] = {
        "status": worker.phase.value,
        "detail": "",
        "progress": round(worker.progress, 3),
    }
    if worker.failure is not None:
        body |= {"detail": str(worker.failure)} | protocol.error_body(worker.failure, 503)
        # The reason is told. Who comes next shall get a new attempt: the cause may be gone.
        service.stop()
    return JSONResponse(body)


async def version(_: Request) -> Response:
    """Who answers, and in which protocol."""
    return JSONResponse(
        {"name": "assistant", "version": __version__, "protocol": protocol.PROTOCOL}
    )


async def models(request: Request) -> Response:
    """The loaded model."""
    service = _ready(request)
    return JSONResponse({"object": "list", "data": [service.model()]})


async def status(request: Request) -> Response:
    """What the daemon is doing."""
    service = _service(request)
    worker = service.worker
    model: dict[str, Any] = {"id": service.model_name, "path": str(service.model_path)}
    if worker.phase is Phase.OK:
        facts = worker.engine.facts
        model = service.model() | {"memory_bytes": facts.memory_bytes}
        model |= {"modified_ns": facts.modified_ns}
    return JSONResponse(
        {
            "pid": os.getpid(),
            "version": __version__,
            "protocol": protocol.PROTOCOL,
            "uptime_s": round(time.monotonic() - service.started, 3),
            "phase": worker.phase.value,
            "model": model,
            "inline_path": str(service.inline_path) if service.inline_path else None,
            "inline": service.inline() if worker.phase is Phase.OK else None,
            "progress": round(worker.progress, 3),
            "memory_bytes": _peak_memory(),
            "queue": {"running": worker.running, "waiting": worker.waiting},
            "requests_served": worker.served,
            "started_by": service.started_by,
        }
    )


async def shutdown(request: Request) -> Response:
    """End the daemon; with `?when=idle` only if it has nothing to do."""
    service = _service(request)
    if request.query_params.get("when") == "idle" and service.busy:
        return JSONResponse({"status": "busy"}, status_code=409)
    service.stop()
    return JSONResponse({"status": "stopping", "pid": os.getpid()})


async def cancel(request: Request) -> Response:
    """Cancel a request by its id."""
    service = _service(request)
    job = service.jobs.get(request.path_params["id"])
    if job is None:
        raise _Refused(
            404, RequestProblem(f"There is no request {request.path_params['id']!r} any more.")
        )
    service.worker.cancel(job)
    return JSONResponse({"status": "cancelled"})


async def chat(request: Request) -> Response:
    """Answer a chat."""
    service = _ready(request)
    asked = protocol.parse_chat(await _body(request))
    common = asked.common
    engine = _holding(service, common.model)
    # In a thread: a long source file takes milliseconds to render and tokenise.
    prepared = await asyncio.to_thread(
        engine.prepare_chat, asked.messages, common.sampling, common.limits
    )
    return await _answer(request, common, _job(request, prepared), chat=True)


async def completion(request: Request) -> Response:
    """Continue a raw prompt, or fill in the middle when there is a suffix."""
    service = _ready(request)
    asked = protocol.parse_text(await _body(request))
    common = asked.common
    engine = _holding(service, common.model)
    if asked.suffix is None:
        prepared = await asyncio.to_thread(
            engine.prepare_raw, asked.prompt, common.sampling, common.limits
        )
    else:
        prepared = await asyncio.to_thread(
            engine.prepare_fill, asked.prompt, asked.suffix, common.sampling, common.limits
        )
    return await _answer(request, common, _job(request, prepared), chat=False)


class _Refused(Exception):
    """An error with the HTTP status that goes with it."""

    def __init__(self, status: int, error: AssistantError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _ready(request: Request) -> Service:
    service = _service(request)
    worker = service.worker
    service.last_use = time.monotonic()
    if service.stopping:
        raise _Refused(503, DaemonProblem("The engine daemon is stopping."))
    if worker.phase is Phase.FAILED and worker.failure is not None:
        raise _Refused(503, worker.failure)
    if worker.phase is not Phase.OK:
        raise _Refused(503, EngineProblem("The model is still being loaded; ask /health."))
    return service


def _holding(service: Service, model: str) -> Engine:
    """The engine, if it holds the model that the client means."""
    if model not in ("", service.model_name):
        raise _Refused(
            409,
            DaemonProblem(
                f"The engine daemon holds the model {service.model_name}, not {model}.",
                hint="Another program uses it with that model: assistant status",
            ),
        )
    return service.worker.engine


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is known to be too long."""
    limit = protocol.MAX_BODY_BYTES
    too_long = _Refused(
        413,
        RequestProblem(
            f"The request is larger than {limit // 2**20} MiB.", hint="Send less context."
        ),
    )
    if int(request.headers.get("content-length") or 0) > limit:
        raise too_long
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise too_long
    return bytes(data)


def _job(request: Request, prepared: Any) -> Job:
    service = _service(request)
    given = request.headers.get(REQUEST_ID, "")
    if len(given) > _MAX_ID or given in service.jobs:
        raise RequestProblem(
            f"The {REQUEST_ID} {given[:40]!r} is in use by another request, or too long."
        )
    return Job(given or uuid.uuid4().hex, prepared, Outbox(asyncio.get_running_loop()))


async def _answer(request: Request, common: protocol.Request, job: Job, *, chat: bool) -> Response:
    service = _service(request)
    # Entered before it is queued: a cancel has to find it.
    service.jobs[job.id] = job
    if not service.worker.submit(job):
        del service.jobs[job.id]
        raise _Refused(
            429,
            DaemonProblem(
                f"{service.worker.waiting} requests are waiting for the engine already.",
                hint="See who is asking: assistant status",
            ),
        )
    shape = protocol.Shape(job.id, service.model_name, int(time.time()), chat)
    if common.stream:
        return Stream(service, job, shape, progress=common.progress)
    return Whole(service, job, shape)


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, AssistantError)
    status = 400 if isinstance(error, RequestProblem | ModelProblem) else 500
    return JSONResponse(protocol.error_body(error, status), status)


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, _Refused)
    return JSONResponse(protocol.error_body(error.error, error.status), error.status)


async def _gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)


def _peak_memory() -> int:
    """The most memory that this process ever had resident, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
