"""From settings to a connection: the choice between the local engine and an endpoint."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from assistant.config import Resolved
from assistant.errors import ConfigProblem, EngineProblem

if TYPE_CHECKING:
    from assistant.client import Target
    from assistant.client.connection import Connection

ENGINE_PACKAGE = "llama-cpp-python"


def target_of(resolved: Resolved) -> Target:
    """Whom the settings say to ask.

    Raises:
        ConfigProblem: the variable that should hold the endpoint's key is not set.
    """
    from assistant.client import Daemon, Endpoint

    settings = resolved.settings
    if not settings.endpoint.url:
        daemon = settings.daemon
        return Daemon(
            model=settings.model,
            inline_model=settings.inline_model,
            memory_gb=daemon.memory_gb,
            idle_minutes=daemon.idle_minutes,
            context_length=daemon.context_length or None,
            threads=daemon.threads or None,
        )
    variable = settings.endpoint.api_key_env
    key = os.environ.get(variable, "") if variable else ""
    if variable and not key:
        raise ConfigProblem(
            f"The endpoint {settings.endpoint.url} needs a key, and ${variable} is not set "
            f"(endpoint.api_key_env, from {resolved.origins['endpoint.api_key_env']}).",
            hint=f"Set it: export {variable}=...",
        )
    # A model that the user names for this one request goes to the endpoint, too.
    model = settings.endpoint.model
    if resolved.origins["model"] == "flag":
        model = settings.model
    return Endpoint(settings.endpoint.url, key, model)


async def open_connection(
    resolved: Resolved, *, start: bool = True, loopback: int | None = None
) -> Connection:
    """Connect to whom the settings name; the daemon is started where it does not run.

    Args:
        resolved: the settings.
        start: start the daemon when it does not run.
        loopback: a port of 127.0.0.1 that a daemon which is started here listens on as well.

    Raises:
        ConfigProblem: the settings do not say how.
        EngineProblem: the local engine is asked for and not installed.
        DaemonProblem: the daemon can not be started or reached.
        EndpointProblem: the endpoint does not answer.
    """
    from assistant.client import Daemon
    from assistant.client.connection import connect

    target = target_of(resolved)
    if isinstance(target, Daemon):
        _require_engine()
        target = replace(target, loopback=loopback)
    return await connect(target, start=start)


def _require_engine() -> None:
    """The base install works against an endpoint only; say so before a daemon dies of it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(ENGINE_PACKAGE)
    except PackageNotFoundError as error:
        raise EngineProblem(
            f"{ENGINE_PACKAGE}, the local engine's library, is not installed.",
            hint="Install it: pip install 'assistant[local]'. "
            "Or use a server: set endpoint.url in config.toml.",
        ) from error
