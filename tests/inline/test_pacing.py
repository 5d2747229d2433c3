"""A quick engine is asked at each key, a slow one at a pause; the clock is the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.inline.pacing import LONGEST, Pace


def typing(every: float, answers: float, keys: int = 10, last: str = "a") -> tuple[Pace, float]:
    """Somebody who types so fast, with an engine that answers so fast; and the time now."""
    pace, now = Pace(), 100.0
    for number in range(keys):
        pace.typed(now, last if number == keys - 1 else "a")
        now += every
        pace.answered(answers)
    return pace, now - every


@pytest.mark.parametrize(("every", "answers"), [(0.1, 0.02), (0.1, 0.1), (0.3, 0.3), (0.02, 0.01)])
def test_an_engine_that_keeps_up_is_asked_at_once(every: float, answers: float) -> None:
    pace, now = typing(every, answers)

    assert pace.delay(now) == 0


@pytest.mark.parametrize(("every", "answers"), [(0.1, 0.5), (0.05, 0.1)])
def test_a_slower_one_is_asked_at_a_pause(every: float, answers: float) -> None:
    pace, now = typing(every, answers)

    assert every < pace.delay(now) <= LONGEST
    assert pace.delay(now + every) == pytest.approx(pace.delay(now) - every)
    # An editor that waits by itself has waited enough.
    assert pace.delay(now + 2 * every) == 0


def test_a_rest_is_no_interval_of_typing() -> None:
    pace, now = typing(0.1, 0.5)
    before = pace.delay(now)
    for _ in range(10):
        now += 30
        pace.typed(now, "a")

    assert pace.delay(now) == pytest.approx(before)


def test_a_new_line_is_a_pause_of_its_own() -> None:
    pace, now = typing(0.1, 0.5)
    line, _ = typing(0.1, 0.5, last="\n    ")

    assert line.delay(now) == pytest.approx(pace.delay(now) / 2)


def test_the_first_key_and_the_one_after_a_rest_are_not_held_back() -> None:
    pace = Pace()
    assert pace.delay(1.0) == 0
    pace.typed(1.0, "a")
    pace.answered(5.0)
    assert pace.delay(1.0) == 0
    pace.typed(60.0, "b")  # no interval of typing
    assert pace.delay(60.0) == 0


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["a", "\n", ""]), st.floats(0, 100)), max_size=40
    )
)
def test_nobody_waits_longer_than_the_bound(keys: list[tuple[float, str, float]]) -> None:
    pace, now = Pace(), 0.0
    for rest, text, answer in keys:
        now += rest
        pace.typed(now, text)
        pace.answered(answer)

        assert 0 <= pace.delay(now) <= LONGEST
