"""`python -m tests.bench.editor`: measure and print; see the package's own words."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from assistant import config
from assistant.client import Connection, Daemon
from assistant.connecting import open_connection
from tests.bench.editor.cancelling import cancel_latency
from tests.bench.editor.figures import Figures
from tests.bench.editor.keys import key_costs
from tests.bench.editor.starting import starts
from tests.bench.editor.suggestions import Bench, Times
from tests.bench.editor.wire import Wire
from tests.support.scripted_endpoint import ScriptedEndpoint

OUT = Path("out/bench/editor.json")
# Nothing of other files: the straight request has none either.
OPTIONS = {"context": False}
SECTIONS = ("start", "keys", "endpoint", "first", "daemon")
_IDLE_STEP = 0.02


def measure_starts(figures: Figures, count: int) -> None:
    """Our start beside a bare one."""
    found = starts(count)
    figures.add("initialize, bare pygls server", found.bare)
    figures.add("initialize", found.ours)
    more = [ours - bare for ours, bare in zip(found.ours, found.bare, strict=True)]
    figures.add("initialize, more than the bare one", more, "at most 100")
    figures.add("first code action, from the start of the process", found.first)


def measure_keys(figures: Figures, samples: int) -> None:
    """A key without any completion."""
    with Wire() as wire:
        wire.initialize(inline=False)
        for lines in (20, 20_000):
            figures.add(f"a key in {lines:,} lines", key_costs(wire, lines, samples))


def measure_daemon(figures: Figures, samples: int) -> None:
    """Suggestions of the embedded model, and cancelling its generations."""
    with new_loop() as loop:
        connection = loop.run_until_complete(open_connection(config.load({})))
        try:
            with Wire() as wire:
                wire.initialize(**OPTIONS)
                bench = Bench(wire, loop, connection, lambda: _until_idle(connection))
                _tell(figures, bench.measure(samples), "")
                cancels = cancel_latency(wire, samples)
                figures.add("cancel of a generation, until it is answered", cancels, "at most 50")
        finally:
            loop.run_until_complete(connection.shutdown())
            loop.run_until_complete(connection.aclose())


def measure_endpoint(figures: Figures, samples: int) -> None:
    """The same on an endpoint that answers at once: all that remains is the server's."""
    with ScriptedEndpoint(["value = 1\n"], infill=True) as endpoint, new_loop() as loop:
        flags = {"endpoint.url": endpoint.url}
        connection = loop.run_until_complete(open_connection(config.load(flags)))
        with Wire(environment={"ASSISTANT_ENDPOINT_URL": endpoint.url}) as wire:
            wire.initialize(**OPTIONS)
            bench = Bench(wire, loop, connection, lambda: asyncio.sleep(_IDLE_STEP))
            _tell(figures, bench.measure(samples), ", instant endpoint")
        loop.run_until_complete(connection.aclose())


def first_suggestion(figures: Figures, count: int) -> None:
    """From the start of everything: no daemon, no server."""
    taken = []
    for _ in range(count):
        with new_loop() as loop, Wire() as wire:
            wire.initialize(**OPTIONS)
            bench = Bench(wire, loop, Connection(Daemon(), start=False), _nothing)
            if bench.first():
                taken.append((time.perf_counter() - wire.started) * 1000)
            loop.run_until_complete(bench.connection.shutdown())
            loop.run_until_complete(bench.connection.aclose())
    figures.add("first ghost text, nothing running before", taken)


def _tell(figures: Figures, times: Times, where: str) -> None:
    figures.add(f"ghost text, cold{where}", times.cold)
    figures.add(f"ghost text, warm{where}", times.warm)
    figures.add(f"ghost text, cached{where}", times.cached, "at most 10 (p95)")
    figures.add(f"straight through the client{where}", times.straight)
    figures.add(f"overhead{where}", times.overhead, "at most 5 (p95)")
    figures.add(f"twice straight{where}", times.noise)
    print(f"{times.nothing} keys with nothing to show")


async def _until_idle(connection: Connection) -> None:
    """Twice in a row nothing runs: what comes after a suggestion is asked for a moment later."""
    quiet = 0
    while quiet < 2:
        await asyncio.sleep(_IDLE_STEP)
        queue = (await connection.status())["queue"]
        quiet = 0 if queue["running"] or queue["waiting"] else quiet + 1


async def _nothing() -> None:
    """Wait for nothing."""


@contextmanager
def new_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs only while something straight is measured."""
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.editor")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="which; all if none")
    parser.add_argument("--samples", type=int, default=200, help="places to type at (200)")
    parser.add_argument("--starts", type=int, default=20, help="starts of each server (20)")
    parser.add_argument("--json", type=Path, default=OUT, help=f"every single value ({OUT})")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        os.environ["ASSISTANT_HOME"] = home
        figures.head()
        measures: dict[str, Callable[[], None]] = {
            "start": lambda: measure_starts(figures, arguments.starts),
            "keys": lambda: measure_keys(figures, arguments.samples),
            "endpoint": lambda: measure_endpoint(figures, arguments.samples),
            "first": lambda: first_suggestion(figures, max(1, arguments.starts // 4)),
            "daemon": lambda: measure_daemon(figures, arguments.samples),
        }
        for name in arguments.sections or SECTIONS:
            measures[name]()
    figures.write(arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
