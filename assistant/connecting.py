"""From settings to a connection: the choice between the local engine and an endpoint."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from assistant.config import Resolved
from assistant.errors import ConfigProblem

if TYPE_CHECKING:
    from assistant.client import Target
    from assistant.client.connection import Connection


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


async def open_connection(resolved: Resolved, *, start: bool = True) -> Connection:
    """Connect to whom the settings name; the daemon is started where it does not run.

    Raises:
        ConfigProblem: the settings do not say how.
        DaemonProblem: the daemon can not be started or reached.
        EndpointProblem: the endpoint does not answer.
    """
    from assistant.client.connection import connect

    return await connect(target_of(resolved), start=start)
