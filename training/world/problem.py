"""What a problem is: see `training.data.problem`, where all sources of problems share it."""

from __future__ import annotations

from training.data.problem import (
    SPLITS,
    Construction,
    Problem,
    from_json,
    read_jsonl,
    to_json,
    write_jsonl,
)

__all__ = [
    "SPLITS",
    "Construction",
    "Problem",
    "from_json",
    "read_jsonl",
    "to_json",
    "write_jsonl",
]
