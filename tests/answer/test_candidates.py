"""The best of several answers: what is asked for, what is chosen, and what is said about it."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncGenerator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.candidates import ORDER, Attempt, Several
from assistant.checks.result import CheckResult
from assistant.checks.testfile import parse_tests
from assistant.client import ChatRequest, Chunk, Delta
from assistant.errors import DaemonProblem
from assistant.events import Code, Done, Failed, Outcome, Reasoning, Verdict
from assistant.generation import SAMPLING_TEMPERATURE, Generation, seed_of
from assistant.sandbox import layers
from assistant.tasks import Task
from tests.answer.scripted import Scripted, code_of, saying

real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")

SQUARE = "def square(n):\n    return n * n\n"
POWER = "def square(n):\n    return n ** 2\n"
DOUBLE = "def square(n):\n    return n + n\n"
BROKEN = "def square(n:\n"
TESTS = parse_tests("assert square(3) == 9")


class Many(Scripted):
    """Answers the n-th request with the n-th code; an exception is raised in its place."""

    def __init__(self, *codes: str | BaseException) -> None:
        super().__init__([])
        self.codes = codes
        self.wait_before: asyncio.Event | None = None
        """When set, the last answer waits for it."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        self.requests.append(request)
        number, self.closed = len(self.requests), False
        try:
            if self.wait_before is not None and number == len(self.codes):
                await self.wait_before.wait()
            code = self.codes[number - 1]
            if isinstance(code, BaseException):
                yield Delta("## Intent\nBegin.\n")
                raise code
            text = f"## Intent\nNumber {number}.\n## Code\n```python\n{code}```" if code else "No."
            for chunk in saying(text):
                assert not isinstance(chunk, BaseException)
                yield chunk
        finally:
            self.closed = True


async def best_of(connection: Many, request: str = "square a number", **options: object):
    task = Task(request)
    given = AnswerOptions(candidates=len(connection.codes), **options)  # type: ignore[arg-type]
    events = [event async for event in answer(task, connection, given)]
    assert sum(isinstance(event, Done | Failed) for event in events) == 1
    assert isinstance(events[-1], Done | Failed)
    return events


def verdicts(events) -> dict[int, Verdict]:
    found = [event for event in events if isinstance(event, Verdict)]
    assert len({event.candidate for event in found}) == len(found)
    if isinstance(events[-1], Done):
        assert found[-1] is events[-2]
        assert found[-1].candidate == events[-1].candidate
    return {event.candidate: event for event in found}


@real
class TestChoice:
    """Real checks in the real sandbox."""

    async def test_the_first_that_passes_is_chosen_and_no_more_are_written(self):
        connection = Many(DOUBLE, BROKEN, SQUARE, POWER, DOUBLE)
        connection.wait_before = asyncio.Event()  # the fifth is never written to its end
        events = await best_of(connection, tests=TESTS)
        found = verdicts(events)

        assert code_of(events, events[-1].candidate) == SQUARE
        assert [found[n].outcome for n in (0, 1, 2)] == [
            *(Outcome.WRONG, Outcome.ERROR, Outcome.PASS),
        ]
        assert set(found) == {0, 1, 2}
        assert found[2].detail.endswith("1 of 3 candidates passed; the rest of 5 was not needed")
        assert connection.closed

    async def test_when_none_passes_the_best_is_chosen_and_the_verdict_says_so(self):
        events = await best_of(Many(BROKEN, DOUBLE, DOUBLE), tests=TESTS)
        found = verdicts(events)

        assert events[-1].candidate == 1
        assert [found[n].outcome.value for n in range(3)] == ["error", "wrong", "wrong"]
        assert found[1].detail.endswith("none of 3 candidates passed")

    async def test_when_nothing_parses_the_first_is_chosen(self):
        events = await best_of(Many(BROKEN, BROKEN))

        assert events[-1].candidate == 0
        assert "none of 2 candidates passed" in events[-2].detail

    async def test_the_examples_of_the_request_are_tests(self):
        events = await best_of(Many(DOUBLE, POWER, SQUARE), "`square(n)`, square(3) == 9")

        assert code_of(events, events[-1].candidate) == POWER
        assert events[-2].outcome is Outcome.PASS
        assert events[-2].detail.startswith("the example of the request holds; 1 of 2 candidates")

    async def test_without_tests_the_largest_group_that_behaves_alike_wins(self):
        events = await best_of(Many(DOUBLE, SQUARE, BROKEN, POWER))
        last = events[-2]

        assert code_of(events, events[-1].candidate) == SQUARE
        assert (last.outcome, last.layer) == (Outcome.PARSED, layers()[0].value)
        assert "2 of 4 candidates behave alike on " in last.detail
        assert last.detail.endswith("(agreement is no pass)")

    async def test_a_tie_is_told_and_the_first_wins(self):
        events = await best_of(Many(DOUBLE, SQUARE, DOUBLE, POWER))

        assert events[-1].candidate == 0
        assert "as many as in 1 other group" in events[-2].detail

    async def test_agreeing_on_errors_or_on_nothing_does_not_win(self):
        raising = "def square(n):\n    raise ValueError\n"
        silent = "def square(n):\n    pass\n"
        events = await best_of(Many(raising, raising, silent, silent, silent, SQUARE))

        assert code_of(events, events[-1].candidate) == SQUARE
        assert "no two of 6 candidates behave alike" in events[-2].detail
        assert "no candidate gives a value" in (await best_of(Many(raising, silent)))[-2].detail

    async def test_an_answer_without_code_comes_last_and_has_no_verdict(self):
        events = await best_of(Many("", BROKEN), tests=TESTS)

        assert events[-1].candidate == 1
        assert set(verdicts(events)) == {1}

    async def test_cancelling_ends_the_stream_and_the_check(self):
        us = psutil.Process()
        before = set(us.children(recursive=True))
        connection = Many(SQUARE, DOUBLE)
        connection.wait_before = asyncio.Event()
        slow = parse_tests("import time\ntime.sleep(60)\nassert True")
        running = asyncio.create_task(best_of(connection, tests=slow))
        while not set(us.children(recursive=True)) - before or len(connection.requests) < 2:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.get_running_loop().shutdown_default_executor()

        assert connection.closed
        assert set(us.children(recursive=True)) <= before


