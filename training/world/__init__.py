"""The world the embedded model learns: small Python functions, requests for them, and tests."""

from __future__ import annotations

from training.world.execution import Outcome, run_many, run_tests
from training.world.generator import basic_structures, generate
from training.world.problem import (
    SPLITS,
    Construction,
    Problem,
    from_json,
    read_jsonl,
    to_json,
    write_jsonl,
)
from training.world.structure import split_of, structure_hash

__all__ = [
    "SPLITS",
    "Construction",
    "Outcome",
    "Problem",
    "basic_structures",
    "from_json",
    "generate",
    "read_jsonl",
    "run_many",
    "run_tests",
    "split_of",
    "structure_hash",
    "to_json",
    "write_jsonl",
]
