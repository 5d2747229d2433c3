"""GBNF, llama.cpp's notation for grammars, read into rules over bytes.

llama.cpp's own parser is not asked: `"a"{5,2}` makes it fill the memory, a deep nest of brackets
its stack, and rules that refer to each other twice an hour in its search for left recursion.
Tokens as terminals (`<[7]>`) are not supported: a grammar here speaks of text.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from assistant.engine.rules import (
    Alternatives,
    Element,
    Reference,
    Rules,
    Terminal,
    beginning_with_itself,
)
from assistant.engine.utf8 import ANY, Ranges, byte_sequences, complement
from assistant.errors import RequestProblem

LARGEST = 64 * 1024
"""Characters of a grammar."""
_MOST_ELEMENTS = 50_000
"""Of all rules, after repetitions are written out."""
_MOST_REPEATED = 2000
"""Of one repetition, those inside of it counted; llama.cpp's limit."""
_ROOT = "root"
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\", '"': '"', "[": "[", "]": "]", "-": "-"}


@functools.lru_cache(maxsize=32)
def parse(text: str) -> Rules:
    """Read a grammar; it begins with the rule `root`.

    Raises:
        RequestProblem: it is malformed, too large, or a rule can begin with itself. The message
            names the line.
    """
    if len(text) > LARGEST:
        raise RequestProblem(
            f"The grammar has {len(text)} characters; at most {LARGEST} are allowed."
        )
    return _Parser(text).rules()


