"""How long an editor waits at its start, beside a server of the bare protocol library."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.bench.editor.wire import BARE, Wire

STUB = 'def double(x):\n    """Twice x."""\n'


@dataclass
class Starts:
    """Milliseconds since the start of the process."""

    bare: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    """The first code action is there."""


def starts(count: int) -> Starts:
    """Start both in turn."""
    found = Starts()
    for _ in range(count):
        with Wire(BARE) as wire:
            found.bare.append(wire.initialize())
        with Wire() as wire:
            found.ours.append(wire.initialize())
            _first_action(wire)
            found.first.append((time.perf_counter() - wire.started) * 1000)
    return found


def _first_action(wire: Wire) -> None:
    uri = "file:///bench/double.py"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": STUB}
    wire.notify("textDocument/didOpen", {"textDocument": item})
    place = {"line": 0, "character": 0}
    wire.ask(
        "textDocument/codeAction",
        {
            "textDocument": {"uri": uri},
            "range": {"start": place, "end": place},
            "context": {"diagnostics": []},
        },
    )
