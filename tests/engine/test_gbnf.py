"""The notation of grammars: what is read, what is refused, and how it is told."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.engine.automaton import Automaton
from assistant.engine.gbnf import LARGEST, parse
from assistant.engine.utf8 import byte_sequences, complement
from assistant.errors import RequestProblem


def matches(grammar: str, text: str) -> bool:
    automaton = Automaton(parse(grammar))
    state = automaton.walk(automaton.start, text.encode())
    return state is not None and state.complete


@pytest.mark.parametrize(
    ("grammar", "fits", "does_not"),
    [
        ('root ::= "a" "b"', ["ab"], ["", "a", "abc", "ba"]),
        ('root ::= "ab"* "c"?', ["", "c", "abab", "ababc"], ["a", "abb", "cc"]),
        ('root ::= "a"{2}', ["aa"], ["a", "aaa"]),
        ('root ::= "a"{0}', [""], ["a"]),
        ('root ::= "a"{1,3}', ["a", "aa", "aaa"], ["", "aaaa"]),
        ('root ::= "a"{2,}', ["aa", "a" * 50], ["a"]),
        ('root ::= "a"{ 1 , 2 }', ["a", "aa"], ["aaa"]),
        ("root ::= [a-cx]", ["a", "c", "x"], ["d", "y", ""]),
        ("root ::= [^a-c]", ["d", "é", "😀", "\n"], ["a", "b", ""]),
        ("root ::= [a-]", ["a", "-"], ["b"]),
        ("root ::= [\\]\\[\\-\\\\]", ["]", "[", "-", "\\"], ["a"]),
        ("root ::= .", ["a", "中", "\n"], ["", "ab"]),
        ('root ::= "\\x41\\u00e9\\U0001F600\\n\\t\\r\\"\\\\"', ['Aé😀\n\t\r"\\'], ["A"]),
        ('root ::= ("a" | "b" "c")+', ["a", "bc", "abca"], ["b", "c", ""]),
        ('root ::=\n  "a" |\n  "b" # or\n\n\n# end\n', ["a", "b"], ["ab"]),
        ('root ::= (\n "a"\n\n "b" # c\n)', ["ab"], ["a"]),
        ('root ::= x-1 "."\nx-1 ::= "y"', ["y."], ["y"]),
        ('root ::= "a" | ""', ["a", ""], ["aa"]),
        ('root ::= | "a"', ["a", ""], ["aa"]),
        ('root ::= "a"\nroot ::= "b"', ["b"], ["a"]),
        ('root ::= "(" root ")" | "x"', ["x", "((x))"], ["(x", "()"]),
        ('root ::= "é"\r\n', ["é"], ["e"]),
        ("root ::= [à-ÿ]+", ["éàü"], ["e", "Ã"]),
    ],
)
def test_what_a_grammar_says(grammar: str, fits: list[str], does_not: list[str]) -> None:
    assert [text for text in fits if not matches(grammar, text)] == []
    assert [text for text in does_not if matches(grammar, text)] == []


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("", "no rule named root"),
        ('x ::= "a"', "no rule named root"),
        ('root ::= "a"\nb ::= root x', "Line 2 .* no rule named x"),
        ('root ::= "a"\n\nb ::= b "c"', "Line 3 .* b can begin with itself"),
        ('root ::= a\na ::= ("x")? "" b\nb ::= root "x"', "can begin with itself"),
        ('root ::= ("a"*)*', "can begin with itself"),
        ('root ::= "a', 'Line 1 .* " is missing'),
        ("root ::= [a-z", r"\] is missing"),
        ("root ::= [z-a]", "is empty"),
        ("root ::= []", "no character"),
        ("root ::= [\\U00000000-\\U0010FFFF] [^\\U00000000-\\U0010FFFF]", "no character"),
        ("root ::= [\\uD800-\\uDFFF]", "no character"),
        ('root ::= "\\uD800"', r"U\+D800"),
        ('root ::= "\\q"', "not an escape"),
        ('root ::= "\\x4"', "not an escape"),
        ('root ::= "\\U00110000"', "not an escape"),
        ('root ::= "\\u-0ff"', "not an escape"),
        ('root ::= "\\', "not an escape"),
        ('root ::= ("a"', r"bracket \( is not closed"),
        ('root ::= "a")', "not expected"),
        ('root = "a"', "::= is missing"),
        ("root ::= *", "nothing to repeat"),
        ('root ::= "a" | *', "nothing to repeat"),
        ('root ::= ""*', "nothing to repeat"),
        ('root ::= "a"{', "repetitions is missing"),
        ('root ::= "a"{1', "} is missing"),
        ('root ::= "a"{1,2', "} is missing"),
        ('root ::= "a"{5,2}', "smaller"),
        ('root ::= "a"{99999999999999999999}', "too large"),
        ('root ::= "a"{2001}', "repeats 2001 rules"),
        ('root ::= (("a"{1,100}){1,100}){1,100}', "repeats 9900 rules"),
        ("root ::= " + '"a"{2000} ' * 40, "more than 50000 elements"),
        ("root ::= <[7]>", "tokens .* are not supported"),
        ("root ::= !</think>*", "tokens .* are not supported"),
        ("é ::= x", "can not begin a rule"),
        ("root ::= " + "(" * 60_000, "not closed"),
        ("root ::= " + "(" * 30_000 + '"a"' + ")" * 30_000, "elements"),
        ("#" * (LARGEST + 1), "65537 characters"),
    ],
)
def test_what_is_refused_is_named(grammar: str, message: str) -> None:
    with pytest.raises(RequestProblem, match=message):
        parse(grammar)


def test_rules_that_double_each_other_are_read_at_once() -> None:
    """llama.cpp looks for left recursion along each of the 2^200 ways through these."""
    rules = "".join(f"r{i} ::= r{i + 1}? r{i + 1}?\n" for i in range(200))

    parse(f'root ::= r0\n{rules}r200 ::= "a"')


@settings(deadline=None)
@given(st.text(alphabet='root :=|()[]{}*+?"\\^-.#ab0,1\n<', max_size=60))
def test_any_text_is_a_grammar_or_a_problem_of_the_request(text: str) -> None:
    for grammar in (text, f"root ::= {text}"):
        try:
            Automaton(parse(grammar))
        except RequestProblem as problem:
            assert problem.message


def test_characters_are_what_their_bytes_are() -> None:
    choose = random.Random(0)
    for _ in range(200):
        low = choose.choice([choose.randrange(1, top) for top in (0x80, 0x900, 0x11000, 0x110000)])
        high = min(0x10FFFF, low + choose.choice([0, 5, 100, 3000, 70_000, 1_000_000]))
        sequences = list(byte_sequences([(low, high)]))
        near = [low, high, max(1, low - 1), min(0x10FFFF, high + 1), choose.randint(low, high)]
        for character in [*near, choose.randrange(1, 0x110000)]:
            if 0xD800 <= character <= 0xDFFF:
                continue
            data = chr(character).encode()
            found = sum(
                len(sequence) == len(data)
                and all(a <= byte <= b for (a, b), byte in zip(sequence, data, strict=True))
                for sequence in sequences
            )

            assert found == (low <= character <= high)


def test_the_complement_is_everything_else_but_nul() -> None:
    assert complement([(98, 100), (99, 120)]) == ((1, 97), (121, 0x10FFFF))
    assert complement([(90, 130), (95, 100)]) == ((1, 89), (131, 0x10FFFF))
    assert complement([]) == ((1, 0x10FFFF),)
    assert complement([(0, 0x10FFFF)]) == ()
