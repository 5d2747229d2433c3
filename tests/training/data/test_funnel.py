"""The funnel's counts add up, and the same rows give the same problems."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from training.data import funnel, making
from training.data.reference import Preference, candidates, parses, tidy
from training.data.rows import Bad, Row
from training.settings import Problems

WORDS = st.lists(
    st.sampled_from(["sum", "of", "all", "odd", "numbers", "in", "the", "list"]), max_size=9
)
CODES = st.lists(
    st.sampled_from(["print(1)\n", "print(1)", "print 1", "x = 1\r\nprint(x)", "", "def f(:"]),
    max_size=4,
)


@st.composite
def a_row(draw: st.DrawFn) -> Row | Bad:
    name = str(draw(st.integers(0, 99)))
    if draw(st.booleans()) and draw(st.booleans()):
        return Bad(name, draw(st.sampled_from(["a: empty", "b: NaN"])))
    statement = " ".join(draw(WORDS)) or "nothing"
    picture = draw(st.sampled_from([0, 0, 1]))
    return Row(name, statement, tuple(draw(CODES)), "taco", pictures=picture)


def _run(rows: list[Row | Bad]) -> tuple[list[Row], list[funnel.Count]]:
    chosen = Problems(source="taco", decontaminate=False)
    steps = making.steps(chosen, None, None, lambda text: None)
    left, counts = funnel.run(rows, steps)
    return list(left), counts


@settings(max_examples=60, deadline=None)
@given(st.lists(a_row(), max_size=25))
def test_every_row_is_kept_or_counted_once(rows):
    left, counts = _run(rows)
    assert counts[0].kept == len(rows) and counts[-1].kept == len(left)
    for before, after in itertools.pairwise(counts):
        assert before.kept - after.kept == sum(after.dropped.values())
    again, others = _run(rows)
    assert again == left and others == counts
    assert len({one.statement for one in left}) == len(left)
    assert all(parses(one.solutions[0]) for one in left)


@settings(max_examples=60, deadline=None)
@given(CODES, st.randoms(use_true_random=False))
def test_the_shortest_does_not_depend_on_the_order(codes, rng):
    mixed = list(codes)
    rng.shuffle(mixed)
    one = candidates(codes, Preference.SHORTEST, 3, 1000)
    assert one == candidates(mixed, Preference.SHORTEST, 3, 1000)
    assert list(one) == sorted(one, key=len) and all(tidy(code) == code for code in one)


def test_no_more_solutions_are_parsed_than_wanted(monkeypatch):
    asked = []
    monkeypatch.setattr(
        "training.data.reference.parses", lambda code: bool(asked.append(code)) or True
    )
    many = [f"print({number})" for number in range(1000)]
    assert len(candidates(many, Preference.SHORTEST, 2, 100)) == 2 and len(asked) == 2


def test_lengths_are_counted_in_both_tokenizers_and_a_shorter_solution_saves_the_row():
    def count(row: Row, code: str) -> int:
        return len(code)

    row = Row("1", "s", ("long code", "short"), "taco")
    (kept,) = funnel.fits(count, 6, "too long")(iter([row]), lambda name, reason: None)
    assert kept.solutions == ("short",)
    lost = []
    assert not list(funnel.fits(count, 3, "too long")(iter([row]), lambda *told: lost.append(told)))
    assert lost == [("1", "too long")]


def test_the_split_goes_by_the_statement_alone():
    chosen = Problems(validation_share=0.3, heldout_share=0.3)
    rows = [Row(str(n), f"statement {n}", ("1",), "taco") for n in range(400)]
    splits = [making.split(row, chosen) for row in rows]
    again = Row("other", "STATEMENT   7!", ("2",), "taco")
    assert making.split(again, chosen) == splits[7]
    for name, least, most in (("validation", 80, 160), ("heldout", 80, 160), ("train", 110, 210)):
        assert least < splits.count(name) < most
