"""Programs and public data that the tests of the structural scores share."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from assistant.benchmarks.codebleu import STANDARD, Pair, Rules, Sample
from assistant.benchmarks.codebleu.matching import sample

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("ASSISTANT_DATA") or ROOT.parent / "shared" / "data")

SUM = """\
def total(values):
    out = 0
    for value in values:
        out = out + value
    return out
"""
BRANCHES = """\
def sign(x, strict=False):
    if x > 0:
        y = 1
    elif x < 0:
        y = -1
    else:
        y = 0 if not strict else None
    while y is not None and y > 10:
        y -= 1
    return [(a, b) for a in range(y) for b in range(a)]
"""


def data(path: str) -> Path:
    """A file of the benchmark data; without it the test is skipped."""
    found = DATA / path
    if not found.exists():
        pytest.skip(f"no {path} in {DATA}; set ASSISTANT_DATA to the folder with benchmark data")
    return found


def rows(path: str) -> list[dict[str, Any]]:
    """The rows of a JSONL file of the benchmark data, gzipped or not."""
    found = data(path)
    read = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
    return [json.loads(line) for line in read.splitlines()]


def humaneval() -> list[tuple[str, str]]:
    """Prompts and canonical solutions of HumanEval."""
    read = rows("humaneval/HumanEval.jsonl.gz")
    return [(row["prompt"], row["canonical_solution"]) for row in read]


def mbpp_test() -> list[str]:
    """Reference code of MBPP's test split (tasks 11 to 510), without carriage returns."""
    codes = {row["task_id"]: row["code"] for row in rows("mbpp/mbpp.jsonl")}
    return [codes[task].replace("\r", "") for task in range(11, 511)]


def compare(reference: str, prediction: str, rules: Rules = STANDARD) -> Sample:
    """Both scores of one prediction."""
    return sample(Pair("one", reference, prediction), rules)


def values(reference: str, prediction: str) -> tuple[float | None, float | None]:
    """Syntax and data-flow match of one prediction."""
    both = compare(reference, prediction)
    return both.syntax.value, both.data_flow.value
