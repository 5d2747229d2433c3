"""Which settings a run has, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from assistant.errors import UsageProblem
from training import recipes
from training.settings import Recipe, Settings
from training.settings.keys import built, flat, from_text


def resolve(recipe: Recipe, overrides: Sequence[str]) -> tuple[Settings, dict[str, str]]:
    """The settings of a run, and for each its origin: default, recipe NAME or --set.

    Args:
        recipe: gives the values to begin with.
        overrides: `key=value` texts, such as `base.tokens=100000`; the last one of a key counts.

    Raises:
        UsageProblem: a key is unknown or a value means nothing for it; the message names it.
    """
    values = dict(flat(recipe.settings))
    origins = {key: recipe.origins.get(key, "default") for key in values}
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise UsageProblem(
                f"--set {override!r}: KEY=VALUE is needed",
                hint=f"the settings: assistant train {recipe.name} --dry-run",
            )
        values[key] = from_text(key, text)
        origins[key] = "--set"
    return built(values), origins


def changed(recipe: str, settings: Settings) -> Iterator[tuple[str, Any]]:
    """What differs from the recipe, as `--set` takes it."""
    before = dict(flat(recipes.find(recipe).settings))
    return ((key, value) for key, value in flat(settings) if before[key] != value)
