"""What fits is sent, from the most important on; what does not is named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.client.types import ModelInfo
from assistant.context.budget import (
    ESTIMATE,
    MARGIN,
    budget_of,
    counted,
    fit,
    fitted,
    roughly_fitted,
)
from assistant.context.types import Found, LeftOut, Offer


class Words:
    """A connection whose model has a token for each word."""

    def __init__(self, *, tells: bool = True) -> None:
        self.tells = tells
        self.asked: list[str] = []

    async def count_tokens(self, texts: list[str]) -> list[int] | None:
        self.asked += texts
        return [len(text.split()) for text in texts] if self.tells else None


def offer(name: str, *lengths: int, why: str = "imported here") -> Offer:
    return Offer(name, why, tuple(" ".join([name] * length) for length in lengths))


@pytest.mark.parametrize(
    ("length", "reserved", "budget"),
    [
        (1024, 0, 0),
        (4095, 0, 0),
        (4096, 0, 1024),
        (6000, 0, 1500),
        (8192, 0, 2048),
        (131072, 0, 2048),
        (None, 0, 1024),
        (4096, 3500, 596),
        (4096, 9999, 0),
    ],
)
def test_the_budget(length: int | None, reserved: int, budget: int) -> None:
    assert budget_of(length, reserved) == budget


def test_the_most_important_comes_first_and_stands_last() -> None:
    found = Found((offer("c", 1), offer("b", 1), offer("a", 1)), (LeftOut(".env", "secret"),))
    context = fit(found, [[10], [50], [60]], 80, "somebody")
    assert [(piece.name, piece.tokens) for piece in context.pieces] == [("c", 10), ("a", 60)]
    assert context.left_out == (LeftOut(".env", "secret"), LeftOut("b", "no room", "imported here"))
    assert (context.tokens, context.budget, context.counted_by) == (70, 80, "somebody")


def test_what_is_too_long_is_sent_shortened() -> None:
    context = fit(Found((offer("a", 9, 3),)), [[90, 30]], 40, "")
    (piece,) = context.pieces
    assert (piece.text, piece.why, piece.tokens) == ("a a a", "imported here, shortened", 30)


def test_neighbours_of_one_file_become_one_piece() -> None:
    found = Found((offer("a", 1), offer("a", 2), offer("b", 1), offer("a", 1, why="open beside")))
    context = fit(found, [[20]] * 4, 100, "")
    assert [(one.name, one.text) for one in context.pieces] == [
        *(("a", "a\n\na a"), ("b", "b"), ("a", "a"))
    ]


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(st.lists(st.integers(0, 100), min_size=1, max_size=3), max_size=8),
    st.integers(0, 200),
)
def test_never_more_than_the_budget_and_nothing_is_lost(
    costs: list[list[int]], budget: int
) -> None:
    offers = tuple(offer(f"f{number}", *cost) for number, cost in enumerate(costs))
    context = fit(Found(offers), costs, budget, "")
    assert context.tokens <= budget
    names = {one.name for one in context.pieces} | {one.name for one in context.left_out}
    assert names == {one.name for one in offers}
    assert all(one.reason == "no room" for one in context.left_out)


async def test_the_models_own_tokenizer_counts_with_the_name_of_the_file() -> None:
    connection = Words()
    info = ModelInfo("m", context_length=8192)
    context = await fitted(Found((offer("a", 5),)), info, connection, request="do it")
    assert connection.asked == ["do it", "a\na a a a a"]
    assert context.counted_by == "the model's own tokenizer"
    assert context.budget == 2048
    assert 6 < context.tokens < 20


async def test_request_and_answer_have_to_fit_too() -> None:
    info = ModelInfo("m", context_length=4096)
    found = Found((offer("a", 500), offer("b", 100)))
    context = await fitted(found, info, Words(), request="w " * 3000, max_tokens=640)
    assert context.budget == 4096 - 3000 - 640 - MARGIN
    assert [one.name for one in context.pieces] == ["b"]


async def test_a_small_model_is_sent_nothing_and_asked_nothing() -> None:
    connection = Words()
    found = Found((offer("a", 1),))
    context = await fitted(found, ModelInfo("m", context_length=1024), connection)
    assert (context.pieces, context.budget, connection.asked) == ((), 0, [])
    assert context.left_out == (LeftOut("a", "no room", "imported here"),)


@pytest.mark.parametrize("connection", [Words(tells=False), object()])
async def test_an_estimate_says_that_it_is_one(connection: object) -> None:
    numbers = await counted(connection, ["", "ab", "abcd"])
    assert (numbers.tokens, numbers.by) == ((0, 1, 2), ESTIMATE)
    assert "estimate" in ESTIMATE
    assert roughly_fitted(Found((offer("a", 1),)), 100).counted_by == ESTIMATE


def test_halves_of_surrogate_pairs_are_not_sent() -> None:
    context = roughly_fitted(Found((Offer("a", "", ("x\ud83dy",)),)), 100)
    assert context.pieces[0].text == "x?y"
