"""Stages that arms have in common: made once in a folder of their own, linked into every run.

    OUT/shared/KEY/        an ordinary run folder: the stages before the adapter, one seed
    OUT/ARM/seed-N/        an ordinary run folder: the same files, linked, and what comes after

KEY follows from the settings of these stages, so arms that change nothing before the adapter
share all of them. A folder with other settings takes over what it has in common with another one
(arms with two encoders share their base), by the hashes in the records of `training.stages`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from training import chain as chains
from training import files, run, stages
from training.settings import Settings
from training.stages import Stage

SHARED = ("problems", "contexts", "tokenizer", "student", "base", "encoder")
"""What does not depend on the arm, unless the arm says so in its settings."""
LEFT_OUT = ("evaluate", "card", "install")
"""Stages that a run of an experiment does without: `score` asks the same questions. Benchmarks are
the exception: `evaluate` runs them, and `score` reads what came out."""
_ALIGNMENT = "alignment"
"""Folder of matrices between tokenizers: hundreds of MB, each under a key of all it depends on."""


def stages_of(settings: Settings) -> tuple[Stage, ...]:
    """The stages of a run, in order."""
    return chains.chain(settings)


def shared_stages(settings: Settings) -> tuple[Stage, ...]:
    """Those that are made once."""
    return tuple(stage for stage in stages_of(settings) if stage.name in SHARED)


def key(settings: Settings) -> str:
    """A name for everything that the shared stages depend on."""
    shared = shared_stages(settings)
    hashes = {stage.name: stages.hash_settings(stage, settings) for stage in shared}
    return files.digest_of({"chain": settings.chain, "stages": hashes})[:12]


def make_shared(recipe: str, settings: Settings, root: Path, data: Path | None) -> Path:
    """The folder with the shared stages, made or gone on with as far as it is not there.

    Args:
        recipe: its name.
        settings: with the seed of the shared stages.
        root: the folder of such folders.
        data: a folder of benchmark data, or None.

    Raises:
        AssistantError: a stage fails.
    """
    out = root / key(settings)
    out.mkdir(parents=True, exist_ok=True)
    others = sorted(path for path in root.iterdir() if path.is_dir() and path != out)
    for stage in shared_stages(settings):
        if stages.is_done(stage, settings, out) or _adopt(stage, settings, out, others):
            continue
        run.run(recipe, settings, out, only=stage.name, resume=True, data=data)
    return out


def _adopt(stage: Stage, settings: Settings, out: Path, others: Sequence[Path]) -> bool:
    """Take over the stage from a folder that made it from the same inputs and settings."""
    if any(not (out / name).exists() for name in stage.inputs):
        return False
    inputs = stages.hash_inputs(stage, out)
    for other in others:
        record = stages.read_record(stage, other)
        if (
            record is not None
            and record.get("inputs") == inputs
            and stages.is_done(stage, settings, other)
        ):
            _link_stage(stage, other, out)
            return True
    return False


def place(shared: Path, out: Path, settings: Settings) -> None:
    """Link the shared stages with their records into the folder of a run."""
    out.mkdir(parents=True, exist_ok=True)
    for stage in shared_stages(settings):
        _link_stage(stage, shared, out)
    kept = shared / _ALIGNMENT
    kept.mkdir(exist_ok=True)
    if not (out / _ALIGNMENT).exists():
        try:
            (out / _ALIGNMENT).symlink_to(os.path.relpath(kept.resolve(), out.resolve()))
        except OSError:  # no such links here: the run makes its own matrices
            return


def _link_stage(stage: Stage, source: Path, target: Path) -> None:
    """Its outputs, then its record: a killed process leaves no record without its files."""
    for name in _made(stage, source):
        link(source / name, target / name)
    record = f"{stages.RECORDS}/{stage.name}.json"
    link(source / record, target / record)


def _made(stage: Stage, out: Path) -> list[str]:
    """Its outputs, and what else lies in folders of its own: a student's place on this machine."""
    names = set(stage.outputs)
    for folder in {Path(name).parts[0] for name in stage.outputs if "/" in name}:
        names |= {str(p.relative_to(out)) for p in (out / folder).rglob("*") if p.is_file()}
    return sorted(names)


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`: a link where that is possible, else a copy.

    Metrics are copied in any case: a stage that is run again empties them where they lie.
    """
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Not a name that anything else writes to: what is written through a link changes both.
    aside = target.with_name(target.name + ".link")
    aside.unlink(missing_ok=True)
    try:
        if source.name == "metrics.jsonl":
            shutil.copyfile(source, aside)
        else:
            os.link(source, aside)
    except OSError:
        shutil.copyfile(source, aside)
    aside.replace(target)


def identity(shared: Path, settings: Settings) -> dict[str, dict[str, str]]:
    """The hashes of what the shared stages have made, by stage, from their records."""
    found = {}
    for stage in shared_stages(settings):
        record = stages.read_record(stage, shared) or {}
        found[stage.name] = dict(record.get("outputs", {}))
    return found
