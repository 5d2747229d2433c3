"""Who may come in: the user's own programs, and no web page.

On the unix socket the kernel says who connects (`connection.py`). Over loopback TCP anybody on
the machine can, so a token is asked for on every route; the `Host` has to be ours, so that a web
page can not come in under another name (DNS rebinding). A request that says it comes from a web
page is refused on both. No header of CORS is ever sent.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assistant.daemon.protocol import MAX_BODY_BYTES
from assistant.daemon.replies import Refused, error_reply
from assistant.errors import AccessProblem, RequestProblem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
JSON = "application/json"
_AT_ONCE = (400, 413)
PEER = "peer"
"""Name in the state of a request under which a connection that was checked says who it is."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked of connections over TCP; without a token nothing is, and there are none."""

    port: int = 0
    token: str = field(default="", repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """What a request may call us."""
        return f"127.0.0.1:{self.port}", f"localhost:{self.port}"


def new_token() -> str:
    """A token that can not be guessed."""
    return secrets.token_urlsafe(32)


class Gate:
    """ASGI middleware that reads the request, and refuses before a route is looked for.

    Nothing is answered before the request is here in whole: a client that is told something
    while it still sends would take the rest of the connection for good. Only what is too long,
    or has no end, is not waited for.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        refused, body = _refusal(scope, self._access), b""
        if refused is None or refused.status not in _AT_ONCE:
            try:
                body = await _read(receive)
            except Refused as longer:
                refused = longer
            except ConnectionError:
                return
        if refused is None:
            await self._app(scope, _again(body, receive), send)
            return
        reply = error_reply(refused.error, refused.status)
        if refused.status == 401:
            reply.headers["www-authenticate"] = "Bearer"
        await reply(scope, receive, send)


async def _read(receive: Receive) -> bytes:
    """The body.

    Raises:
        Refused: it is too long.
        ConnectionError: the client is gone.
    """
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError
        data += message.get("body", b"")
        if len(data) > MAX_BODY_BYTES:
            raise too_long()
        if not message.get("more_body", False):
            return bytes(data)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` for who comes next: the body in one piece, then what the client does."""
    given = False

    async def call() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return call


def _refusal(scope: Scope, access: Access) -> Refused | None:
    if (refused := _head_refusal(scope)) is not None:
        return refused
    headers: dict[bytes, bytes] = dict(scope["headers"])
    if b"origin" in headers:
        return _denied(
            403,
            "The request has an Origin, so it comes from a web page; those are not answered.",
            "A program of your own sends no such header.",
        )
    if access.token and PEER not in scope.get("state", {}):
        host = headers.get(b"host", b"").decode("latin-1")
        if host not in access.hosts:
            return _denied(
                403,
                f"The request is meant for {host[:80]!r}; here is {access.hosts[0]}.",
                "Use that address, without a proxy in between.",
            )
        given = headers.get(b"authorization", b"")
        if not hmac.compare_digest(given, b"Bearer " + access.token.encode()):
            return _denied(
                401,
                "The request has no valid token.",
                "Send 'Authorization: Bearer ' with the token in daemon.json.",
            )
    return _body_refusal(headers)


def _head_refusal(scope: Scope) -> Refused | None:
    """What the server lets pass when it arrives in one piece."""
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
        problem = f"The request has {len(scope['headers'])} headers of {size} bytes."
        return Refused(431, RequestProblem(problem))
    if len(scope["path"]) + len(scope["query_string"]) > MAX_HEADER_BYTES // 2:
        return Refused(414, RequestProblem("The request's path is too long."))
    if scope["http_version"] not in ("1.0", "1.1"):
        problem = f"HTTP/{scope['http_version']} is not spoken here."
        return Refused(400, RequestProblem(problem, hint="Use HTTP/1.1."))
    return None


def _body_refusal(headers: dict[bytes, bytes]) -> Refused | None:
    length = int(headers.get(b"content-length") or 0)
    if length > MAX_BODY_BYTES:
        return too_long()
    if b"content-length" in headers and b"transfer-encoding" in headers:
        # One of them lies, and who stands between may believe the other.
        return Refused(400, RequestProblem("The request has a length and a transfer encoding."))
    if not length and b"transfer-encoding" not in headers:
        return None
    kind = headers.get(b"content-type", b"").decode("latin-1")
    if kind.partition(";")[0].strip().lower() != JSON or b"content-encoding" in headers:
        problem = RequestProblem(
            f"The body has to be plain {JSON}, not {kind[:80]!r}.",
            hint=f"Send 'Content-Type: {JSON}'.",
        )
        return Refused(415, problem)
    return None


def too_long() -> Refused:
    """The refusal of a body that is too long."""
    limit = MAX_BODY_BYTES // 2**20
    return Refused(
        413, RequestProblem(f"The request is larger than {limit} MiB.", hint="Send less context.")
    )


def _denied(status: int, message: str, hint: str) -> Refused:
    return Refused(status, AccessProblem(message, hint=hint))
