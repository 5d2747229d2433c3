"""What the terminal interface costs while an answer streams: `python -m tests.bench.tui`.

A scripted endpoint sends an answer at a fixed pace over HTTP; the application runs headless at
100 x 40. Measured on the thread of the user interface alone: CPU time, as a share of one core,
and how late a timer of 20 ms is (what typing would feel). Covered: HTTP, splitter, state,
drawing. Not covered: writing to a terminal, and competition with inference for the cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import threading
import time

REASONING = (
    "## Intent\nSum what is there.\n## Steps\n1. Go over the items.\n2. Add each.\n## Code\n"
)
FUNCTION = '''def total_{0}(items: list[dict[str, float]], key: str = "price") -> float:
    """Sum the values under `key`."""
    result = 0.0
    for item in items:
        result += item.get(key, 0.0)  # missing: nothing
    return result


'''


def answer(functions: int) -> str:
    """An answer of `functions` times eight lines of code."""
    return (
        REASONING + "```python\n" + "".join(FUNCTION.format(n) for n in range(functions)) + "```\n"
    )


def paced(text: str, rate: float) -> tuple[object, threading.Thread]:
    """A reply in tokens of four characters, and the thread that lets them go at `rate` a second."""
    from tests.support.scripted_endpoint import Reply

    reply = Reply.of(text, size=4)
    for index in range(len(reply.chunks)):
        reply.hold(index)

    def release() -> None:
        for index in range(len(reply.chunks)):
            time.sleep(1 / rate)
            reply.release(index)

    return reply, threading.Thread(target=release, daemon=True)


async def measure(rate: float, functions: int, history: int) -> tuple[float, float, int]:
    """CPU share, 95th percentile of lateness in ms, and tokens of one streamed answer."""
    from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
    from tests.tui.screen import session_on

    reply, pacer = paced(answer(functions), rate)
    assert isinstance(reply, Reply)
    late: list[float] = []

    async def heartbeat() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.02)
            late.append((time.perf_counter() - before - 0.02) * 1000)

    with ScriptedEndpoint([*[answer(2)] * history, reply]) as server:
        async with session_on(server) as session:
            for number in range(history):
                await session.ask(f"earlier question {number}")
                await session.until_over()
            session.app.prompt.insert("sum it")
            await session.pilot.press("enter")
            await asyncio.sleep(0.5)
            beat = asyncio.create_task(heartbeat())
            pacer.start()
            cpu, wall = time.thread_time(), time.perf_counter()
            while pacer.is_alive():
                await asyncio.sleep(0.2)
            share = (time.thread_time() - cpu) / (time.perf_counter() - wall)
            beat.cancel()
            await session.until_over()
    return 100 * share, statistics.quantiles(late, n=20)[-1], len(reply.chunks)


def main() -> None:
    """Measure with and without earlier answers on the screen."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tui", description=__doc__)
    parser.add_argument("--rate", type=float, default=50, help="tokens a second (50)")
    parser.add_argument("--functions", type=int, default=8, help="times 8 lines of code (8)")
    arguments = parser.parse_args()
    os.environ["ASSISTANT_HOME"] = tempfile.mkdtemp(prefix="assistant-bench-")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{8 * arguments.functions} lines of code at {arguments.rate:g} tokens a second")
    print("earlier answers   tokens   CPU of one core   95% of timers late by at most")
    for history in (0, 15, 60):
        share, late, tokens = asyncio.run(measure(arguments.rate, arguments.functions, history))
        print(f"{history:>15} {tokens:>8} {share:>15.1f} % {late:>26.1f} ms")


if __name__ == "__main__":
    main()