@dataclass
class _Group:
    """What is inside of one pair of brackets, or one rule."""

    alternatives: list[list[Element]] = field(default_factory=lambda: [[]])
    last: int | None = None
    """Where the newest item of the newest alternative begins, for a repetition behind it."""
    weight: int = 1
    """Rules that this item stands for."""
    rules_before: int = 0


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ids: dict[str, int] = {}
        self._names: list[str] = []
        self._places: list[int] = []
        self._rules: list[Alternatives | None] = []
        self._classes: dict[Ranges, Element] = {}
        self._elements = 0

    def rules(self) -> Rules:
        self._space(newlines=True)
        while self._at < len(self._text):
            self._rule()
        if _ROOT not in self._ids or self._rules[self._ids[_ROOT]] is None:
            raise RequestProblem("The grammar has no rule named root, with which it begins.")
        for number, alternatives in enumerate(self._rules):
            if alternatives is None:
                raise self._problem(
                    f"there is no rule named {self._names[number]}", self._places[number]
                )
        rules = Rules(tuple(entry for entry in self._rules if entry is not None), self._ids[_ROOT])
        recursive = beginning_with_itself(rules)
        if recursive is not None:
            raise self._problem(
                f"{self._names[recursive]} can begin with itself (left recursion)",
                self._places[recursive],
            )
        return rules

    def _rule(self) -> None:
        place = self._at
        number = self._number_of(self._name())
        self._places[number] = place
        self._space(newlines=False)
        if not self._text.startswith("::=", self._at):
            raise self._problem("::= is missing behind the name of the rule")
        self._at += 3
        self._space(newlines=True)
        self._rules[number] = self._alternatives(self._names[number])
        if self._at < len(self._text) and self._text[self._at] not in "\r\n":
            raise self._problem(f"{self._text[self._at]!r} is not expected here")
        self._space(newlines=True)

    def _alternatives(self, name: str) -> Alternatives:
        """All up to the end of the rule; brackets are a stack, however deep they are."""
        groups = [_Group()]
        while self._at < len(self._text):
            group, here = groups[-1], self._text[self._at]
            nested = len(groups) > 1
            if here == "|":
                self._at += 1
                self._space(newlines=True)
                group.alternatives.append([])
                group.last = None
                continue
            if here == "(":
                self._at += 1
                self._space(newlines=True)
                groups.append(_Group(rules_before=len(self._rules)))
                continue
            if here == ")" and nested:
                groups.pop()
                inside = max(1, len(self._rules) - group.rules_before)
                number = self._new_rule(name, _frozen(group.alternatives))
                self._add(groups[-1], [Reference(number)], weight=inside)
                self._at += 1
            elif here in "*+?{":
                self._repeat(group, name, *self._times(here))
            else:
                item = self._item(here)
                if item is None:
                    break
                self._add(group, item)
            self._space(newlines=len(groups) > 1)
        if len(groups) > 1:
            raise self._problem("a bracket ( is not closed")
        return _frozen(groups[0].alternatives)

    def _add(self, group: _Group, item: list[Element], weight: int = 1) -> None:
        sequence = group.alternatives[-1]
        group.last, group.weight = len(sequence), weight
        self._grow(len(item))
        sequence.extend(item)

    def _item(self, here: str) -> list[Element] | None:
        if here == '"':
            return self._literal()
        if here == "[":
            return [self._class_of(self._ranges())]
        if here == ".":
            self._at += 1
            return [self._class_of(ANY)]
        if here in "<!":
            raise self._problem("tokens (<...>) are not supported: write their text in quotes")
        if here == "-" or (here.isascii() and here.isalnum()):
            place = self._at
            number = self._number_of(self._name())
            if self._rules[number] is None and self._places[number] < 0:
                self._places[number] = place
            return [Reference(number)]
        return None

    def _literal(self) -> list[Element]:
        opened = self._at
        self._at += 1
        found: list[Element] = []
        while self._next_of('"', opened):
            found += [Terminal(1 << byte) for byte in self._encoded(self._character())]
        self._at += 1
        return found

    def _ranges(self) -> Ranges:
        opened = self._at
        self._at += 1
        negated = self._text.startswith("^", self._at)
        self._at += negated
        found = []
        while self._next_of("]", opened):
            low = high = self._character()
            ahead = self._text[self._at : self._at + 2]
            if ahead[:1] == "-" and ahead[1:] not in ("", "]"):
                self._at += 1
                high = self._character()
            if high < low:
                raise self._problem(f"the range {chr(low)!r} to {chr(high)!r} is empty", opened)
            found.append((low, high))
        self._at += 1
        ranges = complement(found) if negated else tuple(sorted(set(found)))
        if not ranges:
            raise self._problem("this class [] allows no character", opened)
        return ranges

    def _next_of(self, closing: str, opened: int) -> bool:
        if self._at >= len(self._text):
            raise self._problem(f"{closing} is missing", opened)
        return self._text[self._at] != closing

    def _character(self) -> int:
        here = self._text[self._at]
        self._at += 1
        if here != "\\":
            return ord(here)
        kind = self._text[self._at : self._at + 1]
        self._at += 1
        if kind in _ESCAPES:
            return ord(_ESCAPES[kind])
        digits = self._text[self._at : self._at + _HEX_DIGITS.get(kind, 0)]
        try:
            if not digits.isalnum() or len(digits) != _HEX_DIGITS[kind]:
                raise ValueError
            value = int(digits, 16)
            chr(value)
        except (KeyError, ValueError, OverflowError):
            raise self._problem(
                f'\\{kind}{digits} is not an escape (\\n \\r \\t \\\\ \\" \\[ \\] \\- \\x0A '
                "\\u000A \\U0000000A are)",
                self._at - 2,
            ) from None
        self._at += len(digits)
        return value

    def _encoded(self, character: int) -> bytes:
        try:
            return chr(character).encode()
        except UnicodeEncodeError:
            raise self._problem(f"U+{character:04X} is no character by itself") from None

    def _class_of(self, ranges: Ranges) -> Element:
        """One byte, or a rule with the sequences of bytes that the characters are written as."""
        known = self._classes.get(ranges)
        if known is None:
            sequences = [
                tuple(Terminal(_mask(low, high)) for low, high in sequence)
                for sequence in byte_sequences(ranges)
            ]
            single = functools.reduce(
                lambda mask, row: mask | row[0].mask, (s for s in sequences if len(s) == 1), 0
            )
            longer = [sequence for sequence in sequences if len(sequence) > 1]
            if not sequences:
                raise self._problem("this class [] allows no character")
            if not longer:
                known = Terminal(single)
            else:
                first = [(Terminal(single),)] if single else []
                self._grow(sum(map(len, longer)))
                known = Reference(self._new_rule("class", (*first, *longer)))
            self._classes[ranges] = known
        return known

    def _times(self, here: str) -> tuple[int, int | None]:
        self._at += 1
        if here != "{":
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[here]
        least = self._integer()
        most: int | None = least
        if self._text.startswith(",", self._at):
            self._at += 1
            self._space(newlines=True)
            most = None if self._text.startswith("}", self._at) else self._integer()
        if not self._text.startswith("}", self._at):
            raise self._problem("} is missing behind the number of repetitions")
        self._at += 1
        if most is not None and most < least:
            raise self._problem(f"{{{least},{most}}}: the second number is the smaller one")
        return least, most

    def _integer(self) -> int:
        self._space(newlines=True)
        start = self._at
        while self._text[self._at : self._at + 1] in set("0123456789"):
            self._at += 1
        digits = self._text[start : self._at]
        if not 0 < len(digits) < 8:
            raise self._problem("a number of repetitions is missing or too large")
        self._space(newlines=True)
        return int(digits)

    def _repeat(self, group: _Group, name: str, least: int, most: int | None) -> None:
        sequence = group.alternatives[-1]
        if group.last is None or group.last == len(sequence):
            raise self._problem("there is nothing to repeat before this", self._at - 1)
        group.weight *= max(1, least if most is None else most)
        if group.weight > _MOST_REPEATED:
            raise self._problem(
                f"this repeats {group.weight} rules, those inside counted; "
                f"at most {_MOST_REPEATED} are allowed",
                self._at - 1,
            )
        item = sequence[group.last :]
        del sequence[group.last :]
        once = item[0] if len(item) == 1 else Reference(self._new_rule(name, (tuple(item),)))
        self._grow(least)
        sequence += [once] * least
        if most is None:
            number = self._new_rule(name, ())
            self._rules[number] = ((once, Reference(number)), ())
            sequence.append(Reference(number))
            return
        more: tuple[Element, ...] = ()
        for _ in range(most - least):
            more = (Reference(self._new_rule(name, ((once, *more), ()))),)
        sequence += more

    def _new_rule(self, name: str, alternatives: Alternatives) -> int:
        self._grow(2)
        self._names.append(name)
        self._places.append(self._at)
        self._rules.append(alternatives)
        return len(self._rules) - 1

    def _grow(self, count: int) -> None:
        self._elements += count
        if self._elements > _MOST_ELEMENTS:
            raise self._problem(f"written out, the grammar has more than {_MOST_ELEMENTS} elements")

    def _number_of(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = len(self._rules)
            self._names.append(name)
            self._places.append(-1)
            self._rules.append(None)
        return self._ids[name]

    def _name(self) -> str:
        start = self._at
        while self._at < len(self._text) and (
            self._text[self._at] == "-"
            or (self._text[self._at].isascii() and self._text[self._at].isalnum())
        ):
            self._at += 1
        if self._at == start:
            raise self._problem(f"{self._text[start : start + 1]!r} can not begin a rule")
        return self._text[start : self._at]

    def _space(self, *, newlines: bool) -> None:
        text, blank = self._text, " \t\r\n" if newlines else " \t"
        while self._at < len(text):
            if text[self._at] == "#":
                while self._at < len(text) and text[self._at] not in "\r\n":
                    self._at += 1
            elif text[self._at] in blank:
                self._at += 1
            else:
                return

    def _problem(self, message: str, place: int | None = None) -> RequestProblem:
        place = self._at if place is None else place
        line = self._text.count("\n", 0, place) + 1
        return RequestProblem(f"Line {line} of the grammar: {message}.")


def _frozen(alternatives: list[list[Element]]) -> Alternatives:
    return tuple(tuple(sequence) for sequence in alternatives)


def _mask(low: int, high: int) -> int:
    return (1 << (high + 1)) - (1 << low)
