"""One answer as the table needs it, whichever way it was asked for and judged."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Judged:
    """One answer.

    Attributes:
        id: of the question.
        outcome: a verdict's word, or `no code`.
        passed: None where there is no verdict.
        complete: the format was followed to its end.
        syntax: syntax match with the reference, None where it is undefined.
        data_flow: data-flow match, None where the reference has none.
        code: what was judged.
    """

    id: str
    outcome: str
    passed: bool | None
    complete: bool
    syntax: float | None
    data_flow: float | None
    code: str
