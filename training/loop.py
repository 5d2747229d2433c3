"""The training loop: steps, metrics, checkpoints, and going on where a run was killed.

All that a step depends on is in the checkpoint (weights, optimizers, random state) or follows
from the number of the step (the data). A checkpoint also says how long the metrics file was, so
that lines behind it are dropped and written again. So a run that was killed anywhere ends with
the same bytes as one that was not.

Several processes do the same steps (`Team`); the first of them writes all files and decides where
the others go on and when they stop.
"""

from __future__ import annotations

import io
import json
import os
import signal
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from assistant import runs
from training import files
from training.progress import Progress
from training.stages import Job, checkpoint_path


class Stateful(Protocol):
    """A model, an optimizer, or anything else with a state to keep."""

    def state_dict(self) -> dict[str, Any]:
        """All of the state."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> Any:
        """Go back to that state."""
        ...


class Values:
    """Plain numbers that a loop carries from step to step."""

    def __init__(self, **values: float) -> None:
        self.now = dict(values)

    def state_dict(self) -> dict[str, Any]:
        """The numbers."""
        return dict(self.now)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replace the numbers."""
        self.now = dict(state)


class Team(Protocol):
    """The processes that do a stage's steps together."""

    @property
    def main(self) -> bool:
        """Whether this is the one that writes."""
        ...

    def agree(self, value: int) -> int:
        """The main process's value, in all of them."""
        ...


@dataclass(frozen=True)
class Alone:
    """A team of one."""

    main: bool = True

    def agree(self, value: int) -> int:
        """`value`."""
        return value


def run_steps(
    job: Job,
    steps: int,
    step: Callable[[int], dict[str, float]],
    state: dict[str, Stateful],
    *,
    every: int,
    units: Callable[[int], int] = lambda _: 1,
    unit: str = "steps",
    team: Team | None = None,
    logs: Sequence[str] = (),
) -> None:
    """Do `step(0)` to `step(steps - 1)`, or those that are left.

    Args:
        job: the stage; `<stage>/metrics.jsonl` gets a line a step.
        steps: how many.
        step: does one and returns what is to be logged, numbers that any run would give.
        state: everything that changes, by name.
        every: steps between two checkpoints.
        units: what a step counts for in the progress display.
        unit: what `units` counts.
        team: the processes that take part; None is this one alone.
        logs: further files that `step` adds to, relative to the run's folder.

    Raises:
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written.
    """
    team = team or Alone()
    metrics = f"{job.stage.name}/metrics.jsonl"
    kept = [metrics, *logs]
    first = _restore(job, state, kept, team)
    if team.main:
        job.event(runs.StageStarted(job.stage.name, first))
    done = sum(units(i) for i in range(first))
    progress = _progress(job, sum(units(i) for i in range(steps)), unit, done, team)
    if first:
        progress.say(f"goes on at step {first} of {steps}")
    path = job.path(metrics) if team.main else Path(os.devnull)
    with _interrupt() as interrupted, path.open("ab") as log:
        for number in range(first, steps):
            values = {"step": number, **step(number)}
            log.write((json.dumps(values) + "\n").encode())
            note = f"loss {values['loss']:.3f}" if "loss" in values else ""
            progress.advance(units(number), note)
            last = number + 1 == steps
            if team.main and ((number + 1) % 20 == 0 or last):
                job.event(runs.Step(job.stage.name, number + 1, steps, values, progress.rate, unit))
            stop = bool(team.agree(len(interrupted)))
            if team.main and ((number + 1) % every == 0 or last or stop):
                log.flush()
                _keep(job, state, number + 1, kept)
            if stop and not last:
                progress.say(
                    f"stopped after step {number + 1} of {steps}; nothing done is lost, go on "
                    f"with the same command, every --set included, and --resume ({job.out})"
                )
                raise KeyboardInterrupt
    progress.close(note if steps > first else "")


def _progress(job: Job, total: int, unit: str, done: int, team: Team) -> Progress:
    """The display; one of several processes shows it."""
    if team.main:
        return job.progress(total, unit, done)
    return Progress(job.stage.name, total, unit, done, io.StringIO())


def _keep(job: Job, state: dict[str, Stateful], steps_done: int, logs: Sequence[str]) -> None:
    in_use: Any = torch.cuda.is_initialized  # torch gives it no type
    content = {
        "key": job.key,
        "step": steps_done,
        "logs": {name: _size(job.path(name)) for name in logs},
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if in_use() else [],
        "state": {name: part.state_dict() for name, part in state.items()},
    }
    with files.replacing(checkpoint_path(job.out, job.stage.name)) as path:
        torch.save(content, path)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _restore(job: Job, state: dict[str, Stateful], logs: Sequence[str], team: Team) -> int:
    """Load the checkpoint when there is one of this very stage; the number of steps done."""
    content = _checkpoint(job, logs) if team.main else {}
    first = team.agree(content.get("step", 0))
    if team.main:
        _cut(job, logs, content)
    if not first:
        return 0
    content = content or _load(job)
    for name, part in state.items():
        part.load_state_dict(content["state"][name])
    torch.set_rng_state(content["random"])
    if content["random_cuda"] and len(content["random_cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(content["random_cuda"])
    return first


def _checkpoint(job: Job, logs: Sequence[str]) -> dict[str, Any]:
    """The checkpoint, or nothing where it is of another stage or its logs are gone."""
    if not checkpoint_path(job.out, job.stage.name).exists():
        return {}
    content = _load(job)
    if content.get("key") != job.key or "logs" not in content:
        _put_aside(job, int(content.get("step", 0)), logs)
        return {}
    there = all(_size(job.path(name)) >= content["logs"].get(name, 0) for name in logs)
    return content if there else {}


def _put_aside(job: Job, step: int, logs: Sequence[str]) -> None:
    """A checkpoint of other settings or inputs is kept, with its logs: it may be hours of work."""
    for path in (checkpoint_path(job.out, job.stage.name), *map(job.path, logs)):
        if path.exists():
            path.replace(path.with_name(f"{path.name}.before"))
    job.progress(1, "stage").say(
        f"the checkpoint at step {step} is of other settings or inputs: it is kept as *.before, "
        "and the stage begins anew"
    )


def _load(job: Job) -> dict[str, Any]:
    path = checkpoint_path(job.out, job.stage.name)
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def _cut(job: Job, logs: Sequence[str], content: dict[str, Any]) -> None:
    """Drop what was written behind the checkpoint; it will be written again."""
    for name in logs:
        path = job.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.truncate(content.get("logs", {}).get(name, 0))


@contextmanager
def _interrupt() -> Iterator[list[int]]:
    """A list that is empty until Ctrl-C; the second Ctrl-C ends the process as usual."""
    pressed: list[int] = []

    def press(number: int, _: types.FrameType | None) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    try:
        before = signal.signal(signal.SIGINT, press)
    except ValueError:  # not the main thread: Ctrl-C arrives elsewhere
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
