"""Nothing outlives a judge that is killed for good, whatever the program does against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assistant.sandbox import layers
from tests.hostile.corpus import left
from tests.hostile.pool import LAYERS


@pytest.mark.parametrize(
    "task",
    [("killed", program.name, layer) for program in left.PROGRAMS for layer in LAYERS],
    ids=lambda task: f"{task[1]}-{task[2].value}",
)
def test_it_ends_with_its_judge(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    if task[2] not in layers():
        pytest.skip(f"no {task[2].value} here")
    assert work(task).complaints == ()
