"""What a grammar allows, compared with llama.cpp's own grammar sampler."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import grammar as grammar_module
from assistant.engine.grammar import GrammarCursor, check
from assistant.engine.pieces import ByteTable, table_of
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import RequestProblem
from tests.support.decoded import vocabulary_of

STARTER = Path(__file__).parents[2] / "assistant/models/starter.gguf"

JSON = r"""
root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws

object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws   # an object

array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
"""
GRAMMARS = [
    JSON,
    'root ::= "def " name "(" (name (", " name)*)? "):\\n    return " name "\\n"\n'
    "name ::= [a-zA-Z_] [a-zA-Z0-9_]{0,8}",
    'root ::= ("- " item)+\nitem ::= [^\\n]+ "\\n"',
    "root ::= [ぁ-ゟé]{2,4} | [^a-z]+ | .",
    'root ::= "a"? "b"? "c"? [d-f]* ("x" | "xy" | "xyz") "" ("é" | "\\u00e9" "t")',
    'root ::= e ("+" e)*\ne ::= [0-9]+ | "(" root ")"',
    'root ::= ("a" ("b" ("c")?)?)? | "a" "b"{2,} | [\\U0001F600-\\U0001F64F] "\\\\" [\\]\\-x]',
]


@pytest.fixture(scope="module")
def vocabulary() -> Iterator[Vocabulary]:
    with vocabulary_of(STARTER) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def table(vocabulary: Vocabulary) -> ByteTable:
    return table_of(vocabulary)


class Theirs:
    """llama.cpp's grammar, asked for all tokens at once."""

    def __init__(self, vocabulary: Vocabulary, text: str) -> None:
        self._lib = vocabulary._lib
        self._size = vocabulary.size
        self._sampler = self._lib.llama_sampler_init_grammar(
            vocabulary._pointer, text.encode(), b"root"
        )
        assert self._sampler

    def allowed(self) -> set[int]:
        lib = self._lib
        candidates = (lib.llama_token_data * self._size)(
            *((token, 1.0, 0.0) for token in range(self._size))
        )
        data = lib.llama_token_data_array(
            data=ctypes.cast(candidates, lib.llama_token_data_p),
            size=self._size,
            selected=-1,
            sorted=False,
        )
        lib.llama_sampler_apply(self._sampler, ctypes.byref(data))
        return {entry.id for entry in candidates if entry.logit == 1.0}

    def accept(self, token: int) -> None:
        self._lib.llama_sampler_accept(self._sampler, token)

    def close(self) -> None:
        self._lib.llama_sampler_free(self._sampler)


def is_text(data: bytes) -> bool:
    """UTF-8, perhaps with a character that goes on."""
    rests = [b"", *(first + b"\x80" * more for first in (b"\x80", b"\xbf") for more in range(3))]
    for rest in rests:
        with contextlib.suppress(UnicodeDecodeError):
            return bool((data + rest).decode())
    return False


@pytest.mark.parametrize("text", GRAMMARS)
def test_the_same_tokens_are_allowed_as_by_llama_cpp(
    text: str, vocabulary: Vocabulary, table: ByteTable
) -> None:
    # llama.cpp takes the names of control tokens for text; here they are never part of an answer.
    control = {
        token
        for token in range(vocabulary.size)
        if not table.of_token[token] and token not in table.ending
    }
    logits = np.zeros(vocabulary.size, np.float32)
    for seed in range(3):
        choose = random.Random(seed)
        theirs = Theirs(vocabulary, text)
        ours = GrammarCursor(text, table)
        written = b""
        for _ in range(15):
            ours.begin()
            allowed = set(ours.candidates(logits, 0).tolist())

            more = theirs.allowed() - control - allowed
            assert allowed <= theirs.allowed()
            # llama.cpp lets bytes through that no character has, such as FF.
            assert not any(is_text(written + table.of_token[token]) for token in more)
            assert all(ours.allows(token) for token in choose.sample(sorted(allowed), 1))
            going_on = sorted(allowed - table.ending)
            if not going_on:
                break
            token = choose.choice(going_on)
            written += table.of_token[token]
            theirs.accept(token)
            assert ours.accept(table.of_token[token])
        theirs.close()


def test_each_token_alone_is_judged_as_all_together(table: ByteTable) -> None:
    logits = np.zeros(len(table.of_token), np.float32)
    ours = GrammarCursor(JSON, table)
    for text in (b"{", b'"caf\xc3', b'\xa9": ', b"[1, -", b"0.5"):
        ours.accept(text)
        alone = {token for token in range(len(table.of_token)) if ours.allows(token)}

        assert alone == set(ours.candidates(logits, 0).tolist())


