"""How many rows a call may have."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.pace import USUAL_SECONDS, Pace, aligned, overhang

GIB = 1 << 30


def test_the_first_call_of_a_large_model_is_short() -> None:
    assert Pace(512, 5 * GIB).rows_within(USUAL_SECONDS) == 16
    assert Pace(512, 5 << 20).rows_within(USUAL_SECONDS) == 512


@given(per_row=st.floats(1e-5, 0.2), seconds=st.floats(0.05, 2.0))
def test_a_call_takes_no_longer_than_planned_once_the_pace_is_known(
    per_row: float, seconds: float
) -> None:
    """Where 16 rows, the least, allow it."""
    pace = Pace(512, 5 * GIB)
    for _ in range(30):
        rows = pace.rows_within(seconds)
        pace.observe(rows, rows * per_row)
    rows = pace.rows_within(seconds)
    assert rows == 16 or rows * per_row <= seconds * 1.01
    unit = 64 if rows >= 64 else 16
    assert rows == 512 or (rows + unit) * per_row >= seconds * 0.99 or rows < 64 <= rows + 16


@given(start=st.integers(0, 5000), count=st.integers(1, 512))
def test_prompts_are_cut_at_the_same_places_in_every_run(start: int, count: int) -> None:
    cut = aligned(start, count)
    assert 0 < cut <= count
    assert cut > count - 64
    if count >= 64:
        assert (start + cut) % 64 == 0
    else:
        assert (start + cut) % 16 == 0 or count < 16


def test_a_request_that_is_alone_gets_rows_enough_to_be_quick() -> None:
    """Also where they take seconds; not where they would take ten."""
    slow, slower = Pace(512, 5 * GIB), Pace(512, 5 * GIB)
    for _ in range(30):
        slow.observe(16, 16 * 0.05)
        slower.observe(16, 16 * 0.5)
    assert (slow.rows_within(USUAL_SECONDS), slow.rows_alone()) == (16, 64)
    assert slower.rows_alone() == 16


def test_a_call_may_be_a_little_longer_to_end_a_prompt() -> None:
    assert [overhang(rows) for rows in (1, 16, 64, 512)] == [0, 1, 4, 32]
