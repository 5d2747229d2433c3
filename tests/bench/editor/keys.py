"""What a key costs the server by itself: the edit, and an answer to nothing."""

from __future__ import annotations

import random
import time

from tests.bench.editor.wire import Typing, Wire

LINE = "    total += item.price * 3  # one of many lines\n"


def key_costs(wire: Wire, lines: int, samples: int) -> list[float]:
    """Milliseconds from a key to the answer of a request behind it, which needs nothing."""
    chance, taken = random.Random(lines), []
    typing = Typing(wire, f"file:///bench/{lines}_lines.txt", LINE * lines, 0)
    wire.until(wire.request("bench/nothing", None))
    for _ in range(samples):
        typing.offset = chance.randrange(len(typing.text))
        pressed = typing.key("x")
        wire.until(wire.request("bench/nothing", None))
        taken.append((time.perf_counter() - pressed) * 1000)
    typing.close()
    return taken
