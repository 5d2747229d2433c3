"""How long a user waits: start-up, the daemon's start, the first token, tokens a second.

    make bench [ARGS="--runs 9"]

The same request goes through the daemon and its socket, and straight to the engine inside this
process, in turn; so the two rates tell what the daemon costs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass

REQUEST = "Write a function `count_even(numbers)` that counts the even numbers in a list"


@dataclass(frozen=True)
class Answer:
    """One answer's figures."""

    first_ms: float
    """From sending to the first text."""
    rate: float
    """Tokens a second, prompt excluded."""
    tokens: int


def timed(action: Callable[[], object]) -> float:
    """Milliseconds that `action` takes."""
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000


def command(*arguments: str) -> Callable[[], object]:
    """Runs `assistant` with `arguments`, its output read and dropped."""
    line = [sys.executable, "-m", "assistant", *arguments]
    return lambda: subprocess.run(line, capture_output=True, check=False)


async def through_daemon(runs: int) -> list[Answer]:
    """The request over the socket of a daemon that is warm."""
    from assistant.client import ChatRequest, Daemon, Delta, Finished, connect
    from assistant.tasks import Task, messages

    answers = []
    connection = await connect(Daemon())
    try:
        for _ in range(runs + 1):
            request = ChatRequest(messages=messages(Task(REQUEST), trained_format=True))
            started, first, tokens, rate = time.perf_counter(), 0.0, 0, 0.0
            async for chunk in connection.stream_chat(request):
                if isinstance(chunk, Delta) and not first:
                    first = (time.perf_counter() - started) * 1000
                elif isinstance(chunk, Finished):
                    tokens, rate = chunk.completion_tokens, chunk.tokens_per_second
            answers.append(Answer(first, rate, tokens))
        await connection.shutdown()
    finally:
        await connection.aclose()
    return answers[1:]


def in_process(runs: int) -> list[Answer]:
    """The same request straight to the engine."""
    from assistant.engine.engine import Engine
    from assistant.engine.types import CancelToken, Finished, Message, Text
    from assistant.models import store

    answers = []
    with Engine(store.resolve("")) as engine:
        for _ in range(runs + 1):
            started, first = time.perf_counter(), 0.0
            for output in engine.generate(
                engine.prepare_chat([Message("user", REQUEST)]), CancelToken()
            ):
                if isinstance(output, Text) and not first:
                    first = (time.perf_counter() - started) * 1000
                elif isinstance(output, Finished):
                    rate = output.completion_tokens / max(output.predicted_ms, 1e-9) * 1000
                    answers.append(Answer(first, rate, output.completion_tokens))
    return answers[1:]


def show(name: str, values: list[float], unit: str) -> None:
    """One line: median, least and most."""
    print(
        f"{name:<52} {statistics.median(values):9.1f} {unit}"
        f"  (min {min(values):.1f}, max {max(values):.1f}, n={len(values)})"
    )


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="counted runs of each (default 7)")
    runs = parser.parse_args().runs
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        os.environ["ASSISTANT_HOME"] = home
        show("assistant --help", [timed(command("--help")) for _ in range(runs)], "ms")
        cold = []
        for _ in range(min(runs, 3)):
            cold.append(timed(command("ask", REQUEST)))
            command("stop")()
        show("assistant ask, daemon not running: whole command", cold, "ms")
        command("serve")()
        show(
            "assistant ask, daemon running: whole command",
            [timed(command("ask", REQUEST)) for _ in range(runs)],
            "ms",
        )
        served, direct = asyncio.run(through_daemon(runs)), in_process(runs)
    show("first text through the daemon (prompt cached)", [a.first_ms for a in served], "ms")
    show("first text from the engine itself", [a.first_ms for a in direct], "ms")
    show("generation through the daemon", [a.rate for a in served], "tokens/s")
    show("generation by the engine itself", [a.rate for a in direct], "tokens/s")
    print(f"the answer has {served[0].tokens} tokens")
    return 0


if __name__ == "__main__":
    sys.exit(main())
