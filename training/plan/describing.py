"""What `--dry-run` prints: settings with their origin, the plan, and the estimates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from assistant.errors import UsageProblem
from training import chain
from training.plan.costs import estimates
from training.settings import Recipe, Settings
from training.settings.keys import flat
from training.stages import Stage


def describe(
    recipe: Recipe, settings: Settings, origins: Mapping[str, str], out: Path, only: str | None
) -> str:
    """All of it as text.

    Args:
        recipe: where the settings began.
        settings: of the run.
        origins: of each setting, as `resolve` gives them.
        out: the run's folder.
        only: one stage alone, or None.

    Raises:
        UsageProblem: there is no such stage, or a setting means nothing.
    """
    chosen = [stage for stage in stages(settings) if only in (None, stage.name)]
    if not chosen:
        names = ", ".join(stage.name for stage in stages(settings))
        raise UsageProblem(f"there is no stage {only!r}; there are: {names}")
    lines = [f"recipe {recipe.name}: {recipe.summary}", "", "settings"]
    lines += [f"  {key} = {_shown(value)}  ({origins[key]})" for key, value in flat(settings)]
    lines += ["", f"plan of the chain {settings.chain}, in {out}"]
    for stage in chosen:
        reads = ", ".join(stage.inputs) or "nothing"
        writes = ", ".join(stage.outputs) or "nothing here"
        lines.append(f"  {stage.name}: reads {reads}; writes {writes}")
    lines += ["", "estimates, each with its formula; nothing was started and nobody was asked"]
    return "\n".join([*lines, *_estimates(settings, [stage.name for stage in chosen], only)])


def stages(settings: Settings) -> tuple[Stage, ...]:
    """The stages of the settings' chain, in their order."""
    return chain.chain(settings)


def _estimates(settings: Settings, plan: list[str], only: str | None) -> Iterator[str]:
    """In the order of the plan, what is said of the whole run last."""
    found = estimates(settings)
    places = {name: number for number, name in enumerate(plan)}
    for name in sorted(found, key=lambda name: places.get(name, len(plan))):
        if only in (None, name):
            yield f"  {name}"
            yield from (f"    {e.what}: {e.value}  = {e.formula}" for e in found[name])


def _shown(value: object) -> object:
    """As `--set` takes it; a text that is empty can be seen to be one."""
    if isinstance(value, bool):
        return str(value).lower()
    return '""' if value == "" else value
