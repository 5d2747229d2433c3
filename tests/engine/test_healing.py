"""Healing: whatever is taken off the end of a prompt comes again, byte for byte."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine.healing import Healing, cut
from assistant.engine.pieces import ByteTable, table_of
from assistant.engine.vocabulary import Vocabulary
from tests.support.decoded import vocabulary_of

STARTER = Path(__file__).parents[2] / "assistant/models/starter.gguf"
REAL = os.environ.get("ASSISTANT_TEST_VOCAB", "")
VOCABULARIES = sorted(Path(REAL).parent.glob("ggml-vocab-*.gguf")) if REAL else []
NO_TEXT = ("bert", "nomic", "gpt-neox")
"""Word pieces lose the white space between words; one file is of an architecture without words."""
TEXTS = (
    "def add(a, b):\n    return a + b\n",
    "    " * 20 + "x = '\t\t' # café, naïve: 中文字 😀👩‍👩‍👧 Ω≈ç√∫",
    "class Foo(Bar):\n\tdef __init__(self, *, name='x'):\n\t\tself.name = name\r\n",
    "for i in range(10):print(i)\n\n\n\n\nif __name__ == '__main__':\n    main()",
)


@pytest.fixture(scope="module")
def starter() -> Iterator[Vocabulary]:
    with vocabulary_of(STARTER) as loaded:
        yield loaded


def heals(vocabulary: Vocabulary, remaining: bytes, choose: random.Random) -> bytes:
    """Generate anything that is allowed until all is healed; return all bytes of it."""
    table = table_of(vocabulary)
    healing = Healing(table, remaining)
    written, known = b"", 0
    while healing.remaining:
        before = healing.remaining
        allowed = healing.allowed().tolist()
        assert allowed
        token = choose.choice(allowed)
        assert healing.allows(token)
        known += healing.take(token)
        written += table.of_token[token]
        assert len(healing.remaining) < len(before)
    assert known == len(remaining)
    return written


def check_every_cut(vocabulary: Vocabulary, text: str, choose: random.Random) -> None:
    table = table_of(vocabulary)
    data = text.encode()
    for end in range(1, len(text) + 1, choose.randint(1, 4)):
        tokens = vocabulary.tokenize(text[:end])
        kept, healed = cut(table, tokens)
        whole = b"".join(table.of_token[token] for token in tokens)
        before = b"".join(table.of_token[token] for token in kept)

        assert before + healed == whole
        written = heals(vocabulary, healed, choose) if healed else b""
        assert (before + written).startswith(whole)
    # Any bytes at all, also from the middle of a character.
    for _ in range(20):
        start = choose.randrange(len(data))
        healed = data[start : start + choose.randint(1, 40)]
        assert heals(vocabulary, healed, choose).startswith(healed)


def test_every_cut_of_a_text_is_reproduced(starter: Vocabulary) -> None:
    for seed, text in enumerate(TEXTS):
        check_every_cut(starter, text, random.Random(seed))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.integers(0, 2**32))
def test_every_cut_of_any_text_is_reproduced(text: str, seed: int) -> None:
    with vocabulary_of(STARTER) as vocabulary:
        if text:
            check_every_cut(vocabulary, text, random.Random(seed))


@pytest.mark.skipif(not VOCABULARIES, reason="ASSISTANT_TEST_VOCAB does not name a vocabulary")
@pytest.mark.parametrize("path", VOCABULARIES, ids=lambda path: path.stem)
def test_every_cut_is_reproduced_with_real_vocabularies(path: Path) -> None:
    if any(name in path.name for name in NO_TEXT):
        pytest.skip("not a vocabulary of text")
    with vocabulary_of(path) as vocabulary:
        for seed, text in enumerate(TEXTS):
            check_every_cut(vocabulary, text, random.Random(seed))


def test_what_may_come_next_is_all_that_agrees(starter: Vocabulary) -> None:
    table = table_of(starter)
    for remaining in (b" ", b" re", b"retur", b"\n    ", b"\xc3", b"x" * 30):
        expected = {
            token
            for token, piece in enumerate(table.of_token)
            if piece
            and token not in table.ending
            and (piece.startswith(remaining) or remaining.startswith(piece))
        }

        assert set(Healing(table, remaining).allowed().tolist()) == expected


def test_half_a_word_is_cut_and_a_whole_one_is_not(starter: Vocabulary) -> None:
    table = table_of(starter)
    _, healed = cut(table, starter.tokenize("def f():\n    ret"))

    assert healed.endswith(b"ret")
    assert any(piece.startswith(healed) and piece != healed for piece in table.pieces)
    longest = max(table.pieces, key=len)
    alone = [starter.tokenize("x")[0], *table.equal(longest).tolist()[:1]]
    assert cut(table, alone) == (alone, b"")


def test_the_first_token_and_control_tokens_stay(starter: Vocabulary) -> None:
    table = table_of(starter)
    space = starter.tokenize(" ")
    control = next(token for token in range(starter.size) if not table.of_token[token])

    assert cut(table, space) == (space, b"")
    assert cut(table, []) == ([], b"")
    assert cut(table, [1, 2, control]) == ([1, 2, control], b"")
    assert cut(table, [1, control, *space]) == ([1, control], b" ")


def test_a_forced_token_that_does_not_fit_ends_it(starter: Vocabulary) -> None:
    healing = Healing(table_of(starter), b"ret")

    assert healing.take(starter.tokenize("x")[0]) == 0
    assert healing.remaining == b""


class Few:
    """A vocabulary without single bytes, as word pieces have it."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.size = len(pieces)

    def piece(self, token: int) -> bytes:
        return self.pieces[token]

    def is_end(self, token: int) -> bool:
        return False


def test_a_vocabulary_that_can_not_spell_is_asked_for_nothing() -> None:
    table = ByteTable(cast("Vocabulary", Few(b"a", b"abc", b"cd", b"ab", b"ddd")))

    assert table.spelling(b"a").tolist() == [0, 3, 1]
    # Behind `a` there would have to be a token that begins with `b`.
    assert sorted(table.spelling(b"abcd").tolist()) == [1, 3]
    assert table.can_spell(b"aabc")
    assert not table.can_spell(b"ba")
    assert Healing(table, b"ba").remaining == b""
    assert not Healing(table, b"abcd").allows(0)
