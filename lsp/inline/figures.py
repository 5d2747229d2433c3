"""What became of suggestions: counted in memory for the status, and told to nobody else."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import asdict, dataclass, field

from assistant.inline import Place, Suggestion

_KEPT = 16
"""Each holds the text of its document; an editor tells of what it shows, or showed just now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A suggestion that an editor was given."""

    id: str
    uri: str
    place: Place
    suggestion: Suggestion


@dataclass
class Figures:
    """Counts since the server began."""

    requests: int = 0
    shown: int = 0
    remembered: int = 0
    """Of the shown ones those that needed no model."""
    asked: int = 0
    """Requests to a model, what comes after accepting aside."""
    accepted: int = 0
    partially_accepted: int = 0
    dismissed: int = 0


@dataclass
class Log:
    """The counts, and the suggestions that an editor may still tell of."""

    figures: Figures = field(default_factory=Figures)
    _shown: OrderedDict[str, Shown] = field(default_factory=OrderedDict)
    _next: int = 0

    def show(self, uri: str, place: Place, suggestion: Suggestion) -> Shown:
        """Note a suggestion that goes to the editor, and give it an id."""
        self._next += 1
        shown = Shown(str(self._next), uri, place, suggestion)
        self._shown[shown.id] = shown
        while len(self._shown) > _KEPT:
            self._shown.popitem(last=False)
        return shown

    def shown(self, number: str) -> Shown | None:
        """A suggestion by its id; None: it is long ago, or there was none."""
        return self._shown.get(number)

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self.figures)
