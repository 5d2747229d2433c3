"""Scores of a set of pairs: averages, the chance floor, and what they were computed with."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import multiprocessing
import platform
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from assistant import __version__
from assistant.benchmarks.codebleu.grammar import versions
from assistant.benchmarks.codebleu.matching import Match, Pair, Sample, sample
from assistant.benchmarks.codebleu.rules import STANDARD, Order, Rules

FLOOR_SEED = 0
FLOOR_ROUNDS = 10
"""Each reference is paired with so many others: ten times the pairs cost little, and the floor
of a small set is steadier."""

_CHUNK = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Floor:
    """What unrelated programs score: references of the evaluated set against each other.

    Attributes:
        mean: of the pairs' scores; None where there is no pair.
        corpus: sum of matches over sum of totals; None where there is nothing to match.
        pairs: how many pairs were made.
    """

    mean: float | None
    corpus: float | None
    pairs: int


@dataclasses.dataclass(frozen=True, slots=True)
class Score:
    """One of the two scores over a set.

    Attributes:
        mean: of the samples' recalls, the headline; None where no sample has one.
        corpus: sum of matches over sum of totals.
        precision: mean of the samples' precisions.
        f1: mean of the samples' F1.
        floor: the same score of unrelated programs.
        rescaled: `(mean - floor) / (1 - floor)`: 0 is chance, 1 is perfect.
        n: samples in the means.
        undefined: samples without a score because the reference has nothing to match.
        unparsable: samples with score 0 because Python does not parse the prediction.
        failed: samples of which a program could not be taken apart.
        values: `(id, recall or None)` of each sample, by id.
    """

    mean: float | None
    corpus: float | None
    precision: float | None
    f1: float | None
    floor: Floor
    rescaled: float | None
    n: int
    undefined: int
    unparsable: int
    failed: int
    values: tuple[tuple[str, float | None], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Provenance:
    """What the numbers depend on besides the pairs."""

    implementation: str
    rules: str
    tree_sitter: str
    grammar: str
    python: str
    text_rule: str
    averaging: str
    floor: str


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """Both scores over a set.

    Attributes:
        syntax: average syntax match.
        data_flow: average data-flow match.
        pairs: how many were given.
        reference_length: mean, in characters.
        prediction_length: mean, in characters. Recall favours long predictions (D6).
        provenance: what the numbers depend on.
    """

    syntax: Score
    data_flow: Score
    pairs: int
    reference_length: float | None
    prediction_length: float | None
    provenance: Provenance


def score(
    pairs: Sequence[Pair],
    *,
    rules: Rules = STANDARD,
    text_rule: str = "as given",
    workers: int = 1,
) -> Scores:
    """Score predictions against references. The order of the pairs does not matter.

    Args:
        pairs: texts by id.
        rules: which rules to follow.
        text_rule: how the texts were made, for the record ("prompt + completion").
        workers: processes. Under `Order.HASH` there is one: each has a hash seed of its own.

    Raises:
        StateProblem: tree-sitter or its grammar is not installed.
    """
    ordered = sorted(pairs, key=lambda pair: (pair.id, pair.reference, pair.prediction))
    workers = 1 if rules.order is Order.HASH else workers
    samples, floor = _samples([ordered, floor_pairs(ordered)], rules, workers)
    return Scores(
        syntax=_score(samples, floor, [one.syntax for one in samples], [o.syntax for o in floor]),
        data_flow=_score(
            samples, floor, [one.data_flow for one in samples], [o.data_flow for o in floor]
        ),
        pairs=len(samples),
        reference_length=_mean([one.reference_length for one in samples]),
        prediction_length=_mean([one.prediction_length for one in samples]),
        provenance=_provenance(rules, text_rule),
    )


def floor_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Pair each distinct reference with others of the set, at random but always the same ones.

    The references are put in an order that depends on nothing but their texts (a hash with a
    fixed seed), and each is paired with those that follow it, round the end.
    """
    texts = {pair.reference for pair in pairs}
    ordered = sorted(texts, key=lambda text: (_shuffled(text), text))
    rounds = min(FLOOR_ROUNDS, len(ordered) - 1)
    return [
        Pair(f"floor {place} {step}", text, ordered[(place + step) % len(ordered)])
        for place, text in enumerate(ordered)
        for step in range(1, rounds + 1)
    ]


def _shuffled(text: str) -> bytes:
    return hashlib.sha256(f"{FLOOR_SEED}\0{text}".encode("utf-8", "surrogatepass")).digest()


def _samples(sets: list[list[Pair]], rules: Rules, workers: int) -> list[list[Sample]]:
    judge = partial(sample, rules=rules)
    if workers <= 1:
        return [[judge(pair) for pair in pairs] for pairs in sets]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        return [list(pool.map(judge, pairs, chunksize=_CHUNK)) for pairs in sets]


def _score(
    samples: list[Sample], floor: list[Sample], matches: list[Match], chance: list[Match]
) -> Score:
    values = [match.value for match in matches]
    mean = _mean(values)
    ground = Floor(_mean([match.value for match in chance]), _corpus(chance), len(floor))
    return Score(
        mean=mean,
        corpus=_corpus(matches),
        precision=_mean([match.precision for match in matches]),
        f1=_mean([match.f1 for match in matches]),
        floor=ground,
        rescaled=_rescaled(mean, ground.mean),
        n=sum(value is not None for value in values),
        undefined=sum(match.undefined for match in matches),
        unparsable=sum(one.unparsable for one in samples),
        failed=sum(match.failed for match in matches),
        values=tuple((one.id, value) for one, value in zip(samples, values, strict=True)),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if there else None


def _corpus(matches: list[Match]) -> float | None:
    total = sum(match.total for match in matches if match.value is not None)
    return sum(match.matched for match in matches) / total if total else None


def _rescaled(mean: float | None, floor: float | None) -> float | None:
    if mean is None or floor is None or floor >= 1:
        return None
    return (mean - floor) / (1 - floor)


def _provenance(rules: Rules, text_rule: str) -> Provenance:
    installed = versions()
    return Provenance(
        implementation=f"assistant {__version__}",
        rules=rules.name,
        tree_sitter=installed["tree-sitter"],
        grammar=f"tree-sitter-python {installed['tree-sitter-python']}",
        python=platform.python_version(),
        text_rule=text_rule,
        averaging="mean of samples; corpus: sum of matches over sum of totals",
        floor=f"{FLOOR_ROUNDS} others to each reference, seed {FLOOR_SEED}",
    )
