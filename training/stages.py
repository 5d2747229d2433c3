"""What a stage is, and how one is run, left out because it is done, or gone on with.

A stage reads files of the run's folder and writes others. When it is done, `stages/NAME.json`
says with which settings, from which inputs (sha256) and with which outputs (sha256). A stage
whose record fits what is on disk is not run again; one whose settings or inputs changed is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant import runs
from assistant.errors import TrainingProblem
from training import files
from training.progress import Progress
from training.settings import Settings

RECORDS = "stages"


@dataclass(frozen=True)
class Stage:
    """One link of the chain.

    Attributes:
        name: as in `--stage NAME`.
        make: does the work.
        inputs: files that it reads, relative to the run's folder.
        outputs: files that it writes, complete or not at all.
        settings: the sections of the settings that its result depends on, besides the seed.
        version: raised when the code changes so that old results are no longer right.
        always: run at every `--resume`: it looks at what lies outside of the run's folder, is
            quick, and writes the same bytes when nothing has changed.
    """

    name: str
    make: Callable[[Job], None]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: tuple[str, ...]
    version: int = 1
    always: bool = False


@dataclass(frozen=True)
class Job:
    """One running of one stage: what `Stage.make` is given."""

    stage: Stage
    recipe: str
    settings: Settings
    out: Path
    data: Path | None
    """A folder of benchmark data, when the user gave one."""
    key: str
    """Settings and inputs as one hash: a checkpoint with another key belongs to another run."""

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.out / name

    def progress(self, total: int, unit: str, start: int = 0) -> Progress:
        """A progress display for this stage."""
        return Progress(self.stage.name, total, unit, start)

    def event(self, event: runs.RunEvent) -> None:
        """Add to the run's events."""
        runs.append(self.out, event)


def hash_settings(stage: Stage, settings: Settings) -> str:
    """A hash of everything in the settings that the stage's result depends on."""
    sections = {name: getattr(settings, name) for name in stage.settings}
    plain = {name: _plain(value) for name, value in sections.items()}
    return files.digest_of({"version": stage.version, "seed": settings.seed, "settings": plain})


_NEUTRAL = ("checkpoint_every", "trackers")
"""They change no result: a run goes on with other ones."""


def _plain(value: Any) -> Any:
    if not hasattr(value, "__dataclass_fields__"):
        return value
    return {name: each for name, each in value.__dict__.items() if name not in _NEUTRAL}


def hash_inputs(stage: Stage, out: Path) -> dict[str, str]:
    """The sha256 of each input.

    Raises:
        TrainingProblem: one is missing.
    """
    missing = [name for name in stage.inputs if not (out / name).exists()]
    if missing:
        raise TrainingProblem(
            f"stage {stage.name} needs {missing[0]}, which is not in {out}",
            hint="run the stages before it first: leave out --stage",
        )
    return {name: files.digest(out / name) for name in stage.inputs}


def is_done(stage: Stage, settings: Settings, out: Path) -> bool:
    """Whether the stage's record fits the settings and the files that are there."""
    record = read_record(stage, out)
    if record is None or record.get("settings") != hash_settings(stage, settings):
        return False
    recorded = {**record.get("inputs", {}), **record.get("outputs", {})}
    names = {*stage.inputs, *stage.outputs}
    return names == set(recorded) and all(
        (out / name).exists() and files.digest(out / name) == recorded[name] for name in names
    )


def read_record(stage: Stage, out: Path) -> dict[str, Any] | None:
    """The record of a finished stage, or None."""
    path = out / RECORDS / f"{stage.name}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def run_stage(
    stage: Stage, recipe: str, settings: Settings, out: Path, data: Path | None, *, fresh: bool
) -> None:
    """Run one stage to its end and record it.

    Args:
        stage: what to run.
        recipe: the recipe's name, for the model card.
        settings: of the run.
        out: the run's folder.
        data: a folder of benchmark data, or None.
        fresh: forget a checkpoint that an earlier running left.
    """
    inputs = hash_inputs(stage, out)
    settings_hash = hash_settings(stage, settings)
    key = files.digest_of({"settings": settings_hash, "inputs": inputs})
    record = out / RECORDS / f"{stage.name}.json"
    record.unlink(missing_ok=True)
    if fresh:
        checkpoint_path(out, stage.name).unlink(missing_ok=True)
    started = time.monotonic()
    stage.make(Job(stage, recipe, settings, out, data, key))
    outputs = {name: files.digest(out / name) for name in stage.outputs}
    files.write_json(
        record,
        {"stage": stage.name, "settings": settings_hash, "inputs": inputs, "outputs": outputs},
    )
    # Only now: a kill before the record is written must find the checkpoint.
    checkpoint_path(out, stage.name).unlink(missing_ok=True)
    seconds = round(time.monotonic() - started, 3)
    runs.append(out, runs.StageFinished(stage.name, seconds, outputs))


def checkpoint_path(out: Path, stage: str) -> Path:
    """Where the stage's last checkpoint is."""
    return out / "checkpoints" / f"{stage}.pt"
