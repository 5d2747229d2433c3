"""Several requests at once: who goes first, what they share, that none disturbs another."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine import lane
from assistant.engine.call import Call
from assistant.engine.engine import Engine
from assistant.engine.planning import plan
from assistant.engine.running import Ticket
from assistant.engine.scheduler import worth_aborting
from assistant.engine.stash import Stash
from assistant.engine.types import (
    Budget,
    EngineSettings,
    FinishReason,
    Limits,
    Prepared,
    Priority,
    Sampling,
    Text,
)
from tests.engine.scheduling import Asked, Desk, cancelled, same
from tests.support.tiny_gguf import Tiny, write

INLINE, INTERACTIVE, BACKGROUND = Priority


def raw(engine: Engine, text: str, tokens: int = 8, **limits: object) -> Prepared:
    return engine.prepare_raw(
        text,
        limits=Limits(max_tokens=tokens, ignore_end=True, logprobs=2, **limits),  # type: ignore[arg-type]
    )


def solo(engine: Engine, request: Prepared) -> Asked:
    """What a request says when it is alone and nothing is in memory."""
    desk = Desk(engine)
    asked = desk.all_of(request)
    desk.scheduler.detach(engine)
    return asked


def all_same(asked: list[Asked], alone: list[Asked]) -> bool:
    return all(same(one, other) for one, other in zip(asked, alone, strict=True))


def test_requests_side_by_side_say_what_they_say_alone(desk: Desk) -> None:
    texts = [f"def f{n}(x):\n" + f"    y = {n} * x\n" * (7 * n) for n in range(6)]
    requests = [raw(desk.engine, text, 40) for text in texts]
    alone = [solo(desk.engine, request) for request in requests]

    asked = [desk.ask(request) for request in requests]
    desk.finish(asked)

    assert all_same(asked, alone)
    assert len({one.text for one in alone}) == len(alone)
    desk.assert_empty()


def test_a_more_urgent_request_takes_the_very_next_call(desk: Desk) -> None:
    chat = desk.ask(raw(desk.engine, "chat " * 20, 50))
    desk.step(5)
    said = len(chat.outputs)
    inline = desk.ask(raw(desk.engine, "x = ", 6), INLINE)
    desk.step(7)  # one for the prompt, five for the next tokens, and one more takes note

    assert inline.end.completion_tokens == 6
    assert len(chat.outputs) <= said + 1
    desk.finish([chat])
    assert chat.end.completion_tokens == 50
    desk.assert_empty()


def test_background_work_waits_for_everybody(desk: Desk) -> None:
    background = desk.ask(raw(desk.engine, "a " * 100, 30), BACKGROUND)
    chats = [desk.ask(raw(desk.engine, f"chat {n} " * 30, 10)) for n in range(3)]
    desk.finish(chats)

    # The last end goes out with the next call, which is the first of the background.
    assert len([out for out in background.outputs if isinstance(out, Text)]) <= 1
    desk.finish([background])
    desk.assert_empty()


def test_prompts_of_one_class_are_read_in_turns(desk: Desk) -> None:
    """The second does not wait for the whole of the first."""
    long = desk.ask(raw(desk.engine, "long " * 500, 2))
    short = desk.ask(raw(desk.engine, "short", 2))
    desk.finish([short])

    assert not long.ends
    desk.finish([long])
    desk.assert_empty()


def test_the_same_beginning_is_evaluated_once(desk: Desk) -> None:
    """Also when all come at the same moment and none is finished."""
    beginning = "common words " * 120
    requests = [raw(desk.engine, f"{beginning} and {n}", 5) for n in range(4)]
    alone = [solo(desk.engine, request) for request in requests]
    asked = [desk.ask(request) for request in requests]
    desk.finish(asked)

    figures = desk.scheduler.figures(desk.engine)
    assert figures is not None
    longest = len(requests[0].tokens)
    assert figures.prompt_tokens < longest + 100
    assert all_same(asked, alone)
    desk.assert_empty()


def test_who_evaluates_for_others_may_leave(desk: Desk) -> None:
    """One of those that wait goes on where it stopped."""
    beginning = "common words " * 250
    requests = [raw(desk.engine, f"{beginning} and {n}", 5) for n in range(3)]
    alone = [solo(desk.engine, request) for request in requests]
    asked = [desk.ask(request) for request in requests]
    desk.step(2)
    desk.scheduler.cancel(asked[0].ticket)
    desk.finish(asked)

    figures = desk.scheduler.figures(desk.engine)
    assert figures is not None
    assert cancelled(asked[0])
    assert all_same(asked[1:], alone[1:])
    assert figures.prompt_tokens < len(requests[0].tokens) + 100
    desk.assert_empty()


def test_all_fit_in_a_context_of_their_beginning_and_their_answers(tight: Engine) -> None:
    desk = Desk(tight)
    requests = [raw(tight, "common words " * 60 + f"number {n}", 40) for n in range(4)]
    assert sum(len(request.tokens) for request in requests) > 2 * 1024
    asked = [desk.ask(request) for request in requests]
    desk.step(3)
    figures = desk.scheduler.figures(tight)
    assert figures is not None
    assert figures.running == 4
    desk.finish(asked)
    assert {one.end.completion_tokens for one in asked} == {40}
    desk.assert_empty()


def test_more_than_fits_is_served_one_after_the_other(tight: Engine) -> None:
    """Requests give way when memory is short, and say the same as alone."""
    desk = Desk(tight)
    requests = [raw(tight, f"{n} other words " * 25, 400) for n in range(4)]
    alone = [solo(tight, request) for request in requests]
    asked = [desk.ask(request, Priority(1 + n % 2)) for n, request in enumerate(requests)]
    desk.finish(asked)

    assert all_same(asked, alone)
    desk.assert_empty()


def test_an_urgent_request_gets_the_memory_of_the_others(tight: Engine) -> None:
    desk = Desk(tight)
    chats = [desk.ask(raw(tight, f"{n} chat " * 60, 300)) for n in range(2)]
    desk.step(40)
    inline = desk.ask(raw(tight, "inline " * 120, 8), INLINE)
    desk.finish([inline])
    assert not any(chat.ends for chat in chats)
    desk.finish(chats)
    assert {chat.end.completion_tokens for chat in chats} == {300}
    desk.assert_empty()


def test_a_one_character_edit_at_the_end_costs_a_few_tokens(desk: Desk) -> None:
    text = "".join(f"line {n} of a long file\n" for n in range(150))
    first = desk.all_of(raw(desk.engine, text + "x = 1"))
    second = desk.all_of(raw(desk.engine, text + "x = 12"))

    assert first.end.cached_tokens == 0
    assert second.end.prompt_tokens - second.end.cached_tokens <= 8
    desk.assert_empty()


def test_a_prompt_is_known_again_after_another_was_asked(desk: Desk) -> None:
    """It was moved out of the context for the other, and is moved back."""
    one, other = raw(desk.engine, "first words " * 150, 30), raw(desk.engine, "others " * 200, 30)
    alone = [solo(desk.engine, one), solo(desk.engine, other)]
    first = [desk.all_of(one), desk.all_of(other)]
    figures = desk.scheduler.figures(desk.engine)
    assert figures is not None
    assert figures.stashed_bytes > 0
    assert figures.cells_used < len(other.tokens) + 64
    again = [desk.all_of(one), desk.all_of(other)]

    assert all_same(first, alone)
    assert all_same(again, alone)
    assert [asked.end.cached_tokens for asked in first] == [0, 0]
    assert [len(one.tokens) - 1, len(other.tokens) - 1] == [a.end.cached_tokens for a in again]
    desk.assert_empty()


def test_what_is_kept_outside_of_the_context_has_a_limit(roomy: Engine) -> None:
    desk = Desk(roomy)
    desk.all_of(raw(roomy, "first words " * 150, 1))
    size = roomy.context.state_size(desk.lane.cache._parked[0].id)
    desk.lane.cache.stash = Stash(2 * size + size // 2)
    for number in range(6):
        desk.all_of(raw(roomy, f"{number} first words " * 150, 1))
    figures = desk.scheduler.figures(roomy)
    assert figures is not None
    assert len(desk.lane.cache.stash) == 2
    assert figures.stashed_bytes <= 2 * size + size // 2
    assert desk.all_of(raw(roomy, "0 first words " * 150, 1)).end.cached_tokens == 0
    assert desk.all_of(raw(roomy, "5 first words " * 150, 1)).end.cached_tokens > 1000
    desk.assert_empty()


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_guessing_ahead_does_not_change_the_text(desk: Desk, temperature: float) -> None:
    """Guesses are right and wrong here: the model falls into loops, and out of them."""
    drafted = accepted = 0
    for number in range(12):
        plain = replace(
            raw(desk.engine, f"{number} round and round " * 12, 150),
            sampling=Sampling(temperature=temperature, seed=number),
        )
        alone = solo(desk.engine, plain)
        with_lookup = Desk(desk.engine)
        with_lookup.lane.costs.measured(1, 1.0)  # as if a row more cost next to nothing
        with_lookup.lane.costs.measured(16, 1.01)
        guessed = with_lookup.all_of(replace(plain, lookup=()))
        drafted, accepted = drafted + guessed.end.drafted, accepted + guessed.end.accepted
        if temperature == 0:
            assert same(guessed, alone)
        with_lookup.assert_empty()
    assert drafted > accepted > 50 or (temperature and drafted > accepted)


def test_a_guess_is_not_decided_by_a_lead_that_rounding_can_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a token is chosen again in a call of its own; that comes to an end, too."""
    monkeypatch.setattr(lane, "UNCERTAIN", 1e9)
    drafted = 0
    for number in range(6):
        request = raw(desk.engine, f"{number} round and round " * 12, 150)
        alone = solo(desk.engine, request)
        with_lookup = Desk(desk.engine)
        with_lookup.lane.costs.measured(1, 1.0)
        with_lookup.lane.costs.measured(16, 1.01)
        guessed = with_lookup.all_of(replace(request, lookup=()))
        drafted += guessed.end.drafted
        assert guessed.end.accepted == 0
        assert same(guessed, alone)
        with_lookup.assert_empty()
    assert drafted > 0


