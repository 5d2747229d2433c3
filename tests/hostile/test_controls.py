"""Outside of any sandbox the tame programs get what they are after: so a refusal says something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.hostile import corpus
from tests.hostile.pool import judges, seen_outside
from tests.hostile.program import Hostile

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the witnesses are Linux's")
_TAME = [program for program in corpus.PROGRAMS if program.tame]


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with judges(1) as pool:
        yield pool


def test_there_are_enough_of_them() -> None:
    assert len(_TAME) >= 50


@pytest.mark.parametrize("program", _TAME, ids=lambda program: program.name)
def test_outside_it_gets_what_it_wants(program: Hostile, pool: ProcessPoolExecutor) -> None:
    assert pool.submit(seen_outside, program.name).result() == ""
