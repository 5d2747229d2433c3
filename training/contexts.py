"""Stage `contexts`: what a teacher thinks before it writes the code, for each training problem.

A slow teacher's answers are kept as they come, in `contexts.jsonl.unfinished`: the first line
says for which settings and problems they are, each other line is one answer. A killed run goes
on behind the last whole line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from assistant.errors import DataProblem
from assistant.format import Rationale
from training import files, problems
from training.stages import Job
from training.teachers import teacher

KEEP_EVERY = 50


def make(job: Job) -> None:
    """Write `contexts.jsonl`: a line for each problem of training and validation."""
    wanted = list(problems.read(job.path("problems.jsonl"), "train", "validation"))
    unfinished = job.path("contexts.jsonl.unfinished")
    lines = keep_whole_lines(unfinished, json.dumps({"key": job.key}))
    progress = job.progress(len(wanted), "contexts", len(lines))
    asked = teacher(job.settings.contexts.teacher, job.settings.contexts.teacher_model)
    with unfinished.open("a", encoding="utf-8", newline="\n") as file:
        for number, problem in enumerate(wanted[len(lines) :], start=1):
            row = {"id": problem.id, **asdict(asked.context(problem))}
            lines.append(json.dumps(row, ensure_ascii=False))
            file.write(lines[-1] + "\n")
            if number % KEEP_EVERY == 0:
                file.flush()
            progress.advance(1)
        file.flush()
        os.fsync(file.fileno())
    files.write_lines(job.path("contexts.jsonl"), lines)
    unfinished.unlink()
    progress.close()


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
