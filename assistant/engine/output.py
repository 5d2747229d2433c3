"""What happens to generated text on its way out: forced continuations and stop strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assistant.engine.types import Budget, Forced


class StopFinder:
    """Finds stop strings in text that arrives in pieces of any size.

    Text that may be the beginning of a stop string is held back until it is decided.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.found = False
        self.found_stop: str | None = None
        """The stop string that was found."""

    def feed(self, text: str) -> str:
        """The text that is certainly before any stop string; sets `found` at the first one."""
        if self.found:
            return ""
        text = self._held + text
        self._held = ""
        hits = [(index, stop) for stop in self._stops if (index := text.find(stop)) >= 0]
        if hits:
            self.found = True
            index, self.found_stop = min(hits)
            return text[:index]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        if keep:
            text, self._held = text[:-keep], text[-keep:]
        return text

    def close(self) -> str:
        """The held text, once it is known that nothing follows it."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Length of the longest proper beginning of `stop` that `text` ends with."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0


class BudgetWatch:
    """Counts the tokens of reasoning and says when it has to be brought to an end.

    Args:
        budget: None: reasoning may take as long as it likes.
    """

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._tail = ""
        self._opening = budget.opening if budget is not None else ""

    def feed(self, piece: str, count: int) -> str | None:
        """Take the newest piece, with `count` tokens generated; the text that has to follow."""
        if self._budget is None:
            return None
        self.saw(piece)
        budget = self._budget
        if budget is None or self._opening or count < budget.tokens:
            return None
        # What may be the beginning of the end is waited for: it would come twice.
        if count < budget.tokens + len(budget.until) and _overlap(self._tail, budget.until):
            return None
        self._budget = None
        return budget.text

    def saw(self, text: str) -> None:
        """Take text behind which a forced one goes in, and that: nothing else can follow it."""
        budget = self._budget
        if budget is None:
            return
        self._tail += text
        if self._opening and not self._opened():
            return
        if budget.until in self._tail:
            self._budget = None
        self._tail = self._tail[-len(budget.until) :]

    def _opened(self) -> bool:
        """Whether the reasoning has begun; an answer that begins otherwise has none."""
        begun = self._tail.lstrip()
        if begun.startswith(self._opening):
            self._opening, self._tail = "", begun[len(self._opening) :]
            return True
        if not self._opening.startswith(begun):
            self._budget = None
        return False


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a forced text goes in: `keep` characters of the newest piece stay before it."""

    keep: int
    text: str


class ForcedTexts:
    """Watches the generated text for the places where a given text has to follow.

    Args:
        forced: each is used at most once.
        before: text that precedes the generation (a prefill). `after` may begin in it but not
            end in it.
    """

    def __init__(self, forced: Sequence[Forced], before: str = "") -> None:
        self._waiting = [entry for entry in forced if entry.after and entry.text]
        self._longest = max((len(entry.after) for entry in self._waiting), default=1)
        self._tail = self._last(before)

    def feed(self, piece: str) -> Continuation | None:
        """Take the newest piece, or one that is put in; say what follows, if `after` ends in it.

        When it does, the rest of the piece behind that place is to be dropped: the token
        overshot. The given text counts as seen.
        """
        if not self._waiting:
            return None
        text = self._tail + piece
        best: tuple[int, Forced] | None = None
        for entry in self._waiting:
            # An occurrence that ends in the old text was seen before, or is not ours.
            start = max(0, len(self._tail) - len(entry.after) + 1)
            index = text.find(entry.after, start)
            if index >= 0 and (best is None or index + len(entry.after) < best[0]):
                best = (index + len(entry.after), entry)
        if best is None:
            self._tail = self._last(text)
            return None
        end, entry = best
        self._waiting.remove(entry)
        keep = end - len(self._tail)
        self._tail = self._last(text[:end] + entry.text)
        return Continuation(keep, entry.text)

    def _last(self, text: str) -> str:
        return text[-(self._longest - 1) :] if self._longest > 1 else ""
