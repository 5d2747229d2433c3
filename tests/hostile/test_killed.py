"""Nothing outlives a judge that is killed for good, whatever the program does against it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from assistant.sandbox import Layer, layers
from tests.hostile import mutations, watching
from tests.hostile.corpus import left
from tests.hostile.pool import LAYERS
from tests.hostile.program import Hostile

NOTHING_OFF = -1


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with mutations.pool(1) as processes:
        yield processes


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.value)
@pytest.mark.parametrize("program", left.PROGRAMS, ids=lambda program: program.name)
def test_it_ends_with_its_judge(program: Hostile, layer: Layer, pool: ProcessPoolExecutor) -> None:
    if layer not in layers():
        pytest.skip(f"no {layer.value} here")
    seen = pool.submit(watching.killed, NOTHING_OFF, layer, program.name).result()
    assert seen.complaints == ()
