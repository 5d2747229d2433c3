"""Published solutions stand their own tests when these run apart: a sample here, all as soak."""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from assistant.checks import CheckResult, Limits, run_asserts, run_check
from assistant.events import Outcome
from assistant.sandbox import layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ASSISTANT_DATA") or ROOT.parent / "shared" / "data")
PATIENT = Limits(cpu_s=20, wall_s=90)
# They define classes that the tests use, return a type, use a module of the answer's imports.
SPECIAL = {367, 533, 596, 601, 927}


def rows(name: str) -> list[dict[str, Any]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {name} in {DATA}; set ASSISTANT_DATA to the folder with benchmark data")
    body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in body.decode().splitlines()]


def mbpp(row: dict[str, Any]) -> CheckResult:
    asserts = row["test_list"] + row["challenge_test_list"]
    return run_asserts(row["code"], asserts, row["test_setup_code"], PATIENT)


def humaneval(row: dict[str, Any]) -> CheckResult:
    code = row["prompt"] + row["canonical_solution"]
    return run_check(code, row["test"], row["entry_point"], PATIENT)


def failing(judge: Any, chosen: list[dict[str, Any]]) -> dict[Any, CheckResult]:
    with ThreadPoolExecutor(2) as pool:
        results = zip(chosen, pool.map(judge, chosen), strict=True)
        return {row["task_id"]: r for row, r in results if r.outcome is not Outcome.PASS}


def test_some_of_mbpp():
    chosen = [row for row in rows("mbpp/mbpp.jsonl") if row["task_id"] % 40 == 1]
    chosen += [row for row in rows("mbpp/mbpp.jsonl") if row["task_id"] in SPECIAL]

    assert failing(mbpp, chosen) == {}


def test_some_of_humaneval():
    assert failing(humaneval, rows("humaneval/HumanEval.jsonl.gz")[::8]) == {}


@pytest.mark.soak
def test_all_of_mbpp():
    assert failing(mbpp, rows("mbpp/mbpp.jsonl")) == {}


@pytest.mark.soak
def test_all_of_humaneval():
    assert failing(humaneval, rows("humaneval/HumanEval.jsonl.gz")) == {}


@pytest.mark.soak
def test_none_of_mbpp_stands_the_tests_of_the_next_task():
    """A judge that lets everything pass is found out."""
    pairs = pairwise(rows("mbpp/mbpp.jsonl")[:60])
    mixed = [row | {"code": following["code"]} for row, following in pairs]

    assert len(failing(mbpp, mixed)) == len(mixed)