def test_the_likely_ones_are_found_without_listing_all(
    table: ByteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grammar_module, "_MANY", 10)
    logits = np.random.default_rng(0).standard_normal(len(table.of_token)).astype(np.float32)
    everything = GrammarCursor("root ::= [a-z]+", table)
    few = GrammarCursor("root ::= [a-z]+ ", table)
    best = sorted(everything.candidates(logits, 0).tolist(), key=logits.__getitem__)[::-1]

    for wanted in (1, 5, 20):
        found = few.candidates(logits, wanted).tolist()
        assert len(found) < len(best)
        assert sorted(found, key=logits.__getitem__)[::-1][:wanted] == best[:wanted]


def test_whole_documents_are_accepted_and_may_end(vocabulary: Vocabulary, table: ByteTable) -> None:
    document = {"name": "Ada é 中 😀 \u2028", "list": [1, -2.5e3, {"deep": [[[[]]]]}, None, True]}
    for indent, ascii_only in itertools.product((None, 1), (True, False)):
        text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
        cursor = GrammarCursor(JSON, table)
        for token in vocabulary.tokenize(text):
            cursor.begin()
            assert not any(cursor.allows(end) for end in table.ending)
            assert cursor.allows(token)
            cursor.accept(table.of_token[token])

        assert all(cursor.allows(end) for end in table.ending)


def test_what_is_refused_changes_nothing(table: ByteTable) -> None:
    cursor = GrammarCursor('root ::= "abc"', table)

    assert cursor.accept(b"a")
    assert not cursor.accept(b"bx")
    assert cursor.accept(b"bc")
    assert not cursor.allows_text(b"c")


def test_a_grammar_is_learned_once(table: ByteTable) -> None:
    """The second request finds what the first one learned; another model has its own."""
    first, second = GrammarCursor(JSON, table), GrammarCursor(JSON, table)

    assert first._automaton is second._automaton
    assert first._automaton is not GrammarCursor(GRAMMARS[1], table)._automaton


def test_what_was_learned_is_forgotten_before_it_fills_the_memory(
    table: ByteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assistant.engine import automaton

    monkeypatch.setattr(automaton, "_MOST_STATES", 20)
    cursor = GrammarCursor('root ::= "[" root? "]" # nested', table)
    other = GrammarCursor('root ::= "[" root? "]" # nested', table)
    for _ in range(200):
        cursor.begin()
        assert cursor._state.age == cursor._automaton._age
        assert cursor.accept(b"[")
    assert cursor._automaton._age > 5
    assert len(cursor._automaton._states) <= 25
    other.begin()
    assert other.accept(b"[]")
    for _ in range(200):
        cursor.begin()
        assert cursor.accept(b"]")

    assert not cursor.allows_text(b"]")
    assert all(cursor.allows(end) for end in table.ending)


@pytest.mark.parametrize(
    "text",
    [
        'root ::= "a" root "b" | "a" root "c" | "d"',
        'x ::= "a"{1,100}\ny ::= x{1,100}\nroot ::= y{1,100}',
        'root ::= "a" root "b" | "a" root | "a"',
        "root ::= " + '("a" | "a" "a") ' * 200,
        "root ::= " + '"a"? ' * 1900,
        "root ::= r0\n"
        + "".join(f"r{i} ::= r{i + 1}? r{i + 1}?\n" for i in range(60))
        + 'r60 ::= "a"',
    ],
)
def test_a_grammar_with_too_many_readings_ends_in_a_message(text: str, table: ByteTable) -> None:
    """llama.cpp's sampler takes gigabytes or years for each of these; here a step is bounded."""
    worst, refused = 0.0, False
    try:
        cursor = GrammarCursor(text, table)
        for _ in range(60):
            cursor.begin()
            started = time.process_time()
            cursor.allows_text(b"aaaaaaab")
            cursor.accept(b"aaaaaa")
            worst = max(worst, time.process_time() - started)
    except RequestProblem as problem:
        refused = "too many ways" in problem.message

    # Steps are counted, not timed: the bound here only tells it from years.
    assert refused or worst < 60


def test_a_grammar_can_be_refused_before_the_request_is_queued() -> None:
    check(JSON)
    with pytest.raises(RequestProblem, match="Line 2"):
        check('root ::= "a"\nroot ::= "b')
