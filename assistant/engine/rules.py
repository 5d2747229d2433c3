"""The rules of a grammar over bytes, and which of them can begin with itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terminal:
    """One byte."""

    mask: int
    """Bit `b` is set if byte `b` may come."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Whatever a rule allows."""

    rule: int


Element = Terminal | Reference
Alternatives = tuple[tuple[Element, ...], ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A grammar: the alternatives of each rule, each a sequence of elements."""

    alternatives: tuple[Alternatives, ...]
    root: int


def beginning_with_itself(rules: Rules) -> int | None:
    """A rule that can begin with itself, if there is one."""
    empty = _may_be_empty(rules)
    done: set[int] = set()
    for start in range(len(rules.alternatives)):
        if start in done:
            continue
        path = {start}
        todo = [(start, _first_rules(rules.alternatives[start], empty))]
        while todo:
            number, following = todo[-1]
            step = next(following, None)
            if step is None:
                todo.pop()
                path.discard(number)
                done.add(number)
            elif step in path:
                return step
            elif step not in done:
                path.add(step)
                todo.append((step, _first_rules(rules.alternatives[step], empty)))
    return None


def _first_rules(alternatives: Alternatives, empty: Sequence[bool]) -> Iterator[int]:
    for sequence in alternatives:
        for element in sequence:
            if isinstance(element, Terminal):
                break
            yield element.rule
            if not empty[element.rule]:
                break


def _may_be_empty(rules: Rules) -> list[bool]:
    """Which rules allow nothing at all."""
    empty = [False] * len(rules.alternatives)
    used_by: list[set[int]] = [set() for _ in empty]
    for number, alternatives in enumerate(rules.alternatives):
        for sequence in alternatives:
            for element in sequence:
                if isinstance(element, Reference):
                    used_by[element.rule].add(number)
    todo = list(range(len(empty)))
    while todo:
        number = todo.pop()
        if not empty[number] and any(
            all(isinstance(element, Reference) and empty[element.rule] for element in sequence)
            for sequence in rules.alternatives[number]
        ):
            empty[number] = True
            todo += used_by[number]
    return empty
