"""Typing into a suggestion, taking a part of it, going back: no model is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.inline import Nothing, Place, Suggestion
from assistant.inline.remembered import LOOK_BACK, Remembered, after_accepting
from assistant.inline.suggestion import applied

FILE = "file:///a.py"


def place(text: str) -> Place:
    """The cursor is the bar."""
    return Place(text.replace("|", "", 1), text.index("|"))


def put(text: str, said: str, *, memory: Remembered | None = None) -> Remembered:
    """What was said at the bar."""
    memory = memory or Remembered()
    at = place(text)
    memory.put(FILE, at, [Suggestion(at.offset, at.offset, said)])
    return memory


def found(memory: Remembered, text: str) -> str | None:
    """The file with what is remembered at the bar."""
    answer = memory.find(FILE, place(text))
    if answer is None or isinstance(answer, Nothing):
        return None
    assert answer[0].text.strip()
    return applied(text.replace("|", "", 1), answer[0])


WHOLE = "a\nx = price + tax\nb\n"


@pytest.mark.parametrize("typed", ["", "p", "price", "price ", "price + ta"])
def test_the_rest_of_it_is_shown(typed: str) -> None:
    memory = put("a\nx = |\nb\n", "price + tax")

    assert found(memory, f"a\nx = {typed}|\nb\n") == WHOLE


@pytest.mark.parametrize(
    "now",
    [
        "a\nx = q|\nb\n",
        "a\nx = price + tax|\nb\n",
        "A\nx = p|\nb\n",
        "a\nx = p|\nB\n",
        "a\nx = p|\nb\nc",
        "a\ny = p|\nb\n",
        "a\nx =|\nb\n",
        "\na\nx = p|\nb\n",
        "a\nx = p| \nb\n",
        "",
    ],
)
def test_another_text_is_another_place(now: str) -> None:
    memory = put("a\nx = |\nb\n", "price + tax")

    assert found(memory, now or "|") is None


def test_another_file_is_another_place() -> None:
    memory = put("x = |", "1")

    assert memory.find("file:///b.py", place("x = |")) is None


@given(
    before=st.text("ab\n ", max_size=12),
    said=st.text("ab(\n ", min_size=1, max_size=30),
    after=st.text("ab\n", max_size=12),
    data=st.data(),
)
def test_whatever_is_typed_the_file_becomes_the_same(
    before: str, said: str, after: str, data: st.DataObject
) -> None:
    """As long as it is the beginning of the suggestion; anything else finds nothing."""
    memory = put(f"{before}|{after}", said)
    typed = data.draw(st.sampled_from([said[:cut] for cut in range(len(said))]) | st.text("ab("))
    answer = memory.find(FILE, Place(before + typed + after, len(before + typed)))

    if said.startswith(typed) and said[len(typed) :].strip():
        assert isinstance(answer, tuple)
        assert applied(before + typed + after, answer[0]) == before + said + after
    elif typed:
        assert answer is None


def test_going_back_finds_it_again() -> None:
    memory = put("x = |", "price")
    for now in ("x = pr|", "x = prx|", "x = pr|", "x = p|", "x = |"):
        assert found(memory, now) == (None if "prx" in now else "x = price")


def test_it_looks_back_so_far_and_no_further() -> None:
    said = "a" * (LOOK_BACK + 2)
    memory = put("|", said)

    assert found(memory, "a" * LOOK_BACK + "|") == said
    assert found(memory, "a" * (LOOK_BACK + 1) + "|") is None


@pytest.mark.parametrize("now", ["def f():\n    a = 1\n        |\n", "def f():\n    a = 1\n  |\n"])
def test_less_indentation_is_remembered(now: str) -> None:
    """The white space in front of the cursor is replaced; somebody may take it away as well."""
    memory, at = Remembered(), place("def f():\n    a = 1\n        |\n")
    memory.put(FILE, at, [Suggestion(at.line_start, at.line_end, "    b = 2")])

    assert found(memory, now) == "def f():\n    a = 1\n    b = 2\n"


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        ("x = f(|)\n", "x = f(g(1))\n"),
        ("x = f(g(|))\n", "x = f(g(1))\n"),
        ("x = f(]|\n", None),
        ("x = f(|]\n", None),
        ("x = f(|) \n", None),
    ],
)
def test_brackets_that_the_editor_closed_are_replaced(now: str, shown: str | None) -> None:
    memory = put("x = |\n", "f(g(1))")

    assert found(memory, now) == shown


def test_why_there_was_nothing_is_known_at_that_place_alone() -> None:
    memory, nothing = Remembered(), Nothing("the model adds nothing here")
    memory.put(FILE, place("x = |"), nothing)

    assert memory.find(FILE, place("x = |")) == nothing
    assert memory.find(FILE, place("x = 1|")) is None


def test_all_candidates_stay_together() -> None:
    """Of several the ones that begin as was typed; one that came while typing is not all."""
    memory, at = Remembered(), place("x = |")
    one = [Suggestion(4, 4, "price")]
    memory.put(FILE, at, one)
    assert memory.find(FILE, at, whole=True) is None

    memory.put(FILE, at, [*one, Suggestion(4, 4, "prices"), Suggestion(4, 4, "1")], whole=True)

    answer = memory.find(FILE, place("x = pr|"), whole=True)
    assert answer == (Suggestion(6, 6, "ice"), Suggestion(6, 6, "ices"))


def test_the_oldest_is_forgotten_and_all_of_it_when_the_model_changes() -> None:
    memory = Remembered(kept=2)
    for text in ("a|", "b|", "a|", "c|"):
        put(text, "1", memory=memory)

    assert found(memory, "b|") is None
    assert found(memory, "a|") == "a1"
    memory.clear()
    assert found(memory, "a|") is None


def test_most_is_left_wins() -> None:
    memory = put("x = |", "price + tax")
    put("x = p|", "1", memory=memory)

    assert found(memory, "x = p|") == "x = price + tax"


def test_the_place_after_accepting() -> None:
    at = place("def f():\n        |  \nb\n")
    behind = after_accepting(at, Suggestion(at.line_start, at.line_end, "    return 1"))

    assert behind.text == "def f():\n    return 1\nb\n"
    assert behind.before == "    return 1"
    assert (behind.language, behind.file_name) == (at.language, at.file_name)
