"""A set of experiments: every arm with every seed, one after the other, and the table of them.

All arms of a seed come before the next seed, so that a set that is stopped early has compared
what it has. A run that fails is a row that says why, and the others go on; Ctrl-C, or a kill,
loses nothing: the same command goes on. The table is written after each run.
"""

from __future__ import annotations

import contextlib
import gc
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from assistant.benchmarks import lock
from assistant.errors import AssistantError, StateProblem, UsageProblem
from training import files
from training.experiments import folders, one_run
from training.experiments.one_run import Run
from training.experiments.work import Work, runs_of
from training.progress import Progress, duration

SET_FILE = "set.json"
_REASON = 500
"""Characters of a failure's reason that are kept."""


def run_set(work: Work) -> int:
    """Do what is left of a set, and write its table.

    Returns:
        How many runs have failed.

    Raises:
        UsageProblem: something that was named does not exist, or another process is at work here.
        StateProblem: there is no sandbox, so that no answer can be judged.
        KeyboardInterrupt: Ctrl-C; everything that is done is kept.
    """
    runs = [one for one in runs_of(work) if not work.only or one.arm.name in work.only]
    _check_sandbox()
    with lock.held(work.out):
        _claim(work.out, work.chosen.name)
        with _told_how_to_go_on(work):
            failed = _run_all(work, runs)
        _write(work)
    return failed


def _run_all(work: Work, runs: Sequence[Run]) -> int:
    progress = Progress(work.chosen.name, len(runs), "runs")
    broken: dict[str, str] = {}
    took: list[float] = []
    failed = 0
    # First all that the arms have in common: then the teacher can go.
    for one in {folders.key(each.common): each for each in runs}.values():
        try:
            folders.make_shared(one.recipe, one.common, work.root, work.data)
        except Exception as error:
            broken[folders.key(one.common)] = _reason(error)
    for number, one in enumerate(runs, start=1):
        title = f"{one.arm.name}, seed {one.seed} ({number} of {len(runs)})"
        progress.say(title)
        started = time.monotonic()
        try:
            worked = _perform(work, one, broken)
        except Exception as error:
            failed += 1
            one_run.fail(one, _reason(error))
            progress.say(f"{title} failed: {_reason(error)}")
        else:
            if worked:
                took.append(time.monotonic() - started)
            rest = sum(took) / max(len(took), 1) * (len(runs) - number)
            told = f"; about {duration(rest)} left" if took and number < len(runs) else ""
            progress.say(f"{title} is {'done' if worked else 'done before'}{told}")
        _free()
        _write(work)
    return failed


def _perform(work: Work, one: Run, broken: dict[str, str]) -> bool:
    """Do one run; False when it had been done.

    Args:
        work: the set.
        one: the run.
        broken: shared folders that failed in this process, with the reason: what all arms need
            is not tried again for each of them.

    Raises:
        Exception: whatever went wrong.
    """
    name = folders.key(one.common)
    if name in broken:
        raise StateProblem(broken[name])
    try:
        shared = folders.make_shared(one.recipe, one.common, work.root, work.data)
    except Exception as error:
        broken[name] = _reason(error)
        raise
    if one_run.is_done(one, shared):
        return False
    one_run.perform(one, shared)
    return True


def _reason(error: Exception) -> str:
    """One line: what a person is told of any error."""
    known = isinstance(error, AssistantError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return " ".join(text.split())[:_REASON]


def _free() -> None:
    """Give back what the last run held, before the next one asks for it."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _check_sandbox() -> None:
    from assistant.sandbox import layers, unavailable_reason

    if not layers():
        raise StateProblem(
            f"answers can not be judged: {unavailable_reason()}", hint="assistant doctor"
        )


def _claim(out: Path, name: str) -> None:
    """One set to a folder: arms of two would stand side by side in one table."""
    path = out / SET_FILE
    with contextlib.suppress(OSError, ValueError):
        before = json.loads(path.read_text(encoding="utf-8"))
        if before != name:
            raise UsageProblem(
                f"{out} holds the set {before}, not {name}", hint="name another folder with --out"
            )
    files.write_json(path, name)


@contextlib.contextmanager
def _told_how_to_go_on(work: Work) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        Progress(work.chosen.name, 1, "runs").say(
            f"stopped; everything that is done is kept, go on with: {work.command()}"
        )
        raise


def _write(work: Work) -> None:
    # numpy, which the command line does without until there is a table.
    from training.experiments import results

    results.write(work)
