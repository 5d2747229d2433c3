"""One connection to the daemon, in the time and room that it is given.

uvicorn reads HTTP; what it leaves open is closed here: who connects, how long a request may take
to arrive, how long an answer may go unread, how many connections there may be, and how an error
of the protocol itself is told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from assistant.daemon.access import MAX_HEADER_BYTES, PEER
from assistant.daemon.peers import peer_of
from assistant.daemon.protocol import error_body, to_json
from assistant.errors import AccessProblem, AssistantError, DaemonProblem, RequestProblem

MAX_CONNECTIONS = 256
ARRIVAL_SECONDS = 20.0
"""A request has to be here in whole after this long."""
IDLE_SECONDS = 75
UNREAD_SECONDS = 60.0
"""A client that takes nothing of its answer for this long is gone."""
_LINGER_SECONDS = 2.0
_MOST_AHEAD = 64 * 1024
"""Bytes of later requests that are taken while one is answered."""
_SHOWN = 200

log = logging.getLogger(__name__)


def server_options() -> dict[str, Any]:
    """What `uvicorn.Config` is given so that it uses this."""
    return {
        "http": Connection,
        # Longer than clients keep one: else it would close while they write.
        "timeout_keep_alive": IDLE_SECONDS,
        "h11_max_incomplete_event_size": MAX_HEADER_BYTES,
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "ws": "none",
    }


class Connection(H11Protocol):
    """See the module."""

    _arrival: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Find out who it is."""
        super().connection_made(transport)
        try:
            peer = peer_of(transport.get_extra_info("socket"))
        except OSError as error:
            self._refuse(403, AccessProblem(f"The system does not tell who connects: {error}."))
            return
        if peer is not None and peer.uid != os.getuid():
            log.warning("refused a connection of user %s", peer.uid)
            self._refuse(
                403,
                AccessProblem(
                    f"This engine belongs to user {os.getuid()}, not to user {peer.uid}.",
                    hint="Start one of your own: assistant serve",
                ),
            )
        elif len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503, DaemonProblem(f"There are {MAX_CONNECTIONS} connections already."))
        else:
            if peer is not None:
                self.app_state = {**self.app_state, PEER: f"pid {peer.pid}"}
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._stop(arrival=True, unread=True)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request, or what follows one that was refused."""
        if self._refused:
            return
        super().data_received(data)
        self._listen_on()
        self._expect()

    def eof_received(self) -> None:
        """The client is gone, or says no more: in the midst of a request it is told so."""
        cut = self.conn.their_state is h11.SEND_BODY or (
            self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]
        )
        if cut and not self._refused:
            super().data_received(b"")

    def on_response_complete(self) -> None:
        """The next request may be on its way already; the rest of this one need not come."""
        if self.conn.their_state is h11.SEND_BODY:
            self._linger()
            return
        super().on_response_complete()
        self._listen_on()
        if self.conn.trailing_data[0]:
            self._expect()

    def _listen_on(self) -> None:
        """While a request is answered and the next one is here already uvicorn stops reading; then
        nobody would hear that the client is gone."""
        waits = self.conn.their_state is h11.DONE
        if waits and not self._refused and len(self.conn.trailing_data[0]) < _MOST_AHEAD:
            self.flow.resume_reading()

    def _expect(self) -> None:
        """Give what is missing of a request its time."""
        arrived = self.cycle is not None and not self.cycle.more_body
        if self._refused or (arrived and not self.cycle.response_complete):
            self._stop(arrival=True)
        elif self._arrival is None:
            self._arrival = self.loop.call_later(ARRIVAL_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self._refuse(
            408, RequestProblem(f"The request did not arrive within {ARRIVAL_SECONDS:.0f} seconds.")
        )

    def pause_writing(self) -> None:
        """The client reads more slowly than it is sent to."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        self._stop(unread=True)
        super().resume_writing()

    def shutdown(self) -> None:
        """The daemon ends."""
        if self._refused:
            self.transport.abort()
        else:
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """uvicorn found that this is no HTTP; h11 said why."""
        error = sys.exc_info()[1]
        hint = getattr(error, "error_status_hint", 400)
        status = hint if 400 <= hint < 500 else 400
        self._refuse(status, RequestProblem(f"{msg.removesuffix('.')}: {str(error)[:_SHOWN]}."))

    def _refuse(self, status: int, problem: AssistantError) -> None:
        """Answer for the application, and hang up."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self._refused = True
                self.transport.abort()
                return
        body = to_json(error_body(problem, status)).encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        head += "content-type: application/json\r\nconnection: close\r\n"
        head += f"content-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        self._linger()

    def _linger(self) -> None:
        """Say that no more follows, and read on for a moment without listening.

        Closed with unread bytes, a socket takes back what was written to it.
        """
        self._refused = True
        self._stop(arrival=True)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.abort)

    def _stop(self, *, arrival: bool = False, unread: bool = False) -> None:
        if arrival and self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None
        if unread and self._unread is not None:
            self._unread.cancel()
            self._unread = None
