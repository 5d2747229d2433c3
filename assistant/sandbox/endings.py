"""Why there is no more to come from a sandboxed process."""

from __future__ import annotations

import enum


class Ending(enum.Enum):
    """Why there is no more to come."""

    EXIT = "exit"
    CPU = "cpu"
    WALL = "wall"
    OUTPUT = "output"
    MESSAGE = "message"
    STOPPED = "stopped"


class Ended(Exception):
    """The sandboxed process is of no more use.

    Args:
        ending: which of the reasons.
        detail: one line for a person.
        status: of a process that ended: its return code, negative for a signal.
    """

    def __init__(self, ending: Ending, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.ending, self.detail, self.status = ending, detail, status
