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
        share: of one answer that took too much processor time: that time by the wall-clock time
            that passed meanwhile; 1 means that it had a core of its own. 0 when it is not known.
    """

    def __init__(
        self, ending: Ending, detail: str, status: int | None = None, share: float = 0.0
    ) -> None:
        super().__init__(detail)
        self.ending, self.detail, self.status, self.share = ending, detail, status, share
