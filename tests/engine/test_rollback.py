"""Models whose state can not be taken back: exact copies at the ends of prompts, or all again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings, Priority
from tests.engine.scheduling import Desk, same
from tests.engine.test_scheduler import all_same, raw, solo
from tests.support import tiny_mamba


@pytest.fixture(scope="module")
def recurrent(models: Path) -> Iterator[Engine]:
    with Engine(tiny_mamba.write(models / "mamba.gguf"), EngineSettings(threads=1)) as engine:
        yield engine


def test_it_is_told(recurrent: Engine) -> None:
    figures = Desk(recurrent).scheduler.figures(recurrent)
    assert figures is not None
    assert figures.rollback == "only whole sequences"


def test_a_prompt_that_goes_on_from_another_reuses_its_end(recurrent: Engine) -> None:
    """The next turn of a chat; and the same prompt is right again after an answer."""
    desk = Desk(recurrent)
    first = raw(recurrent, "def f(x):\n    return x\n" * 20, 20)
    longer = raw(recurrent, "def f(x):\n    return x\n" * 20 + "f(1)", 20)
    other = raw(recurrent, "def f(x):\n    return x\n" * 19 + "f(2)", 20)
    alone = [solo(recurrent, request) for request in (first, longer, other)]
    desk = Desk(recurrent)
    asked = [desk.all_of(request) for request in (first, longer, other)]

    assert all_same(asked, alone)
    assert asked[1].end.cached_tokens == len(first.tokens)
    assert asked[2].end.cached_tokens == 0
    desk.assert_empty()


def test_requests_side_by_side_do_not_mix_their_states(recurrent: Engine) -> None:
    requests = [raw(recurrent, f"{n} some words " * (5 + 9 * n), 30) for n in range(6)]
    alone = [solo(recurrent, request) for request in requests]
    desk = Desk(recurrent)
    asked = [desk.ask(request, Priority(n % 3)) for n, request in enumerate(requests)]
    desk.finish(asked)
    assert all_same(asked, alone)
    desk.assert_empty()


def test_a_cancelled_one_leaves_nothing_behind(recurrent: Engine) -> None:
    request = raw(recurrent, "some words " * 100, 30)
    alone = solo(recurrent, request)
    desk = Desk(recurrent)
    first = desk.ask(request)
    desk.step(4)
    desk.scheduler.cancel(first.ticket)
    second = desk.all_of(request)
    assert same(second, alone)
    desk.assert_empty()
