"""Guesses of the next tokens, looked up in what was said before.

Text that is rewritten repeats long stretches of itself. What followed the last time the newest
tokens were seen is guessed to follow again; one decode call evaluates the guesses together, and
those that the model would have chosen itself are kept. Whether that pays: `speculation.py`.

Where a rewrite differs from its source in one token, as with a name, the guess goes on behind
that token; the two places agree less then than another one may, which is taken instead. What was
put for a token the last time is guessed to be put for it again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy

_KEY = 3
"""Tokens that have to agree before anything is guessed."""
_BITS = 21
"""Of one token in a key; no vocabulary has two million tokens."""
_MASK = (1 << (_BITS * _KEY)) - 1
_LONGEST = 32
"""Tokens that are compared to find the best of several places."""
_PLACES = 12
"""Places that are compared; the newest come first."""
_BORDER = -1
"""Between two texts; no key and no guess reaches across it."""
_NOWHERE = -1


class PromptLookup:
    """Where each three tokens were seen, in a chain from the newest place to the oldest.

    Args:
        tokens: the request's own, in order; what is generated goes on with them.
        extra: another text to guess from (the editor's buffer).
    """

    matched: int = 0
    """Tokens before the newest guess that agreed, at most 32, halved for each that did not: how
    sure it is."""

    def __init__(self, tokens: Sequence[int], extra: Sequence[int] = ()) -> None:
        self._text = [*extra, _BORDER, *tokens] if extra else list(tokens)
        # A place is the index of the token that follows the key.
        self._newest: dict[int, int] = {}
        self._older = [_NOWHERE] * min(_KEY, len(self._text))
        self._key = 0
        self._index_all()
        # The place that is guessed from, how many tokens before it agreed, and since a difference.
        self._source = _NOWHERE
        self._agreed = self._since = 0
        self._instead: dict[int, int] = {}

    def extend(self, token: int) -> None:
        """Go on with `token`."""
        text = self._text
        if self._source != _NOWHERE:
            self._follow(text[self._source], token)
        # The end of the text is known as a place as soon as something follows it.
        place = len(text)
        if self._complete():
            self._older.append(self._newest.get(self._key, _NOWHERE))
            self._newest[self._key] = place
        else:
            self._older.append(_NOWHERE)
        text.append(token)
        self._key = ((self._key << _BITS) | token) & _MASK

    def draft(self, limit: int) -> list[int]:
        """At most `limit` tokens that may follow; none if the last three were not seen before."""
        place = self._best_place() if limit > 0 and self._complete() else _NOWHERE
        if place == _NOWHERE:
            self.matched = 0
            return []
        if place != self._source:
            self._source, self._since = place, self.matched
        self._agreed = self.matched
        guess = self._text[place : place + limit]
        if _BORDER in guess:
            limit = guess.index(_BORDER)
            guess = guess[:limit]
        while len(guess) < limit:  # it reached the end: what repeats itself goes on doing so
            guess += guess[: limit - len(guess)]
        return [self._instead.get(token, token) for token in guess] if self._instead else guess

    def _follow(self, guess: int, token: int) -> None:
        """Go on in the source: behind a token that was right, or behind a single wrong one."""
        if guess == token:
            self._instead.pop(guess, None)
        if token in (guess, self._instead.get(guess)):
            self._agreed, self._since = min(_LONGEST, self._agreed + 1), self._since + 1
        elif self._since and self._agreed >= 2 * _KEY and guess != _BORDER:
            self._agreed, self._since = self._agreed // 2, 0
            self._instead[guess] = token
        else:
            self._source = _NOWHERE
            return
        self._source += 1

    def _complete(self) -> bool:
        """Are there three tokens at the end, all of one text?"""
        end = self._text[-_KEY:]
        return len(end) == _KEY and _BORDER not in end

    def _best_place(self) -> int:
        """The place with the most tokens before it that agree; the one in use wins a tie."""
        best, matched = _NOWHERE, 0
        if self._source != _NOWHERE and self._text[self._source] != _BORDER:
            best, matched = self._source, max(self._agreed, self._agreeing(self._source))
        place = self._newest.get(self._key, _NOWHERE)
        for _ in range(_PLACES):
            if place == _NOWHERE or matched >= _LONGEST:
                break
            if (length := self._agreeing(place)) > matched:
                best, matched = place, length
            place = self._older[place]
        if matched < _KEY:
            return _NOWHERE
        self.matched = matched
        return best

    def _agreeing(self, place: int) -> int:
        text, end = self._text, len(self._text)
        most = min(_LONGEST, place)
        length = 0
        while (
            length < most
            and text[place - 1 - length] == text[end - 1 - length]
            and text[end - 1 - length] != _BORDER
        ):
            length += 1
        return length

    def _index_all(self) -> None:
        """As `extend` for all tokens, in arrays: 32,000 tokens one by one would take 30 ms."""
        count = len(self._text)
        if count < _KEY:
            for token in self._text:
                self._key = ((self._key << _BITS) | token) & _MASK
            return
        tokens = numpy.array(self._text, numpy.int64)
        keys = numpy.zeros(count - _KEY + 1, numpy.int64)
        whole = numpy.ones(count - _KEY + 1, bool)
        for offset in range(_KEY):
            part = tokens[offset : count - _KEY + 1 + offset]
            keys = (keys << _BITS) | (part & ((1 << _BITS) - 1))
            whole &= part != _BORDER
        self._key = int(keys[-1])
        # Keys across a border do not count, nor those with nothing (yet) behind them.
        whole[-1] = False
        whole[:-1] &= tokens[_KEY:] != _BORDER
        places = numpy.flatnonzero(whole) + _KEY
        keys = keys[places - _KEY]
        order = numpy.argsort(keys, kind="stable")
        same = numpy.flatnonzero(keys[order][1:] == keys[order][:-1])
        older = numpy.full(count, _NOWHERE, numpy.int64)
        older[places[order[same + 1]]] = places[order[same]]
        self._older = older.tolist()
        self._newest = dict(zip(keys.tolist(), places.tolist(), strict=True))
