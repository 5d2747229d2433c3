"""What a grammar allows next: llama.cpp's pushdown stacks, followed together and remembered.

llama.cpp follows each stack by itself, so that a grammar with two ways to read a text (`"a"?` a
thousand times) takes it for ever or all memory. Here all stacks of a place are one state, equal
stacks are one object, and a state remembers where each byte leads: inside of a long string a
byte costs a look into a table. Where a grammar has too many readings the request ends with a
message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.engine.rules import Reference, Rules, Terminal
from assistant.errors import RequestProblem

if TYPE_CHECKING:
    from assistant.engine.rows import Ids

_MOST_READINGS = 2000
"""Stacks of one state."""
_MOST_STEPS = 20_000
"""From one byte to the next."""
_MOST_WORK = 300_000
"""Steps for one token: about a third of a second."""
_MOST_STATES = 50_000
_MOST_FRAMES = 500_000
"""Remembered before all is forgotten and learned again."""


class _Node:
    """One element of a rule; the row of them is a linked list."""

    __slots__ = ("following", "mask", "rule")

    def __init__(self, element: Terminal | Reference, following: _Node | None) -> None:
        self.mask = element.mask if isinstance(element, Terminal) else 0
        self.rule = element.rule if isinstance(element, Reference) else -1
        self.following = following


class _Frame:
    """A stack: an element that comes next, and the stack that is left behind it."""

    __slots__ = ("node", "rest")

    def __init__(self, node: _Node, rest: _Frame | None) -> None:
        self.node = node
        self.rest = rest


class State:
    """All that may come next at one place of a text."""

    __slots__ = ("age", "complete", "edges", "ids", "mask", "stacks", "tokens")

    def __init__(self, stacks: frozenset[_Frame], complete: bool, age: int) -> None:
        self.stacks = stacks
        self.complete = complete
        """The text may end here."""
        self.age = age
        self.mask = 0
        """Bit `b` is set if byte `b` may come."""
        for frame in stacks:
            self.mask |= frame.node.mask
        self.edges: dict[int, State | None] = {}
        self.tokens: dict[int, bool] = {}
        """What was found out about tokens (`grammar.py`), ..."""
        self.ids: Ids | None = None
        """... and all of those that are allowed."""


class Automaton:
    """The states of one grammar, made as they are needed. For one thread.

    Args:
        rules: the grammar.

    Raises:
        RequestProblem: it has too many readings at its very beginning.
    """

    def __init__(self, rules: Rules) -> None:
        self._firsts = [
            [_chain(sequence) for sequence in alternatives] for alternatives in rules.alternatives
        ]
        self._frames: dict[tuple[_Node, _Frame | None], _Frame] = {}
        self._states: dict[tuple[frozenset[_Frame], bool], State] = {}
        self._age = 0
        self._work = 0
        root = _Node(Reference(rules.root), None)
        self.start = self._closure([self._frame(root, None)])

    def begin(self) -> None:
        """Another token: its work is counted from nothing."""
        self._work = 0
        if len(self._states) > _MOST_STATES or len(self._frames) > _MOST_FRAMES:
            self._frames.clear()
            self._states.clear()
            self._age += 1
            self.start = self.renewed(self.start)

    def renewed(self, state: State) -> State:
        """`state`, without what it leads to if that is to be forgotten."""
        if state.age == self._age:
            return state
        return self._state(state.stacks, state.complete)

    def step(self, state: State, byte: int) -> State | None:
        """The state behind `byte`; None: it is not allowed here.

        Raises:
            RequestProblem: there are too many readings.
        """
        try:
            return state.edges[byte]
        except KeyError:
            pass
        bit = 1 << byte
        todo: list[_Frame | None] = []
        for frame in state.stacks:
            node = frame.node
            if node.mask & bit:
                rest = frame.rest
                todo.append(rest if node.following is None else self._frame(node.following, rest))
        found = self._closure(todo) if todo else None
        state.edges[byte] = found
        return found

    def walk(self, state: State | None, text: bytes) -> State | None:
        """The state behind all of `text`."""
        for byte in text:
            if state is None:
                return None
            state = self.step(state, byte)
        return state

    def _closure(self, todo: list[_Frame | None]) -> State:
        """The state of these stacks, each with a byte on top."""
        complete = False
        seen: set[_Frame] = set()
        stacks = []
        while todo:
            frame = todo.pop()
            if frame is None:
                complete = True
                continue
            if frame in seen:
                continue
            seen.add(frame)
            node = frame.node
            if node.mask:
                stacks.append(frame)
                continue
            if len(seen) > _MOST_STEPS:
                break
            rest = frame.rest
            if node.following is not None:
                rest = self._frame(node.following, rest)
            for first in self._firsts[node.rule]:
                todo.append(rest if first is None else self._frame(first, rest))
        self._work += len(seen)
        if len(stacks) > _MOST_READINGS or len(seen) > _MOST_STEPS or self._work > _MOST_WORK:
            raise RequestProblem(
                "The grammar has too many ways to read the same text.",
                hint='Write x{0,9} instead of x? x? x?..., and not ("a" | "a")*.',
            )
        return self._state(frozenset(stacks), complete)

    def _state(self, stacks: frozenset[_Frame], complete: bool) -> State:
        key = (stacks, complete)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = State(stacks, complete, self._age)
        return state

    def _frame(self, node: _Node, rest: _Frame | None) -> _Frame:
        key = (node, rest)
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frames[key] = _Frame(node, rest)
        return frame


def _chain(sequence: Sequence[Terminal | Reference]) -> _Node | None:
    node = None
    for element in reversed(sequence):
        node = _Node(element, node)
    return node
