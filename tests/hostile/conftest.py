"""All that the tests of this folder ask for is worked on side by side, from the first test on.

A test names its work by the parameter `task`: what is to be done, and with which arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from assistant.sandbox import layers
from tests.hostile import mutations, watching
from tests.hostile.pool import judged, judges, seen_outside

Task = tuple[Any, ...]
_JUDGES, _TRIERS = 3, 2
_NOTHING_OFF = -1


@pytest.fixture(scope="package")
def work(request: pytest.FixtureRequest) -> Iterator[Callable[[Task], Any]]:
    """What came of a task; waits for it."""
    asked = [
        item.callspec.params["task"]
        for item in request.session.items
        if "task" in getattr(getattr(item, "callspec", None), "params", {})
        and "hostile" in item.path.parts
    ]
    with judges(_JUDGES) as judging, mutations.pool(_TRIERS) as trying:
        futures: dict[Task, Future[Any]] = {}
        here = set(mutations.jobs())
        for task in asked:
            match task:
                case ("judged", name, layer) if layer in layers():
                    futures[task] = judging.submit(judged, name, layer)
                case ("outside", name):
                    futures[task] = judging.submit(seen_outside, name)
                case ("killed", name, layer) if layer in layers():
                    futures[task] = trying.submit(watching.killed, _NOTHING_OFF, layer, name)
                case ("tried", number, layer) if (number, layer) in here:
                    futures[task] = trying.submit(mutations.tried, number, layer)
        yield lambda task: futures[task].result()
        for future in futures.values():
            future.cancel()
