"""The tests bite: with any one defence off, the programs that are named for it notice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from assistant.sandbox import Layer, layers
from tests.hostile import corpus, mutations, watching
from tests.hostile.defences import CONTROLS, DEFENCES
from tests.hostile.mutations import Row
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
_Rows = dict[tuple[int, Layer], "Future[Row]"]


def _jobs(quick: bool) -> list[tuple[int, Layer]]:
    return [
        (number, layer)
        for number, defence in enumerate(DEFENCES)
        for layer in defence.layers
        if defence.noticed_by and (defence.name in _QUICK) is quick
    ]


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> Iterator[_Rows]:
    """All that is asked for is tried side by side, in two processes."""
    asked = [
        item.callspec.params["job"]
        for item in request.session.items
        if "job" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    here = set(mutations.jobs())
    with mutations.pool(2) as pool:
        yield {job: pool.submit(mutations.tried, *job) for job in asked if job in here}


def _check(job: tuple[int, Layer], rows: _Rows) -> None:
    if job not in rows:
        defence = DEFENCES[job[0]]
        pytest.skip(defence.here() or f"no {job[1].value} here")
    row = rows[job].result()
    assert not row.problem, str(row)


def _name(job: tuple[int, Layer]) -> str:
    return f"{DEFENCES[job[0]].name}-{job[1].value}"


@pytest.mark.parametrize("job", _jobs(quick=True), ids=_name)
def test_a_defence_is_missed(job: tuple[int, Layer], rows: _Rows) -> None:
    _check(job, rows)


@pytest.mark.soak
@pytest.mark.parametrize("job", _jobs(quick=False), ids=_name)
def test_every_other_defence_is_missed(job: tuple[int, Layer], rows: _Rows) -> None:
    _check(job, rows)


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
