"""The very first thing that runs inside; it is passed with `-c`.

Arguments: the descriptor to write answers to, the descriptor to read questions from. The first
message holds the rest of what runs here (`bootstrap.py`), compiled already where the Python is
the parent's own, because compiling it each time would cost a quarter of a start.
"""

from __future__ import annotations

import marshal
import os
import sys

# The type checker's own idiom: `typing` itself would cost every run its import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OUT, _IN = int(sys.argv[1]), int(sys.argv[2])
_inbox = bytearray()


def _receive(
    read: Any = os.read, inbox: Any = _inbox, number: Any = int.from_bytes, source: int = _IN
) -> bytes:
    """The next frame; the process ends with the parent."""
    while True:
        if len(inbox) >= 4:
            size = 4 + number(inbox[:4], "big")
            if len(inbox) >= size:
                frame = bytes(inbox[4:size])
                del inbox[:size]
                return frame
        part = read(source, 65536)
        if not part:
            os._exit(0)
        if not inbox and len(part) == 4 + number(part[:4], "big"):
            return bytes(part[4:])  # what nearly always comes: one whole frame
        inbox += part


_setup = marshal.loads(_receive())
os.environ.clear()
exec(_setup["bootstrap"])
