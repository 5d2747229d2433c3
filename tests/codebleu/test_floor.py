"""The published chance floor, made again under the rules of codebleu 0.7.0."""

from __future__ import annotations

from random import Random

import pytest

from assistant.benchmarks.codebleu import CODEBLEU_070, Match
from tests.support.codebleu import compare, humaneval, mbpp_test
from tests.support.codebleu_values import under_seed

# Set: published syntax mean and corpus, data-flow mean and corpus; then the syntax of the same
# pairs under the installed grammar. Published with tree-sitter-python 0.21.0 (D10).
PUBLISHED = {
    "mbpp": ((0.099, 0.101, 0.449, 0.334), (0.0983, 0.1002)),
    "humaneval": ((0.133, 0.134, 0.447, 0.344), (0.1328, 0.1342)),
    "humaneval bodies": ((0.132, 0.128, 0.279, 0.229), (0.1314, 0.1278)),
}
GRAMMAR = 0.001
"""How far the two grammars may be apart: 0.0008 measured."""


def texts(name: str) -> list[str]:
    if name == "mbpp":
        return mbpp_test()
    return [prompt * (name == "humaneval") + body for prompt, body in humaneval()]


def averages(matches: list[Match]) -> tuple[float, float]:
    mean = sum(match.value or 0 for match in matches) / len(matches)
    return mean, sum(match.matched for match in matches) / sum(match.total for match in matches)


@pytest.mark.parametrize("name", PUBLISHED)
def test_floor_of_unrelated_references(name: str):
    programs = texts(name)
    order = list(range(len(programs)))
    Random(0).shuffle(order)  # the pairing behind the published numbers
    pairs = [(one, programs[other]) for one, other in zip(programs, order, strict=True)]
    # The published data flow is that of this hash seed (D4).
    found = [row for (row,) in under_seed(0, pairs, "codebleu 0.7.0")]
    published, installed = PUBLISHED[name]
    syntax = averages([compare(*pair, CODEBLEU_070).syntax for pair in pairs])
    assert syntax == pytest.approx(installed, abs=5e-5)
    assert syntax == pytest.approx(published[:2], abs=GRAMMAR)
    assert sum(row[1] or 0 for row in found) / len(found) == pytest.approx(
        published[2], abs=GRAMMAR
    )
    corpus = sum(row[2] or 0 for row in found) / sum(row[3] or 0 for row in found)
    assert corpus == pytest.approx(published[3], abs=GRAMMAR)


def test_floor_of_signatures():
    programs = [(prompt + body, f"{prompt}    pass\n") for prompt, body in humaneval()]
    found = [compare(reference, stub, CODEBLEU_070) for reference, stub in programs]
    assert averages([sample.syntax for sample in found])[0] == pytest.approx(0.137, abs=5e-4)
    assert averages([sample.data_flow for sample in found])[0] == pytest.approx(0.055, abs=5e-4)
