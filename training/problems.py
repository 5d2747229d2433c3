"""Stage `problems`: requests with reference code and tests, one JSON object a line.

`problems.source` says where they come from. The world makes its own (`training.world`); its split
into training, validation and held-out problems goes by the structure of the code, so a held-out
structure never occurs in training. Everything else comes through the funnel of `training.data`.
What happened on the way is in `problems.funnel.json`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from assistant.errors import DataProblem
from training import files
from training.data import decontamination, making, report, sources, taco
from training.data.funnel import Count
from training.data.problem import Problem, read_jsonl, to_json
from training.data.rows import Bad, Row
from training.progress import Progress
from training.stages import Job

PROBLEMS, FUNNEL, VERDICTS = "problems.jsonl", "problems.funnel.json", "problems.verdicts.jsonl"


def make(job: Job) -> None:
    """Write `problems.jsonl` and `problems.funnel.json`."""
    if job.settings.problems.source == "world":
        _from_world(job)
    else:
        _from_data(job)


def read(path: Path, *splits: str) -> Iterator[Problem]:
    """The problems of `path` that belong to one of `splits`; all when none is named."""
    return (p for p in read_jsonl(path) if not splits or p.split in splits)


def _from_world(job: Job) -> None:
    from training.world import generate

    count = job.settings.problems.count
    progress = job.progress(count, "problems")
    with files.replacing(job.path(PROBLEMS)) as path, path.open("w", newline="\n") as out:
        for problem in generate(count, job.settings.seed):
            out.write(to_json(problem) + "\n")
            progress.advance(1)
    progress.close()
    origin = {"source": "world", "seed": job.settings.seed}
    counts = [Count("problems made", count)]
    files.write_json(job.path(FUNNEL), report.record(counts, None, origin, []))


def _from_data(job: Job) -> None:
    settings = job.settings.problems
    opening = job.progress(1, "source")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        opening.say(text)

    opened = sources.source(settings, job.data, say)
    if settings.decontaminate and opened.origin.get("revision"):
        decontamination.fetch(job.data or sources.data_of_environment(), say)
    progress = job.progress(opened.about, "rows")
    watched = sources.Source(_watched(opened.rows, progress), opened.about, opened.origin)
    problems, counts = making.made(settings, watched, job.data, job.path(VERDICTS), say)
    with closing(problems):
        files.write_lines(job.path(PROBLEMS), map(to_json, problems))
    progress.close()
    paper = taco.PAPER if settings.source == taco.NAME else None
    for line in report.lines(counts, paper):
        progress.say(line)
    origin = {"source": settings.source, **opened.origin}
    files.write_json(job.path(FUNNEL), report.record(counts, paper, origin, said))
    if not counts[-1].kept:
        raise DataProblem(
            f"No row of {settings.source} became a problem: {_most_lost(counts)}",
            hint=f"{job.path(FUNNEL)} has the counts of every step.",
        )


def _watched(rows: Iterator[Row | Bad], progress: Progress) -> Iterator[Row | Bad]:
    for row in rows:
        progress.advance(1)
        yield row


def _most_lost(counts: list[Count]) -> str:
    worst = max(counts, key=lambda count: sum(count.dropped.values()))
    lost = sum(worst.dropped.values())
    return f"{lost:,} of {counts[0].kept:,} rows were lost at {worst.name!r}."
