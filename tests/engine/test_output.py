"""Stop strings, forced texts and the end of reasoning are found however the text is cut."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assistant.engine.output import BudgetWatch, Continuation, ForcedTexts, StopFinder
from assistant.engine.types import Budget, Forced

letters = st.text(alphabet="ab\n", max_size=30)
stops = st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=3)


def cut(text: str, data: st.DataObject) -> list[str]:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(text=letters, stops=stops, data=st.data())
def test_text_up_to_the_first_stop(text: str, stops: list[str], data: st.DataObject) -> None:
    """In pieces or at once: everything before the earliest-ending stop string, no part of it."""
    finder = StopFinder(stops)
    given_out = "".join(finder.feed(piece) for piece in cut(text, data)) + finder.close()

    # The one that is complete first wins, as tokens come one after the other.
    ends = [(text.find(stop) + len(stop), -len(stop)) for stop in stops if stop in text]
    if not ends:
        assert (given_out, finder.found) == (text, False)
    else:
        assert finder.found
        assert text.startswith(given_out)
        assert not any(stop in given_out for stop in stops)
        assert any(text[len(given_out) :].startswith(stop) for stop in stops)


def test_nothing_is_held_longer_than_needed() -> None:
    finder = StopFinder(["\n\ndef"])

    assert finder.feed("a\n") == "a"
    assert finder.feed("\nx") == "\n\nx"


@given(
    before=letters,
    text=letters,
    after=st.text(alphabet="ab\n", min_size=1, max_size=3),
    data=st.data(),
)
@example(before="a", text="b", after="ab", data=None)
def test_forced_text_follows_the_first_occurrence(
    before: str, text: str, after: str, data: st.DataObject | None
) -> None:
    """It begins right behind `after`, also when a token reaches beyond; `after` may begin
    in the prefill, but one that ends there is not ours."""
    watcher = ForcedTexts([Forced(after, "XY")], before)
    written = ""
    for piece in cut(text, data) if data else [text]:
        follow = watcher.feed(piece)
        if follow is not None:
            written += piece[: follow.keep] + follow.text
            break
        written += piece

    start = max(0, len(before) - len(after) + 1)
    index = (before + text).find(after, start)
    if index < 0:
        assert written == text
    else:
        assert before + written == (before + text)[: index + len(after)] + "XY"


def test_a_place_that_ends_in_the_prefill_is_not_ours() -> None:
    """Even when a longer one makes us remember more of it."""
    watcher = ForcedTexts([Forced("ab", "1"), Forced("xxxxxx", "2")], before="ab")

    assert watcher.feed("c") is None
    assert watcher.feed("ab") == Continuation(2, "1")


def test_each_forced_text_is_used_once() -> None:
    watcher = ForcedTexts([Forced("a", "1"), Forced("b", "2")])

    assert watcher.feed("xa") == Continuation(2, "1")
    assert watcher.feed("a") is None
    assert watcher.feed("bb") == Continuation(1, "2")
    assert watcher.feed("b") is None


THINKING = Budget(4, "</think>", "\n</think>\n\n")
TAGGED = Budget(4, "</think>", "\n</think>\n\n", "<think>")


def ended_at(budget: Budget | None, pieces: list[str]) -> int | None:
    """After how many tokens the reasoning was ended; it is ended once at most."""
    watch = BudgetWatch(budget)
    told = [n for n, piece in enumerate(pieces, 1) if watch.feed(piece, n) is not None]
    assert len(told) <= 1
    return told[0] if told else None


@pytest.mark.parametrize(
    ("budget", "pieces", "end"),
    [
        (None, ["a"] * 9, None),
        (THINKING, ["a"] * 9, 4),
        (THINKING, ["a", "</think>", *"bcdefghi"], None),
        (THINKING, ["a", "</th", "ink>", *"bcdefghi"], None),
        # What may become the end by itself is waited for, but not for ever.
        (THINKING, ["a", "b", "c", "</th", "ink>", "d"], None),
        (THINKING, ["a", "b", "c", "</th", "at>", "d"], 5),
        (THINKING, ["a", "b", "c", *"<" * 20], 4 + len("</think>")),
        # A model that may think, and does not.
        (TAGGED, ["def ", "f", "():", "\n", " pass", "\n", "# <think>", "x"], None),
        (TAGGED, ["<think>", "a", "b", "c", "d"], 4),
        (TAGGED, ["\n", "<th", "ink>", "a", "b", "c"], 4),
        (TAGGED, ["<th", "e", *"abcdefg"], None),
        (TAGGED, ["<think>", "a</think>", *"abcdefg"], None),
    ],
)
def test_reasoning_is_ended_once_and_only_while_it_goes_on(
    budget: Budget | None, pieces: list[str], end: int | None
) -> None:
    assert ended_at(budget, pieces) == end


def test_an_end_of_reasoning_that_was_put_in_counts() -> None:
    watch = BudgetWatch(THINKING)
    assert watch.feed("a", 1) is None
    watch.saw("</think>\n```python\n")
    assert [watch.feed("b", count) for count in range(5, 20)] == [None] * 15


@given(pieces=st.lists(st.sampled_from(["a", "##", " Code", "\n", "## Code\n", "#"]), max_size=30))
def test_the_end_of_reasoning_comes_once(pieces: list[str]) -> None:
    """Written by the model or put in: wherever its tokens end."""
    watch, written, ended = BudgetWatch(Budget(6, "## Code\n", "\n## Code\n")), "", False
    for count, piece in enumerate(pieces, 1):
        before = "## Code\n" in written + piece
        closing = watch.feed(piece, count)
        assert closing is None or not (before or ended)
        written, ended = written + piece + (closing or ""), ended or closing is not None
        if count >= 6 + len("## Code\n"):
            assert "## Code\n" in written
