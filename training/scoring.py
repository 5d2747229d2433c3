"""Public benchmarks in the stage `evaluate`: HumanEval, MBPP and their extended forms.

The numbers are those of `assistant eval`: its tasks, its one message for each, its rule for what
of an answer is the program, its judging, its figures; only the model is in this process instead
of the daemon's. The folder `evaluation/NAME/` of the run is one of `assistant eval`, so that
`assistant eval-compare` reads it; what is answered and judged there is not done again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from assistant.benchmarks import (
    catalogue,
    data,
    evaluation,
    extraction,
    generation,
    lock,
    problems,
    records,
    samples,
)
from assistant.benchmarks.catalogue import Benchmark
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.records import Record
from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, Finished, Limits, Message, Text
from assistant.errors import DataProblem, RequestProblem
from assistant.format import parse
from assistant.tasks import messages
from training import files
from training.answers import Answer
from training.progress import Progress
from training.stages import Job

FOLDER = "evaluation"
_INSTRUCTED = "four-sections-1"
"""Name of the prompt that asks for reasoning; the other one is `generation.PROMPT`."""


def named(text: str) -> list[Benchmark]:
    """The benchmarks that a setting names.

    Raises:
        UsageProblem: there is none of a name.
    """
    return [catalogue.find(name.strip()) for name in text.split(",") if name.strip()]


def score(job: Job, engine: Engine, benchmark: Benchmark) -> dict[str, Any]:
    """Answer and judge one benchmark; what `evaluation.json` says of it.

    A benchmark without its data is not run, and the report says why.

    Args:
        job: the stage.
        engine: has the model.
        benchmark: which.
    """
    watch = _Teller(job, benchmark.name)
    try:
        file = data.load(benchmark.dataset, job.data, say=watch.say)
        tasks = problems.read(benchmark, file)
    except DataProblem as problem:
        watch.say(f"not run: {problem}")
        again = f"assistant train {job.recipe} --out DIR --stage evaluate --data PATH"
        return {"not_run": problem.message, "run_it": again}
    chosen = tasks[: job.settings.evaluate.limit or None]
    identity = evaluation.identity_of(benchmark, file, _identity(job))
    folder = job.path(f"{FOLDER}/{benchmark.name}")
    _forget_others(folder, identity)
    with lock.held(folder):
        records.claim(folder, identity)
        rows = answer(job, engine, chosen, folder / records.SAMPLES)
        found = samples.read(folder / records.SAMPLES, {task.id: task for task in tasks})
        asked = evaluation.Evaluation(
            benchmark, file, tasks, job.settings.evaluate.limit or None, found, folder, identity,
            job.settings.evaluate.workers,
        )  # fmt: skip
        result = evaluation.evaluate(asked, watch)
        verdicts = records.read_verdicts(folder)
    return report(job, benchmark, result, _answers(chosen, rows, verdicts))


def _identity(job: Job) -> dict[str, Any]:
    """Whose answers they are, and how they were asked for: others are not mixed with them."""
    model = job.path("model.gguf")
    return {
        "model": job.settings.export.name,
        "model_sha256": files.digest(model),
        "model_bytes": model.stat().st_size,
        "prompt": generation.PROMPT if not _instructed(job) else _INSTRUCTED,
        "extraction": extraction.NAME,
        "samples_per_task": 1,
        "temperature": 0.0,
        "max_tokens": job.settings.evaluate.max_new_tokens,
    }


def _instructed(job: Job) -> bool:
    """Whether the model is told to reason; one that was tuned needs no telling."""
    return job.settings.chain == "untrained" and job.settings.evaluate.prompt == "reasoning"


def _forget_others(folder: Path, identity: dict[str, Any]) -> None:
    """Results of another model or other settings, which an earlier run left in the folder."""
    try:
        same = records.read_run(folder) == {"format": records.FORMAT, **identity}
    except DataProblem:
        same = False
    if not same and folder.exists():
        shutil.rmtree(folder)


def answer(job: Job, engine: Engine, tasks: Sequence[Problem], path: Path) -> list[dict[str, Any]]:
    """Ask for what is missing in a samples file, greedily; each answer is kept as it comes.

    Args:
        job: the stage.
        engine: has the model.
        tasks: of the benchmark.
        path: `samples.jsonl`, as `assistant eval` writes it.

    Returns:
        Its lines.
    """
    rows = _whole_lines(path)
    there = {row["task_id"] for row in rows}
    missing = [task for task in tasks if task.id not in there]
    progress = job.progress(len(tasks), "answers", len(tasks) - len(missing))
    with path.open("ab") as file:
        for task in missing:
            text, end = ask(engine, task, job)
            program = extraction.extract(text, task)
            row = {
                "task_id": task.id, "sample": 0, "solution": program.program,
                "extracted": program.how, "end": end, "answer": text,
            }  # fmt: skip
            file.write((json.dumps(row) + "\n").encode())
            file.flush()
            rows.append(row)
            progress.advance(1)
    if missing:
        progress.close()
    return rows


def ask(engine: Engine, task: Problem, job: Job) -> tuple[str, str]:
    """One answer and how it ended; a request that does not fit has none."""
    told = messages(generation.task_of(task), trained_format=not _instructed(job))
    limits = Limits(max_tokens=job.settings.evaluate.max_new_tokens)
    try:
        request = engine.prepare_chat(
            [Message(m["role"], m["content"]) for m in told], None, limits
        )
    except RequestProblem as problem:
        return "", f"refused: {problem.message}"
    pieces, end = [request.thinking], "unknown"
    for output in engine.generate(request, CancelToken()):
        if isinstance(output, Text):
            pieces.append(output.text)
        elif isinstance(output, Finished):
            end = output.reason.value
    return "".join(pieces), end


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The answers of an earlier run; what it left of its last line is cut off."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) != len(content):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    return [json.loads(line) for line in whole.splitlines()]


def _answers(
    tasks: Sequence[Problem],
    rows: Sequence[dict[str, Any]],
    verdicts: dict[tuple[str, int], Record],
) -> list[Answer]:
    """Question, answer and what came of it, for those that have a verdict."""
    by_task = {row["task_id"]: row for row in rows}
    found = []
    for task in tasks:
        row, record = by_task[task.id], verdicts.get((task.id, 0))
        if record is not None:
            complete = parse(row["answer"]).complete
            question = task.text or task.prompt
            found.append(
                Answer(task.id, question, row["answer"], complete, record.outcome, record.where)
            )
    return found


def report(
    job: Job, benchmark: Benchmark, result: dict[str, Any], answers: Sequence[Answer]
) -> dict[str, Any]:
    """One benchmark in `evaluation.json`, from the summary of `assistant eval`.

    `pass@1` is of all inputs: of a benchmark with extended ones it counts what passes both, and
    `base` has the figures of the original ones alone.
    """
    lost = [one["reason"] for one in result["not_judged"]]
    if not result["base"]["tasks"]:
        return {"not_run": f"no answer could be judged: {lost[0] if lost else 'there are none'}"}
    whole = result["plus"] if benchmark.plus else result["base"]
    failed = (answer for answer in answers if answer.outcome != records.PASS)
    shown = job.settings.evaluate.examples
    return {
        "problems": whole["tasks"],
        **_figures(whole),
        **({"base": _figures(result["base"])} if benchmark.plus else {}),
        "structure": result["structure"],
        "outcomes": result["outcomes"],
        "format_not_followed": sum(not answer.complete for answer in answers),
        "not_judged": lost,
        "not_used": [one["reason"] for one in result["rejected"]],
        "prompt": result["prompt"],
        "published_data": result["published_data"],
        "dataset": result["dataset"],
        "verdicts": f"{FOLDER}/{benchmark.name}/{records.VERDICTS}",
        "examples": {
            "first": [asdict(answer) for answer in answers[:shown]],
            "first_failed": [asdict(answer) for answer in islice(failed, shown)],
        },
    }


def _figures(part: dict[str, Any]) -> dict[str, Any]:
    found = part["pass@1"]
    return {
        "passed": part["passed"],
        "pass@1": found["value"],
        "interval95": [found["low"], found["high"]],
    }


class _Teller:
    """Tells the stage's progress what an evaluation says of itself."""

    def __init__(self, job: Job, name: str) -> None:
        self._job, self._name = job, name
        self._progress: Progress | None = None

    def say(self, text: str) -> None:
        """A line that stays."""
        self._job.progress(1, "benchmark").say(f"{self._name}: {text}")

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """Start counting."""
        self._progress = self._job.progress(total, what, done)

    def step(self) -> None:
        """One more is done."""
        if self._progress is not None:
            self._progress.advance(1)

    def tick(self) -> None:
        """Time goes on."""
        if self._progress is not None:
            self._progress.advance(0)

    def end(self) -> None:
        """Stop counting."""
        self._progress = None
