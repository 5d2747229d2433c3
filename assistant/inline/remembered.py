"""Suggestions that were made: who types into one, or takes a part of it, needs no model.

A suggestion is good at its place, and at each later one where what was typed since is its
beginning: then the rest of it is what the model would be asked for once more.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from assistant.inline.place import Place
from assistant.inline.suggestion import Nothing, Suggestion

KEPT = 250
"""Answers, of all files together."""
LOOK_BACK = 128
"""Characters of a suggestion that may have been typed since it was made."""
_MOST_CLOSERS = 4
_CLOSERS = frozenset(")]}\"'`>")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was found at a place, and enough of the place to know it again."""

    file: str
    offset: int
    before: int
    """Hash of all that stood in front of the cursor."""
    behind: int
    """Length of what stood behind the cursor."""
    after: int
    """Hash of what stood behind the cursor."""
    whole: bool
    """All candidates of a request by a key."""
    found: Nothing | tuple[_Insertion, ...]


@dataclass(frozen=True, slots=True)
class _Insertion:
    """A suggestion, seen from the first character that it replaces."""

    start: int
    head: int
    """Hash of what stands in front of `start`."""
    replaced: str
    """What stood between `start` and the cursor."""
    beyond: int
    """How many characters behind the cursor it replaces."""
    text: str


@dataclass
class Remembered:
    """The newest answers."""

    kept: int = KEPT
    _answers: OrderedDict[tuple[str, int, int, bool], _Answer] = field(default_factory=OrderedDict)

    def put(
        self, file: str, place: Place, found: Nothing | Sequence[Suggestion], *, whole: bool = False
    ) -> None:
        """Keep what was found at a place.

        Args:
            file: which file it is; the same text in another is another place.
            place: the cursor.
            found: the suggestions, the best first, or why there is none.
            whole: these are all candidates, not the first alone.
        """
        text, offset = place.text, place.offset
        kept = found if isinstance(found, Nothing) else tuple(_insertions(place, found))
        before, after = hash(text[:offset]), hash(text[offset:])
        key = (file, before, after, whole)
        self._answers[key] = _Answer(file, offset, before, len(text) - offset, after, whole, kept)
        self._answers.move_to_end(key)
        while len(self._answers) > self.kept:
            self._answers.popitem(last=False)

    def clear(self) -> None:
        """Forget all: another model answers from now on."""
        self._answers.clear()

    def find(
        self, file: str, place: Place, *, whole: bool = False
    ) -> Nothing | tuple[Suggestion, ...] | None:
        """What is known for a place; None: a model has to be asked.

        Of several answers the one counts of which the most is left.

        Args:
            file: which file it is.
            place: the cursor.
            whole: only an answer with all candidates will do.
        """
        seen = _Seen(place)
        best: tuple[Suggestion, ...] = ()
        nothing: Nothing | None = None
        for answer in reversed(self._answers.values()):
            if answer.file != file or (whole and not answer.whole):
                continue
            if isinstance(answer.found, Nothing):
                if nothing is None and seen.is_place_of(answer):
                    nothing = answer.found
                continue
            rests = tuple(
                rest for one in answer.found if (rest := seen.rest(answer, one)) is not None
            )
            if rests and (not best or len(rests[0].text) > len(best[0].text)):
                best = rests
        return best or nothing


class _Seen:
    """A place that is looked up; what it takes to compare it is computed once."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._hashes: dict[int, int] = {}
        self._behind: dict[int, int] = {}

    def is_place_of(self, answer: _Answer) -> bool:
        """Whether nothing has changed since."""
        place = self._place
        return (
            place.offset == answer.offset
            and len(place.text) - place.offset == answer.behind
            and self._after(0) == answer.after
            and self._before(place.offset) == answer.before
        )

    def rest(self, answer: _Answer, one: _Insertion) -> Suggestion | None:
        """What is left of a suggestion; None: something else was typed, or all of it."""
        text, offset = self._place.text, self._place.offset
        if not 0 <= offset - one.start <= LOOK_BACK + len(one.replaced):
            return None
        closers = len(text) - offset - answer.behind
        if not 0 <= closers <= _MOST_CLOSERS:
            return None
        typed = text[one.start : offset]
        as_it_was = offset == answer.offset and typed == one.replaced
        if not as_it_was and not one.text.startswith(typed):
            return None
        if self._after(closers) != answer.after or self._before(one.start) != one.head:
            return None
        if as_it_was and not closers:
            return Suggestion(one.start, offset + one.beyond, one.text)
        rest = one.text[len(typed) :]
        # An editor that closes brackets by itself has put these behind the cursor.
        closed = text[offset : offset + closers]
        if not rest.strip() or not _closes(rest, closed):
            return None
        return Suggestion(offset, offset + closers + one.beyond, rest)

    def _before(self, end: int) -> int:
        if end not in self._hashes:
            self._hashes[end] = hash(self._place.text[:end])
        return self._hashes[end]

    def _after(self, skipped: int) -> int:
        if skipped not in self._behind:
            self._behind[skipped] = hash(self._place.text[self._place.offset + skipped :])
        return self._behind[skipped]


def _insertions(place: Place, found: Sequence[Suggestion]) -> Iterator[_Insertion]:
    text, offset = place.text, place.offset
    for one in found:
        head, replaced = text[: one.start], text[one.start : offset]
        yield _Insertion(one.start, hash(head), replaced, one.end - offset, one.text)


def _closes(rest: str, closers: str) -> bool:
    """Whether the closing brackets stand in the rest's first line, in their order."""
    line = iter(rest.split("\n", 1)[0])
    return all(one in _CLOSERS and one in line for one in closers)


def after_accepting(place: Place, suggestion: Suggestion) -> Place:
    """The cursor as it is once the suggestion has been taken."""
    text = place.text[: suggestion.start] + suggestion.text + place.text[suggestion.end :]
    return replace(place, text=text, offset=suggestion.start + len(suggestion.text))
