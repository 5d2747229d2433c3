"""What every section is given, and what they have in common."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.bench.serving import sides
from tests.bench.serving.models import Model, Models
from tests.bench.serving.peer import Peer
from tests.bench.serving.report import Report, Row, Series
from tests.bench.serving.sides import Side

SAMPLED: dict[str, Any] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "seed": 7}
"""How tokens are chosen unless a section says otherwise."""
_PAUSE = 0.3
"""Seconds between two measurements: threads of the last one may still wait in a loop."""


@dataclass(frozen=True)
class Setting:
    """One run of the benchmark."""

    peer: Peer
    models: Models
    report: Report
    chosen: tuple[str, ...]
    """Models that were asked for; empty: those of each section."""
    runs: int
    """Rounds; each measures every side once."""
    tries: int | None
    """Repeats inside of a section that has its own count; None: that count."""
    quick: bool
    """Few repeats and short prompts, to see that everything works."""

    def each(self, *names: str) -> Iterator[Model]:
        """The models of a section, or those of them that were asked for."""
        wanted = [name for name in names if name in self.chosen] if self.chosen else names
        return (self.models.get(name) for name in wanted)

    def count(self, full: int, quick: int) -> int:
        """How often to repeat."""
        return self.tries or (quick if self.quick else full)

    @contextlib.contextmanager
    def both(
        self, model: Model, context: int, slot: int, *options: str
    ) -> Iterator[tuple[Side, Side]]:
        """Both servers with the same model and threads.

        Args:
            model: which.
            context: of ours, for all requests together.
            slot: of each of llama-server's four slots.
            options: more for llama-server's command line.
        """
        with (
            sides.ours(model.path, model.threads, context) as ours,
            sides.theirs(
                self.peer.binaries, model.path, model.threads, 4 * slot, *options
            ) as theirs,
        ):
            yield ours, theirs

    def add(
        self, section: str, model: Model, what: str, series: Iterable[Series], result: str = "",
        target: str = "", met: bool | None = None,
    ) -> None:  # fmt: skip
        """Add a line to the report."""
        self.report.add(Row(section, model.name, what, tuple(series), result, target, met))


def body(prompt: str, tokens: int, **more: Any) -> dict[str, Any]:
    """A raw completion request."""
    return {"prompt": prompt, "max_tokens": tokens, **SAMPLED, **more}


def pause() -> None:
    """Let the machine come to rest."""
    time.sleep(_PAUSE)


def in_turn(rounds: int, both: tuple[Side, Side]) -> Iterator[Side]:
    """Both sides in turn, the one that begins changing from round to round."""
    for number in range(rounds):
        for side in both if number % 2 == 0 else both[::-1]:
            pause()
            yield side
