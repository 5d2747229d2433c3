"""One arm with one seed: an ordinary run folder, gone on with wherever it was left.

The shared stages are linked in, the others are run by `training.run`, then come the steps of an
experiment: `score`, and `samples` where the set draws some. `experiment.json` says how it ended,
what it cost, and with which settings: what fits is not done again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from training import files, run, stages
from training.experiments import benchmarked, degrade, folders
from training.experiments.sets import Arm, ExperimentSet
from training.settings import Settings
from training.stages import Job, Stage

RECORD = "experiment.json"
DONE, FAILED = "done", "failed"
_TEACHER = "teacher/contexts.jsonl"
"""The reasoning before it was made worse."""
_HEAVY = ("merged/*.safetensors", "model.gguf")
"""Made again from base and adapter by the stages `merge` and `gguf`."""


@dataclass(frozen=True)
class Run:
    """What is to be done.

    Attributes:
        chosen: the set.
        arm: of the set.
        seed: of the arm's own stages.
        question_seed: of what is shared: the base, and the questions that are asked.
        recipe: its name.
        settings: all of them, with `seed`.
        out: the run's folder.
        data: a folder of benchmark data, or None.
    """

    chosen: ExperimentSet
    arm: Arm
    seed: int
    question_seed: int
    recipe: str
    settings: Settings
    out: Path
    data: Path | None

    @property
    def common(self) -> Settings:
        """The settings of the shared stages."""
        return replace(self.settings, seed=self.question_seed)


@dataclass
class Costs:
    """What the stages took, by name: seconds of all processors, and of the clock."""

    cpu: dict[str, float] = field(default_factory=dict)
    clock: dict[str, float] = field(default_factory=dict)

    def measure(self, name: str, work: Callable[[], None]) -> None:
        """Do `work` and keep what it took. A try that was killed is not in it."""
        cpu, clock = _cpu_seconds(), time.monotonic()
        work()
        self.cpu[name] = round(_cpu_seconds() - cpu, 2)
        self.clock[name] = round(time.monotonic() - clock, 2)


def _cpu_seconds() -> float:
    """Of this process and those that it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def read_record(out: Path) -> dict[str, Any]:
    """What is known of a run; empty when it was not begun."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def own_stages(settings: Settings) -> tuple[Stage, ...]:
    """The stages of the recipe that belong to one arm and seed."""
    left_out = {*folders.SHARED, *folders.LEFT_OUT}
    if benchmarked.names(settings):
        left_out.remove("evaluate")
    return tuple(s for s in folders.stages_of(settings) if s.name not in left_out)


def steps(of: Run) -> tuple[Stage, ...]:
    """The steps of an experiment behind the recipe's stages, as stages."""
    judged = next(s for s in folders.stages_of(of.settings) if s.name == "evaluate")
    made = [
        Stage(
            "score", _lazily("score"),
            ("evaluation.json",) if benchmarked.names(of.settings) else judged.inputs,
            ("evaluation.answers.jsonl", "evaluation.scores.json"), judged.settings,
        )
    ]  # fmt: skip
    if count := of.chosen.samples:
        how = {"count": count, "temperature": of.chosen.temperature}
        encoder = tuple(n for s in folders.shared_stages(of.settings) for n in s.outputs)
        made.append(
            Stage(
                "samples", partial(_lazily("sampled"), **how), (*encoder, "model.gguf"),
                ("samples.jsonl",), (*judged.settings, "structural"),
                # How many and how warm is no setting of a recipe, and decides what comes out.
                version=int(files.digest_of(how)[:8], 16),
            )
        )  # fmt: skip
    return tuple(made)


def _lazily(module: str) -> Callable[..., None]:
    """`make` of a module of this folder, imported on first use."""

    def make(job: Job, **how: Any) -> None:
        import_module(f"training.experiments.{module}").make(job, **how)

    return make


