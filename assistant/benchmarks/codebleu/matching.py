"""One prediction against one reference: the counts that every average is made of."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from typing import Any

from assistant.benchmarks.codebleu.features import Features, features
from assistant.benchmarks.codebleu.rules import Rules

# References come up again: with every sample of a task, and in the chance floor.
_REMEMBERED = 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A prediction and its reference, as texts, under an id (which may occur several times)."""

    id: str
    reference: str
    prediction: str


@dataclasses.dataclass(frozen=True, slots=True)
class Match:
    """How much of a reference a prediction has.

    Attributes:
        value: recall, `matched / total`; None where it is undefined or the reference failed.
        matched: parts of the reference that occur in the prediction.
        total: parts of the reference.
        precision: parts of the prediction that occur in the reference, out of all; 0 where the
            prediction has none, None where `value` is None.
        f1: `2 * common / (total + parts of the prediction)`, where a part counts as common as
            often as it occurs on both sides; None where `value` is None.
        undefined: the reference has nothing to match (an empty data-flow graph).
        failed: one of the two programs could not be taken apart. The value is 0 if that was the
            prediction, None if it was the reference.
    """

    value: float | None
    matched: int
    total: int
    precision: float | None
    f1: float | None
    undefined: bool
    failed: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Sample:
    """Both scores of one pair.

    Attributes:
        id: of the pair.
        syntax: the match of their subtrees.
        data_flow: the match of their data-flow graphs.
        unparsable: Python does not parse the prediction, so both are 0.
        reference_length: in characters.
        prediction_length: in characters.
    """

    id: str
    syntax: Match
    data_flow: Match
    unparsable: bool
    reference_length: int
    prediction_length: int


def sample(pair: Pair, rules: Rules) -> Sample:
    """Score one pair.

    Raises:
        StateProblem: tree-sitter or its grammar is not installed.
    """
    reference, prediction = _features(pair.reference, rules), _features(pair.prediction, rules)
    return Sample(
        pair.id,
        _syntax(reference, prediction),
        _data_flow(reference, prediction, rules),
        not prediction.parsable,
        len(pair.reference),
        len(pair.prediction),
    )


@functools.lru_cache(maxsize=_REMEMBERED)
def _features(source: str, rules: Rules) -> Features:
    return features(source, rules)


def _syntax(reference: Features, prediction: Features) -> Match:
    want, got = reference.subtrees, prediction.subtrees
    if reference.syntax_failed or prediction.syntax_failed or not prediction.parsable:
        failed = reference.syntax_failed or prediction.syntax_failed
        return _nothing(want, none=reference.syntax_failed, failed=failed)
    # Recall as it is published: one subtree of the prediction may match many of the reference.
    matched = sum(count for shape, count in want.items() if shape in got)
    found = sum(count for shape, count in got.items() if shape in want)
    return _match(want, got, matched, found)


def _data_flow(reference: Features, prediction: Features, rules: Rules) -> Match:
    want, got = reference.edges, prediction.edges
    failed = reference.data_flow_failed or prediction.data_flow_failed
    if reference.data_flow_failed:
        return _nothing(want, none=True, failed=True)
    if not want:
        empty = _nothing(want, none=rules.empty_is_undefined, failed=failed)
        return dataclasses.replace(empty, undefined=rules.empty_is_undefined)
    if failed or not prediction.parsable:
        return _nothing(want, none=False, failed=failed)
    common = (want & got).total()
    return _match(want, got, common, common)


def _match(want: Counter[Any], got: Counter[Any], matched: int, found: int) -> Match:
    total, parts = want.total(), got.total()
    common = (want & got).total()
    return Match(
        value=matched / total,
        matched=matched,
        total=total,
        precision=found / parts if parts else 0.0,
        f1=2 * common / (total + parts),
        undefined=False,
        failed=False,
    )


def _nothing(want: Counter[Any], *, none: bool, failed: bool) -> Match:
    value = None if none else 0.0
    return Match(value, 0, want.total(), value, value, undefined=False, failed=failed)
