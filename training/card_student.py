"""The card of a model that was made from a student, or of a student as it is.

Everything in it comes from files and settings of the run. Where Meta's licence asks for it, it says
"Built with Llama" and carries the notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from training import files, student, student_checks
from training.stages import Job

_TUNED = ("problems", "contexts", "structural", "curriculum", "adapter")
_ALWAYS = ("student", "export", "evaluate")

_HEAD = """# Model card: {name}

{what}

- base model: {base}
- licence: {licence}
- file: GGUF, {type}, sha256 `{sha}`
- chat format: {chat}
"""

_REPEAT = """## How to make it again

    {command}

Seed {seed}, {threads} threads. No checkpoint was chosen by its score, the last one is the model.
"""

_NOTICE = """## Built with Llama

{what} The Llama {version} Community License Agreement applies: a copy of it, this notice and the
words "Built with Llama" go with every copy of the model, and its name begins with "Llama".

> Llama {version} is licensed under the Llama {version} Community License, Copyright © Meta
> Platforms, Inc. All Rights Reserved.
"""

_LIMITS = """## Limits

- Nothing that it writes is evidence that the code is right, its reasoning neither, which repeats
  what reasoning about such tasks looks like. Run the code before you trust it.
- pass@1 counts one greedy answer to each task of public benchmarks. It says little about other
  languages, long programs, or the libraries that your code uses.
