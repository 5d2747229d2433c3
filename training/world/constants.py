"""Constants, inputs and the nouns for them: everything random that is not a name or a wording."""

from __future__ import annotations

import string
from random import Random
from typing import Any


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text; tables of words read best as prose."""
    return tuple(text.split())


WORDS = words_of(
    "apple banana kiwi level radar cat dog elephant igloo orange umbrella tree noon stats river "
    "mountain code python data test hello world civic moon sun star echo anna otto blue green red "
    "yellow ant bee eel owl yak zebra fox violin queen jazz quiz box axe oven area idea alpha beta "
    "gamma delta omega night day light dark sea salt pepper sugar bread milk cheese egg rice tea "
    "coffee paper stone iron gold silver copper window door table chair lamp book pen ink note "
    "music dance song bird fish horse cow sheep goat lion tiger bear wolf mouse rabbit"
)
SEPARATORS = ("-", ",", ", ", "_", " ", "|", "/", ":", ";", "+", ".", "--", " - ", "&", "#", "~")
AFFIXES = ("x", "ed", "ing", "re", "un", "_", "!", "ly", "pre", "id_", "ok", "z", "ab", "?", "v2")
VOWELS = "aeiou"


def constant(kind: str, rng: Random) -> Any:
    """A value for a parameter of the given kind (small, big, digit, letter, sep, ...)."""
    if kind == "small":
        return rng.randint(2, 9) if rng.random() < 0.85 else rng.randint(10, 30)
    if kind == "few":
        return rng.randint(2, 5)
    if kind == "divisor":
        return rng.randint(3, 9) if rng.random() < 0.85 else rng.randint(10, 25)
    if kind == "big":
        roll = rng.random()
        if roll < 0.55:
            return rng.randint(2, 20)
        if roll < 0.75:
            return rng.choice((10, 20, 25, 30, 50, 100, 15, 40))
        return rng.randint(21, 120) if roll < 0.92 else -rng.randint(1, 12)
    if kind == "digit":
        return rng.randint(0, 9)
    if kind == "fallback":
        return rng.choice((0, -1, -1, None, None, 0, 1, -99, 100))
    if kind == "wordlen":
        return rng.randint(2, 6)
    if kind == "letter":
        return rng.choice("aeionrstlcdbmpgkhuwyxz")
    if kind == "sep":
        return rng.choice(SEPARATORS)
    if kind == "affix":
        return rng.choice(AFFIXES)
    if kind == "mark":
        return rng.choice("*#_.-+?!@$xz")
    if kind == "bit":
        return rng.randint(0, 1)
    if kind == "base":
        return rng.choice((3, 4, 5, 6, 7, 8, 9))
    if kind == "hundred":
        return rng.choice((100, 100, 1000, 10, 360))
    if kind == "greeting":
        return rng.choice(("Hello", "Hi", "Welcome", "Dear", "Good morning", "Hey", "Ciao", "Bye"))
    if kind == "endmark":
        return rng.choice(("!", ".", "!!", "?", " :)", "..."))
    if kind == "coins":
        return sorted(rng.sample((1, 2, 3, 4, 5, 6, 7, 8, 10, 20), rng.randint(2, 4)))
    if kind == "coins1":
        return [1, *sorted(rng.sample((2, 3, 4, 5, 6, 7, 8, 10, 20), rng.randint(1, 3)))]
    raise ValueError(f"unknown kind of constant: {kind!r}")


def draw_constants(kinds: dict[str, str], rng: Random) -> dict[str, Any]:
    """Values for the constants of a block; some kinds depend on others of the same block."""
    values: dict[str, Any] = {}
    for name, kind in kinds.items():
        if kind.startswith("above:"):
            values[name] = values[kind[6:]] + rng.randint(3, 25)
        elif kind == "one":
            values[name] = rng.randint(1, 2)
        elif kind.startswith("above2:"):
            values[name] = values[kind[7:]] + rng.randint(1, 4)
        elif kind == "power":
            values[name] = rng.choice((4, 4, 5, 6))
        elif kind == "word":
            values[name] = rng.choice([w for w in WORDS if w not in values.values()])
        elif kind == "charset":
            values[name] = "".join(
                rng.sample("abcdefghijklmnoprstuwxyz0123456789", rng.randint(3, 5))
            )
        else:
            values[name] = constant(kind, rng)
    return values


def _int(rng: Random, near: list[int]) -> int:
    roll = rng.random()
    if near and roll < 0.45:
        base = rng.choice(near)
        return (
            base + rng.choice((-1, 0, 0, 1, 2)) if rng.random() < 0.6 else base * rng.randint(0, 4)
        )
    if roll < 0.9:
        return rng.randint(0, 20) if rng.random() < 0.6 else rng.randint(-12, 60)
    return rng.choice((0, 1, 11, 22, 100, 121, 7, 13))


def _word(rng: Random, near: list[str]) -> str:
    word = rng.choice(WORDS)
    if near and rng.random() < 0.45:
        bit = rng.choice(near)
        word = rng.choice((bit + word, word + bit, word[:2] + bit + word[2:], bit))
    roll = rng.random()
    if roll < 0.08:
        return word.upper()
    if roll < 0.2:
        return word.capitalize()
    return word + str(rng.randint(0, 9)) if roll < 0.25 else word


def _text(rng: Random, near: list[str]) -> str:
    words = [_word(rng, near) for _ in range(rng.randint(1, 4))]
    text = " ".join(words)
    if rng.random() < 0.3:
        text += rng.choice(("!", "?", ".", " 42", ", 7"))
    return text


_BRACKETS = ("()", "(())", "(()", "())", ")(", "a(b)c", "(a(b)", "()()", "((()))", "x)", "(a)(b)")


def _nested(rng: Random, depth: int) -> list[Any]:
    """A list of numbers and lists, at most `depth` deep."""
    return [
        _nested(rng, depth - 1) if depth > 1 and rng.random() < 0.35 else rng.randint(-5, 30)
        for _ in range(rng.randint(1, 3))
    ]


def sample(kind: str, rng: Random, constants: list[Any], size: int | None = None) -> Any:
    """An input of the given type; values crowd around the constants of the problem.

    Args:
        kind: ints, words, text, n, rows, scores (dict of str to int), pairs and so on.
        constants: the constants of the problem; numbers and strings are used where they fit.
        size: number of elements of a collection; drawn when None.
    """
    near = [c for c in constants if isinstance(c, int) and not isinstance(c, bool)]
    bits = [c for c in constants if isinstance(c, str) and c.strip()]
    count = rng.randint(3, 7) if size is None else size
    if kind == "ints":
        values = [_int(rng, near) for _ in range(count)]
        if count > 2 and rng.random() < 0.35:
            values[rng.randrange(count)] = values[0]
        return values
    if kind == "posints":
        return [abs(v) + 1 for v in sample("ints", rng, constants, size)]
    if kind == "sortedints":
        return sorted(sample("ints", rng, constants, size))
    if kind == "words":
        words = [_word(rng, bits) for _ in range(count)]
        if count > 2 and rng.random() < 0.3:
            words[rng.randrange(count)] = words[0]
        return words
    if kind == "text":
        return "" if size == 0 else _text(rng, bits)
    if kind == "word":
        return "" if size == 0 else _word(rng, bits)
    if kind == "n":
        return 0 if size == 0 else rng.choice((1, 2, 3, 5, 6, 7, 8, 10, 12, 13, 17, 24, 28, 30, 45))
    if kind == "smalln":
        return 0 if size == 0 else rng.randint(1, 9)
    if kind == "bign":
        return 0 if size == 0 else rng.choice((rng.randint(1, 99), rng.randint(100, 99999)))
    if kind == "int":
        return 0 if size == 0 else _int(rng, near)
    if kind == "letter":
        return rng.choice(string.ascii_lowercase[:20])
    if kind == "rows":
        return [sample("ints", rng, constants, rng.randint(1, 4)) for _ in range(min(count, 4))]
    if kind == "matrix":
        width = rng.randint(2, 4)
        return [sample("ints", rng, constants, width) for _ in range(min(count, 3))]
    if kind == "square":
        width = 0 if size == 0 else rng.randint(2, 3)
        return [sample("ints", rng, constants, width) for _ in range(width)]
    if kind == "brackets":
        return "" if size == 0 else rng.choice(_BRACKETS)
    if kind == "few":
        return 0 if size == 0 else rng.randint(1, 3)
    if kind == "bign2":
        return 0 if size == 0 else rng.randint(3, 60)
    if kind == "bign3":
        return 0 if size == 0 else rng.randint(1, 399)
    if kind == "distinctword":
        return "" if size == 0 else "".join(rng.sample("abcdexyz12", rng.randint(2, 3)))
    if kind == "fewints":
        return [] if size == 0 else rng.sample(range(-3, 30), rng.randint(1, 3))
    if kind == "deep":
        return [] if size == 0 else _nested(rng, 3)
    if kind == "scores":
        keys = dict.fromkeys(_word(rng, bits) for _ in range(min(count, 5)))
        return {key: _int(rng, near) for key in keys}
    if kind == "records":
        return [(_word(rng, bits), _int(rng, near)) for _ in range(min(count, 5))]
    if kind == "names":
        keys = dict.fromkeys(rng.sample(WORDS, min(count, 4)))
        return {key: rng.choice(WORDS) for key in keys}
    raise ValueError(f"unknown kind of input: {kind!r}")


HINTS = {
    "ints": "list[int]",
    "posints": "list[int]",
    "sortedints": "list[int]",
    "words": "list[str]",
    "text": "str",
    "word": "str",
    "n": "int",
    "smalln": "int",
    "bign": "int",
    "int": "int",
    "letter": "str",
    "rows": "list[list[int]]",
    "matrix": "list[list[int]]",
    "square": "list[list[int]]",
    "scores": "dict[str, int]",
    "names": "dict[str, str]",
    "records": "list[tuple[str, int]]",
    "brackets": "str",
    "few": "int",
    "bign2": "int",
    "bign3": "int",
    "distinctword": "str",
    "fewints": "list[int]",
    "deep": "list",
}
