"""How often the daemon died in a row without finishing an answer.

A crash that repeats (a model that aborts llama.cpp, a machine without memory) would otherwise
make every editor start the daemon again and again. Read and written by whoever holds the lock.
"""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path

from assistant import locations
from assistant.errors import DaemonProblem

LIMIT = 3
FORGET_SECONDS = 600.0
"""After this long the next request may try again."""


def path() -> Path:
    """The file with the count."""
    return locations.runtime_dir() / "deaths.json"


def note_previous_death() -> None:
    """Before a start: a `daemon.json` that is still there belongs to a daemon that died.

    Raises:
        DaemonProblem: it died too often in a row.
    """
    count, when = _read()
    if locations.daemon_info_path().exists():
        count, when = count + 1, time.time()
        path().write_text(json.dumps({"count": count, "at": when}))
        locations.daemon_info_path().unlink(missing_ok=True)
    if count >= LIMIT:
        raise DaemonProblem(
            f"The engine daemon died {count} times in a row before it finished an answer, so it "
            "is not started again for some minutes. The cause is at the end of "
            f"{locations.log_path('daemon')}.",
            hint="Start it by hand to try again: assistant serve. Another model may help: "
            "assistant models use NAME",
        )


def forget() -> None:
    """An answer was finished, or the user starts the daemon by hand: count from nothing."""
    path().unlink(missing_ok=True)


def _read() -> tuple[int, float]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
        body = json.loads(path().read_text())
        count, when = int(body["count"]), float(body["at"])
        # A time to come is that of a clock that was set back since.
        if 0 <= time.time() - when < FORGET_SECONDS:
            return count, when
    return 0, 0.0
