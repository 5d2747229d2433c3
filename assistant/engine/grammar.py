"""An answer that follows a grammar: the tokens that may come next.

The chosen token is checked first; nearly always it is allowed, at the cost of a look into a
table. Only if it is not, the allowed ones are looked for.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy

from assistant.engine.automaton import Automaton, State
from assistant.engine.gbnf import parse
from assistant.engine.pieces import ByteTable
from assistant.engine.rows import largest

if TYPE_CHECKING:
    from assistant.engine.rows import Ids, Logits

_MANY = 2000
"""From so many candidates on, the likely ones are tried before all are listed."""
_LIKELY = 256
_MOST_AUTOMATA = 8


def check(text: str) -> None:
    """Refuse a grammar that can not be used.

    Raises:
        RequestProblem: the message names the line.
    """
    Automaton(parse(text))


class GrammarCursor:
    """A place in a grammar: what was accepted leads to what is allowed. For one thread.

    Args:
        text: GBNF.
        table: of the model.

    Raises:
        RequestProblem: the grammar can not be used.
    """

    def __init__(self, text: str, table: ByteTable) -> None:
        self._table = table
        self._automaton = _automaton(text, table)
        self._state = self._automaton.start

    def begin(self) -> None:
        """Before the next token is chosen."""
        self._automaton.begin()
        self._state = self._automaton.renewed(self._state)

    def allows(self, token: int) -> bool:
        """May `token` come next?

        Raises:
            RequestProblem: the grammar has too many readings here.
        """
        known = self._state.tokens.get(token)
        if known is None:
            known = self._state.tokens[token] = self._finds(token)
        return known

    def allows_text(self, text: bytes) -> bool:
        """May `text` (a part of a token) come next?"""
        return self._automaton.walk(self._state, text) is not None

    def accept(self, text: bytes) -> bool:
        """Go on behind `text`; False: it is not allowed, and the place is as before.

        Raises:
            RequestProblem: the grammar has too many readings here.
        """
        state = self._automaton.walk(self._state, text)
        if state is None:
            return False
        self._state = state
        return True

    def candidates(self, logits: Logits, wanted: int) -> Ids:
        """The allowed tokens, or at least the `wanted` most likely of them.

        Args:
            logits: of all tokens.
            wanted: how many are enough; 0: all.

        Returns:
            Their ids; none at the dead end of a grammar that the vocabulary can not spell.

        Raises:
            RequestProblem: the grammar has too many readings here.
        """
        state = self._state
        if state.ids is not None:
            return state.ids
        if 0 < wanted <= _LIKELY // 2 and self._count(state) > _MANY:
            places = largest(logits, _LIKELY)
            likely = [token for token in places.tolist() if self.allows(token)]
            # `places` may be a few more than asked for: all above a threshold, so none is missed.
            if len(likely) >= wanted:
                return numpy.array(likely, numpy.intp)
        state.ids = self._all(state)
        return state.ids

    def _finds(self, token: int) -> bool:
        if token in self._table.ending:
            return self._state.complete
        piece = self._table.of_token[token]
        return bool(piece) and self.allows_text(piece)

    def _count(self, state: State) -> int:
        """Tokens whose first byte is allowed."""
        starts = self._table.starts
        mask, count = state.mask, 0
        while mask:
            byte = (mask & -mask).bit_length() - 1
            count += starts[byte + 1] - starts[byte]
            mask &= mask - 1
        return count

    def _all(self, state: State) -> Ids:
        """Through the sorted vocabulary; what begins with something forbidden is skipped."""
        pieces, automaton = self._table.pieces, self._automaton
        allowed: list[int] = []
        path = [state]
        before = b""
        index = 0
        while index < len(pieces):
            piece = pieces[index]
            common = _common(before, piece, len(path) - 1)
            del path[common + 1 :]
            found: State | None = path[-1]
            for length in range(common, len(piece)):
                found = automaton.step(path[-1], piece[length])
                if found is None:
                    index = self._table.end_of(piece[: length + 1], index)
                    break
                path.append(found)
            else:
                allowed.append(index)
                index += 1
            before = piece
        ids = self._table.ids[allowed]
        return numpy.concatenate((ids, self._table.ends)) if state.complete else ids


def _common(one: bytes, other: bytes, most: int) -> int:
    """How many bytes at the beginning are the same, at most `most`."""
    most = min(most, len(one), len(other))
    for length in range(most):
        if one[length] != other[length]:
            return length
    return most


_automata: weakref.WeakKeyDictionary[ByteTable, dict[str, Automaton]] = weakref.WeakKeyDictionary()


def _automaton(text: str, table: ByteTable) -> Automaton:
    """Of the newest few grammars of a model what was learned is kept."""
    known = _automata.setdefault(table, {})
    automaton = known.pop(text, None) or Automaton(parse(text))
    known[text] = automaton
    while len(known) > _MOST_AUTOMATA:
        del known[next(iter(known))]
    return automaton
