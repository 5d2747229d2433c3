"""Running a recipe: stages in their order, each once, gone on with where it was left."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from assistant import runs
from assistant.errors import UsageProblem
from training import files, stages
from training.chain import chain
from training.progress import Progress, duration
from training.settings import Settings

_SETTINGS_FILE = "settings.json"


def run(
    recipe: str,
    settings: Settings,
    out: Path,
    *,
    only: str | None = None,
    resume: bool = False,
    data: Path | None = None,
) -> None:
    """Run all stages of the chain that the settings name, or one.

    Args:
        recipe: the name of the recipe, for the model card and messages.
        settings: what to do.
        out: the run's folder; made when it is missing.
        only: run this stage alone, on what the ones before have left.
        resume: leave out what is done and go on in the middle of a stage.
        data: a folder of benchmark data for the evaluation.

    Raises:
        UsageProblem: there is no such stage, or the folder holds another run.
        TrainingProblem: a stage's input is missing.
    """
    # Threads that wait should sleep, not spin: beside other work spinning ones cost three times
    # the time. Read when torch is loaded, which a stage does.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # With it cuBLAS adds in the same order every time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    everything = chain(settings)
    chosen = _choose(everything, only)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        _check_team(only)
        if int(os.environ.get("RANK", "0")) > 0:
            _help(chosen[0], recipe, settings, out, data, resume=resume)
            return
    if not resume and only is None and any(stages.read_record(s, out) for s in everything):
        raise UsageProblem(
            f"{out} already holds a run",
            hint="go on with it: add --resume; or choose another folder with --out",
        )
    if resume:
        _say_what_changed(chosen, settings, out)
    out.mkdir(parents=True, exist_ok=True)
    files.write_json(out / _SETTINGS_FILE, {"recipe": recipe, **asdict(settings)})
    names = tuple(stage.name for stage in chosen)
    runs.append(out, runs.RunStarted(recipe, names, asdict(settings), resume))
    started = time.monotonic()
    for stage in chosen:
        done = not stage.always and stages.is_done(stage, settings, out)
        if resume and done and not _left_out(stage, out):
            runs.append(out, runs.StageSkipped(stage.name))
            Progress(stage.name, 1, "stage").say("done before")
            continue
        try:
            stages.run_stage(stage, recipe, settings, out, data, fresh=not resume)
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            runs.append(out, runs.RunStopped(stage.name, reason))
            raise
        _free()
    seconds = time.monotonic() - started
    runs.append(out, runs.RunFinished(round(seconds, 3)))
    Progress("run", 1, "run").say(f"done in {duration(seconds)}: {out}")


def _say_what_changed(chosen: tuple[stages.Stage, ...], settings: Settings, out: Path) -> None:
    """A --set that was forgotten must not undo hours in silence."""
    for stage in chosen:
        record = stages.read_record(stage, out)
        if record is not None and record.get("settings") != stages.hash_settings(stage, settings):
            Progress(stage.name, 1, "stage").say(
                f"other settings than those of the result in {out}: it is made anew"
            )


def _left_out(stage: stages.Stage, out: Path) -> bool:
    """Whether benchmarks are missing from the scores because their data was: they are tried again;
    those that are there are kept."""
    if stage.name != "evaluate":
        return False
    report = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    return any("run_it" in found for found in report["sets"].values())


def _free() -> None:
    """Give back what a stage held on the card: the next one may be llama.cpp, not torch."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _check_team(only: str | None) -> None:
    if only != "adapter":
        raise UsageProblem(
            "several processes can do the stage adapter together, and no other",
            hint="run the stages before it in one process, then add --stage adapter --resume",
        )


def _help(
    stage: stages.Stage,
    recipe: str,
    settings: Settings,
    out: Path,
    data: Path | None,
    *,
    resume: bool,
) -> None:
    """What another process than the first of `accelerate launch` does: its share, and no file."""
    if resume and stages.is_done(stage, settings, out):
        return
    known = {
        "settings": stages.hash_settings(stage, settings),
        "inputs": stages.hash_inputs(stage, out),
    }
    stage.make(stages.Job(stage, recipe, settings, out, data, files.digest_of(known)))


def _choose(everything: tuple[stages.Stage, ...], only: str | None) -> tuple[stages.Stage, ...]:
    if only is None:
        return everything
    found = tuple(stage for stage in everything if stage.name == only)
    if not found:
        names = ", ".join(stage.name for stage in everything)
        raise UsageProblem(f"there is no stage {only!r}; there are: {names}")
    return found
