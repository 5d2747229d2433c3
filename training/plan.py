"""Which settings a run has and where each comes from; what it will cost, with the formulas."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.errors import UsageProblem
from training import recipes
from training.settings import Architecture, Recipe, Settings

TOKENS_PER_SECOND = 3000
"""Per core, of a model of `REFERENCE_PARAMETERS`: measured on one x86-64 processor with bfloat16
products (AVX-512), 4,100 alone and 3,000 beside other work."""
REFERENCE_PARAMETERS = 4_950_000


def resolve(recipe: Recipe, overrides: Sequence[str]) -> tuple[Settings, dict[str, str]]:
    """The settings of a run, and for each its origin: default, recipe or --set.

    Args:
        recipe: gives the values to begin with.
        overrides: `key=value` texts, such as `base.tokens=100000`.

    Raises:
        UsageProblem: a key is unknown or a value has the wrong type; the message names it.
    """
    values = dict(_flat(recipe.settings))
    defaults = dict(_flat(Settings()))
    origins = {k: "default" if values[k] == defaults[k] else "recipe" for k in values}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or key not in values:
            raise UsageProblem(
                f"--set {override!r}: " + ("no such setting" if equals else "KEY=VALUE is needed"),
                hint=f"the settings: assistant train {recipe.name} --dry-run",
            )
        values[key] = _converted(key, text, defaults[key])
        origins[key] = "--set"
    return _built(values), origins


def changed(recipe: str, settings: Settings) -> Iterator[tuple[str, Any]]:
    """What differs from the recipe, as `--set` takes it."""
    before = dict(_flat(recipes.find(recipe).settings))
    return ((key, value) for key, value in _flat(settings) if before[key] != value)


def _flat(settings: Settings) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            for inner in dataclasses.fields(value):
                yield f"{field.name}.{inner.name}", getattr(value, inner.name)
        else:
            yield field.name, value


def _built(values: dict[str, Any]) -> Settings:
    parts: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        own = {k.split(".")[1]: v for k, v in values.items() if k.startswith(f"{field.name}.")}
        if own:
            section = type(getattr(Settings(), field.name))
            parts[field.name] = section(**own)
        else:
            parts[field.name] = values[field.name]
    return Settings(**parts)


def _converted(key: str, text: str, default: Any) -> Any:
    kind = type(default)
    if kind is bool:
        known = {"true": True, "false": False}
        if text.lower() in known:
            return known[text.lower()]
    else:
        try:
            return kind(text.replace("_", "") if kind is int else text)
        except ValueError:
            pass
    raise UsageProblem(f"--set {key}={text}: a value of type {kind.__name__} is needed")


@dataclass(frozen=True)
class Estimate:
    """One number about a run before it starts."""

    what: str
    value: str
    formula: str


def parameters(shape: Architecture, vocabulary: int) -> int:
    """Weights of the model; the embedding is counted once."""
    head = shape.width // shape.heads
    attention = 2 * shape.width * shape.width + 2 * shape.width * head * shape.kv_heads
    layer = attention + 3 * shape.width * shape.feed_forward + 2 * shape.width
    return vocabulary * shape.width + shape.layers * layer + shape.width


def estimates(settings: Settings) -> list[Estimate]:
    """Time, memory and disk, each with its formula."""
    from training.progress import duration

    count = parameters(settings.model, settings.tokenizer.vocabulary)
    rate = TOKENS_PER_SECOND * settings.threads * REFERENCE_PARAMETERS / count
    tokens = settings.base.tokens + settings.adapter.tokens
    batch = settings.base.batch_tokens
    activations = batch * settings.model.layers * (
        14 * settings.model.width + 6 * settings.model.feed_forward
    ) * 4 + batch * settings.tokenizer.vocabulary * 12  # fmt: skip
    text = 6 * tokens + 3000 * settings.problems.count
    files_size = 5000 * settings.problems.count // 2 + 4 * 7 * count
    megabyte = 1e6
    return [
        Estimate("parameters", f"{count:,}", "embedding + layers x (attention + feed-forward)"),
        Estimate(
            "time",
            duration(tokens / rate),
            f"({settings.base.tokens:,} + {settings.adapter.tokens:,} tokens) / ({rate:,.0f} "
            f"tokens a second = {TOKENS_PER_SECOND} x {settings.threads} threads x "
            f"{REFERENCE_PARAMETERS:,} / {count:,} parameters); other stages add a few minutes",
        ),
        Estimate(
            "memory",
            f"{(600e6 + 16 * count + activations + text) / megabyte:,.0f} MB",
            "600 MB of libraries + 16 bytes a parameter (weight, gradient, two moments) + "
            "activations of a batch + 6 bytes a token of text + 3 kB a problem",
        ),
        Estimate(
            "disk",
            f"{files_size / megabyte:,.0f} MB",
            "2.5 kB a problem + 28 bytes a parameter (base, merged, checkpoint, GGUF)",
        ),
        *teacher_estimates(settings),
    ]


def teacher_estimates(settings: Settings) -> list[Estimate]:
    """What the teacher will cost."""
    from training.teachers import estimates as teachers

    if settings.contexts.teacher == "program":
        why = "no service is called with teacher=program"
        return [Estimate("cost", "nothing but electricity", why)]
    ahead = teachers.outlook(settings.contexts, settings.problems.count, settings.seed)
    note = f"; {settings.problems.count:,} problems of {teachers.ASSUMED_CHARACTERS:,} characters"
    return [
        Estimate(f"teacher, {what}", value, formula + (note if what == "prompt tokens" else ""))
        for what, value, formula in ahead.formulas
    ]


def describe(
    recipe: Recipe, settings: Settings, origins: dict[str, str], out: Any, only: str | None
) -> str:
    """What `--dry-run` prints: settings with their origin, the plan, and the estimates."""
    from training.chain import CHAIN

    lines = [f"recipe {recipe.name}: {recipe.summary}", "", "settings"]
    lines += [f"  {key} = {value}  ({origins[key]})" for key, value in _flat(settings)]
    lines += ["", f"plan, in {out}"]
    for stage in CHAIN:
        if only in (None, stage.name):
            reads = ", ".join(stage.inputs) or "nothing"
            writes = ", ".join(stage.outputs) or "nothing here"
            lines.append(f"  {stage.name}: reads {reads}; writes {writes}")
    lines += ["", "estimates"]
    lines += [f"  {e.what}: {e.value}  = {e.formula}" for e in estimates(settings)]
    return "\n".join(lines)
