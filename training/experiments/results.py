"""All numbers of a set, from the files of its runs: `results.json`, and what is shown of it.

Every arm carries the command that makes its numbers. What depends on the machine (seconds) is
under `cost`; the rest is the same again for the same settings, versions and kind of machine.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from assistant import __version__
from training import files
from training.experiments import (
    benchmarked,
    correlation,
    folders,
    inference,
    one_run,
    page,
    series,
    table,
)
from training.experiments.inference import Table
from training.experiments.one_run import Run
from training.experiments.sets import Arm
from training.experiments.work import Work, runs_of

RESULTS, MARKDOWN, PAGE = "results.json", "results.md", "results.html"
ALL = "all"
"""All sets of questions together."""
_SCORES = ("syntax", "data_flow")

Row = dict[str, Any]
Answers = dict[str, dict[str, Row]]
"""By set of questions and id."""


def write(work: Work) -> dict[str, Any]:
    """Write `results.json`, `results.md` and `results.html` into the folder of a set."""
    found = collect(work)
    files.write_json(work.out / RESULTS, found)
    files.write_text(work.out / MARKDOWN, table.markdown(found))
    files.write_text(work.out / PAGE, page.html(found))
    return found


def collect(work: Work) -> dict[str, Any]:
    """All numbers of a set, as far as its runs are done."""
    by_arm: dict[str, list[Run]] = {}
    for one in runs_of(work):
        by_arm.setdefault(one.arm.name, []).append(one)
    states = {name: [_state(one, work) for one in runs] for name, runs in by_arm.items()}
    answers = {
        name: {
            one.seed: _read_answers(one.out)
            for one, state in zip(runs, states[name], strict=True)
            if state["status"] == one_run.DONE
        }
        for name, runs in by_arm.items()
    }
    chosen = work.chosen
    found: dict[str, Any] = {
        "format": 1,
        "set": chosen.name,
        "summary": chosen.summary,
        "command": work.command(),
        "reference": chosen.reference,
        "seeds": work.seeds,
        "own_base": work.own_base,
        "shared": _shared(runs[0] for runs in by_arm.values()),
        "notes": list(chosen.notes),
        "versions": _versions(),
        "arms": [
            _arm(work, arm, by_arm[arm.name], states[arm.name]) for arm in chosen.arms
        ],
        "questions": _questions(work, answers),
        "floors": _floors(by_arm, states),
    }  # fmt: skip
    if chosen.axis:
        found["curve"] = _curve(work, found["questions"])
    if chosen.samples:
        found["correlation"] = _correlations(work, by_arm, states)
    return found


def _shared(runs: Iterable[Run]) -> list[str]:
    """The names of all stages that are made once."""
    names = (s.name for one in runs for s in folders.shared_stages(one.settings))
    return list(dict.fromkeys(names))


def _state(one: Run, work: Work) -> dict[str, Any]:
    """How a run stands, with these settings."""
    record = one_run.read_record(one.out)
    state: dict[str, Any] = {"seed": one.seed, "folder": str(one.out.relative_to(work.out))}
    if one_run.is_done(one, work.root / folders.key(one.common)):
        cost = record.get("cost", {})
        return state | {
            "status": one_run.DONE,
            "cost": {
                "cpu_seconds": round(sum(cost.get("cpu", {}).values()), 1),
                "seconds": round(sum(cost.get("clock", {}).values()), 1),
                "stages": cost.get("cpu", {}),
            },
            "tokens": series.tokens(one.out),
            "end": series.end(one.out),
        }
    if record.get("status") == one_run.FAILED:
        return state | {"status": one_run.FAILED, "reason": record.get("reason", "")}
    return state | {"status": "not run"}


def _arm(work: Work, arm: Arm, runs: Sequence[Run], states: list[Row]) -> Row:
    done = [
        one.out for one, state in zip(runs, states, strict=True) if state["status"] == one_run.DONE
    ]
    ends = [state["end"] for state in states if state.get("end")]
    return {
        "name": arm.name,
        "asks": arm.asks,
        "recipe": runs[0].recipe,
        "changes": list(arm.changes),
        "reasoning": arm.reasoning,
        "against": None if work.chosen.against(arm) == arm.name else work.chosen.against(arm),
        "command": work.command(arm.name),
        "runs": states,
        "end": {k: float(np.mean([end[k] for end in ends])) for k in (ends[0] if ends else ())},
        "series": series.mean_series(done),
    }


def _read_answers(out: Path) -> Answers:
    found: Answers = {}
    for line in (out / "evaluation.answers.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["set"], {})[row["id"]] = row
    return found


def _questions(work: Work, answers: Mapping[str, Mapping[int, Answers]]) -> dict[str, Any]:
    """For each set of questions, and for all together, a row an arm."""
    names: dict[str, None] = {}
    for by_seed in answers.values():
        for one in by_seed.values():
            names |= dict.fromkeys(one)
    # Benchmarks overlap (mbpp and mbpp+): all together they are nothing.
    separate = any(benchmarked.names(one.settings) for one in runs_of(work))
    whole = list(names) if separate or len(names) < 2 else [*names, ALL]
    return {name: _asked(work, answers, name, list(names)) for name in whole}


def _asked(
    work: Work, answers: Mapping[str, Mapping[int, Answers]], name: str, names: Sequence[str]
) -> dict[str, Any]:
    parts = names if name == ALL else [name]
    problems = sorted(
        {
            f"{part}/{id}"
            for by_seed in answers.values() for one in by_seed.values()
            for part in parts for id in one.get(part, ())
        }
    )  # fmt: skip

    def values(arm: str, key: str) -> Table:
        rows = {
            seed: {
                f"{part}/{id}": _number(row[key])
                for part in parts for id, row in answers[arm].get(seed, {}).get(part, {}).items()
            }
            for seed in range(1, work.seeds + 1)
        }  # fmt: skip
        return inference.table(rows, problems)

    passed = {arm.name: values(arm.name, "passed") for arm in work.chosen.arms}
    rows = [
        {
            "arm": arm.name,
            "pass@1": _estimate(passed[arm.name], shares=True),
            "by_seed": [_mean(row) for row in passed[arm.name]],
            **{key: _estimate(values(arm.name, key)) for key in _SCORES},
            "difference": _difference(passed, work.chosen.against(arm), arm.name),
        }
        for arm in work.chosen.arms
    ]
    _correct(rows)
    return {"problems": len(problems), "arms": rows}


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _mean(row: Any) -> float | None:
    return None if np.isnan(row).all() else float(np.nanmean(row))


def _estimate(values: Table, *, shares: bool = False) -> Row | None:
    if np.isnan(values).all():
        return None
    return asdict(inference.estimate(values, shares=shares))


def _difference(passed: Mapping[str, Table], against: str, arm: str) -> Row | None:
    if against == arm or np.isnan(passed[against] - passed[arm]).all():
        return None
    return asdict(inference.difference(passed[against], passed[arm])) | {"against": against}


def _correct(rows: Sequence[Row]) -> None:
    """Holm's correction over all arms of one set of questions."""
    compared = [row["difference"] for row in rows if row["difference"]]
    corrected = inference.holm([one["p"] for one in compared])
    for one, p in zip(compared, corrected, strict=True):
        one["p_holm"] = p


