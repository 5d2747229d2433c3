"""Every hostile program in every layer of the machine: the right verdict, and nothing got out."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from assistant.sandbox import Layer, layers, unavailable_reason
from assistant.sandbox.layers import problem
from tests.hostile import corpus, shared
from tests.hostile.__main__ import main
from tests.hostile.judging import Finding, complaints
from tests.hostile.pool import LAYERS, catalogue, judged, judges
from tests.hostile.program import Hostile

_Futures = dict[tuple[str, Layer], "Future[Finding]"]


@pytest.fixture(scope="module")
def futures(request: pytest.FixtureRequest) -> Iterator[_Futures]:
    """All that is asked for is judged side by side, in two processes."""
    asked: list[tuple[str, Layer]] = []
    for item in request.session.items:
        params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        if {"program", "layer"} <= set(params) and params["layer"] in layers():
            asked.append((params["program"].name, params["layer"]))
    with judges() as pool:
        yield {(name, layer): pool.submit(judged, name, layer) for name, layer in asked}


def _check(program: Hostile, layer: Layer, request: pytest.FixtureRequest) -> None:
    if layer not in layers():
        pytest.skip(f"no {layer.value} here: {problem(layer)}")
    found: _Futures = request.getfixturevalue("futures")
    finding = found[program.name, layer].result()
    assert not (told := complaints(finding, program, layer)), "\n".join(told)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.value)
@pytest.mark.parametrize("program", corpus.PROGRAMS, ids=lambda program: program.name)
def test_own_program(program: Hostile, layer: Layer, request: pytest.FixtureRequest) -> None:
    _check(program, layer, request)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.value)
@pytest.mark.parametrize(
    "program",
    shared.programs()
    or [pytest.param(None, marks=pytest.mark.skip(f"no {shared.path()}; set ASSISTANT_DATA"))],
    ids=lambda program: getattr(program, "name", "absent"),
)
def test_shared_program(program: Hostile, layer: Layer, request: pytest.FixtureRequest) -> None:
    _check(program, layer, request)


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
