"""An evaluation from samples to figures: what is missing is judged, in parallel, and resumes.

A timeout that others may have caused is not believed (`judging.judge` says which): that sample is
judged once more with nothing beside it, and the second verdict counts. Whatever keeps a sample
from being judged (no sandbox, a judging process that dies) is told apart from a failed sample and
is no verdict.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from assistant.benchmarks import records, samples, summary, truth
from assistant.benchmarks.catalogue import Benchmark
from assistant.benchmarks.data import DataFile
from assistant.benchmarks.judging import Doubt, NotJudged, Work
from assistant.benchmarks.pool import Died, Pool
from assistant.benchmarks.problems import Problem
from assistant.benchmarks.records import Record
from assistant.benchmarks.samples import Sample, SamplesFile
from assistant.benchmarks.worker import Failure, Job, MakeTruth
from assistant.errors import AssistantError

JUDGE_VERSION = 3
"""Of the rules that a verdict depends on; verdicts of different versions are not mixed."""


class Teller(Protocol):
    """Who is told what goes on; `assistant.cli.progress` tells the user."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def begin(self, what: str, total: int, done: int = 0) -> None:
        """Start counting; `done` were there before."""

    def step(self) -> None:
        """One more is done."""

    def tick(self) -> None:
        """Time goes on."""

    def end(self) -> None:
        """Stop counting."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What to evaluate."""

    benchmark: Benchmark
    data: DataFile
    problems: Sequence[Problem]
    """All tasks of the benchmark."""
    limit: int | None
    """Only so many of them, the first."""
    file: SamplesFile
    folder: Path
    identity: dict[str, Any]
    """What `run.json` says."""
    workers: int

    @property
    def chosen(self) -> Sequence[Problem]:
        """The tasks that are asked for."""
        return self.problems[: self.limit]


@dataclass(slots=True)
class _State:
    records: dict[tuple[str, int], Record]
    not_judged: dict[tuple[str, int], NotJudged] = field(default_factory=dict)
    suspects: list[Sample] = field(default_factory=list)
    """Timed out, perhaps because of others."""


def identity_of(benchmark: Benchmark, data: DataFile, source: dict[str, Any]) -> dict[str, Any]:
    """What makes results belong together.

    Args:
        benchmark: what was evaluated.
        data: its file.
        source: of the samples: `samples` (a checksum), `prompt`, `extraction`, and the like.
    """
    return {
        "benchmark": benchmark.name,
        "dataset": benchmark.dataset.name,
        "dataset_sha256": data.sha256,
        "published_data": data.published,
        "judge": JUDGE_VERSION,
        **source,
    }


def evaluate(asked: Evaluation, teller: Teller) -> dict[str, Any]:
    """Judge what is not judged yet and write the summary.

    Args:
        asked: what to evaluate; its folder has been claimed.
        teller: is told what goes on.

    Returns:
        The summary, as it is in the folder.
    """
    wanted = {one.id: one for one in asked.chosen}
    known = {(one.task, one.number): one for one in asked.file.samples if one.task in wanted}
    found = records.read_verdicts(asked.folder)
    state = _State({key: record for key, record in found.items() if key in known})
    structure = _Structure(asked, wanted, known)
    missing = [one for key, one in known.items() if key not in state.records]
    if missing:
        if state.records:
            teller.say(f"{len(state.records)} of {len(known)} samples are judged already.")
        reason = _no_sandbox()
        if reason:
            for one in missing:
                state.not_judged[one.task, one.number] = NotJudged(one.task, one.number, reason)
        else:
            structure.start()
            _judge_missing(asked, wanted, missing, state, len(known), teller)
    order = {task: number for number, task in enumerate(wanted)}
    sorted_records = sorted(state.records.values(), key=lambda r: (order[r.task_id], r.sample))
    # Verdicts beyond a smaller --limit are kept, after the others.
    others = [record for key, record in sorted(found.items()) if key not in state.records]
    records.sort_verdicts(asked.folder, [*sorted_records, *others])
    result = summary.summarise(
        asked.benchmark,
        asked.identity,
        asked.chosen,
        sorted_records,
        [one for one in asked.file.rejected if not one.task or one.task in wanted],
        sorted(state.not_judged.values(), key=lambda one: (order[one.task], one.sample)),
        structure.of(sorted_records),
    )
    records.write_summary(asked.folder, result)
    return result


def _no_sandbox() -> str:
    from assistant.sandbox import layers, unavailable_reason

    return "" if layers() else f"sandbox unavailable: {unavailable_reason()}"


def _judge_missing(
    asked: Evaluation,
    wanted: dict[str, Problem],
    missing: list[Sample],
    state: _State,
    total: int,
    teller: Teller,
) -> None:
    journal = records.Journal(asked.folder)
    try:
        with Pool(min(asked.workers, len(missing)), teller.tick) as pool:
            missing, costs = _with_truth(asked, wanted, missing, state, pool, teller)
            # The long ones first, so that none is left to the end alone.
            missing.sort(key=lambda one: -costs.get(one.task, 0.0))
            teller.begin("samples judged", total, total - len(missing))
            run = _Run(asked, wanted, state, pool, journal, teller)
            run.judge(missing)
            if state.suspects:
                teller.say(f"{len(state.suspects)} timeouts are judged again, each alone.")
                run.judge(state.suspects, alone=True)
    finally:
        teller.end()
        journal.close()


