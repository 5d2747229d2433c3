"""What a file says of where its model comes from: name, licence, base, the run that tuned it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assistant.errors import ExportProblem
from training import student, student_checks
from training.chain import chain
from training.export import basis
from training.export.metadata import Labels, Origin
from training.settings import Settings, keys
from training.stages import RECORDS, Job, read_record


def of_run(job: Job, *, scores: bool = False) -> Labels:
    """The labels of a run's own model.

    Args:
        job: of the run.
        scores: with those of its evaluation, which judged a file that was made before.
    """
    name = job.settings.export.name
    if job.settings.chain == "scratch":
        return Labels(name, card=_card(job, scores=scores))
    found = student.describe(job)
    tuned = job.settings.chain == "pretrained"
    learned = "tuned on reasoning and code" if tuned else "as it is, not tuned"
    told = f"{found.source}, {learned}, by `assistant train`."
    if student_checks.is_llama(job.settings, found.source, found.licence):
        told += " Built with Llama."
    return Labels(
        name,
        licence=found.licence,
        description=told,
        chat=student.chat(job),
        origin=Origin(found.source, found.revision),
        follows_format=tuned,
        card=_card(job, scores=scores),
    )


def _card(job: Job, *, scores: bool) -> dict[str, str]:
    """Of a run: the recipe, the hash of its data, and what the model scored."""
    found = {"recipe": job.recipe, "seed": str(job.settings.seed)}
    problems = next((s for s in chain(job.settings) if s.name == "problems"), None)
    record = read_record(problems, job.out) if problems else None
    if record is not None:
        found["problems_sha256"] = record["outputs"]["problems.jsonl"]
    return found | (_scores(job.path("evaluation.json")) if scores else {})


def _scores(path: Path) -> dict[str, str]:
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))["sets"]
    except (OSError, ValueError, KeyError):
        return {}
    return {
        f"score.{name}": f"pass@1 {values['pass@1']:.1%}"
        for name, values in sets.items()
        if isinstance(values.get("pass@1"), float)
    }


def run_of(adapter: Path) -> Job | None:
    """The run whose adapter lies in the folder `adapter`; None where it is from elsewhere.

    Raises:
        ExportProblem: the run's settings can not be read.
    """
    path = adapter.absolute().parent / "settings.json"
    if not path.is_file() or not (path.parent / RECORDS / "adapter.json").is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        recipe = str(found.pop("recipe"))
        settings = keys.built(dict(_flat(found)))
        stage = next(one for one in chain(settings) if one.name == "gguf")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportProblem(
            f"{path} can not be read: {error}",
            hint="copy the adapter's folder to another place to export it without its run",
        ) from error
    return Job(stage, recipe, settings, path.parent, None, "")


def _flat(nested: Mapping[str, Any]) -> list[tuple[str, Any]]:
    known = set(dict(keys.flat(Settings())))
    return [
        (key, value)
        for name, section in nested.items()
        for key, value in (
            [(f"{name}.{k}", v) for k, v in section.items()]
            if isinstance(section, dict)
            else [(name, section)]
        )
        if key in known
    ]


def of_folders(
    base: Path, adapter: Path | None, adapter_config: Mapping[str, Any], licence: str
) -> Labels:
    """The labels of a model of elsewhere: its own chat template, no claim about its answers.

    Args:
        base: the folder of the base.
        adapter: that of the adapter, or None.
        adapter_config: its adapter_config.json; empty without one.
        licence: what the user says; empty: what the base's files say.
    """
    origin = basis.origin(base, adapter_config)
    source = origin.source
    licence = student_checks.licence(base, licence)
    # What the adapter says counts here even where it is in doubt: Meta's notice must not get lost.
    named = str(adapter_config.get("base_model_name_or_path") or "")
    llama = student_checks.built_with_llama(licence, source, named)
    told = f"{source}{', merged with an adapter' * bool(adapter)}, by `assistant export`."
    return Labels(
        student_checks.suggested(source, llama) if adapter else source.rpartition("/")[2],
        licence=licence,
        description=told + " Built with Llama." * llama,
        chat=None,
        origin=origin,
        follows_format=False,
    )