def _floors(by_arm: Mapping[str, list[Run]], states: Mapping[str, list[Row]]) -> dict[str, Any]:
    """What unrelated references score against each other, by set of questions."""
    found: dict[str, Any] = {}
    for name, runs in by_arm.items():
        for one, state in zip(runs, states[name], strict=True):
            if state["status"] == one_run.DONE:
                scores = json.loads((one.out / "evaluation.scores.json").read_text("utf-8"))
                for asked, figures in scores["sets"].items():
                    floors = {key: figures[key]["floor"] for key in _SCORES}
                    found.setdefault(asked, floors)
    return found


def _curve(work: Work, questions: Mapping[str, Any]) -> dict[str, Any]:
    """pass@1 over the arms' sizes, by set of questions."""
    sizes = {arm.name: arm.size for arm in work.chosen.arms if arm.size is not None}
    return {
        "axis": work.chosen.axis,
        "points": {
            name: [
                {"size": sizes[row["arm"]], "arm": row["arm"], **row["pass@1"]}
                for row in asked["arms"] if row["arm"] in sizes and row["pass@1"]
            ]
            for name, asked in questions.items()
        },
    }  # fmt: skip


def _correlations(
    work: Work, by_arm: Mapping[str, list[Run]], states: Mapping[str, list[Row]]
) -> list[Row]:
    """For each arm, how its drawn answers' scores go with passing."""
    found = []
    for arm in work.chosen.arms:
        rows = [
            json.loads(line)
            for one, state in zip(by_arm[arm.name], states[arm.name], strict=True)
            if state["status"] == one_run.DONE
            for line in (one.out / "samples.jsonl").read_text(encoding="utf-8").splitlines()
        ]
        for score in ("l_s", *_SCORES):
            known = [r for r in rows if r[score] is not None and r["passed"] is not None]
            if known:
                both = correlation.correlate(
                    [r[score] for r in known], [float(r["passed"]) for r in known],
                    [f"{r['set']}/{r['id']}" for r in known],
                )  # fmt: skip
                found.append({"arm": arm.name, "score": score, **asdict(both)})
    return found


def _versions() -> dict[str, str]:
    found = {"assistant": __version__, "python": platform.python_version()}
    for package in ("torch", "transformers", "peft", "numpy", "llama-cpp-python"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found | {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
