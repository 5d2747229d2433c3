"""Memory that is short: who begins, who waits, who gives way to whom."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.stash import Stash
from assistant.engine.types import EngineSettings, Prepared, Priority
from tests.engine.scheduling import Desk
from tests.engine.test_scheduler import all_same, raw, solo
from tests.support.tiny_gguf import Tiny, write

INLINE, INTERACTIVE, BACKGROUND = Priority
SLOW = 0.02
"""Seconds a row: a call reads some 32 tokens of a prompt."""


def numbers(engine: Engine, first: int, count: int, tokens: int = 8) -> Prepared:
    """A prompt that shares nothing with one of another `first`."""
    known = tuple((first + number * 7) % 250 for number in range(count))
    return replace(raw(engine, "x", tokens), tokens=known)


@pytest.mark.parametrize("tokens", [20, 300])
def test_half_read_prompts_meet_a_full_context(tight: Engine, tokens: int) -> None:
    """They give way to those that came before, in the middle of the planning of a call, too."""
    requests = [numbers(tight, first, 460, tokens) for first in range(4)]
    alone = [solo(tight, request) for request in requests]
    desk = Desk(tight)
    desk.row_seconds = SLOW
    asked = [desk.ask(request) for request in requests]
    desk.finish(asked)

    assert all_same(asked, alone)
    desk.assert_empty()


def test_an_answer_outgrows_the_room_beside_a_half_read_prompt(models: Path) -> None:
    """The prompt gives way in the middle of the planning of a call with its rows."""
    path = write(models / "long.gguf", Tiny(context=4096))
    with Engine(path, EngineSettings(threads=1, cells=4096)) as engine:
        requests = [numbers(engine, 0, 300, 400), numbers(engine, 1, 3650)]
        alone = [solo(engine, request) for request in requests]
        desk = Desk(engine)
        desk.row_seconds = 1.0  # the fewest rows that a call can have
        asked = [desk.ask(requests[0])]
        while not asked[0].text:
            desk.step()
        asked.append(desk.ask(requests[1]))
        while len(asked[1].evaluated) < 200:
            desk.step()
        while desk.lane.running[INTERACTIVE][1:]:
            desk.step()
        assert not any(one.ends for one in asked)
        desk.row_seconds = None
        desk.finish(asked)
        assert all_same(asked, alone)
        desk.assert_empty()


def test_what_is_taken_back_is_not_dropped_to_make_room_for_it(tight: Engine) -> None:
    """The oldest chat is asked for again while the rest of the memory is full."""
    desk = Desk(tight)
    first, second = numbers(tight, 0, 300, 1), numbers(tight, 1, 300, 1)
    desk.all_of(first)
    size = tight.context.state_size(desk.lane.cache._parked[0].id)
    desk.lane.cache.stash = Stash(int(2.2 * size))
    desk.all_of(second)
    answer = desk.ask(numbers(tight, 2, 420, 300))
    while not answer.text:
        desk.step()
    desk.all_of(numbers(tight, 3, 330, 1))
    assert desk.lane.cache.free < 300
    again = desk.all_of(replace(first, tokens=(*first.tokens, 7, 8, 9)))

    assert again.end.cached_tokens == 300
    desk.scheduler.cancel(answer.ticket)
    desk.assert_empty()


def test_a_running_chat_is_not_interrupted_for_what_is_only_kept(tight: Engine) -> None:
    """A finished completion that begins with the same token, as all do, gives way before it."""
    desk = Desk(tight)
    chat = desk.ask(numbers(tight, 0, 600, 300))
    while not chat.text:
        desk.step()
    first = numbers(tight, 1, 250, 4)
    desk.finish([desk.ask(first, INLINE)])
    second = numbers(tight, 2, 250, 4)
    second = replace(second, tokens=(first.tokens[0], *second.tokens))
    inline = desk.ask(second, INLINE)
    while not inline.ends:
        desk.step()
        assert [one.ticket for one in desk.lane.running[INTERACTIVE]] == [chat.ticket]
    desk.scheduler.cancel(chat.ticket)
    desk.assert_empty()


def test_prompts_that_do_not_fit_together_are_read_once(tight: Engine) -> None:
    """Those that were let in a moment ago have evaluated nothing yet, and need their cells."""
    desk = Desk(tight)
    desk.row_seconds = SLOW
    requests = [numbers(tight, first, 460, 5) for first in range(4)]
    asked = [desk.ask(request) for request in requests]
    desk.step()
    figures = desk.scheduler.figures(tight)
    assert figures is not None
    assert (figures.running, figures.waiting) == (2, 2)
    desk.finish(asked)
    figures = desk.scheduler.figures(tight)
    assert figures is not None
    assert figures.prompt_tokens == 4 * 460
    desk.assert_empty()


def test_one_that_fits_goes_on_when_the_one_before_it_is_cancelled(tight: Engine) -> None:
    desk = Desk(tight)
    answer = desk.ask(numbers(tight, 0, 400, 500))
    while not answer.text:
        desk.step()
    large, small = desk.ask(numbers(tight, 1, 900)), desk.ask(numbers(tight, 2, 50))
    desk.step(3)
    assert not small.outputs
    desk.scheduler.cancel(large.ticket)
    desk.finish([small])

    assert not answer.ends
    desk.scheduler.cancel(answer.ticket)
    desk.assert_empty()
