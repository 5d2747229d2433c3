"""How soon a cancel is answered while a model generates."""

from __future__ import annotations

import random
import time

from tests.bench.editor.wire import Wire

CANCELLED = -32800
STUB = '''\
def total_{number}(items, key="price"):
    """Sum the values under `key` of a list of dictionaries; what has none counts as {number}."""
'''


def cancel_latency(wire: Wire, samples: int) -> list[float]:
    """Milliseconds from `$/cancelRequest` to its answer, in so many generations.

    The moment is random, from the first sign of the model on. A generation that ends before it is
    cancelled does not count.
    """
    chance, taken = random.Random(samples), []
    for number in range(samples):
        request = _generate(wire, number)
        wire.until_told("assistant/event")
        time.sleep(chance.uniform(0, 0.05))
        started = time.perf_counter()
        wire.notify("$/cancelRequest", {"id": request})
        answer = wire.until(request)
        if answer.get("error", {}).get("code") == CANCELLED:
            taken.append((time.perf_counter() - started) * 1000)
    return taken


def _generate(wire: Wire, number: int) -> int:
    """Have a function written in a document of its own; the id of the request."""
    uri = f"file:///bench/total_{number}.py"
    item = {"uri": uri, "languageId": "python", "version": 1, "text": STUB.format(number=number)}
    wire.notify("textDocument/didOpen", {"textDocument": item})
    start, end = {"line": 0, "character": 0}, {"line": 0, "character": 3}
    argument = {
        "task": "implement",
        "uri": uri,
        "version": 1,
        "range": {"start": start, "end": end},
    }
    params = {"command": "assistant.generate", "arguments": [argument]}
    return wire.request("workspace/executeCommand", params)
