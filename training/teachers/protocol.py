"""What answers calls, whoever it is."""

from __future__ import annotations

from typing import Protocol

from training.teachers.calls import Answer, Call


class Backend(Protocol):
    """Sends one call once. Patience, limits and records are the pool's."""

    async def send(self, call: Call) -> Answer:
        """The answer to a call.

        Raises:
            Busy: it is to be asked later.
            Broken: the answer did not come, or not whole; the next try may bring it.
            Refused: it will never answer this call; it may answer others.
            EndpointProblem: it will answer none.
        """
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class Busy(Exception):
    """Too many requests. `after`: seconds that the server asks for, or None."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Broken(Exception):
    """Lost on the way: no connection, a server's own error, half an answer.

    `unreachable`: nobody took the request at all.
    """

    def __init__(self, reason: str, *, unreachable: bool = False) -> None:
        super().__init__(reason)
        self.unreachable = unreachable


class Refused(Exception):
    """The server says that this request is wrong: too long, most of all."""
