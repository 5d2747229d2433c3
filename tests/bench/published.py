"""Our verdicts beside the published ones, task by task: `python -m tests.bench.published`.

The samples are the published answers of Qwen2.5-Coder 1.5B base with the verdicts that their
authors published (EvalPlus 0.2.1, HumanEval+ v0.1.9, MBPP+ v0.1.0). They are judged by
`assistant eval`, as users run it, on HumanEval+ v0.1.10 and MBPP+ v0.2.0.

Each task whose verdict differs is named here with the reason, and the reason is put to the test:
by the rule that the authors' judge had, the same program has to get the published verdict.
Anything else that differs is an error.

For MBPP's own asserts no verdicts are published (the authors' tasks were rewritten since). There
each answer and its asserts run as one Python program, as the data set's authors mean them, and
that verdict is the one to match.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from assistant.benchmarks.catalogue import BENCHMARKS
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.records import Record
from assistant.checks.program import Program, Stopped
from assistant.sandbox import Limits, view
from tests.support.benchmark_runs import DATA, ROOT, tasks_of, write_rows

Verdict = tuple[bool, bool]
"""Base, and base with plus."""
_SEEDS = range(8)
_ORDER = (
    "the answer has the right items in another order; `==` was the rule when the verdicts were "
    "published, any order is right today (EvalPlus 0.3 lists the task as set-valued)"
)
_SEED = (
    "answer and reference are the same expression, tuple(set(a) ^ set(b)); on the one input that "
    "is published as failed, of texts, the order of a set depends on the hash seed, and the two "
    "ran under different ones; any order is right today"
)


@dataclass(frozen=True)
class Difference:
    """A task whose verdict is not the published one, and why."""

    published: Verdict
    ours: Verdict
    why: str


@dataclass(frozen=True)
class Published:
    """A set of published answers and verdicts, and what is known of it beforehand."""

    benchmark: str
    name: str
    """Of the files in `qwen25coder_generations`."""
    tasks: int
    """That the benchmark of today has."""
    passed: tuple[int, int]
    """Published, of these tasks: base, and base with plus."""
    differing: Mapping[str, Difference] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    """Tasks that the benchmark of today no longer has."""


_REMOVED = (
    83, 115, 117, 143, 164, 229, 249, 295, 396, 400, 407, 431, 438, 442, 461, 574, 582, 595, 640,
    746, 783,
)  # fmt: skip
SETS = (
    Published("humaneval+", "1.5b-base.humaneval", 164, (72, 60)),
    Published("humaneval", "1.5b-base.humaneval", 164, (72, 60)),
    Published(
        "mbpp+",
        "1.5b-base.mbpp",
        378,
        (265, 225),
        {
            "Mbpp/2": Difference((False, False), (True, True), _ORDER),
            "Mbpp/232": Difference((False, False), (True, False), _ORDER),
            "Mbpp/579": Difference((True, False), (True, True), _SEED),
        },
        frozenset(f"Mbpp/{number}" for number in _REMOVED),
    ),
)


def read(name: str) -> tuple[dict[str, str], dict[str, Verdict]]:
    """Published programs and verdicts, by task; a plus verdict counts with its base alone."""
    path = DATA / "qwen25coder_generations" / f"{name}.generated_eval_results.json"
    rows = {task: found[0] for task, found in json.loads(path.read_bytes())["eval"].items()}
    verdicts = {
        task: (
            row["base_status"] == "pass",
            row["base_status"] == row["plus_status"] == "pass",
        )
        for task, row in rows.items()
    }
    return {task: row["solution"] for task, row in rows.items()}, verdicts


def as_samples(programs: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of a samples file."""
    return [{"task_id": task, "solution": program} for task, program in programs.items()]


def verdict_of(record: Record) -> Verdict:
    """A benchmark without plus inputs says nothing of them."""
    return record.base == "pass", record.plus == "pass"


def by_the_old_rule(task: str, program: str) -> set[Verdict]:
    """The verdicts on an MBPP+ sample where outputs are compared by `==`, for some hash seeds.

    The order of texts in a set depends on the seed, and the published judge ran the answer under
    another one than the reference solution.
    """
    _, tasks = tasks_of(BENCHMARKS["mbpp+"])
    (problem,) = (one for one in tasks if one.id == task)
    assert problem.inputs is not None
    count = len(problem.inputs.base)
    want = _outputs(problem, problem.reference, 0)
    verdicts = set()
    for seed in _SEEDS:
        got = _outputs(problem, program, seed)
        base, plus = got[:count] == want[:count], got[count:] == want[count:]
        verdicts.add((base, base and plus))
    return verdicts


def _outputs(problem: Problem, program: str, seed: int) -> list[Any]:
    """What a program answers to all inputs, in a sandbox with this hash seed."""
    assert problem.inputs is not None
    inputs = (*problem.inputs.base, *problem.inputs.plus)
    with (
        patch.dict(view.ENVIRONMENT, PYTHONHASHSEED=str(seed)),
        Program(program, Limits(cpu_s=60, wall_s=300, memory_mb=1024)) as running,
    ):
        running.load()
        return [running.call(problem.entry_point, arguments) for arguments in inputs]


