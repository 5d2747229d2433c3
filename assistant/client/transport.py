"""HTTP clients for the two kinds of target."""

from __future__ import annotations

import os

import httpx

from assistant import locations
from assistant.client.types import Endpoint
from assistant.errors import EndpointProblem

SILENCE_SECONDS = 60.0
"""The daemon sends a sign of life every 5 seconds while it works; after this long it hangs."""
_CONNECT_SECONDS = 10.0
_DAEMON_URL = "http://daemon"


def daemon_client() -> httpx.AsyncClient:
    """A client to the user's daemon, whether it runs or not."""
    transport = httpx.AsyncHTTPTransport(
        uds=os.fspath(locations.socket_path()),
        # A kept connection may belong to a daemon that has ended since; a new one costs little.
        limits=httpx.Limits(max_keepalive_connections=0),
        # No TLS on this socket; reading the certificates would take longer than the request.
        verify=False,
    )
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    return httpx.AsyncClient(
        transport=transport, base_url=_DAEMON_URL, timeout=timeout, trust_env=False
    )


def endpoint_client(target: Endpoint) -> httpx.AsyncClient:
    """A client to an external server.

    Raises:
        EndpointProblem: its address is none.
    """
    try:
        url = httpx.URL(target.url.rstrip("/"))
    except httpx.InvalidURL as error:
        raise EndpointProblem(
            f"{target.url!r} is not an address: {error}.", hint="Correct endpoint.url."
        ) from error
    headers = {"Authorization": f"Bearer {target.api_key}"} if target.api_key else {}
    # Many servers are silent while they read a long prompt.
    timeout = httpx.Timeout(600.0, connect=10.0)
    # A request to this machine must not leave it through a proxy of the environment.
    here = url.host in ("localhost", "127.0.0.1", "::1")
    return httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout, trust_env=not here)