@pytest.mark.parametrize(
    ("arrives", "left", "aborted"),
    [
        (INLINE, 0.2, True),
        (INLINE, 0.05, False),
        (INTERACTIVE, 3.0, True),
        (INTERACTIVE, 0.9, False),
        (BACKGROUND, 3.0, False),
    ],
)
def test_who_may_stop_a_call(desk: Desk, arrives: Priority, left: float, aborted: bool) -> None:
    """And nobody stops what was stopped once."""
    desk.ask(raw(desk.engine, "a " * 50, 1))
    desk.scheduler._intake()
    call = plan(desk.lane, INTERACTIVE)
    assert call is not None
    call.started, call.expected = time.perf_counter(), left
    newcomer = Ticket(raw(desk.engine, "b"), lambda _: None, arrives)
    assert worth_aborting(call, newcomer) is aborted
    call.parts[0].running.protected = True
    assert not worth_aborting(call, newcomer)


def test_an_evaluated_prompt_can_be_kept_without_an_answer(desk: Desk) -> None:
    warm = desk.all_of(raw(desk.engine, "warm " * 50, 0))
    used = desk.all_of(raw(desk.engine, "warm " * 50, 3))

    assert (warm.end.completion_tokens, warm.text) == (0, "")
    assert used.end.cached_tokens == used.end.prompt_tokens - 1
    desk.assert_empty()


