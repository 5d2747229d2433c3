"""Batch files: the calls go out as one file, the answers come in as another.

`vllm run-batch` and the batch interfaces of services read and write the same lines:

    {"custom_id": KEY, "method": "POST", "url": "/v1/chat/completions", "body": {...}}
    {"custom_id": KEY, "response": {"status_code": 200, "body": {...}}, "error": null}

A call whose prompt depends on an answer (an agent's, or the repeat of one that broke the form)
goes out in the next round: `requests-2.jsonl`, and so on until nothing is left to ask.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from assistant.errors import TrainingProblem
from training import files
from training.teachers.calls import Answer, Call, Teacher, body_of, key_of
from training.teachers.dialogue import Dialogue
from training.teachers.endpoint import read_body
from training.teachers.protocol import Broken
from training.teachers.records import Records

ROUTE = "/v1/chat/completions"
Result = TypeVar("Result")


@dataclass
class Imported:
    """What a file of results held."""

    kept: int = 0
    known: int = 0
    """Answers that were on record before, or to calls that nobody asks any more."""
    failed: dict[str, int] = field(default_factory=dict)
    """Reasons of lines without a usable answer, with how often each occurred."""


def replay(
    dialogue: Dialogue[Result], records: Records, teacher: Teacher
) -> tuple[Call | None, Result | None]:
    """Lead a dialogue as far as records go: the first call without one, or the result.

    An answer that was cut off counts as an attempt here: the same call would end the same way.

    Raises:
        Failed: nothing was accepted.
    """
    try:
        call = next(dialogue)
        while True:
            answer = records.get(call, teacher) or records.cut_off(call, teacher)
            if answer is None:
                dialogue.close()
                return call, None
            call = dialogue.send(answer)
    except StopIteration as end:
        return None, end.value


def write(path: Path, calls: Iterable[Call], teacher: Teacher) -> int:
    """Write a file of requests; returns how many."""
    return files.write_lines(
        path,
        (
            json.dumps(
                {
                    "custom_id": key_of(call, teacher),
                    "method": "POST",
                    "url": ROUTE,
                    "body": body_of(call, teacher.model),
                },
                ensure_ascii=False,
            )
            for call in calls
        ),
    )


def read(
    path: Path, calls: Mapping[str, Call], teacher: Teacher, names: set[str], records: Records
) -> Imported:
    """Take the answers of a results file into the records. Lines may be in any order.

    Args:
        path: the file.
        calls: those that wait for an answer, by their keys.
        teacher: whose answers they are.
        names: under which the model may answer.
        records: where they are kept.

    Raises:
        EndpointProblem: another model answered; what came before that line is kept.
    """
    found = Imported()
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                call = calls.get(row["custom_id"])
                if call is None or _known(call, teacher, records):
                    found.known += 1
                    continue
                answer = _answer(row, call, names)
            except (ValueError, KeyError, TypeError, AttributeError, Broken) as error:
                reason = str(error)[:200] if isinstance(error, Broken) else "not a line of results"
                found.failed[reason] = found.failed.get(reason, 0) + 1
                continue
            records.put(call, teacher, answer)
            found.kept += 1
    return found


def _known(call: Call, teacher: Teacher, records: Records) -> bool:
    return (records.get(call, teacher) or records.cut_off(call, teacher)) is not None


def _answer(row: dict[str, Any], call: Call, names: set[str]) -> Answer:
    response = row.get("response") or {}
    if row.get("error") or response.get("status_code") != 200:
        said = row.get("error") or response.get("body") or response
        raise Broken(f"the server says: {json.dumps(said)[:200]}")
    return read_body(response["body"], call, names)


class Rounds:
    """The files of a run: `requests-N.jsonl` written here, `results-N.jsonl` put beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def results(self) -> list[Path]:
        """Files of results that are there, in their order."""
        found = self.folder.glob("results-*.jsonl")
        return sorted(found, key=lambda path: [int(n) for n in re.findall(r"\d+", path.stem)])

    def next(self) -> tuple[Path, Path]:
        """Where the next requests go, and where their results are expected."""
        done = [int(m[1]) for p in self.results() if (m := re.search(r"-(\d+)$", p.stem))]
        number = max(done, default=0) + 1
        names = (f"requests-{number}.jsonl", f"results-{number}.jsonl")
        return self.folder / names[0], self.folder / names[1]


def hand_over(rounds: Rounds, calls: list[Call], teacher: Teacher) -> TrainingProblem:
    """Write the next requests; the message that says what to do with them."""
    requests, results = rounds.next()
    count = write(requests, calls, teacher)
    return TrainingProblem(
        f"{count:,} calls for {teacher.model} are written to {requests}; their results are "
        f"awaited in {results}",
        hint=f"run: vllm run-batch -i {requests} -o {results} --model {teacher.model}\n"
        "then the same command with --resume",
    )
