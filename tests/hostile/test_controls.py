"""Outside of any sandbox the tame programs get what they are after: so a refusal says something."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.hostile import corpus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the witnesses are Linux's")
_TAME = [program.name for program in corpus.PROGRAMS if program.tame]


def test_there_are_enough_of_them() -> None:
    assert len(_TAME) >= 50


@pytest.mark.parametrize("task", [("outside", name) for name in _TAME], ids=lambda task: task[1])
def test_outside_it_gets_what_it_wants(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    assert work(task) == ""
