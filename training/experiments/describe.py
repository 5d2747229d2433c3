"""What there is, and what a set would do: the texts of `--list` and `--dry-run`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from training import plan
from training.experiments import folders, one_run
from training.experiments.sets import ExperimentSet
from training.experiments.work import Work, runs_of
from training.settings import Settings


def listing(sets: Iterable[ExperimentSet]) -> str:
    """The sets, a line each, those for this machine first."""
    known = list(sets)
    width = max(len(one.name) for one in known) + 2
    here = [one for one in known if not one.needs]
    there = [one for one in known if one.needs]
    lines = ["on two processor cores, without a network:"]
    lines += [f"  {one.name:{width}}{one.summary}" for one in here]
    if there:
        lines += ["", f"need {there[0].needs}:"]
        lines += [f"  {one.name:{width}}{one.summary}" for one in there]
    return "\n".join(lines)


def arms(chosen: ExperimentSet) -> str:
    """The arms of a set, and what each asks."""
    width = max(len(arm.name) for arm in chosen.arms) + 2
    lines = [f"{chosen.name}: {chosen.summary}", f"recipe {chosen.recipe}"]
    lines += [f"needs {chosen.needs}"] if chosen.needs else []
    lines += [f"compared with {chosen.reference}", ""]
    lines += [f"  {arm.name:{width}}{arm.asks}" for arm in chosen.arms]
    return "\n".join(lines)


def dry_run(work: Work) -> str:
    """Arms with their settings, runs, folders, and what one run costs.

    Raises:
        UsageProblem: a recipe, an arm or a setting does not exist.
    """
    runs = [one for one in runs_of(work) if not work.only or one.arm.name in work.only]
    prefixes = {folders.key(one.common): one for one in runs}
    lines = [arms(work.chosen), "", "settings of all arms, beside the recipe's"]
    lines += [f"  {change}" for change in (*work.chosen.changes, *work.overrides)] or ["  none"]
    lines += ["", "settings of one arm"]
    for arm in work.chosen.arms:
        changes = [*arm.changes, *([f"reasoning {arm.reasoning}"] if arm.reasoning else [])]
        lines.append(f"  {arm.name}: {', '.join(changes) or 'nothing'}")
    own = {s.name: None for one in runs for s in one_run.own_stages(one.settings)}
    steps = [s.name for s in one_run.steps(runs[0])]
    lines += ["", f"plan, in {work.out}"]
    lines += [
        f"  {work.root / key}: {', '.join(s.name for s in folders.shared_stages(one.settings))}"
        for key, one in prefixes.items()
    ]
    lines += [
        f"  {len(runs)} runs = arms x seeds, each in ARM/seed-N: {', '.join([*own, *steps])}",
        "  results.json, results.md, results.html: written again after each run",
    ]
    longest = max(runs, key=lambda one: _work(one.settings))
    lines += ["", f"estimates of one run of {longest.arm.name}, shared stages included"]
    return "\n".join([*lines, *_estimates(longest.settings)])


def _work(settings: Settings) -> tuple[bool, int, int, bool]:
    """How much a run asks for, roughly: tuning, then the teacher's calls, then L_s."""
    twice = 2 if settings.contexts.select == "passing" else 1
    return (
        settings.chain != "untrained",
        settings.adapter.tokens,
        settings.contexts.samples * twice,
        settings.structural.arm != "off",
    )


def _estimates(settings: Settings) -> Iterator[str]:
    for stage, ahead in plan.estimates(settings).items():
        yield from (f"  {stage}: {one.what}: {one.value}  = {one.formula}" for one in ahead)
