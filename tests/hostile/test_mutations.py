"""The tests bite: with any one defence off, the programs that are named for it notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assistant.sandbox import Layer, layers
from tests.hostile import corpus, mutations, watching
from tests.hostile.defences import CONTROLS, DEFENCES
from tests.hostile.pool import LAYERS

# One of each kind: a name space, what is visible, the rules, the filter, a limit, a look, the
# judge's own; the rest take minutes and are tried with all the others.
_QUICK = (
    "network of its own, and the filter of sockets",
    "a root with Python alone",
    "rules of Landlock",
    "the filter",
    "the own number: limits of others",
    "memory",
    "tasks, by looking",
    "output",
    "no descriptor but its own",
    "random ids",
    "what is expected stays outside",
    "tests apart",
    "verdicts without control characters",
)
_NUMBERS = {defence.name: number for number, defence in enumerate(DEFENCES)}


def _tasks(quick: bool) -> list[tuple[Any, ...]]:
    return [
        ("tried", number, layer)
        for number, defence in enumerate(DEFENCES)
        for layer in defence.layers
        if defence.noticed_by and (defence.name in _QUICK) is quick
    ]


def _check(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _, number, layer = task
    if (number, layer) not in mutations.jobs():
        pytest.skip(DEFENCES[number].here() or f"no {layer.value} here")
    row = work(task)
    assert not row.problem, str(row)


def _name(task: tuple[Any, ...]) -> str:
    return f"{DEFENCES[task[1]].name}-{task[2].value}"


@pytest.mark.parametrize("task", _tasks(quick=True), ids=_name)
def test_a_defence_is_missed(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _check(task, work)


@pytest.mark.soak
@pytest.mark.parametrize("task", _tasks(quick=False), ids=_name)
def test_every_other_defence_is_missed(task: tuple[Any, ...], work: Callable[..., Any]) -> None:
    _check(task, work)


def test_the_list_is_what_it_says() -> None:
    names = {program.name for program in corpus.PROGRAMS}
    assert set(_QUICK) <= set(_NUMBERS)
    assert len(_NUMBERS) == len(DEFENCES)
    for defence in DEFENCES:
        assert bool(defence.noticed_by) != bool(defence.behind), defence.name
        assert set(defence.noticed_by) <= names, defence.name
        assert set(defence.layers) <= set(LAYERS)
    assert set(CONTROLS) <= names


@pytest.mark.soak
def test_every_program_with_the_oldest_landlock() -> None:
    """What later versions of Landlock added, the filter of system calls has to make up for."""
    if Layer.LANDLOCK not in layers():
        pytest.skip("no landlock here")
    number = _NUMBERS["rules of Landlock about signals and sockets"]
    names = [program.name for program in corpus.PROGRAMS]
    with mutations.pool(1) as pool:
        future = pool.submit(watching.judged, number, Layer.LANDLOCK, names, 60.0)
        seen = future.result()
    assert {name: found for name, found in seen.items() if found.complaints} == {}
