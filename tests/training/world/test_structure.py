"""The shape of code, by which training and evaluation are kept apart."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from training.world.structure import (
    HELDOUT_PERCENT,
    VALIDATION_PERCENT,
    bucket,
    split_of,
    structure_hash,
)

REFERENCE = "def f(nums):\n    return sum(x * 2 for x in nums if x > 3)\n"


@pytest.mark.parametrize(
    "same",
    [
        "def other(a):\n    return max(b * 7 for b in a if b > -40)\n",
        "def f(n: list[int]) -> int:\n    return sum(x * 2 for x in n if x > 3)\n",
        'def f(n):\n    """Says what it does."""\n    return sum(x * 2 for x in n if x > "a")\n',
        "def f(n):  # a comment\n    return sum((x * 2) for x in n if (x > None))\n",
    ],
)
def test_names_constants_hints_and_docstrings_do_not_count(same):
    assert structure_hash(same) == structure_hash(REFERENCE)


@pytest.mark.parametrize(
    "other",
    [
        "def f(nums):\n    return sum(x + 2 for x in nums if x > 3)\n",
        "def f(nums):\n    return sum(x * 2 for x in nums if x >= 3)\n",
        "def f(nums):\n    return sum(x * 2 for x in nums)\n",
        "def f(nums):\n    return sum([x * 2 for x in nums if x > 3])\n",
        "def f(nums):\n    return nums.sum(x * 2 for x in nums if x > 3)\n",
        "def f(nums, k):\n    return sum(x * 2 for x in nums if x > 3)\n",
        "def f(nums):\n    y = 0\n    return sum(x * 2 for x in nums if x > 3)\n",
        "def f(nums):\n    return sum(x * x for x in nums if x > 3)\n",
    ],
)
def test_operators_calls_and_statements_count(other):
    assert structure_hash(other) != structure_hash(REFERENCE)


def test_a_method_of_another_name_is_the_same_shape():
    upper = "def f(s):\n    return s.upper()\n"
    assert structure_hash(upper) == structure_hash(upper.replace("upper", "strip"))


def test_the_split_needs_no_seed_and_no_hash_seed():
    program = (
        "from training.world.structure import *;"
        f"h = structure_hash({REFERENCE!r}); print(h, split_of(h, frozenset()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    own = structure_hash(REFERENCE)
    assert said == {f"{own} {split_of(own, frozenset())}\n"}


def test_the_shares_are_as_stated():
    splits = [split_of(f"{number:016x}", frozenset()) for number in range(20_000)]
    assert abs(splits.count("heldout") / 200 - HELDOUT_PERCENT) < 1
    assert abs(splits.count("validation") / 200 - VALIDATION_PERCENT) < 0.6


def test_building_blocks_are_always_trained_on():
    heldout = next(s for s in map(str, range(1000)) if bucket(s) < HELDOUT_PERCENT)
    assert split_of(heldout, frozenset()) == "heldout"
    assert split_of(heldout, frozenset({heldout})) == "train"