async def test_no_code_at_all_is_a_failure_with_the_first_reason():
    events = await best_of(Many("", ""))

    assert isinstance(events[-1], Failed)
    assert "wrote no code" in events[-1].reason


async def test_a_daemon_that_dies_in_the_middle_is_one_error():
    events = await best_of(
        Many(BROKEN, DaemonProblem("The daemon died.", hint="Ask again."), SQUARE)
    )

    assert events[-1] == Failed(1, "The daemon died.\nAsk again.")


async def test_every_event_says_whose_it_is_and_the_first_of_each_what_it_replaces():
    draft = f"x = (\n```\n</think>\n## Code\n```python\n{SQUARE}"
    events = await best_of(Many(BROKEN, draft, BROKEN))
    shown = [event for event in events if isinstance(event, Reasoning | Code)]
    firsts = {event.candidate: event for event in reversed(shown)}

    assert [event.candidate for event in shown] == sorted(event.candidate for event in shown)
    assert [firsts[n].replaces for n in sorted(firsts)] == [None, *range(len(firsts) - 1)]
    assert all(event.replaces is None for event in shown if event is not firsts[event.candidate])
    progress = [event for event in events if isinstance(event, PromptProgress)]
    assert [(one.attempt, one.of) for one in progress] == [(1, 3), (2, 3), (3, 3)]


async def test_the_first_is_greedy_and_the_others_are_drawn_the_same_way_each_time():
    def drawn(connection: Many) -> list[tuple[float, int | None]]:
        return [(request.temperature, request.seed) for request in connection.requests]

    runs = [Many(BROKEN, BROKEN, BROKEN) for _ in range(3)]
    for connection, seed in zip(runs, (None, None, 7), strict=True):
        await best_of(connection, seed=seed)

    assert drawn(runs[0]) == drawn(runs[1])
    assert [temperature for temperature, _ in drawn(runs[0])] == [0, *[SAMPLING_TEMPERATURE] * 2]
    assert len({seed for _, seed in [*drawn(runs[0]), *drawn(runs[2])]}) == 6
    warm = Many(BROKEN, BROKEN)
    await best_of(warm, temperature=0.3)
    assert [request.temperature for request in warm.requests] == [0.3, 0.3]


def test_seeds_of_different_requests_and_candidates_differ():
    seeds = {seed_of(seed, attempt) for seed in range(50) for attempt in range(2, 66)}

    assert len(seeds) == 50 * 64
    assert all(0 <= seed < 1 << 31 for seed in seeds)


def test_the_order_is_the_one_that_is_stated():
    """Every outcome has its place; then the group counts, then who was first."""
    assert set(ORDER) == set(Outcome)
    task, options = Task("x"), AnswerOptions()

    def attempt(outcome: Outcome | None, place: int, number: int) -> Attempt:
        result = CheckResult(outcome, "none", "") if outcome is not None else None
        return Attempt(Generation(task, options, number), result, place)

    kinds = [*ORDER, None]
    ordered = [attempt(*one) for one in itertools.product(kinds, (0, 1), (1, 2))]
    mixed = random.Random(0).sample(ordered, len(ordered))

    assert sorted(mixed, key=lambda one: one.order) == ordered


@given(st.lists(st.sampled_from([*Outcome, None]), min_size=2, max_size=6))
def test_what_is_chosen_follows_the_order_whatever_the_outcomes(found: list[Outcome | None]):
    """None is an answer without code. The rule is written here a second time, in words."""

    async def judged(generation: Generation) -> CheckResult:
        outcome = found[int(generation.source.removeprefix("x = "))]
        assert outcome is not None
        return CheckResult(outcome, "none", "")

    async def alike(several: Several, parsed: list[Attempt]) -> str:
        return "compared"

    codes = ["" if outcome is None else f"x = {n}\n" for n, outcome in enumerate(found)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assistant.candidates.judged", judged)
        patch.setattr(Several, "_compare", alike)
        events = asyncio.run(best_of(Many(*codes)))

    if set(found) == {None}:
        assert isinstance(events[-1], Failed)
        return
    passed = [n for n, outcome in enumerate(found) if outcome is Outcome.PASS]
    known = [outcome for outcome in ORDER if outcome in found]
    best = passed[0] if passed else found.index(known[0])
    told = verdicts(events)
    assert events[-1].candidate == best
    assert [told[n].outcome for n in sorted(told)] == [
        outcome
        for n, outcome in enumerate(found)
        if outcome is not None and (not passed or n <= passed[0])
    ]
