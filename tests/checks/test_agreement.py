"""Which answers behave alike: grouping as such, and with answers that run in the sandbox."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.checks.agreement import (
    Behaviour,
    Questions,
    Seen,
    behaviour_of,
    canonical,
    groups_of,
    questions_for,
)
from assistant.checks.inputs import Input
from assistant.sandbox import layers

SEEN = st.one_of(
    st.builds(Seen, st.sampled_from([b"1", b"2", b"null"])),
    st.builds(Seen, st.none(), st.sampled_from(["raised TypeError", "timeout", "not run"])),
)
BEHAVIOURS = st.lists(
    st.none() | st.builds(Behaviour, st.tuples(SEEN, SEEN)), min_size=1, max_size=9
)
INPUTS = tuple(Input((n,)) for n in (0, 1, 2, 5))
real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")


@given(BEHAVIOURS)
def test_groups_are_a_partition_by_equal_behaviour(behaviours: list[Behaviour | None]):
    groups = groups_of(behaviours)
    members = sorted(member for group in groups for member in group.members)

    assert members == [n for n, one in enumerate(behaviours) if one is not None]
    for group in groups:
        assert len({behaviours[member].seen for member in group.members}) == 1
    assert len({behaviours[group.members[0]].seen for group in groups}) == len(groups)


@given(BEHAVIOURS, st.randoms(use_true_random=False))
def test_the_order_of_the_answers_decides_only_among_equals(
    behaviours: list[Behaviour | None], rng: random.Random
):
    """The same answers in another order make the same groups; sizes and kinds come first."""
    order = list(range(len(behaviours)))
    rng.shuffle(order)
    before = groups_of(behaviours)
    after = groups_of([behaviours[n] for n in order])

    def shape(groups):
        return [(one.says_something, len(one.members)) for one in groups]

    assert shape(before) == shape(after)
    assert {frozenset(one.members) for one in before} == {
        frozenset(order[member] for member in one.members) for one in after
    }


@given(BEHAVIOURS)
def test_a_group_that_says_nothing_never_wins_over_one_that_does(behaviours):
    groups = groups_of(behaviours)

    if any(one is not None and one.says_something for one in behaviours):
        assert groups[0].says_something
    assert [one.says_something for one in groups] == sorted(
        (one.says_something for one in groups), reverse=True
    )


def test_the_larger_group_wins_then_the_one_that_was_first():
    one, two = (Behaviour((Seen(text),)) for text in (b"1", b"2"))

    assert groups_of([one, two, two])[0].members == (1, 2)
    assert groups_of([two, one, None, one, two])[0].members == (0, 4)
    assert groups_of([None, None]) == []


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (0.1 + 0.2, 0.3, True),
        ([{"a": (0.1 + 0.2,)}], [{"a": (0.3,)}], True),
        (-0.0, 0.0, True),
        (float("nan"), float("nan"), True),
        (1, 1.0, False),
        (True, 1, False),
        ([1], (1,), False),
        ({1, 2}, {2, 1}, True),
        (0.3, 0.3001, False),
        ("a", b"a", False),
    ],
)
def test_when_two_values_count_as_equal(left: object, right: object, equal: bool):
    assert (canonical(left) == canonical(right)) == equal


class TestQuestions:
    """What the answers are asked."""

    def test_the_signature_of_the_request_says_what_is_called_and_with_what(self):
        found = questions_for(["def f(x): ..."], "write it", "def area(width: bool):")

        assert found == Questions("area", (Input((True,)), Input((False,))), named=True)

    def test_examples_come_before_made_up_inputs(self):
        sources = ['def f(n: int):\n    """>>> f(77)"""', "def f(n: int): ..."]
        found = questions_for(sources, "`f`, so that f(99) is odd")

        assert found is not None
        assert [one.args for one in found.inputs[:3]] == [(99,), (77,), (0,)]

    def test_hints_are_those_that_most_answers_give(self):
        sources = [
            "def f(n: str): ...",
            "def f(n: bool): ...",
            "def f(n: bool): ...",
            "def f(n): ...",
        ]
        rng = random.Random(0)
        for _ in range(5):
            rng.shuffle(sources)
            found = questions_for(sources, "write `f`")
            assert found is not None
            assert [one.args for one in found.inputs] == [(True,), (False,)]

    @pytest.mark.parametrize(
        ("source", "name"),
        [
            ("def helper(n): ...\ndef main(n): return helper(n)\n", "main"),
            ("def main(n): return helper(n)\ndef helper(n): ...\n", "main"),
            ("def _inner(n): ...\ndef first(n): ...\ndef second(n): ...\n", "second"),
            ("def fact(n): return n * fact(n - 1)\n", "fact"),
        ],
    )
    def test_without_a_name_it_is_the_function_that_no_other_one_uses(self, source, name):
        found = questions_for([source], "some words")

        assert found is not None
        assert (found.function, found.named) == (name, False)

    @pytest.mark.parametrize("source", ["x = 1", "class A: ...", "def f(g: Callable): ..."])
    def test_there_may_be_nothing_to_ask(self, source: str):
        assert questions_for([source], "some words") is None


@real
class TestBehaviour:
    """Real answers in the real sandbox."""

    def seen(self, source: str, questions: Questions | None = None) -> list[str]:
        behaviour = behaviour_of(source, questions or Questions("f", INPUTS))
        assert behaviour.layer == layers()[0].value
        return [one.failure or (one.value or b"").decode() for one in behaviour.seen]

    def test_values_and_exceptions(self):
        source = "def f(n):\n    return [n, 1 / n]"

        assert self.seen(source) == ["raised ZeroDivisionError", "[1, 1.0]", "[2, 0.5]", "[5, 0.2]"]

    def test_another_way_to_the_same_is_the_same(self):
        ways = ["def f(n): return n + n", "def f(m):\n    t = 0\n    t += m * 2\n    return t"]

        assert self.seen(ways[0]) == self.seen(ways[1]) == ["0", "2", "4", "10"]

    @pytest.mark.parametrize(
        ("source", "seen"),
        [
            ("def f(n):\n    while n == 1: pass\n    return n", ["0", "timeout", *["not run"] * 2]),
            ("import os\ndef f(n): os._exit(0)", ["crash", *["not run"] * 3]),
            ("import sys\ndef f(n): sys.exit()", ["raised SystemExit"] * 4),
            ("def f(n): return object()", ["raised TypeError"] * 4),
            ("def g(n): return n", ["raised NameError"] * 4),
            ("raise KeyError", ["raised KeyError", *["not run"] * 3]),
            ("def f(n): print(n)", ["null"] * 4),
            ("def f(n):\n    n = [n]\n    n.append(n)\n    return n", ["raised ValueError"] * 4),
        ],
    )
    def test_what_goes_wrong_is_behaviour_too(self, source: str, seen: list[str]):
        assert self.seen(source) == seen

    def test_arguments_that_are_changed_do_not_reach_the_next_call_or_answer(self):
        questions = Questions("f", (Input(([1],)), Input(([1],))))

        assert self.seen("def f(x):\n    x.append(2)\n    return x", questions) == ["[1, 2]"] * 2
        assert questions.inputs[0] == Input(([1],))

    def test_an_unnamed_function_may_have_another_name_in_each_answer(self):
        questions = Questions("double", INPUTS, named=False)

        assert self.seen("def twice(n): return 2 * n", questions) == ["0", "2", "4", "10"]

    def test_it_ends_when_it_is_told_to(self):
        stop = threading.Event()
        threading.Timer(0.3, stop.set).start()
        source = "import time\ndef f(n): time.sleep(60)"
        seen = behaviour_of(source, Questions("f", INPUTS), stop=stop).seen

        assert [one.failure for one in seen] == ["not checked", *["not run"] * 3]
