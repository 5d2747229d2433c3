"""Guesses by looking up: which place is found, and that arrays and steps agree."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine.lookup import PromptLookup

TOKENS = st.lists(st.integers(0, 3), max_size=60)


def extended(lookup: PromptLookup, tokens: list[int]) -> PromptLookup:
    for token in tokens:
        lookup.extend(token)
    return lookup


@settings(deadline=None)
@given(TOKENS, TOKENS, TOKENS, st.integers(0, 20))
def test_built_at_once_is_as_built_step_by_step(
    extra: list[int], prompt: list[int], answer: list[int], limit: int
) -> None:
    at_once = PromptLookup([*prompt, *answer], extra)
    in_steps = extended(PromptLookup(prompt, extra), answer)

    assert at_once.draft(limit) == in_steps.draft(limit)
    assert at_once.matched == in_steps.matched
    assert at_once._newest == in_steps._newest
    assert at_once._older == in_steps._older


@settings(deadline=None)
@given(TOKENS, TOKENS, st.integers(1, 20))
def test_a_guess_follows_the_longest_match(extra: list[int], tokens: list[int], limit: int) -> None:
    """Against a search through everything (for texts too short to reach a limit of places)."""
    lookup = PromptLookup(tokens, extra)
    guess = lookup.draft(limit)

    best = 0
    for text in (tokens, extra):
        for place in range(1, len(text)):
            length = 0
            while (
                length < min(place, len(tokens), 32)
                and text[place - 1 - length] == tokens[-1 - length]
            ):
                length += 1
            best = max(best, length)
    assert bool(guess) == (best >= 3)
    assert lookup.matched <= best if guess else lookup.matched == 0
    assert all(0 <= token <= 3 for token in guess)
    assert len(guess) <= limit


def test_what_followed_the_longest_match_is_guessed() -> None:
    lookup = PromptLookup([1, 2, 3, 4, 50, 51, 9, 2, 3, 4, 60, 61, 9, 1, 2, 3, 4])

    assert lookup.draft(2) == [50, 51]
    assert lookup.matched == 4


def test_of_equally_long_matches_the_newest_is_taken() -> None:
    lookup = PromptLookup([1, 2, 3, 50, 9, 1, 2, 3, 60, 8, 1, 2, 3])

    assert lookup.draft(1) == [60]


def test_a_copy_goes_on_where_it_is() -> None:
    """Both places agree in more tokens than are compared; the one in use is kept."""
    same = list(range(100, 150))
    lookup = PromptLookup([7, *same, 1, 2, 3, 8, *same, 4, 5, 6, 7, *same[:3]])
    assert lookup.draft(4) == same[3:7]
    extended(lookup, same[3:])

    assert lookup.draft(3) == [1, 2, 3]


def said(lookup: PromptLookup, *tokens: int) -> PromptLookup:
    """These tokens were chosen, one by one, each after a guess."""
    for token in tokens:
        lookup.draft(1)
        lookup.extend(token)
    return lookup


def test_behind_a_token_that_was_replaced_the_copy_goes_on() -> None:
    source = list(range(1, 21))

    lookup = said(PromptLookup([*source, 0]), 1, 2, 3, 4, 5, 6, 7, 99)

    assert lookup.draft(3) == [9, 10, 11]
    assert lookup.matched == 3


def test_what_was_put_for_a_token_is_guessed_to_be_put_for_it_again() -> None:
    source = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 7, 11, 12, 7, 13]
    lookup = said(PromptLookup([*source, 0]), 1, 2, 3, 4, 5, 6, 99)
    assert lookup.draft(4) == [8, 9, 10, 99]
    assert said(lookup, 8, 9, 10, 99).draft(3) == [11, 12, 99]
    assert lookup.matched == 3 + 4


def test_until_the_token_itself_comes_again() -> None:
    source = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 7, 11, 12, 7, 13]
    lookup = said(PromptLookup([*source, 0]), 1, 2, 3, 4, 5, 6, 99, 8, 9, 10, 7)
    assert lookup.draft(3) == [11, 12, 7]


def test_behind_two_that_are_wrong_it_does_not() -> None:
    source = list(range(1, 41))
    long = said(PromptLookup([*source, 0]), *source[:30], 99, 98)
    assert long.draft(3) == []
    assert said(long, 38, 39, 40).draft(3) == [0, *source[:2]]


def test_little_that_agreed_is_not_worth_going_on() -> None:
    lookup = said(PromptLookup([1, 2, 3, 4, 5, 6, 7, 8, 9, 0]), 1, 2, 3, 4, 5, 99)
    assert lookup.draft(3) == []


def test_a_place_that_agrees_better_is_taken_instead() -> None:
    """Twelve agreed before the difference, which leaves six; seven agree at another place."""
    source, other = list(range(1, 21)), [7, 8, 9, 10, 11, 12, 99, 50, 51]
    lookup = said(PromptLookup([*source, *other, 0]), *range(1, 13))
    assert said(lookup, 99).draft(2) == [50, 51]


def test_the_copy_does_not_go_on_behind_the_end_of_the_buffer() -> None:
    buffer = [1, 2, 3, 4, 5, 6, 7, 8]
    lookup = said(PromptLookup([20, 21, 22], extra=buffer), *buffer, 99)
    assert lookup.draft(3) == []


def test_the_buffer_is_guessed_from_but_not_across_its_border() -> None:
    lookup = PromptLookup([1, 2, 3], extra=[1, 2, 3, 4, 5, 6, 9, 8, 7])
    assert lookup.draft(16) == [4, 5, 6, 9, 8, 7]
    extended(lookup, [9, 8, 7])

    assert lookup.draft(16) == []
    assert PromptLookup([2, 3, 4], extra=[0, 1]).draft(4) == []


def test_what_repeats_itself_goes_on() -> None:
    assert PromptLookup([1, 2, 3, 1, 2, 3, 1]).draft(8) == [2, 3, 1, 2, 3, 1, 2, 3]
    assert PromptLookup([5] * 5).draft(3) == [5, 5, 5]


@pytest.mark.parametrize("tokens", [[], [1], [1, 2], [1, 1, 1], [1, 2, 3]])
def test_short_texts_say_nothing(tokens: list[int]) -> None:
    lookup = PromptLookup(tokens)

    assert lookup.draft(5) == []
    assert extended(lookup, [1, 2, 3, 9, 1, 2, 3]).draft(1) == [9]


def test_nothing_is_guessed_if_nothing_may_be() -> None:
    assert PromptLookup([1, 2, 3, 4, 1, 2, 3]).draft(0) == []


def test_large_tokens_do_not_collide() -> None:
    choose = random.Random(0)
    tokens = [choose.randrange(262_144) for _ in range(3000)]
    lookup = PromptLookup(tokens)

    for start in range(0, 2900, 100):
        extended(lookup, tokens[start : start + 3])
        assert lookup.draft(5) == tokens[start + 3 : start + 8]
