"""How many rows of which request go into a call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings, Limits, Prepared
from assistant.errors import EngineProblem
from tests.engine.scheduling import Desk
from tests.support.tiny_gguf import Tiny, write


def raw(engine: Engine, text: str, tokens: int) -> Prepared:
    return engine.prepare_raw(text, limits=Limits(max_tokens=tokens, ignore_end=True))


def test_long_calls_are_for_a_request_that_is_alone(desk: Desk) -> None:
    """On a slow machine it gets rows enough to be quick; with another one nobody waits long."""
    for _ in range(50):
        desk.lane.pace.observe(16, 16 * 0.05)
    alone = desk.ask(raw(desk.engine, "alone " * 300, 1))
    desk.step()
    assert alone.evaluated[-1] == 64
    other = desk.ask(raw(desk.engine, "other " * 300, 1))
    for _ in range(50):
        desk.lane.pace.observe(16, 16 * 0.05)
    desk.step()
    assert sum(one.evaluated[-1] for one in (alone, other)) <= 64 + 16
    desk.finish([alone, other])
    desk.assert_empty()


@pytest.mark.parametrize(("length", "rows"), [(200, 64), (600, 32)])
def test_prompts_beside_an_answer_get_good_rows_only_if_they_are_short(
    desk: Desk, length: int, rows: int
) -> None:
    """Seven milliseconds a row: 64 of them are half a second for whoever reads the answer."""
    answer = desk.ask(raw(desk.engine, "def f():", 100))
    while not answer.text:
        desk.step()
    prompt = desk.ask(replace(raw(desk.engine, "x", 1), tokens=tuple(range(length))))
    for _ in range(50):
        desk.lane.pace.observe(64, 64 * 0.007)
    desk.step()
    assert prompt.evaluated[-1] == rows
    desk.scheduler.cancel(answer.ticket)
    desk.finish([answer, prompt])
    desk.assert_empty()


def test_a_prompt_ends_in_the_call_that_it_hardly_exceeds(desk: Desk) -> None:
    for _ in range(50):
        desk.lane.pace.observe(64, 64 * 0.01)
    first, second = (
        desk.ask(replace(raw(desk.engine, "x", 1), tokens=tuple(range(start, start + 66))))
        for start in (0, 100)
    )
    desk.step()
    assert (first.evaluated[-1], second.evaluated[-1]) == (66, 0)
    desk.finish([first, second])
    desk.assert_empty()


def test_no_call_has_more_rows_than_the_context_takes(desk: Desk) -> None:
    """Not even to end a prompt: llama.cpp would end the process."""
    rows = desk.engine.context.rows
    for _ in range(50):
        desk.lane.pace.observe(64, 64 * 1e-5)
    prompt = desk.ask(replace(raw(desk.engine, "x", 1), tokens=(5,) * (rows + 10)))
    desk.step()
    assert 0 < prompt.evaluated[-1] <= rows
    desk.finish([prompt])
    desk.assert_empty()


def outputs_of(desk: Desk) -> int:
    """Rows of the planned call whose logits are wanted, as llama.cpp counts them."""
    return int(desk.lane.batch.wanted[: desk.lane.batch.count].sum())


def test_no_call_has_more_outputs_than_the_context_takes(models: Path) -> None:
    """Four answers that are sure of all their guesses, and a prompt that ends beside them:
    llama.cpp would end the process."""
    letters = "abcdefghijklmnopqrst"
    chain = dict(zip(letters, letters[1:] + "a", strict=True))
    path = write(models / "cycle.gguf", Tiny(chain=chain, context=4096))
    with Engine(path, EngineSettings(threads=1, cells=16384)) as engine:
        desk = Desk(engine)
        sure = replace(raw(engine, letters * 4, 3000), lookup=())
        answers = [desk.ask(sure) for _ in range(4)]
        most = 0
        for _ in range(100):
            for rows in range(1, 65):  # as if a row more cost next to nothing
                desk.lane.costs.measured(rows, 1.0 + rows / 1000)
            desk.step()
            most = max(most, outputs_of(desk))
            if all(one.text for one in answers):
                desk.ask(raw(engine, "t", 1))
        assert most > 48
        assert not any(one.ends for one in answers)
        desk.scheduler.detach(engine)


def test_more_outputs_are_refused_before_llama_cpp_sees_them(engine: Engine) -> None:
    batch = engine.context.begin()
    batch.add(0, 0, [1] * 64, 64)
    with pytest.raises(EngineProblem, match="65 rows"):
        batch.add(1, 0, [1], 1)
