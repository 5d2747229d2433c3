"""All problems, all samples: ask a teacher, live or by batch files, and collect what it accepts."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from assistant.errors import EndpointProblem, TrainingProblem, UsageProblem
from training import files
from training.progress import Progress
from training.settings.contexts import Contexts
from training.teachers import batch, local, select
from training.teachers.calls import Answer, Call, Sampling, Teacher, key_of
from training.teachers.dialogue import Asking, Dialogue, Failed, Notes, rationale
from training.teachers.endpoint import Address, Endpoint
from training.teachers.limits import Backoff, Clock, RateLimiter, WallClock
from training.teachers.meter import BudgetReached, Meter
from training.teachers.pool import Patience, Pool, drive, each
from training.teachers.prompts import template
from training.teachers.protocol import Backend
from training.teachers.records import Records, default_path, first_path
from training.world import Problem

BATCH = "batch"


@dataclass(frozen=True)
class Failure:
    """A sample that was not to be had, and why."""

    id: str
    sample: int
    reason: str


@dataclass
class Collected:
    """What came of asking; lists are in the order of problems and samples."""

    samples: list[select.Sample] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    """Reasons for answers that were asked for again."""


def how_of(settings: Contexts, seed: int) -> Asking:
    """The template and the sampling that the settings describe.

    Raises:
        UsageProblem: there is no such template or selection, or a number makes no sense.
    """
    select.check_way(settings.select)
    for name in ("samples", "attempts", "concurrency", "max_tokens"):
        if getattr(settings, name) < 1:
            raise UsageProblem(f"contexts.{name}={getattr(settings, name)}: 1 is the least")
    stop = local.STOP if settings.teacher.startswith(local.PREFIX) else ()
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_tokens, seed, stop)
    return Asking(template(settings.template), sampling, settings.attempts)


def teacher_of(settings: Contexts) -> Teacher:
    """Who is asked.

    Raises:
        UsageProblem: it is none, or an endpoint's model is not said.
        ModelProblem: there is no such file.
    """
    if settings.teacher.startswith(local.PREFIX):
        return local.teacher(settings.teacher.removeprefix(local.PREFIX))
    if settings.teacher != BATCH and not settings.teacher.startswith(("http://", "https://")):
        raise UsageProblem(
            f"there is no teacher {settings.teacher!r}",
            hint="use `program`, `batch`, `local:MODEL`, or the URL of an endpoint such as "
            "http://localhost:8000/v1",
        )
    if not settings.teacher_model:
        raise UsageProblem(
            f"contexts.teacher={settings.teacher} needs the model's name",
            hint="--set contexts.teacher_model=NAME; a server lists its models under /v1/models",
        )
    return Teacher(settings.teacher_model, settings.teacher_revision)


def open_records(settings: Contexts, teacher: Teacher) -> Records:
    """The file of this teacher's answers, with those that version 1 kept."""
    path = Path(settings.records) if settings.records else default_path(teacher)
    return Records(path, older=(first_path(settings.teacher, teacher.model),))


def open_backend(settings: Contexts, teacher: Teacher) -> Backend:
    """The way to a teacher that answers at once."""
    if settings.teacher.startswith(local.PREFIX):
        return local.Local(settings.teacher.removeprefix(local.PREFIX))
    address = Address(
        settings.teacher,
        settings.teacher_answers_as,
        settings.timeout,
        settings.stream,
        settings.concurrency,
    )
    return Endpoint(address, teacher)


@dataclass(frozen=True)
class Work:
    """Everything that asking needs, besides the way to the teacher."""

    problems: Sequence[Problem]
    settings: Contexts
    how: Asking
    teacher: Teacher
    records: Records
    meter: Meter
    seed: int = 0
    failures: Path | None = None
    """Where failed samples are listed, also when there are too many."""

    def dialogue(self, problem: Problem, sample: int, notes: Notes) -> Dialogue[select.Sample]:
        """The way to one sample, with its code where the selection needs it."""
        reasoning = yield from rationale(problem, sample, self.how, notes)
        done = select.Sample(problem, sample, reasoning)
        if self.settings.select != "passing":
            return done
        try:
            code = yield from select.solution(done, self.how, notes)
        except Failed:
            # Counted with the verdicts, as not checked: the reasoning itself was accepted.
            return done
        return replace(done, code=code)

    def places(self) -> Iterator[tuple[int, Problem, int]]:
        """(place in the result, problem, sample) of everything that is wanted."""
        count = self.settings.samples
        for number, problem in enumerate(self.problems):
            for sample in range(count):
                yield number * count + sample, problem, sample

    @property
    def most_failures(self) -> int:
        """Failed samples that are borne."""
        return int(self.settings.max_failed_share * len(self.problems) * self.settings.samples)


def write_failures(path: Path | None, failures: Sequence[Failure]) -> None:
    """List them in a file; without any the file goes."""
    if path is not None and failures:
        files.write_lines(path, (json.dumps(asdict(failure)) for failure in failures))
    elif path is not None:
        path.unlink(missing_ok=True)


