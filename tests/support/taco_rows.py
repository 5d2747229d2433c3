"""Rows in the true schema of TACO, made here: texts that hold JSON, and whatever goes wrong."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("ASSISTANT_DATA") or Path(__file__).parents[3] / "shared" / "data")

_THINGS = ("apples", "bridges", "candles", "doors", "engines", "flags", "gates", "hills")
_PLACES = ("Oslo", "Quito", "Lagos", "Hanoi", "Perth", "Turin", "Dakar", "Kyoto")


def data_or_skip(name: str) -> Path:
    """The folder of real benchmark data, if `name` is in it."""
    if not (DATA / name).exists():
        pytest.skip(f"no {name} in {DATA}; set ASSISTANT_DATA to the folder with benchmark data")
    return DATA


def statement(number: int) -> str:
    """A statement that is unlike every other number's."""
    thing, place = _THINGS[number % 8], _PLACES[number // 8 % 8]
    return (
        f"In {place} there are {number} {thing} along the road, and task {number} is about them. "
        f"Every morning the keeper of {thing} number {number} reads two whole numbers, adds them, "
        f"multiplies what comes out by {number} and shouts the result across {place}.\n\n"
        f"-----Input-----\n\nTwo integers for {thing} in {place}.\n\n"
        f"-----Output-----\n\nWhat the keeper of {place} shouts about {thing} {number}."
    )


def stdin_row(number: int, **changed: Any) -> dict[str, Any]:
    """A task that reads two numbers and prints a multiple of their sum."""
    right = f"a, b = map(int, input().split())\nprint((a + b) * {number})\n"
    longer = f"import sys\nprint(sum(map(int, sys.stdin.read().split())) * {number})\n"
    tests = {"inputs": ["1 2\n", "5 6\n"], "outputs": [f"{3 * number}\n", f"{11 * number}\n"]}
    return _row(statement(number), [longer, right], tests, **changed)


def call_row(number: int, **changed: Any) -> dict[str, Any]:
    """A task that asks for a function, its results wrapped in a list as some rows have them."""
    code = f"class Solution:\n    def scaled(self, a, b):\n        return (a + b) * {number}\n"
    tests = {
        "fn_name": "scaled",
        "inputs": [[1, 2], [5, 6]],
        "outputs": [[3 * number], [11 * number]],
    }
    start = "class Solution:\n    def scaled(self, a: int, b: int) -> int:\n"
    return _row(statement(number), [code], tests, **{"starter_code": start, **changed})


def _row(text: str, codes: list[str], tests: Any, **changed: Any) -> dict[str, Any]:
    row = {
        "question": text,
        "solutions": json.dumps(codes),
        "starter_code": "",
        "input_output": json.dumps(tests),
        "difficulty": "EASY",
        "raw_tags": "[]",
        "name": None,
        "source": "codeforces",
        "tags": "[]",
        "skill_types": "[]",
        "url": "https://example.org/problem",
        "Expected Auxiliary Space": None,
        "time_limit": "2.0 seconds",
        "date": None,
        "picture_num": "0",
        "memory_limit": "256.0 megabytes",
        "Expected Time Complexity": None,
    }
    return {**row, **changed}


def write(folder: Path, rows: list[Any], name: str = "train-00000-of-00001.jsonl") -> Path:
    """A folder `taco` with one file of rows; bytes are written as they are."""
    place = folder / "taco"
    place.mkdir(parents=True, exist_ok=True)
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in rows]
    content = b"\n".join(lines) + b"\n"
    (place / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


def real_statements() -> list[str]:
    """The 1,000 statements of TACO's test split."""
    path = data_or_skip("taco_repo") / "taco_repo" / "taco_generation_example.json.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [row["prompt"].removeprefix("\nQUESTION:\n") for row in json.load(file)]
