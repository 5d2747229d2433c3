"""Verdicts on real programs: the published ones, and published solutions; all of them as soak.

`python -m tests.bench.published` and `python -m tests.bench.canonical` print what the soak tests
only ask for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.benchmarks.catalogue import BENCHMARKS
from assistant.sandbox import layers
from tests.bench import canonical, published
from tests.support.benchmark_runs import DATA, judge

pytestmark = [
    pytest.mark.skipif(not layers(), reason="no sandbox works on this machine"),
    pytest.mark.skipif(
        not (DATA / "qwen25coder_generations").is_dir(),
        reason=f"no benchmark data at {DATA}; set ASSISTANT_DATA to its folder",
    ),
]
BY_NAME = {one.benchmark: one for one in published.SETS}


def some(name: str, every: int) -> tuple[dict[str, str], dict[str, published.Verdict]]:
    """Published answers and verdicts: one of so many, and those that are known to differ."""
    known = BY_NAME[name]
    programs, verdicts = published.read(known.name)
    usable = [task for task in programs if task not in known.removed]
    chosen = [task for n, task in enumerate(usable) if n % every == 0 or task in known.differing]
    return {task: programs[task] for task in chosen}, {task: verdicts[task] for task in chosen}


@pytest.mark.parametrize(("name", "every"), [("humaneval", 10), ("humaneval+", 14), ("mbpp+", 40)])
def test_some_published_verdicts(tmp_path: Path, name: str, every: int):
    programs, theirs = some(name, every)
    found, _ = judge(BENCHMARKS[name], published.as_samples(programs), tmp_path)
    parts = 2 if BENCHMARKS[name].plus else 1
    ours = {task: published.verdict_of(record)[:parts] for task, record in found.items()}
    known = {task: one.ours for task, one in BY_NAME[name].differing.items()}

    assert ours == {task: verdict[:parts] for task, verdict in (theirs | known).items()}
    assert {verdict[0] for verdict in ours.values()} == {True, False}


@pytest.mark.parametrize("task", BY_NAME["mbpp+"].differing)
def test_the_reason_of_a_verdict_that_differs_holds(task: str):
    """By the rule that the authors' judge had, the program gets the verdict that they published."""
    programs, verdicts = published.read("1.5b-base.mbpp")

    assert verdicts[task] == BY_NAME["mbpp+"].differing[task].published
    assert verdicts[task] in published.by_the_old_rule(task, programs[task])


def test_the_published_figures_are_read_right():
    _, verdicts = published.read("1.5b-base.mbpp")

    assert sum(base for base, _ in verdicts.values()) == 276
    assert sum(plus for _, plus in verdicts.values()) == 234


@pytest.mark.parametrize(
    ("name", "every"), [("humaneval", 12), ("humaneval+", 16), ("mbpp", 60), ("mbpp+", 40)]
)
def test_some_published_solutions(tmp_path: Path, name: str, every: int):
    count, wrong, lost = canonical.failed(name, tmp_path, every)

    assert (wrong, lost) == ({}, [])
    assert count >= 10


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", BY_NAME)
def test_all_published_verdicts(tmp_path: Path, name: str):
    assert published.compare(BY_NAME[name], tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_all_of_mbpp_as_in_one_program(tmp_path: Path):
    assert published.compare_asserts(tmp_path) == []


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", canonical.SETS)
def test_all_published_solutions(tmp_path: Path, name: str):
    count, wrong, lost = canonical.failed(name, tmp_path)

    assert (wrong, lost) == ({}, [])
    assert count == canonical.SETS[name].tasks
