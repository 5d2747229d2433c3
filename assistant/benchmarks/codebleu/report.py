"""Scores as JSON and as a table for a terminal."""

from __future__ import annotations

import dataclasses
from typing import Any

from assistant.benchmarks.codebleu.scoring import Score, Scores

_HEAD = ("", "mean", "floor", "rescaled", "corpus", "floor", "precision", "F1")
_COUNTS = ("n", "undefined", "unparsable", "failed")


def to_json(scores: Scores) -> dict[str, Any]:
    """Everything there is, in types that `json.dumps` takes; the same order every time."""
    return dataclasses.asdict(scores)


def table(scores: Scores) -> str:
    """Both scores with their chance floor, counts and provenance, in lines of text."""
    rows = [
        [*_HEAD, *_COUNTS],
        ["syntax match", *_cells(scores.syntax)],
        ["data-flow match", *_cells(scores.data_flow)],
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    made = scores.provenance
    return "\n".join(
        [
            *lines,
            f"{scores.pairs} pairs; mean length {_number(scores.prediction_length, 0)} characters, "
            f"of the references {_number(scores.reference_length, 0)}; text: {made.text_rule}",
            "floor: what unrelated programs of this set score; a score near it is chance",
            f"{made.implementation}, rules: {made.rules}; tree-sitter {made.tree_sitter}, "
            f"{made.grammar}, Python {made.python}",
        ]
    )


def _cells(score: Score) -> list[str]:
    numbers = [
        score.mean,
        score.floor.mean,
        score.rescaled,
        score.corpus,
        score.floor.corpus,
        score.precision,
        score.f1,
    ]
    counts = [score.n, score.undefined, score.unparsable, score.failed]
    return [*(_number(number, 3) for number in numbers), *(str(count) for count in counts)]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _aligned(row: list[str], widths: list[int]) -> list[str]:
    first, *others = zip(row, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
