"""What a run tells beside its results: versions, and trackers where some are named.

Neither is an output of the stage: two runs with the same results may have other versions.
"""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

import assistant
from assistant.errors import TrainingProblem
from training import files
from training.stages import Job
from training.tuning.machine import Machine

_LIBRARIES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "numpy", "bitsandbytes")


def write_versions(job: Job, machine: Machine) -> None:
    """Write `versions.json`: what the last digits of the results depend on."""
    files.write_json(
        job.path("versions.json"),
        {
            "assistant": assistant.__version__, "git": _revision(),
            "python": platform.python_version(), "system": platform.platform(),
            **{name: found for name in _LIBRARIES if (found := _version(name))},
            "device": _device(machine.device), "processes": machine.processes,
            "threads": torch.get_num_threads(),
        },
    )  # fmt: skip


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _revision() -> str | None:
    """The commit of this program, where it runs from a repository."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _device(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, CUDA {torch.version.cuda}"
    return f"{device.type} {platform.machine()}, {torch.backends.cpu.get_cpu_capability()}"


class Trackers:
    """Where metrics go besides the run's folder.

    Args:
        made: accelerate's trackers; none in all processes but the main one.
    """

    def __init__(self, made: list[Any]) -> None:
        self._made = made

    def log(self, values: dict[str, float], step: int) -> None:
        """Tell all of them."""
        for tracker in self._made:
            tracker.log(values, step=step)


@contextmanager
def trackers(job: Job, machine: Machine) -> Iterator[Trackers]:
    """The trackers that `adapter.trackers` names, until the end of the block.

    Raises:
        TrainingProblem: one is not known, not installed, or does not start.
    """
    names = named(job.settings.adapter.trackers)
    if not names or not machine.main:
        yield Trackers([])
        return
    folder = job.path("adapter/trackers")
    folder.mkdir(parents=True, exist_ok=True)
    made = [_started(name, folder, job) for name in names]
    try:
        yield Trackers(made)
    finally:
        for tracker in made:
            tracker.finish()


def named(text: str) -> list[str]:
    """The trackers of a setting, checked.

    Raises:
        TrainingProblem: one is not known, or not installed.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    known = sorted(str(name) for name in LOGGER_TYPE_TO_CLASS)
    installed = {str(name) for name in get_available_trackers()}
    for name in names:
        if name not in known:
            raise TrainingProblem(
                f"adapter.trackers={text}: accelerate knows no tracker {name}",
                hint=f"one of: {', '.join(known)}",
            )
        if name not in installed:
            raise TrainingProblem(
                f"adapter.trackers={text}: {name} is not installed",
                hint=f"pip install {name}; the metrics are in adapter/metrics.jsonl without it",
            )
    return names


def _started(name: str, folder: Path, job: Job) -> Any:
    kind: Any = LOGGER_TYPE_TO_CLASS[name]
    try:
        place = [str(folder)] if kind.requires_logging_directory else []
        made = kind(job.recipe, *place)
        if hasattr(made, "start"):  # newer accelerate starts what older ones start by themselves
            made.start()
        made.store_init_configuration(_flat(asdict(job.settings)))
    # Each of these libraries has errors of its own.
    except Exception as error:
        told = str(error).split("\n")[0] or type(error).__name__
        raise TrainingProblem(
            f"the tracker {name} does not start: {told}", hint="leave out adapter.trackers"
        ) from error
    return made


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """`section.name` for every setting: trackers take numbers and texts."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            found[name] = value
    return found