def _with_truth(
    asked: Evaluation,
    wanted: dict[str, Problem],
    missing: list[Sample],
    state: _State,
    pool: Pool,
    teller: Teller,
) -> tuple[list[Sample], dict[str, float]]:
    """Make the ground truth that is not there; the samples that can be judged, and their costs."""
    if not asked.benchmark.plus:
        return missing, {}
    place = truth.folder(asked.data.sha256)
    tasks = {one.task for one in missing}
    paths = {task: truth.path_of(place, wanted[task]) for task in wanted if task in tasks}
    jobs = [
        MakeTruth(wanted[task], path) for task, path in paths.items() if not truth.is_there(path)
    ]
    reasons = _make_truth(jobs, place, pool, teller) if jobs else {}
    for one in missing:
        if one.task in reasons:
            lost = NotJudged(one.task, one.number, reasons[one.task])
            state.not_judged[one.task, one.number] = lost
    costs = {}
    for task, path in paths.items():
        if task not in reasons:
            with truth.Truth(path) as opened:
                costs[task] = opened.seconds
    return [one for one in missing if one.task not in reasons], costs


def _make_truth(jobs: list[MakeTruth], place: Path, pool: Pool, teller: Teller) -> dict[str, str]:
    """Run reference solutions; the tasks where that failed, and why."""
    reasons: dict[str, str] = {}
    teller.say(f"Computing what {len(jobs)} reference solutions give; it is kept in {place}.")
    teller.begin("reference solutions run", len(jobs))

    def done(job: Job, answer: Any) -> None:
        assert isinstance(job, MakeTruth)
        if isinstance(answer, Failure | Died):
            reasons[job.problem.id] = answer.reason
        teller.step()

    pool.run(jobs, done)
    teller.end()
    return reasons


@dataclass(frozen=True, slots=True)
class _Run:
    """Judges samples and keeps the verdicts."""

    asked: Evaluation
    wanted: dict[str, Problem]
    state: _State
    pool: Pool
    journal: records.Journal
    teller: Teller

    def judge(self, todo: Sequence[Sample], *, alone: bool = False) -> None:
        """Judge samples, side by side or one after another with nothing beside them."""
        by_key = {(one.task, one.number): one for one in todo}
        believed = alone or self.asked.workers == 1

        def done(job: Job, answer: Any) -> None:
            assert isinstance(job, Work)
            key = job.task, job.sample
            if isinstance(answer, Died):
                answer = NotJudged(job.task, job.sample, answer.reason)
            if isinstance(answer, NotJudged):
                self.state.not_judged[key] = answer
            elif isinstance(answer, Doubt) and not believed:
                self.state.suspects.append(by_key[key])
                return
            else:
                answer = answer.record if isinstance(answer, Doubt) else answer
                self.journal.add(answer)
                self.state.records[key] = answer
            self.teller.step()

        self.pool.run(_works(self.asked, self.wanted, todo), done, size=1 if alone else 0)


def _works(asked: Evaluation, wanted: dict[str, Problem], todo: Iterable[Sample]) -> Iterator[Work]:
    place = truth.folder(asked.data.sha256)
    with asked.file.path.open("rb") as file:
        for one in todo:
            problem = wanted[one.task]
            yield Work(
                one.task,
                one.number,
                samples.text_of(file, one, problem),
                truth.path_of(place, problem) if problem.inputs else None,
                problem.tests,
                problem.entry_point,
            )


class _Structure:
    """The two structural scores of the first judged sample of each task.

    They are computed while the judging processes judge: mostly every sample comes to a verdict,
    and when one of these does not, they are computed again.
    """

    def __init__(
        self,
        asked: Evaluation,
        wanted: dict[str, Problem],
        known: Iterable[tuple[str, int]],
    ) -> None:
        self._asked, self._wanted = asked, wanted
        self._first = _first(known)
        self._scores: dict[str, Any] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Compute them beside whatever else is done; a failure is found out later, again."""

        def run() -> None:
            with contextlib.suppress(Exception):
                self._scores = _scores(self._asked, self._wanted, self._first)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def of(self, judged: Iterable[Record]) -> dict[str, Any]:
        """The scores, or why there are none."""
        first = _first(record.key for record in judged)
        if not first:
            return {"why": "nothing was judged"}
        if self._thread is not None:
            self._thread.join()
        if first == self._first and self._scores:
            return self._scores
        return _scores(self._asked, self._wanted, first)


def _first(keys: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The lowest sample of each task."""
    first: dict[str, int] = {}
    for task, number in keys:
        first[task] = min(number, first.get(task, number))
    return first


def _scores(asked: Evaluation, wanted: dict[str, Problem], first: dict[str, int]) -> dict[str, Any]:
    try:
        from assistant.benchmarks.codebleu import Pair, score, to_json

        pairs = []
        with asked.file.path.open("rb") as file:
            for one in asked.file.samples:
                if first.get(one.task) == one.number:
                    problem = wanted[one.task]
                    text = samples.text_of(file, one, problem)
                    pairs.append(Pair(one.task, problem.reference, text))
        return to_json(score(pairs, text_rule="whole programs, first sample of a task"))
    except (AssistantError, ImportError) as error:
        return {"why": str(error)}


def exit_code(result: dict[str, Any]) -> int:
    """0: every sample was judged; 3: some could not be."""
    return 3 if result["rejected"] or result["not_judged"] else 0


def default_workers() -> int:
    """The cores that this process may use."""
    import os

    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