def test_a_newer_inline_request_takes_the_place_of_the_older(desk: Desk) -> None:
    first = desk.ask(raw(desk.engine, "a = ", 200), INLINE, "editor:file.py")
    other = desk.ask(raw(desk.engine, "b = ", 5), INLINE, "editor:other.py")
    desk.step(3)
    second = desk.ask(raw(desk.engine, "a = 1", 5), INLINE, "editor:file.py")
    third = desk.ask(raw(desk.engine, "a = 12", 5), INLINE, "editor:file.py")
    desk.finish([first, second, third, other])

    assert [cancelled(one) for one in (first, second, third, other)] == [True, True, False, False]
    assert second.text == ""
    desk.assert_empty()


def test_a_cancelled_request_says_nothing_more(desk: Desk) -> None:
    asked = desk.ask(raw(desk.engine, "a = ", 200))
    desk.step(10)
    said = asked.text
    desk.scheduler.cancel(asked.ticket)
    desk.step(3)

    assert cancelled(asked)
    assert asked.text == said
    desk.assert_empty()


def test_a_cancel_during_the_planning_of_a_call_is_heard(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from another thread, after the requests were looked through."""
    asked = desk.ask(raw(desk.engine, "a = " * 50, 5))
    planned = desk.scheduler._plan

    def and_cancelled() -> Call | None:
        call = planned()
        desk.scheduler.cancel(asked.ticket)
        return call

    monkeypatch.setattr(desk.scheduler, "_plan", and_cancelled)
    desk.step(2)
    figures = desk.scheduler.figures(desk.engine)
    assert figures is not None
    assert figures.decode_calls == 0
    assert cancelled(asked)
    desk.assert_empty()


def test_one_that_waits_ends_at_once_when_it_is_cancelled(desk: Desk) -> None:
    """Before the thread has seen it, too."""
    asked = desk.ask(raw(desk.engine, "a = ", 200))
    desk.scheduler.cancel(asked.ticket)
    assert cancelled(asked)
    desk.step(3)
    assert len(asked.outputs) == 1
    desk.assert_empty()


def test_reasoning_is_brought_to_an_end(desk: Desk) -> None:
    budget = Budget(12, "</think>", "</think>\ncode:")
    asked = desk.all_of(raw(desk.engine, "think ", 60, budget=budget))
    free = desk.all_of(raw(desk.engine, "think ", 60))

    before, _, after = asked.text.partition("</think>\ncode:")
    assert free.text.startswith(before)
    assert after
    assert asked.text.count("</think>") == 1
    desk.assert_empty()


def test_a_time_cap_ends_at_a_line_break(models: Path) -> None:
    chain = {"\n": "a", "a": "b", "b": "\n"}
    with Engine(write(models / "lines.gguf", Tiny(chain=chain)), EngineSettings(threads=1)) as e:
        desk = Desk(e)
        asked = desk.all_of(raw(e, "\n", 100, line_ms=0))
    assert asked.text == "ab\n"
    assert asked.end.reason is FinishReason.LENGTH


@pytest.mark.parametrize("seed", range(12))
def test_any_schedule_leaves_every_stream_whole(tight: Engine, seed: int) -> None:
    """Submit, cancel and step in any order: no hang, nothing lost, nothing crossed."""
    chance = random.Random(seed)
    desk = Desk(tight)
    # Every other time prompts are read in many calls, and meet a full memory half-read.
    desk.row_seconds = 0.02 if seed % 2 else None
    words = ["alpha", "beta", "gamma"]
    requests: list[Prepared] = []
    for number in range(chance.randrange(4, 14)):
        beginning = chance.choice(words) * chance.randrange(1, 60)
        tokens = chance.choice([0, 1, 5, 30, 120])
        requests.append(raw(tight, f"{beginning} {chance.randrange(3)}:{number}", tokens))
    alone = [solo(tight, request) for request in requests]
    asked: list[Asked] = []
    for request in requests:
        source = chance.choice(["", "", "one", "two"])
        asked.append(desk.ask(request, chance.choice(list(Priority)), source))
        desk.step(chance.randrange(6))
        if chance.random() < 0.3:
            desk.scheduler.cancel(chance.choice(asked).ticket)
    desk.finish(asked)

    assert all_same(asked, alone)
    for one in asked:
        tokens = [out.tokens for out in one.outputs if isinstance(out, Text)]
        assert tokens == sorted(tokens)
    desk.assert_empty()
