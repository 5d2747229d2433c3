"""The routes that only tell: health, version, status, models, properties, metrics, tokens."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from assistant import __version__
from assistant.daemon import metrics, protocol, requests
from assistant.daemon.reading import ready, service_of
from assistant.daemon.replies import json_reply
from assistant.daemon.service import Service
from assistant.daemon.worker import Phase
from assistant.engine.types import Figures, Role


async def health(request: Request) -> Response:
    """Whether the model is loaded; answered at once, also while it is being loaded."""
    service = service_of(request)
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
    return json_reply(body)


async def version(_: Request) -> Response:
    """Who answers, and in which protocol."""
    return json_reply({"name": "assistant", "version": __version__, "protocol": protocol.PROTOCOL})


async def models(request: Request) -> Response:
    """The loaded models."""
    service = ready(request)
    return json_reply({"object": "list", "data": service.models()})


async def status(request: Request) -> Response:
    """What the daemon is doing."""
    service = service_of(request)
    worker = service.worker
    model: dict[str, Any] = {
        "id": service.model_name,
        "path": str(service.model_path),
        "adapter": _text(service.adapter_path),
    }
    if worker.phase is Phase.OK:
        facts = worker.engine.facts
        model = service.model() | {"memory_bytes": facts.memory_bytes}
        model |= {"modified_ns": facts.modified_ns}
        model |= {"adapter_modified_ns": facts.adapter_modified_ns}
    return json_reply(
        {
            "pid": os.getpid(),
            "version": __version__,
            "protocol": protocol.PROTOCOL,
            "uptime_s": round(time.monotonic() - service.started, 3),
            "phase": worker.phase.value,
            "model": model,
            "inline_path": _text(service.inline_path),
            "inline_adapter": _text(service.inline_adapter_path),
            "inline": service.inline() if worker.phase is Phase.OK else None,
            "progress": round(worker.progress, 3),
            "memory_bytes": _peak_memory(),
            "queue": {"running": worker.running, "waiting": worker.waiting},
            "engines": {
                role.value: dataclasses.asdict(found) for role, found in _figures(service).items()
            },
            "requests_served": worker.served,
            "started_by": service.started_by,
            "loopback": service.access.port or None,
        }
    )


async def props(request: Request) -> Response:
    """The properties of the server that llama-server's clients look at."""
    service = ready(request)
    facts = service.worker.engine.facts
    return json_reply(
        {
            "default_generation_settings": {"n_ctx": facts.context_length},
            "model_alias": service.model_name,
            "model_path": str(service.model_path),
            "modalities": {"vision": False, "video": False, "audio": False},
            "endpoint_slots": False,
            "endpoint_props": False,
            "endpoint_metrics": True,
            "build_info": f"assistant-{__version__}",
            "is_sleeping": False,
        }
    )


async def show_metrics(request: Request) -> Response:
    """The figures for Prometheus."""
    service = service_of(request)
    process = [
        ("assistant:requests_served", "Answers given.", service.worker.served),
        ("assistant:requests_open", "Requests in work and waiting.", len(service.open)),
        ("assistant:memory_peak_bytes", "Most memory resident so far.", _peak_memory()),
        ("assistant:uptime_seconds", "Time since the start.", time.monotonic() - service.started),
    ]
    return Response(
        metrics.render(_figures(service), process), headers={"content-type": metrics.CONTENT_TYPE}
    )


async def tokenize(request: Request) -> Response:
    """The tokens of a text."""
    service = ready(request)
    data = await request.body()

    def work() -> list[Any]:
        asked = requests.parse_tokenize(data)
        with service.worker.using():
            vocabulary = service.worker.engine.vocabulary
            tokens = vocabulary.tokenize(asked.content, parse_special=asked.parse_special)
            if asked.add_special and vocabulary.begin is not None:
                tokens.insert(0, vocabulary.begin)
            if not asked.with_pieces:
                return tokens
            return [{"id": token, "piece": _piece(vocabulary.piece(token))} for token in tokens]

    return json_reply({"tokens": await asyncio.to_thread(work)})


async def detokenize(request: Request) -> Response:
    """The text of tokens."""
    service = ready(request)
    data = await request.body()

    def work() -> str:
        with service.worker.using():
            vocabulary = service.worker.engine.vocabulary
            return vocabulary.text(requests.parse_detokenize(data, vocabulary.size))

    return json_reply({"content": await asyncio.to_thread(work)})


def _text(path: Path | None) -> str | None:
    return str(path) if path is not None else None


def _piece(data: bytes) -> str | list[int]:
    """A token's text; its bytes where it is a part of a character, as llama-server does."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return list(data)


def _figures(service: Service) -> dict[Role, Figures]:
    found = {role: service.worker.figures(role) for role in Role}
    return {role: figures for role, figures in found.items() if figures is not None}


def _peak_memory() -> int:
    """The most memory that this process ever had resident, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
