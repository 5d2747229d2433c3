"""The scheduler in its thread: calls that are aborted, cancels at any moment, the end of it all."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine import scheduler as scheduler_module
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings, Figures, Priority
from assistant.errors import EngineProblem
from tests.engine.scheduling import Asked, Desk, cancelled, same
from tests.engine.test_scheduler import all_same, raw
from tests.support.daemons import wait_until
from tests.support.tiny_gguf import Tiny, write

INLINE, INTERACTIVE, BACKGROUND = Priority


@pytest.fixture(scope="module")
def slow(models: Path) -> Iterator[Engine]:
    """Sixteen layers, so that a call of 512 rows takes long enough to be met."""
    path = write(models / "slow.gguf", Tiny(layers=16, context=8192))
    with Engine(path, EngineSettings(threads=1, cells=16384)) as engine:
        yield engine


class Served(Desk):
    """A scheduler with its thread."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.thread = threading.Thread(target=self.scheduler.run, daemon=True)
        self.thread.start()

    @property
    def figures(self) -> Figures:
        figures = self.scheduler.figures(self.engine)
        assert figures is not None
        return figures

    def wait(self, asked: list[Asked]) -> None:
        wait_until(lambda: all(one.ends for one in asked), "all have ended")


@pytest.fixture
def served(slow: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Aborts calls however short they are."""
    monkeypatch.setattr(scheduler_module, "_WORTH_ABORTING", -1.0)
    desk = Served(slow)
    yield desk
    desk.scheduler.stop()
    desk.thread.join(30)
    assert not desk.thread.is_alive()
    desk.assert_empty()


def test_a_prompt_goes_on_unharmed_after_its_calls_were_aborted(served: Served) -> None:
    request = raw(served.engine, "".join(f"word {n} " for n in range(500)), 20)
    inline = raw(served.engine, "x = ", 2)
    expected, little = _alone(served, request), _alone(served, inline)
    aborted = served.figures.aborted_calls
    long = served.ask(request, BACKGROUND)
    others: list[Asked] = []
    while not long.ends and len(others) < 500:
        others.append(served.ask(inline, INLINE))
        served.wait(others[-1:])
    served.wait([long])

    assert served.figures.aborted_calls > aborted
    assert same(long, expected)
    assert all(same(one, little) for one in others)
    # What was aborted once is not aborted again: every second call at least got through.
    assert served.figures.aborted_calls - aborted <= len(long.evaluated) + 20


def _alone(served: Served, request: object) -> Asked:
    asked = served.ask(request)  # type: ignore[arg-type]
    served.wait([asked])
    return asked


def test_a_cancel_in_the_middle_of_a_call_stops_it(served: Served) -> None:
    """Nothing of the request is evaluated any more, and the thread sleeps."""
    chance = random.Random(1)
    aborted = served.figures.aborted_calls
    for number in range(10):
        # Nothing of it is known: there is much to evaluate, and the cancel comes at once.
        text = "".join(f"{number} line {n} " for n in range(700))
        asked = served.ask(raw(served.engine, text, 5))
        wait_until(lambda asked=asked: asked.outputs)  # type: ignore[misc]
        for _ in range(chance.randrange(2000)):
            pass
        served.scheduler.cancel(asked.ticket)
        served.wait([asked])
        assert cancelled(asked)
        calls = served.figures.decode_calls
        wait_until(lambda: not served.scheduler.decoding)
        assert served.figures.decode_calls == calls
    assert served.figures.aborted_calls > aborted


def test_requests_from_many_threads_are_all_answered(served: Served) -> None:
    """Submitted, cancelled and read from threads of their own, in any order."""
    requests = [raw(served.engine, f"def f{n}():\n" * 3, 12) for n in range(8)]
    alone = [_alone(served, request) for request in requests]
    asked: list[list[Asked]] = [[] for _ in requests]

    def client(number: int) -> None:
        chance = random.Random(number)
        for _ in range(12):
            one = served.ask(requests[number], chance.choice(list(Priority)))
            asked[number].append(one)
            if chance.random() < 0.4:
                os.sched_yield()
                served.scheduler.cancel(one.ticket)
            else:
                wait_until(lambda one=one: one.ends)  # type: ignore[misc]

    threads = [threading.Thread(target=client, args=(n,)) for n in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for number, mine in enumerate(asked):
        served.wait(mine)
        assert all_same(mine, [alone[number]] * len(mine))


def test_what_is_under_way_ends_when_the_scheduler_stops(slow: Engine) -> None:
    desk = Served(slow)
    asked = [desk.ask(raw(slow, f"{n} " * 1500, 50)) for n in range(4)]
    wait_until(lambda: asked[0].outputs)
    desk.scheduler.stop()
    desk.thread.join(30)
    late = desk.ask(raw(slow, "late", 5))

    assert all(cancelled(one) for one in [*asked, late])
    desk.assert_empty()


def test_a_defect_ends_the_requests_and_not_the_engine(
    slow: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it is: nobody waits for ever, and the next request is served."""
    desk = Served(slow)
    request = raw(slow, "after it", 5)
    expected = _alone(desk, request)
    planned = scheduler_module.plan

    def broken(*arguments: object) -> None:
        monkeypatch.setattr(scheduler_module, "plan", planned)
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(scheduler_module, "plan", broken)
    failed = desk.ask(request)
    desk.wait([failed])
    (error,) = failed.ends
    assert isinstance(error, EngineProblem)
    assert "a defect" in str(error)
    assert same(_alone(desk, request), expected)
    desk.scheduler.stop()
    desk.thread.join(30)
    desk.assert_empty()
