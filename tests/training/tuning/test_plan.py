"""Every document once an epoch, rows as full as they get, the budget kept, one order a seed."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import UsageProblem
from training.settings import Adapter
from training.tuning import plan

ROOM = 100
LENGTHS = st.lists(st.integers(2, ROOM), min_size=1, max_size=80)


def _epoch(lengths, seed=0):
    return next(plan.packed_epochs(lengths, ROOM, seed))


@settings(max_examples=100, deadline=None)
@given(LENGTHS, st.integers(0, 5))
def test_an_epoch_has_every_document_once_and_no_row_is_too_long(lengths, seed):
    rows = _epoch(lengths, seed)
    assert sorted(itertools.chain(*rows)) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in row) <= ROOM for row in rows)


@settings(max_examples=100, deadline=None)
@given(LENGTHS)
def test_no_two_rows_would_fit_into_one(lengths):
    used = [sum(lengths[i] for i in row) for row in _epoch(lengths)]
    assert all(a + b > ROOM for a, b in itertools.combinations(used, 2))


def test_each_document_goes_where_it_leaves_the_least_room():
    lengths = [60, 50, 45, 40, 5]
    assert plan.best_fit(range(5), lengths, ROOM) == [[0, 3], [1, 2, 4]]


def test_a_document_longer_than_a_row_has_one_of_its_own():
    assert sorted(plan.best_fit(range(3), [30, 250, 70], ROOM)) == [[1], [2, 0]]


@settings(max_examples=30, deadline=None)
@given(LENGTHS, st.booleans())
def test_the_steps_depend_on_the_seed_alone(lengths, packed):
    chosen = Adapter(tokens=5000, batch_tokens=ROOM, packed=packed, accumulate=3)
    assert plan.make(lengths, chosen, 1) == plan.make(lengths, chosen, 1)


def test_another_seed_is_another_order():
    lengths = list(range(2, 90))
    chosen = Adapter(tokens=9000, batch_tokens=ROOM, packed=True)
    assert plan.make(lengths, chosen, 1) != plan.make(lengths, chosen, 2)


def _seen(made):
    return [i for step in made.steps for part in step for i in part]


@pytest.mark.parametrize("packed", [False, True])
def test_epochs_are_counted_in_documents(packed):
    lengths = list(range(5, 95))
    chosen = Adapter(tokens=0, epochs=2, batch_tokens=ROOM, packed=packed)
    seen = _seen(plan.make(lengths, chosen, 0))
    assert sorted(seen) == sorted([*range(90), *range(90)])
    assert sorted(seen[:90]) == list(range(90))
    half = _seen(plan.make(lengths, Adapter(
        tokens=0, epochs=1.5, batch_tokens=ROOM, packed=packed), 0))  # fmt: skip
    assert seen[: len(half)] == half
    assert 90 < len(half) < 180


@pytest.mark.parametrize("packed", [False, True])
def test_tokens_end_a_run_in_mid_epoch(packed):
    lengths = list(range(5, 95))
    chosen = Adapter(tokens=1000, epochs=50, batch_tokens=ROOM, packed=packed)
    made = plan.make(lengths, chosen, 0)
    assert 1000 <= sum(made.sizes) < 1000 + ROOM
    assert [plan.size(step[0], lengths, packed) for step in made.steps] == made.sizes


def test_a_step_takes_as_many_batches_as_are_accumulated_and_the_last_one_the_rest():
    chosen = Adapter(tokens=0, epochs=1, batch_tokens=ROOM, packed=True, accumulate=4)
    made = plan.make([60] * 10, chosen, 0)
    assert [len(step) for step in made.steps] == [4, 4, 2]
    assert made.sizes == [240, 240, 120]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tokens": 0}, "how long"),
        ({"accumulate": 0}, "adapter.accumulate=0"),
        ({"batch_tokens": -1}, "adapter.batch_tokens=-1"),
    ],
)
def test_a_plan_that_can_not_be_made_is_refused_by_name(wrong, said):
    with pytest.raises(UsageProblem, match=said):
        plan.make([5, 6], Adapter(**wrong), 0)