def in_one_program(problem: Problem, program: str) -> bool:
    """Whether an answer, followed by its asserts, runs to the end; in the sandbox."""
    assert problem.tests is not None
    whole = "\n".join((program, problem.tests.setup, *problem.tests.asserts)) + "\n"
    try:
        with Program(whole, Limits(cpu_s=10, wall_s=60, memory_mb=1024)) as running:
            running.load()
    except Stopped:
        return False
    return True


def evaluate(benchmark: str, programs: Mapping[str, str], folder: Path) -> dict[str, Record]:
    """The verdicts of `assistant eval`, the command."""
    path = write_rows(folder / "samples.jsonl", as_samples(programs))
    out = folder / "out"
    command = [sys.executable, "-m", "assistant", "eval", benchmark, "--samples", str(path)]
    environment = dict(os.environ, ASSISTANT_HOME=str(folder / "home"))
    done = subprocess.run(
        [*command, "--data", str(DATA), "--out", str(out)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode not in (0, 3):
        raise SystemExit(f"assistant eval {benchmark} failed:\n{done.stderr[-2000:]}")
    rows = map(json.loads, (out / "verdicts.jsonl").read_text().splitlines())
    return {row["task_id"]: Record(**row) for row in rows}


def compare(published: Published, folder: Path) -> list[str]:
    """Judge one set and print what differs; what is wrong."""
    programs, verdicts = read(published.name)
    found = evaluate(published.benchmark, programs, folder)
    plus = BENCHMARKS[published.benchmark].plus
    wrong = []
    if missing := sorted(verdicts.keys() - found.keys() - published.removed):
        wrong.append(f"no verdict on {' '.join(missing)}")
    if gone := sorted(found.keys() & published.removed):
        wrong.append(f"a verdict on {' '.join(gone)}, which {published.benchmark} has no more")
    theirs = {task: verdicts[task] for task in found}
    ours = {task: verdict_of(record) for task, record in found.items()}
    parts = (0, 1) if plus else (0,)
    counts = [f"{sum(v[i] for v in theirs.values())} and {sum(v[i] for v in ours.values())}"
              for i in parts]  # fmt: skip
    print(f"{published.benchmark}: {len(found)} tasks, published and ours: {', '.join(counts)}")
    if tuple(sum(v[i] for v in theirs.values()) for i in (0, 1)) != published.passed:
        wrong.append("the published figures are others than known")
    if len(found) != published.tasks:
        wrong.append(f"{published.tasks} tasks were expected")
    differing = {task for task in found if theirs[task][: len(parts)] != ours[task][: len(parts)]}
    for task in sorted(differing | published.differing.keys()):
        wrong += _explained(published, task, theirs[task], ours[task], programs[task])
    return [f"{published.benchmark}: {one}" for one in wrong]


def _explained(
    published: Published, task: str, theirs: Verdict, ours: Verdict, program: str
) -> list[str]:
    known = published.differing.get(task)
    if known is None or (known.published, known.ours) != (theirs, ours):
        return [f"{task} is {ours}, published {theirs} (base, base with plus), and no reason known"]
    print(f"  {task}: published {theirs}, ours {ours}: {known.why}")
    before = by_the_old_rule(task, program)
    print(f"    by `==`, under {len(_SEEDS)} hash seeds: {', '.join(map(str, sorted(before)))}")
    return [] if theirs in before else [f"{task}: `==` never gives the published verdict"]


def compare_asserts(folder: Path) -> list[str]:
    """MBPP's own asserts: apart from the answer, and in one program with it."""
    _, tasks = tasks_of(BENCHMARKS["mbpp"])
    problems = {one.id: one for one in tasks}
    programs, _ = read("1.5b-base.mbpp")
    chosen = {task: program for task, program in programs.items() if task in problems}
    found = evaluate("mbpp", chosen, folder)
    together = {task: in_one_program(problems[task], chosen[task]) for task in chosen}
    apart = {task: record.base == "pass" for task, record in found.items()}
    passed = f"{sum(together.values())} and {sum(apart.values())}"
    print(f"mbpp: {len(apart)} tasks, in one program and ours: {passed}")
    return [
        f"mbpp: {task} is {apart.get(task)}, in one program {together[task]}"
        for task in chosen
        if apart.get(task) != together[task]
    ]


def main() -> int:
    """Compare all sets; 1 where a verdict differs without a reason that holds."""
    names = [one.benchmark for one in SETS] + ["mbpp"]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.published", description=__doc__)
    parser.add_argument("sets", nargs="*", help=f"of {', '.join(names)} (default: all)")
    chosen = parser.parse_args().sets or names
    if not (DATA / "qwen25coder_generations").is_dir():
        print(f"no benchmark data at {DATA}; set ASSISTANT_DATA to its folder")
        return 1
    wrong = []
    with tempfile.TemporaryDirectory(prefix="published-") as name:
        for number, published in enumerate(SETS):
            if published.benchmark in chosen:
                folder = Path(name) / str(number)
                folder.mkdir()
                wrong += compare(published, folder)
        if "mbpp" in chosen:
            wrong += compare_asserts(Path(name))
    for one in wrong:
        print(f"WRONG {one}")
    print("Every verdict is the published one, or named above." if not wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
