"""Answers to public benchmarks, from what the stage `evaluate` has left of them.

`evaluate.benchmarks` makes folders `evaluation/NAME/` like those of `assistant eval`: answers,
verdicts, and a summary with the structural scores of each task. Here they become the rows that
the table is made of. With extended inputs (`humaneval+`, `mbpp+`) passing means passing all.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from assistant.benchmarks import records
from assistant.errors import TrainingProblem
from assistant.format import parse
from training.experiments.judged import Judged
from training.settings import Settings
from training.stages import Job

_NOT_JUDGED = "not judged"


def names(settings: Settings) -> list[str]:
    """The benchmarks that a run is judged on; empty: its own sets of questions."""
    return [name.strip() for name in settings.evaluate.benchmarks.split(",") if name.strip()]


def all_of(job: Job) -> dict[str, tuple[list[Judged], dict[str, Any]]]:
    """Answers and figures of each benchmark that was run.

    Raises:
        TrainingProblem: one was not; the message says why.
    """
    folders = {name: job.path(f"evaluation/{name}") for name in names(job.settings)}
    there = {name: path for name, path in folders.items() if (path / records.SUMMARY).exists()}
    if len(there) < len(folders):
        # Else the stage would count as done, whatever --data names next time.
        job.path("stages/evaluate.json").unlink(missing_ok=True)
        report = json.loads(job.path("evaluation.json").read_text(encoding="utf-8"))
        why = [found.get("not_run", "") for found in report.get("sets", {}).values()]
        raise TrainingProblem(
            "not all benchmarks were run: "
            f"{next(filter(None, why), 'the stage evaluate says no reason')}",
            hint="name the folder of the benchmarks' data with --data",
        )
    return {name: _one(path) for name, path in there.items()}


def _one(folder: Path) -> tuple[list[Judged], dict[str, Any]]:
    summary, verdicts = records.read_summary(folder), records.read_verdicts(folder)
    structure = summary["structure"]
    syntax, data_flow = (_values(structure, key) for key in ("syntax", "data_flow"))
    found = []
    for line in (folder / records.SAMPLES).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        task = row["task_id"]
        record = verdicts.get((task, row["sample"]))
        passed = None
        if record is not None:
            last = record.base if record.plus is None else record.plus
            passed = last == records.PASS
        found.append(
            Judged(
                task, record.outcome if record else _NOT_JUDGED, passed,
                parse(row["answer"]).complete, syntax.get(task), data_flow.get(task),
                row["solution"],
            )
        )  # fmt: skip
    return found, _figures(found, structure)


def _values(structure: dict[str, Any], key: str) -> dict[str, float | None]:
    return dict(structure[key]["values"]) if key in structure else {}


def _figures(found: list[Judged], structure: dict[str, Any]) -> dict[str, Any]:
    known = [one.passed for one in found if one.passed is not None]
    parts = {
        key: {"mean": structure[key]["mean"], "floor": structure[key]["floor"]["mean"]}
        if key in structure
        else {"mean": None, "floor": None}
        for key in ("syntax", "data_flow")
    }
    return {
        "problems": len(found),
        "judged": len(known),
        "passed": sum(known),
        "outcomes": dict(sorted(Counter(one.outcome for one in found).items())),
        "format_not_followed": sum(not one.complete for one in found),
        **parts,
    }
