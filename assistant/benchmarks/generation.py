"""Asking a model for samples: one prompt for all models, answers kept as they come.

A task is one message, the request as a user writes it (`assistant.tasks`): a stub to implement, or
a description with one of its asserts. Every model gets this message and nothing else, the models
trained here, too: no instruction how to answer, and no beginning of the answer, which `ask` gives
to the ones and the others. How the answer becomes a program is `extraction`'s affair.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from assistant.benchmarks import extraction
from assistant.benchmarks.problems import Problem
from assistant.errors import DaemonProblem, RequestProblem, StateProblem

if TYPE_CHECKING:
    from assistant.benchmarks.evaluation import Teller
    from assistant.client.connection import Connection
    from assistant.config import Resolved
    from assistant.tasks import Task

PROMPT = "request-alone-1"
"""In every summary; only runs with the same prompt are compared."""
_EDGE = 1 << 20
_REFUSED = "refused: "
"""Begins the end of an answer that the model could not give, its request being too long."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and how."""

    resolved: Resolved
    name: str
    """Of the model, for people."""
    identity: dict[str, Any]
    """For `run.json`."""
    per_task: int
    temperature: float


def prepare(model: str | None, per_task: int, temperature: float) -> Asking:
    """Find the model; nothing is asked yet.

    Raises:
        AssistantError: the settings or the model can not be used.
    """
    from assistant import config
    from assistant.models import store

    resolved = config.load({"model": model})
    settings = resolved.settings
    if settings.endpoint.url:
        # Which model a server has that is not asked for one by name, it tells only when asked.
        name = model or settings.endpoint.model or urlsplit(settings.endpoint.url).netloc
        told: dict[str, Any] = {"model": name, "endpoint": settings.endpoint.url}
    else:
        chosen = store.choose(settings.model)
        path, adapter = chosen.path, chosen.adapter
        name = path.stem if adapter is None else f"{path.stem}+{adapter.stem}"
        told = {"model": name, "model_sha256": _edges(path), "model_bytes": path.stat().st_size}
        if adapter is not None:
            told |= {"adapter_sha256": _edges(adapter), "adapter_bytes": adapter.stat().st_size}
    return Asking(
        resolved,
        name,
        {
            **told,
            "prompt": PROMPT,
            "extraction": extraction.NAME,
            "samples_per_task": per_task,
            "temperature": temperature,
            "max_tokens": settings.ask.max_tokens,
        },
        per_task,
        temperature,
    )


def _edges(path: Path) -> str:
    """A checksum of a model's first and last MiB: the whole may have many GB."""
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_EDGE))
        file.seek(max(0, path.stat().st_size - _EDGE))
        digest.update(file.read())
    return digest.hexdigest()


def digest(identity: dict[str, Any]) -> str:
    """A short name for a run that no other run has."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def task_of(problem: Problem) -> Task:
    """The request for a problem."""
    from assistant.tasks import Task, TaskKind

    if problem.text:
        return Task(problem.text)
    return Task(problem.prompt, TaskKind.IMPLEMENT)


def generate(asking: Asking, problems: Sequence[Problem], path: Path, teller: Teller) -> None:
    """Write what is missing in a samples file; each answer is on disk before the next is asked for.

    Raises:
        AssistantError: the model can not be reached, or the file not be written.
    """
    there = _there(path)
    missing = [
        (problem, number)
        for number in range(asking.per_task)
        for problem in problems
        if (problem.id, number) not in there
    ]
    if not missing:
        return
    total = len(problems) * asking.per_task
    teller.begin(f"answers from {asking.name}", total, total - len(missing))
    try:
        asyncio.run(_ask_all(asking, missing, path, teller))
    finally:
        teller.end()


def _there(path: Path) -> set[tuple[str, int]]:
    """The answers of an earlier run; what it left of its last line is cut off."""
    try:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            with path.open("r+b") as file:
                file.truncate(whole)
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StateProblem(f"{path} can not be continued: {error.strerror or error}.") from error
    return {_key(path, number, line) for number, line in enumerate(content[:whole].splitlines(), 1)}


def _key(path: Path, number: int, line: bytes) -> tuple[str, int]:
    try:
        row = json.loads(line)
        # All that is read of it later, too.
        _ = row["end"] + row["extracted"]
        return row["task_id"], row["sample"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StateProblem(
            f"{path}:{number}: not an answer that was written here "
            f"({type(error).__name__}: {error}).",
            hint="Remove that line: the task is asked again. Or name another folder with --out.",
        ) from error


def remarks(path: Path) -> list[str]:
    """What is odd about the answers in a samples file that `generate` wrote, as sentences.

    All of them count as what they are: a program that is empty or cut off, which fails.
    """
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    told = [
        f"{row['task_id']}: no answer ({row['end'].removeprefix(_REFUSED)})"
        for row in rows
        if row["end"].startswith(_REFUSED)
    ]
    for count, what in (
        (sum(row["end"] == "length" for row in rows), "were cut off at ask.max_tokens"),
        (sum(row["extracted"] == "none" for row in rows), "hold no code"),
    ):
        if count:
            told.append(f"{count} of {len(rows)} answers {what}.")
    return told


async def _ask_all(
    asking: Asking, missing: list[tuple[Problem, int]], path: Path, teller: Teller
) -> None:
    from assistant.connecting import open_connection

    connection = await open_connection(asking.resolved)
    try:
        with path.open("ab") as file:
            for problem, number in missing:
                answer, end = await _ask(asking, connection, problem, number)
                found = extraction.extract(answer, problem)
                row = {
                    "task_id": problem.id,
                    "sample": number,
                    "solution": found.program,
                    "extracted": found.how,
                    "end": end,
                    "answer": answer,
                }
                file.write((json.dumps(row) + "\n").encode())
                file.flush()
                teller.step()
    except OSError as error:
        raise StateProblem(f"{path} can not be written: {error.strerror or error}.") from error
    finally:
        await connection.aclose()


async def _ask(
    asking: Asking, connection: Connection, problem: Problem, number: int
) -> tuple[str, str]:
    """One answer and how it ended; a request that can not be served has no answer."""
    from assistant.client import ChatRequest, Delta, Finished
    from assistant.tasks import messages

    request = ChatRequest(
        # For a model from elsewhere, too: an instruction would make another prompt of it.
        messages=messages(task_of(problem), trained_format=True),
        max_tokens=asking.resolved.settings.ask.max_tokens,
        temperature=asking.temperature,
        seed=number if asking.temperature else None,
        # Nobody waits for one answer of hundreds.
        priority="background",
    )
    pieces: list[str] = []
    end = "unknown"
    try:
        async with aclosing(connection.stream_chat(request)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Delta) and chunk.channel != "reasoning":
                    pieces.append(chunk.text)
                elif isinstance(chunk, Finished):
                    end = chunk.reason
    except RequestProblem as problem_:
        return "", _REFUSED + problem_.message
    if end == "cancelled":
        raise DaemonProblem(
            f"The answer to {problem.id} was cancelled: the engine is being stopped.",
            hint="Run the same command again.",
        )
    return "".join(pieces), end