def key(of: Run, shared: Path) -> str:
    """A hash of everything that the run's result depends on."""
    own = {s.name: stages.hash_settings(s, of.settings) for s in own_stages(of.settings)}
    judged = {s.name: stages.hash_settings(s, of.common) for s in steps(of)}
    return files.digest_of(
        {
            "shared": folders.identity(shared, of.settings), "own": own, "steps": judged,
            "reasoning": of.arm.reasoning,
        }
    )  # fmt: skip


def is_done(of: Run, shared: Path) -> bool:
    """Whether the run has ended well, with these settings, and its answers are there."""
    record = read_record(of.out)
    if record.get("status") != DONE or record.get("key") != key(of, shared):
        return False
    outputs = record.get("outputs", {})
    return bool(outputs) and all(
        (of.out / name).exists() and files.digest(of.out / name) == digest
        for name, digest in outputs.items()
    )


def perform(of: Run, shared: Path) -> None:
    """Do what is left of a run.

    Args:
        of: the run.
        shared: folder of the shared stages, complete.

    Raises:
        AssistantError: a stage fails; `fail` writes that down.
        KeyboardInterrupt: Ctrl-C; what is done is kept.
    """
    made = key(of, shared)
    before = read_record(of.out)
    known = before.get("cost", {}) if before.get("key") == made else {}
    costs = Costs(dict(known.get("cpu", {})), dict(known.get("clock", {})))
    if _repeated(of, made):
        return
    folders.place(shared, of.out, of.settings)
    if of.arm.reasoning:
        # Linked anew: the changed file must not be written through the link.
        folders.link(shared / "contexts.jsonl", of.out / _TEACHER)
        degrade.write(of.out / _TEACHER, of.out / "contexts.jsonl", of.arm.reasoning)
    for stage in own_stages(of.settings):
        if not stages.is_done(stage, of.settings, of.out):
            costs.measure(stage.name, partial(_run_stage, of, stage))
            _keep(of, made, "unfinished", costs)
    for step in steps(of):
        if not stages.is_done(step, of.common, of.out):
            costs.measure(step.name, partial(_run_step, of, step))
            _keep(of, made, "unfinished", costs)
    _keep(of, made, DONE, costs)
    if not of.chosen.keep_models:
        for pattern in _HEAVY:
            for path in of.out.glob(pattern):
                path.unlink()


def _repeated(of: Run, made: str) -> bool:
    """Take over the run of the first seed, where no seed changes anything."""
    first = of.out.parent / f"seed-{of.question_seed}"
    if not of.arm.fixed or first == of.out or read_record(first).get("status") != DONE:
        return False
    for name in (*(n for s in steps(of) for n in s.outputs), "adapter/metrics.jsonl"):
        if (first / name).exists():
            folders.link(first / name, of.out / name)
    cost = read_record(first)["cost"]
    _keep(of, made, DONE, Costs(cost["cpu"], cost["clock"]))
    return True


def _run_stage(of: Run, stage: Stage) -> None:
    run.run(of.recipe, of.settings, of.out, only=stage.name, resume=True, data=of.data)


def _run_step(of: Run, step: Stage) -> None:
    # The questions are those of the shared seed: the same for every arm and seed.
    stages.run_stage(step, of.recipe, of.common, of.out, of.data, fresh=False)


def _keep(of: Run, made: str, status: str, costs: Costs, reason: str = "") -> None:
    outputs = [name for step in steps(of) for name in step.outputs] if status == DONE else []
    record = {
        "set": of.chosen.name,
        "arm": of.arm.name,
        "seed": of.seed,
        "recipe": of.recipe,
        "status": status,
        "reason": reason,
        "key": made,
        "cost": {"cpu": costs.cpu, "clock": costs.clock},
        "outputs": {name: files.digest(of.out / name) for name in outputs},
    }
    files.write_json(of.out / RECORD, record)


def fail(of: Run, reason: str) -> None:
    """Write down that the run failed, and why; the next try goes on with what it has left."""
    before = read_record(of.out)
    known = before.get("cost", {})
    costs = Costs(dict(known.get("cpu", {})), dict(known.get("clock", {})))
    of.out.mkdir(parents=True, exist_ok=True)
    _keep(of, str(before.get("key", "")), FAILED, costs, reason)
