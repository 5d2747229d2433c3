"""A teacher's server, and asking it with few words."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.teacher_server import TeacherServer, a_problem
from training.progress import Progress
from training.settings import Contexts
from training.teachers import asking, estimates
from training.teachers.meter import Meter
from training.world import Problem


class VirtualClock:
    """Passes only when it is waited on."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        await asyncio.sleep(0)


@dataclass
class Asker:
    """Asks the server about problems, as the stage does, in no time."""

    server: TeacherServer
    folder: Path
    clock: VirtualClock = field(default_factory=VirtualClock)
    said: io.StringIO = field(default_factory=io.StringIO)
    meter: Meter = field(default_factory=Meter)

    def settings(self, **more: Any) -> Contexts:
        given = {
            "teacher": self.server.url,
            "teacher_model": "big",
            "records": str(self.folder / "records.jsonl"),
            "concurrency": 1,
            "max_failed_share": 0.0,
        }
        return Contexts(**{**given, **more})

    def work(self, problems: list[Problem], records: Any, settings: Contexts) -> asking.Work:
        self.meter = Meter(estimates.price_of(settings), settings.max_usd)
        how, teacher = asking.how_of(settings, 1), asking.teacher_of(settings)
        return asking.Work(problems, settings, how, teacher, records, self.meter, 1)

    def __call__(self, problems: list[Problem] | int = 1, **more: Any) -> asking.Collected:
        if isinstance(problems, int):
            problems = [a_problem(n) for n in range(problems)]
        settings = self.settings(**more)
        teacher = asking.teacher_of(settings)
        records = asking.open_records(settings, teacher)
        try:
            work = self.work(problems, records, settings)
            progress = Progress("contexts", len(problems), "samples", stream=self.said)
            if settings.teacher == asking.BATCH:
                return asking.ask_by_files(work, self.folder / "batch", progress)
            backend = asking.open_backend(settings, teacher)
            return asking.ask_all(work, backend, progress, self.clock)
        finally:
            records.close()


@pytest.fixture
def server() -> Iterator[TeacherServer]:
    with TeacherServer() as one:
        yield one


@pytest.fixture
def ask(server: TeacherServer, tmp_path: Path) -> Callable[..., asking.Collected]:
    return Asker(server, tmp_path)
