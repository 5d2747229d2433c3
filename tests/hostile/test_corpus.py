"""Every hostile program in every layer of the machine: the right verdict, and nothing got out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assistant.sandbox import layers, unavailable_reason
from assistant.sandbox.layers import problem
from tests.hostile import corpus, shared
from tests.hostile.__main__ import main
from tests.hostile.judging import complaints
from tests.hostile.pool import LAYERS, catalogue

_OWN = [program.name for program in corpus.PROGRAMS]
_SHARED = [program.name for program in shared.programs()]
_ABSENT = pytest.param(None, marks=pytest.mark.skip(f"no {shared.path()}; set ASSISTANT_DATA"))


def _tasks(names: list[str]) -> list[tuple[Any, ...]]:
    return [("judged", name, layer) for name in names for layer in LAYERS]


def _name(task: tuple[Any, ...] | None) -> str:
    return f"{task[1]}-{task[2].value}" if task else "absent"


def _check(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _, name, layer = task
    if layer not in layers():
        pytest.skip(f"no {layer.value} here: {problem(layer)}")
    told = complaints(work(task), catalogue()[name], layer)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("task", _tasks(_OWN), ids=_name)
def test_own_program(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _check(task, work)


@pytest.mark.parametrize("task", _tasks(_SHARED) or [_ABSENT], ids=_name)
def test_shared_program(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _check(task, work)


def test_the_corpus_is_what_it_says() -> None:
    names = [program.name for program in corpus.PROGRAMS]
    assert len(names) == len(set(names)) >= 100
    assert len({program.kind for program in corpus.PROGRAMS}) >= 15
    assert not {program.name for program in shared.programs()} & set(names)
    for program in corpus.PROGRAMS:
        assert program.calls, program.name
        assert program.intent and program.bubblewrap, program.name


def test_there_is_a_layer_or_a_reason() -> None:
    assert layers() or unavailable_reason()


@pytest.mark.soak
def test_ten_runs_in_a_row_beside_a_busy_core() -> None:
    """No escape, no survivor, no wrong verdict."""
    assert catalogue()
    assert main(["--runs", "10", "--busy"]) == 0
