"""The training loop: steps, metrics, checkpoints, and going on where a run was killed.

All that a step depends on is in the checkpoint (weights, optimizers, random state) or follows
from the number of the step (the data). A checkpoint also says how long the metrics file was, so
that lines behind it are dropped and written again. So a run that was killed anywhere ends with
the same bytes as one that was not.
"""

from __future__ import annotations

import json
import signal
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch

from assistant import runs
from training import files
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


def run_steps(
    job: Job,
    steps: int,
    step: Callable[[int], dict[str, float]],
    state: dict[str, Stateful],
    *,
    every: int,
    units: Callable[[int], int] = lambda _: 1,
    unit: str = "steps",
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

    Raises:
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written.
    """
    metrics = job.path(f"{job.stage.name}/metrics.jsonl")
    first = _restore(job, state, metrics)
    job.event(runs.StageStarted(job.stage.name, first))
    done = sum(units(i) for i in range(first))
    progress = job.progress(sum(units(i) for i in range(steps)), unit, done)
    if first:
        progress.say(f"goes on at step {first} of {steps}")
    with _interrupt() as interrupted, metrics.open("ab") as log:
        for number in range(first, steps):
            values = {"step": number, **step(number)}
            log.write((json.dumps(values) + "\n").encode())
            note = f"loss {values['loss']:.3f}" if "loss" in values else ""
            progress.advance(units(number), note)
            last = number + 1 == steps
            if (number + 1) % 20 == 0 or last:
                job.event(runs.Step(job.stage.name, number + 1, steps, values, progress.rate, unit))
            if (number + 1) % every == 0 or last or interrupted:
                log.flush()
                _keep(job, state, number + 1, metrics)
            if interrupted and not last:
                progress.say(
                    f"stopped after step {number + 1} of {steps}; nothing done is lost, go on "
                    f"with: assistant train {job.recipe} --out {job.out} --resume"
                )
                raise KeyboardInterrupt
    progress.close(note if steps > first else "")


def _keep(job: Job, state: dict[str, Stateful], steps_done: int, metrics: Path) -> None:
    content = {
        "key": job.key,
        "step": steps_done,
        "metrics_bytes": metrics.stat().st_size,
        "random": torch.get_rng_state(),
        "state": {name: part.state_dict() for name, part in state.items()},
    }
    with files.replacing(checkpoint_path(job.out, job.stage.name)) as path:
        torch.save(content, path)


def _restore(job: Job, state: dict[str, Stateful], metrics: Path) -> int:
    """Load the checkpoint when there is one of this very stage; the number of steps done."""
    path = checkpoint_path(job.out, job.stage.name)
    metrics.parent.mkdir(parents=True, exist_ok=True)
    content = torch.load(path, weights_only=True) if path.exists() else {}
    if content.get("key") != job.key or not metrics.exists():
        metrics.write_bytes(b"")
        return 0
    for name, part in state.items():
        part.load_state_dict(content["state"][name])
    torch.set_rng_state(content["random"])
    with metrics.open("r+b") as file:
        file.truncate(content["metrics_bytes"])
    steps_done: int = content["step"]
    return steps_done


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
