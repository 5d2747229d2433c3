"""HTTP clients for the two kinds of target."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import ssl

import httpx

from assistant import locations
from assistant.client.renewing import Renewed, Through
from assistant.client.types import Endpoint
from assistant.errors import EndpointProblem

SILENCE_SECONDS = 60.0
"""The daemon sends a sign of life every 5 seconds while it works; after this long it hangs."""
_CONNECT_SECONDS = 10.0
_DAEMON_URL = "http://daemon"
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_UNIX_SOCKETS = hasattr(socket, "AF_UNIX")


def daemon_client() -> httpx.AsyncClient:
    """A client to the user's daemon, whether it runs or not."""
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    return httpx.AsyncClient(
        transport=DaemonTransport(), base_url=_DAEMON_URL, timeout=timeout, trust_env=False
    )


class DaemonTransport(httpx.AsyncBaseTransport):
    """The way to whichever daemon runs now: its unix socket, or the port that it tells.

    The port and the token are read for each request, as the next daemon has others.
    """

    def __init__(self) -> None:
        self._inner = Renewed(
            lambda: httpx.AsyncHTTPTransport(
                uds=os.fspath(locations.socket_path()) if _UNIX_SOCKETS else None,
                # A kept connection may belong to a daemon that has ended since; a new one costs
                # little.
                limits=httpx.Limits(max_keepalive_connections=0),
                # No TLS here; reading the certificates would take longer than the request.
                verify=_NO_TLS,
            )
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: no daemon runs.
        """
        if not _UNIX_SOCKETS:
            port, token = _loopback()
            request.url = request.url.copy_with(host="127.0.0.1", port=port)
            request.headers["Host"] = f"127.0.0.1:{port}"
            request.headers["Authorization"] = f"Bearer {token}"
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._inner.aclose()


def _loopback() -> tuple[int, str]:
    try:
        info = json.loads(locations.daemon_info_path().read_text())
        return int(info["port"]), str(info["token"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise httpx.ConnectError("no daemon has told its port") from error


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
    certificates = httpx.create_ssl_context()
    transport = Renewed(
        lambda: Through(httpx.AsyncClient(verify=certificates, timeout=timeout, trust_env=not here))
    )
    return httpx.AsyncClient(
        transport=transport, base_url=url, headers=headers, timeout=timeout, trust_env=not here
    )


_closing: set[asyncio.Task[None]] = set()


def close_soon(client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    """Close a client in its loop; called from any thread."""

    def close() -> None:
        task = loop.create_task(client.aclose())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    with contextlib.suppress(RuntimeError):  # the loop is closed, and with it the sockets
        loop.call_soon_threadsafe(close)
