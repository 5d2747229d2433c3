"""Stage `contexts`: what a teacher thinks before it writes the code, for each training problem.

The program's explanations are kept as they come, in `contexts.jsonl.unfinished`: the first line
says for which settings and problems they are, each other line is one. What a model answers is
kept in the teacher's records, which outlive the run. A killed run goes on behind the last whole
line of either. Beside `contexts.jsonl` a model's run writes `contexts.report.json` (what was
asked, accepted, asked again, left out) and `contexts.failed.jsonl` (samples that were not to be
had).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from assistant.errors import DataProblem, TrainingProblem
from assistant.format import Rationale
from training import files, problems
from training.progress import Progress
from training.stages import Job
from training.teachers import ProgramTeacher, asking, estimates, select
from training.teachers.meter import Meter
from training.world import Problem

KEEP_EVERY = 50


def make(job: Job) -> None:
    """Write `contexts.jsonl`: a line for each sample of a problem of training and validation."""
    wanted = list(problems.read(job.path("problems.jsonl"), "train", "validation"))
    if job.settings.contexts.teacher == "program":
        _explain(job, wanted)
    else:
        _ask(job, wanted)


def _explain(job: Job, wanted: list[Problem]) -> None:
    unfinished = job.path("contexts.jsonl.unfinished")
    lines = keep_whole_lines(unfinished, json.dumps({"key": job.key}))
    progress = job.progress(len(wanted), "contexts", len(lines))
    program = ProgramTeacher()
    with unfinished.open("a", encoding="utf-8", newline="\n") as file:
        for number, problem in enumerate(wanted[len(lines) :], start=1):
            lines.append(_line(problem.id, 0, program.context(problem)))
            file.write(lines[-1] + "\n")
            if number % KEEP_EVERY == 0:
                file.flush()
            progress.advance(1)
        file.flush()
        os.fsync(file.fileno())
    files.write_lines(job.path("contexts.jsonl"), lines)
    unfinished.unlink()
    progress.close()


def _ask(job: Job, wanted: list[Problem]) -> None:
    """Ask the teacher of the settings; see `training.teachers.asking`."""
    settings, seed = job.settings.contexts, job.settings.seed
    how, teacher = asking.how_of(settings, seed), asking.teacher_of(settings)
    records = asking.open_records(settings, teacher)
    meter = Meter(estimates.price_of(settings), settings.max_usd)
    failed = job.path("contexts.failed.jsonl")
    work = asking.Work(wanted, settings, how, teacher, records, meter, seed, failed)
    progress = job.progress(len(wanted) * settings.samples, "samples")
    try:
        _announce(work, progress)
        if settings.teacher == asking.BATCH:
            found = asking.ask_by_files(work, job.path("batch"), progress)
        else:
            found = asking.ask_all(work, asking.open_backend(settings, teacher), progress)
    finally:
        records.close()
    chosen = select.choose(found.samples, settings.select)
    _write(job, work, found, chosen)
    if found.samples and not chosen.chosen:
        raise TrainingProblem(
            f"none of {len(found.samples):,} samples is left by contexts.select={settings.select}; "
            f"what came of their code: {job.path('contexts.report.json')}",
            hint="the answers are kept and not asked for again: --set contexts.select=all",
        )
    progress.close(f"{len(chosen.chosen):,} chosen, {len(found.failures):,} failed")


def _announce(work: asking.Work, progress: Progress) -> None:
    """Say what is about to be spent.

    Raises:
        TrainingProblem: a batch would cost more than `max_usd`, which could not be stopped.
    """
    ahead = estimates.estimate(work.settings, work.problems, work.how, work.records, work.teacher)
    for what, value, formula in ahead.formulas:
        progress.say(f"{what}: {value}  = {formula}")
    limit = work.settings.max_usd
    if limit and work.settings.teacher == asking.BATCH and ahead.usd > limit:
        raise TrainingProblem(
            f"this would cost about {ahead.usd:.2f} USD, more than contexts.max_usd={limit:g}",
            hint="raise it, or ask for fewer samples",
        )


def _write(job: Job, work: asking.Work, found: asking.Collected, chosen: select.Selection) -> None:
    """The contexts, the failures and the counts; the same bytes whatever came first."""
    asking.write_failures(work.failures, found.failures)
    report = {
        "teacher": asdict(work.teacher),
        "template": work.how.template.name,
        "shows_solution": work.how.template.shows_solution,
        "select": work.settings.select,
        "samples asked for": len(work.problems) * work.settings.samples,
        "samples failed": len(found.failures),
        **chosen.counts,
        "answers asked for again": dict(sorted(found.rejected.items())),
    }
    files.write_json(job.path("contexts.report.json"), report)
    lines = (_line(one.problem.id, one.sample, one.rationale) for one in chosen.chosen)
    files.write_lines(job.path("contexts.jsonl"), lines)


def _line(id: str, sample: int, rationale: Rationale) -> str:
    return json.dumps({"id": id, "sample": sample, **asdict(rationale)}, ensure_ascii=False)


def keep_whole_lines(path: Path, head: str) -> list[str]:
    """Cut `path` behind its last whole line and return its lines without the first.

    A file whose first line is not `head` belongs to something else and is begun anew.
    """
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    first, *lines = whole.decode("utf-8").split("\n")
    if first != head:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + "\n", encoding="utf-8")
        return []
    with path.open("r+b") as file:
        file.truncate(len(whole))
    return lines[:-1]


def read(path: Path) -> Iterator[tuple[str, Rationale]]:
    """The id of the problem and the reasoning, for each line.

    Raises:
        DataProblem: a line is malformed; the message names it.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = json.loads(line)
                yield (
                    row["id"],
                    Rationale(
                        row["intent"],
                        tuple(row["steps"]),
                        tuple(row["formulas"]),
                        tuple(row["edge_cases"]),
                    ),
                )
            except (ValueError, TypeError, KeyError) as error:
                raise DataProblem(f"{path}:{number}: not a context ({error})") from error


def by_problem(path: Path) -> dict[str, list[Rationale]]:
    """All samples of each problem, in the order of the file.

    A problem may have several, or be missing: its teacher failed, or none was chosen.

    Raises:
        DataProblem: a line is malformed; the message names it.
    """
    found: dict[str, list[Rationale]] = {}
    for id, rationale in read(path):
        found.setdefault(id, []).append(rationale)
    return found
