"""The layer `job object` of Windows: refused, because it would promise more than it keeps.

A job object bounds memory, time and processes, and kills what is left. A restricted token keeps
a process from writing. Neither keeps it from reading the user's files or from the network: that
takes an AppContainer, or firewall rules that an administrator sets. A sandbox that can not keep
these promises says `sandbox unavailable`; with WSL 2 the Linux layers are there.
"""

from __future__ import annotations

import sys


def missing() -> str:
    """Why the layer is not used."""
    if sys.platform != "win32":
        return "it is part of Windows"
    return (
        "a job object with a restricted token would keep a program neither from reading your "
        "files nor from the network, so nothing is run; inside WSL 2 it can be"
    )


def explain(message: str) -> str:
    """A failed start in words; there is none."""
    return message
