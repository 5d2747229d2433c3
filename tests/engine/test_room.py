"""Memory that is short: who begins, who waits, who gives way to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.engine.engine import Engine
from assistant.engine.stash import Stash
from assistant.engine.types import Prepared
from tests.engine.scheduling import Desk
from tests.engine.test_scheduler import all_same, raw, solo

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


def test_an_answer_outgrows_the_room_beside_a_half_read_prompt(tight: Engine) -> None:
    requests = [numbers(tight, 0, 400, 500), numbers(tight, 1, 540)]
    alone = [solo(tight, request) for request in requests]
    desk = Desk(tight)
    desk.row_seconds = 0.2  # so slow that the answer grows faster than the prompt is read
    asked = [desk.ask(requests[0])]
    while not asked[0].text:
        desk.step()
    asked.append(desk.ask(requests[1]))
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
