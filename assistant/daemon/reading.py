"""What every route needs of a request: the service, the engine, who asks."""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.requests import Request

from assistant.daemon.access import PEER
from assistant.daemon.replies import Refused
from assistant.daemon.service import Service
from assistant.daemon.worker import Phase
from assistant.engine.engine import Engine
from assistant.engine.types import Role
from assistant.errors import DaemonProblem, EngineProblem, ModelProblem


def service_of(request: Request) -> Service:
    """What the routes share."""
    service: Service = request.app.state.service
    return service


def ready(request: Request) -> Service:
    """The same, when there is a model to work with.

    Raises:
        Refused: with status 503: not yet, no more, or never.
    """
    service = service_of(request)
    worker = service.worker
    service.last_use = time.monotonic()
    if service.stopping:
        raise Refused(503, DaemonProblem("The engine daemon is stopping."))
    if worker.phase is Phase.FAILED and worker.failure is not None:
        raise Refused(503, worker.failure)
    if worker.phase is not Phase.OK:
        raise Refused(503, EngineProblem("The model is still being loaded; ask /health."))
    return service


def engine_of(service: Service, model: str, roles: Sequence[Role]) -> tuple[Engine, Role]:
    """The engine for the first role that one is there for, if it is what the client means.

    Raises:
        Refused: with status 409: another model is loaded; 503: it is on its way.
        ModelProblem: no model that is loaded can do it.
    """
    worker = service.worker
    if model not in ("", service.model_name, service.inline_name):
        raise Refused(
            409,
            DaemonProblem(
                f"The engine daemon holds the model {service.model_name}, not {model}.",
                hint="Another program uses it with that model: assistant status",
            ),
        )
    for role in roles:
        if (engine := worker.engine_for(role)) is not None:
            return engine, role
    if Role.GENERATE in roles:
        raise ModelProblem(
            f"{service.model_path} has no chat template (tokenizer.chat_template), so it can not "
            "be given a request; it is a base model.",
            hint="Choose an instruction-tuned model: assistant models list",
        )
    problem = ModelProblem(f"There is no inline completion: {service.inline()['reason']}.")
    if worker.inline_loading:
        raise Refused(503, problem)
    raise problem


def client_of(request: Request, named: str) -> str:
    """Who asks: a process where the kernel knows it, otherwise by its own word."""
    peer: str = getattr(request.state, PEER, "")
    return peer or named