"""


def text(job: Job) -> str:
    """The card."""
    found = student.describe(job)
    tuned = job.settings.chain == "pretrained"
    parts = [
        _HEAD.format(
            name=job.settings.export.name,
            what=_what(job, found, tuned),
            base=_base(found),
            licence=found.licence + _unknown(found),
            type=job.settings.export.type,
            sha=files.digest(job.path("model.gguf")),
            chat=found.chat,
        ),
        _notice(job, found),
        _REPEAT.format(
            command=command(job) + " --data DATA" * bool(job.settings.evaluate.benchmarks),
            seed=job.settings.seed,
            threads=job.settings.threads,
        ),
        "\n".join(_scores(job)),
        *(("\n".join(_data(job)), "\n".join(_teacher(job)), _losses(job)) if tuned else ()),
        _verified(job),
        "\n".join(_settings(job, tuned)),
        _LIMITS,
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def command(job: Job) -> str:
    """What was typed, without the folder."""
    from training.plan import changed

    words = "".join(f" --set {key}={value}" for key, value in changed(job.recipe, job.settings))
    return f"assistant train {job.recipe}{words} --out DIR"


def _what(job: Job, found: student.Description, tuned: bool) -> str:
    if not tuned:
        return (
            f"{found.source} as it is, written as GGUF for a comparison. Nothing was trained. In "
            f"the benchmarks it was asked {_asked(job)}."
        )
    learned = "reasoning (Intent, Steps, Formulas, Edge cases) and then code"
    if job.settings.adapter.answer == "code":
        learned = "code alone, without reasoning"
    return (
        f"{found.source}, tuned with {_kind(job)} of rank {job.settings.adapter.rank} to answer a "
        f"request with {learned}; the adapter is merged into the weights."
    )


def _kind(job: Job) -> str:
    return {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA"}.get(
        job.settings.adapter.kind, job.settings.adapter.kind
    )


def _asked(job: Job) -> str:
    if job.settings.evaluate.prompt == "direct":
        return "each task directly, without an instruction"
    return "to reason in four sections first"


def _base(found: student.Description) -> str:
    if not found.revision:
        return f"{found.source}, a folder; weights by sha256: {_sums(found)}"
    return f"https://huggingface.co/{found.source} at commit `{found.revision}`"


def _sums(found: student.Description) -> str:
    sums = (f"{name} `{digest[:16]}`" for name, digest in found.files.items())
    return ", ".join(one for one in sums if ".safetensors" in one)


def _unknown(found: student.Description) -> str:
    if found.licence != "unknown":
        return ""
    return " (the model's files name none; find it out before you pass this model on)"


def _notice(job: Job, found: student.Description) -> str:
    if not student_checks.is_llama(job.settings, found.source, found.licence):
        return ""
    teacher = student_checks.teacher_of(job.settings)
    base = student_checks.built_with_llama(found.licence, found.source)
    what = f"{job.settings.export.name} is made from {found.source}."
    if not base:
        what = f"{job.settings.export.name} learned from answers of {teacher}."
    named = [found.licence, found.source] if base else [teacher]
    return _NOTICE.format(what=what, version=_version(*named))


def _version(*named: str) -> str:
    """Of Llama, as its licence counts."""
    for text in named:
        if found := re.search(r"llama[-_ ]?(\d(?:\.\d)?)", text, re.IGNORECASE):
            return found[1]
    return "3.1"


def _scores(job: Job) -> Iterator[str]:
    """One row for each set that was run, and a word on each that was not."""
    sets: dict[str, dict[str, Any]] = _json(job, "evaluation.json")["sets"]
    yield "## Scores"
    yield ""
    yield "Greedy decoding; the code is run in a sandbox; pass@1 with its 95% interval. Syntax and"
    yield "data flow: mean match with the reference solution, in brackets what unrelated programs"
    yield "of the set score."
    yield ""
    yield "| set | problems | pass@1 | interval | syntax | data flow | format not followed |"
    yield "|---|---|---|---|---|---|---|"
    for name, found in sets.items():
        if "not_run" in found:
            yield f"| {name} | not run | | | | | |"
            continue
        low, high = found["interval95"]
        structure = found.get("structure", {})
        yield (
            f"| {name} | {found['problems']} | {found['pass@1']:.1%} | {low:.1%} to {high:.1%} "
            f"| {_match(structure, 'syntax')} | {_match(structure, 'data_flow')} "
            f"| {found['format_not_followed']} |"
        )
    yield ""
    for name, found in sets.items():
        if "not_run" in found:
            yield f"- {name} was not run: {found['not_run']}"
        elif found.get("not_judged"):
            yield f"- {name}: {len(found['not_judged'])} answers could not be judged"
    if not sets:
        yield "- nothing was run"


def _match(structure: dict[str, Any], name: str) -> str:
    found = structure.get(name) or {}
    if found.get("mean") is None:
        return "-"
    floor = found["floor"]["mean"]
    return f"{found['mean']:.1%}" + (f" ({floor:.1%})" if floor is not None else "")


def _data(job: Job) -> Iterator[str]:
    funnel = _json(job, "problems.funnel.json")
    origin = funnel["origin"]
    at = f" at commit `{origin['revision']}`" if origin.get("revision") else ""
    yield "## Data"
    yield ""
    yield f"{origin.get('repository') or origin['source']}{at}. What was left after each step:"
    yield ""
    yield "| step | kept |"
    yield "|---|---|"
    for step in funnel["steps"]:
        yield f"| {step['step']} | {step['kept']:,} |"
    if paper := funnel.get("paper"):
        yield ""
        yield f"The paper has {paper['problems']:,}; the rule by which it chose is not published."
    yield ""


def _teacher(job: Job) -> Iterator[str]:
    settings = job.settings.contexts
    lines = job.path("contexts.jsonl").read_bytes().count(b"\n")
    yield "## Teacher"
    yield ""
    if settings.teacher == "program":
        yield f"A program wrote the reasoning, {lines:,} samples; no model's answers are in it."
        return
    revision = f" at `{settings.teacher_revision}`" if settings.teacher_revision else ""
    name = student_checks.teacher_of(job.settings) or "a model without a name"
    yield f"{name}{revision} wrote the reasoning: {lines:,} samples, prompt"
    yield f"`{settings.template}`, temperature {settings.temperature:g}, top-p {settings.top_p:g}."


def _losses(job: Job) -> str:
    last = json.loads(
        job.path("adapter/metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    )
    return (
        f"## Training\n\nLast step: token loss {last['token_loss']:.3f}, structural loss "
        f"{last['structural_loss']:.4f} (arm {job.settings.structural.arm}; weights alpha "
        f"{last['alpha']:.2f}, beta {last['beta']:.2f}, scale {last['scale']:.3g}).\n"
    )


def _verified(job: Job) -> str:
    found = _json(job, "verify.json")
    return (
        f"## The file against the torch model\n\nOn {found['tokens']:,} tokens, torch in "
        f"{found['reference']}: mean divergence {found['mean_kld']:.2g} nats, the same most likely "
        f"token at {found['same_top']:.1%} of the places.\n"
    )


def _settings(job: Job, tuned: bool) -> Iterator[str]:
    yield "## Settings"
    yield ""
    values = asdict(job.settings)
    for section in (*(_TUNED if tuned else ()), *_ALWAYS):
        shown = ", ".join(f"{key} {value}" for key, value in values[section].items())
        yield f"- {section}: {shown}"


def _json(job: Job, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(job.path(name).read_text(encoding="utf-8"))
    return value
