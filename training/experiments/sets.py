"""What a set of experiments is: arms that differ in a few settings, and one they are held against.

Knows no torch, so that sets are listed and planned without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assistant.errors import UsageProblem
from training import plan, recipes
from training.settings import Settings

SEED = 1
"""Of the stages that all arms and seeds share."""
DEFAULT_SEEDS = 3


@dataclass(frozen=True)
class Arm:
    """One way of training.

    Attributes:
        name: of its folder and its row.
        asks: what it is for, in one line.
        changes: settings that make it what it is, as `--set` takes them.
        recipe: where it does not begin with the set's.
        reasoning: how the teacher's reasoning is made worse (`degrade.WAYS`); empty: not at all.
        against: the arm that it is compared with, where that is not the set's reference.
        size: where it stands on the axis of the set's curve.
        fixed: nothing in it depends on the seed: it is run once and counts for each.
    """

    name: str
    asks: str
    changes: tuple[str, ...] = ()
    recipe: str = ""
    reasoning: str = ""
    against: str = ""
    size: float | None = None
    fixed: bool = False


@dataclass(frozen=True)
class ExperimentSet:
    """Arms that belong together.

    Attributes:
        name: as in `assistant experiments NAME`.
        summary: the question, in one line.
        recipe: what the arms begin with.
        changes: settings of all arms.
        arms: in the order of the table.
        reference: the arm that the others are compared with.
        needs: what this machine must have; empty: two cores and no network.
        axis: what `Arm.size` counts; empty: the set has no curve.
        samples: answers that are drawn for each question besides the greedy one; 0: none.
        temperature: of these.
        keep_models: keep merged weights and the GGUF file after the answers are there. What is
            kept in any case (adapter, settings, metrics, answers) makes them again.
        notes: what a reader of the table has to know.
    """

    name: str
    summary: str
    recipe: str
    arms: tuple[Arm, ...]
    reference: str
    changes: tuple[str, ...] = ()
    needs: str = ""
    axis: str = ""
    samples: int = 0
    temperature: float = 0.0
    keep_models: bool = True
    notes: tuple[str, ...] = ()

    def arm(self, name: str) -> Arm:
        """The arm called `name`.

        Raises:
            UsageProblem: there is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        known = ", ".join(arm.name for arm in self.arms)
        raise UsageProblem(
            f"the set {self.name} has no arm {name!r}; there are: {known}",
            hint=f"assistant experiments {self.name} --list",
        )

    def against(self, arm: Arm) -> str:
        """The name of the arm that `arm` is compared with."""
        return arm.against or self.reference


def settings_of(
    chosen: ExperimentSet, arm: Arm, seed: int, overrides: Sequence[str] = ()
) -> tuple[str, Settings]:
    """The recipe of an arm and all its settings with one seed.

    What makes the arm comes last: `overrides` are for all arms and do not undo it.

    Raises:
        UsageProblem: a recipe or a setting does not exist.
    """
    recipe = recipes.find(arm.recipe or chosen.recipe)
    settings, _ = plan.resolve(recipe, [*chosen.changes, *overrides, *arm.changes])
    return recipe.name, replace(settings, seed=seed)


def check_overrides(overrides: Sequence[str]) -> None:
    """Settings that a set decides itself.

    Raises:
        UsageProblem: `overrides` has one.
    """
    for override in overrides:
        key = override.partition("=")[0]
        if key == "seed":
            raise UsageProblem("--set seed: a set has several", hint="--seeds N takes 1 to N")
        if key == "install":
            raise UsageProblem(
                "--set install: no model of an experiment is installed",
                hint="assistant models use OUT/ARM/seed-1/model.gguf",
            )


def sets() -> dict[str, ExperimentSet]:
    """All sets by name, those that run anywhere first."""
    from training.experiments.paper import PAPER
    from training.experiments.world import WORLD

    return {one.name: one for one in (*WORLD, *PAPER)}


def find(name: str) -> ExperimentSet:
    """The set called `name`.

    Raises:
        UsageProblem: there is none.
    """
    known = sets()
    if name not in known:
        raise UsageProblem(
            f"there is no set of experiments {name!r}; there are: {', '.join(known)}",
            hint="assistant experiments --list",
        )
    return known[name]
