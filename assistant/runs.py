"""What a training run tells about itself, as JSON lines in `OUT/events.jsonl`.

Training writes these events and everything that shows a run reads them; so the schema lives in
the core and knows no tensor. Times are in this file and nowhere else: every other file of a run
is the same, byte for byte, for the same settings.

    {"type": "run_started", "at": 1760000000.0, "recipe": "nano", "stages": [...], ...}
    {"type": "stage_started", "at": ..., "stage": "base", "resumed_at": 0}
    {"type": "step", "at": ..., "stage": "base", "step": 20, "steps": 400, "metrics": {...}}
    {"type": "stage_finished", "at": ..., "stage": "base", "seconds": 12.3, "outputs": {...}}
    {"type": "run_finished", "at": ..., "seconds": 60.1}
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from assistant.errors import DataProblem

EVENTS_FILE = "events.jsonl"


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins, or goes on."""

    type: ClassVar[str] = "run_started"
    recipe: str
    stages: tuple[str, ...]
    """The stages that are to be looked at, in their order."""
    settings: dict[str, Any]
    resumed: bool


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins; `resumed_at` is the step from which it goes on."""

    type: ClassVar[str] = "stage_started"
    stage: str
    resumed_at: int = 0


@dataclass(frozen=True, slots=True)
class StageSkipped:
    """A stage was finished before, with the same settings and inputs."""

    type: ClassVar[str] = "stage_skipped"
    stage: str


@dataclass(frozen=True, slots=True)
class Step:
    """Some steps of a stage are done."""

    type: ClassVar[str] = "step"
    stage: str
    step: int
    steps: int
    metrics: dict[str, float] = field(default_factory=dict)
    per_second: float = 0.0
    """Units a second since the stage started; `unit` names them."""
    unit: str = "steps"


@dataclass(frozen=True, slots=True)
class StageFinished:
    """A stage is done; `outputs` maps its files to their sha256."""

    type: ClassVar[str] = "stage_finished"
    stage: str
    seconds: float
    outputs: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run ended early, with the reason: interrupted, or an error."""

    type: ClassVar[str] = "run_stopped"
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """Everything that was asked for is done."""

    type: ClassVar[str] = "run_finished"
    seconds: float


RunEvent = (
    RunStarted | StageStarted | StageSkipped | Step | StageFinished | RunStopped | RunFinished
)
_KINDS: dict[str, type[Any]] = {
    kind.type: kind
    for kind in (
        RunStarted, StageStarted, StageSkipped, Step, StageFinished, RunStopped, RunFinished,
    )
}  # fmt: skip


def to_json(event: RunEvent, at: float) -> str:
    """One line for `event`, which happened `at` (seconds since 1970)."""
    return json.dumps({"type": event.type, "at": round(at, 3), **asdict(event)})


def from_json(line: str) -> tuple[float, RunEvent]:
    """The time and the event in one line.

    Raises:
        DataProblem: the line is not an event of a run.
    """
    try:
        row = json.loads(line)
        kind = _KINDS[row.pop("type")]
        at = float(row.pop("at"))
        if "stages" in row:
            row["stages"] = tuple(row["stages"])
        return at, kind(**row)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataProblem(f"this line is not an event of a training run: {line[:80]!r}") from error


def append(folder: Path, event: RunEvent) -> None:
    """Add `event` to the run in `folder`, stamped with the time of now."""
    with (folder / EVENTS_FILE).open("ab+") as file:
        if file.tell():
            file.seek(-1, 2)
            if file.read(1) != b"\n":  # a killed writer left half a line
                file.write(b"\n")
        file.write(to_json(event, time.time()).encode() + b"\n")


def read(folder: Path) -> Iterator[tuple[float, RunEvent]]:
    """The events of the run in `folder`. A line that was cut off by a kill is left out."""
    path = folder / EVENTS_FILE
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(DataProblem):  # cut off by a kill
            yield from_json(line)
