"""The stage `problems` by itself, on folders that the tests write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from training import problems
from training.chain import CHAIN
from training.data.problem import Problem
from training.settings import Problems, Settings
from training.stages import Job


@pytest.fixture(autouse=True)
def _no_data_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing outside the test is read, and no network is asked for."""
    monkeypatch.delenv("ASSISTANT_DATA", raising=False)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))


class Stage:
    """Runs the stage and reads what it left."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def run(self, data: Path | None, source: str = "taco", **changed: Any) -> list[Problem]:
        settings = Settings(problems=replace(Problems(source=source), **changed))
        problems.make(Job(CHAIN[0], "test", settings, self.out, data, "key"))
        return list(problems.read(self.out / "problems.jsonl"))

    @property
    def funnel(self) -> dict[str, Any]:
        return json.loads((self.out / "problems.funnel.json").read_text(encoding="utf-8"))

    def step(self, name: str) -> dict[str, Any]:
        return next(one for one in self.funnel["steps"] if one["step"] == name)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "out")