@dataclass
class _Results:
    work: Work
    found: dict[int, select.Sample | Failure] = field(default_factory=dict)
    notes: dict[int, Notes] = field(default_factory=dict)
    failed: int = 0

    def fail(self, place: int, failure: Failure) -> None:
        """Note a failure.

        Raises:
            EndpointProblem: there are too many by now.
        """
        self.found[place] = failure
        self.failed += 1
        if self.failed > self.work.most_failures:
            write_failures(self.work.failures, self.collected().failures)
            raise EndpointProblem(
                f"{self.failed} samples failed, more than contexts.max_failed_share="
                f"{self.work.settings.max_failed_share:g} allows; the last is sample "
                f"{failure.sample} of problem {failure.id}: {failure.reason}",
                hint="try a larger model, a larger contexts.max_tokens, or a larger share; what "
                "was answered is kept",
            )

    def collected(self) -> Collected:
        """In order, whatever the order in which it came."""
        result = Collected()
        for place in sorted(self.found):
            match self.found[place]:
                case Failure() as failure:
                    result.failures.append(failure)
                case sample:
                    result.samples.append(sample)
        for place in sorted(self.notes):
            result.rejected.update(self.notes[place].rejected)
        return result


def ask_all(
    work: Work, backend: Backend, progress: Progress, clock: Clock | None = None
) -> Collected:
    """Ask a teacher that answers at once, many at a time. Finished answers are on the disk.

    Raises:
        EndpointProblem: it can not be asked, or fails too often.
        TrainingProblem: the next call could cost more than `max_usd` leaves.
        KeyboardInterrupt: and nothing that is finished is lost.
    """
    return asyncio.run(_ask_all(work, backend, progress, clock or WallClock()))


async def _ask_all(work: Work, backend: Backend, progress: Progress, clock: Clock) -> Collected:
    settings = work.settings
    pool = Pool(
        backend,
        work.teacher,
        work.records,
        meter=work.meter,
        limiter=RateLimiter(settings.requests_per_minute, settings.tokens_per_minute, clock),
        backoff=Backoff(seed=work.seed),
        patience=Patience(busy_minutes=settings.busy_minutes, away_minutes=settings.away_minutes),
        clock=clock,
        say=progress.say,
    )
    results = _Results(work)
    unpaid = 0

    async def one(item: tuple[int, Problem, int]) -> None:
        nonlocal unpaid
        place, problem, sample = item
        notes = results.notes[place] = Notes()
        try:
            results.found[place] = await drive(work.dialogue(problem, sample, notes), pool.answer)
        except BudgetReached:
            unpaid += 1
        except Failed as failed:
            results.fail(place, Failure(problem.id, sample, str(failed)))
        progress.advance(1, _spent(work.meter))

    at_once = settings.concurrency
    if settings.teacher.startswith(local.PREFIX):
        at_once = min(at_once, local.AT_ONCE)
    try:
        await each(work.places(), one, at_once)
    finally:
        await backend.aclose()
    if unpaid:
        raise TrainingProblem(
            f"contexts.max_usd={settings.max_usd:g} is reached: {work.meter.usd:.2f} USD are "
            f"spent and {unpaid:,} samples are missing",
            hint="what was answered is kept; go on with a larger contexts.max_usd and --resume",
        )
    return results.collected()


def _spent(meter: Meter) -> str:
    tokens = f"{meter.completion_tokens:,} tokens"
    return f"{tokens}, {meter.usd:.2f} USD" if meter.usd else tokens


def ask_by_files(work: Work, folder: Path, progress: Progress) -> Collected:
    """Ask by batch files: take in the results that are there, then finish or write what is left.

    Raises:
        TrainingProblem: calls are left; the message names their file and what to do with it.
        EndpointProblem: another model answered, or too many samples failed.
    """
    rounds = batch.Rounds(folder)
    names = {work.teacher.model, work.settings.teacher_answers_as or work.teacher.model}
    for path in rounds.results():
        calls = {key_of(call, work.teacher): call for call in _replay_all(work)[1]}
        took = batch.read(path, calls, work.teacher, names, work.records)
        progress.say(f"{path.name}: {took.kept:,} new answers, {took.known:,} known ones")
        for reason, count in sorted(took.failed.items(), key=lambda pair: -pair[1])[:5]:
            progress.say(f"{path.name}: {count:,} without an answer: {reason}")
    results, pending = _replay_all(work)
    if pending:
        raise batch.hand_over(rounds, pending, work.teacher)
    collected = results.collected()
    progress.advance(len(collected.samples) + len(collected.failures))
    return collected


def _replay_all(work: Work) -> tuple[_Results, list[Call]]:
    """As far as the records go: results, and the calls that are to be made next."""
    results, pending = _Results(work), []
    work.meter.prompt_tokens = work.meter.completion_tokens = work.meter.calls = 0
    for place, problem, sample in work.places():
        notes = results.notes[place] = Notes()
        try:
            call, done = batch.replay(
                _counted(work.dialogue(problem, sample, notes), work.meter),
                work.records,
                work.teacher,
            )
        except Failed as failed:
            results.fail(place, Failure(problem.id, sample, str(failed)))
            continue
        if call is not None:
            pending.append(call)
        elif done is not None:
            results.found[place] = done
    return results, pending


def _counted(dialogue: Dialogue[select.Sample], meter: Meter) -> Dialogue[select.Sample]:
    """The same dialogue; answers that go through it are counted."""
    call = next(dialogue)
    while True:
        answer: Answer = yield call
        meter.count(answer.prompt_tokens, answer.completion_tokens)
        try:
            call = dialogue.send(answer)
        except StopIteration as end:
            done: select.Sample = end.value
            return done
