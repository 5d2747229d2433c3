"""The funnel's last step: the first solution that passes the tests, for many rows side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from assistant.outcomes import Outcome
from training.data.funnel import Apply, Drop
from training.data.rows import Row
from training.data.verdicts import Verdicts, unwrapped

_AHEAD = 4
"""Rows for each worker that are under way or waiting; rows come out in their order."""


def verified(verdicts: Verdicts, workers: int) -> Apply:
    """Keep rows that have tests and a solution that passes them, with that solution first."""

    def apply(rows: Iterator[Row], drop: Drop) -> Iterator[Row]:
        with ThreadPoolExecutor(workers, thread_name_prefix="verify") as pool:
            running: deque[tuple[Row, Future[Row | str]]] = deque()
            try:
                for row in rows:
                    running.append((row, pool.submit(passing, row, verdicts)))
                    if len(running) >= workers * _AHEAD:
                        yield from _next(running, drop)
                while running:
                    yield from _next(running, drop)
            except BaseException:
                # Ctrl-C must not wait for programs that may run for minutes.
                verdicts.stop()
                for _, future in running:
                    future.cancel()
                raise

    return apply


def _next(running: deque[tuple[Row, Future[Row | str]]], drop: Drop) -> Iterator[Row]:
    row, future = running.popleft()
    found = future.result()
    if isinstance(found, Row):
        yield found
    else:
        drop(row.id, found)


def passing(row: Row, verdicts: Verdicts) -> Row | str:
    """The row with the first of its solutions that passes in front, or why there is none."""
    if not row.tests and not row.examples:
        return "no tests"
    first = ""
    for code in row.solutions:
        verdict = verdicts.of(code, row)
        if verdict.outcome is Outcome.PASS:
            rest = tuple(one for one in row.solutions if one != code)
            examples = unwrapped(row.examples) if verdict.unwrapped else row.examples
            return replace(row, solutions=(code, *rest), examples=examples)
        first = first or verdict.outcome.value
    return f"no solution passes (the first: {first})"
