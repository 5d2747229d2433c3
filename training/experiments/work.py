"""What was asked for: a set, how many seeds, where; and the runs that this makes."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from training.experiments import sets
from training.experiments.one_run import Run
from training.experiments.sets import ExperimentSet


@dataclass(frozen=True)
class Work:
    """One use of `assistant experiments SET`.

    Attributes:
        chosen: the set.
        seeds: 1 to this.
        out: its folder.
        overrides: settings for all arms, as `--set` takes them.
        only: arms to run, by name; the table has all that are there. Empty: all.
        data: a folder of benchmark data, or None.
        own_base: each seed makes its own problems and base, too.
        shared: folder of the shared stages; None is `out/shared`.
    """

    chosen: ExperimentSet
    seeds: int
    out: Path
    overrides: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    data: Path | None = None
    own_base: bool = False
    shared: Path | None = None

    @property
    def root(self) -> Path:
        """Where shared stages are kept."""
        return self.shared or self.out / "shared"

    def command(self, *arms: str) -> str:
        """What makes the whole set again, or some of its arms."""
        words = ["assistant", "experiments", self.chosen.name, "--seeds", str(self.seeds)]
        for arm in arms or self.only:
            words += ["--arm", arm]
        for override in self.overrides:
            words += ["--set", override]
        words += ["--own-base"] if self.own_base else []
        words += ["--data", str(self.data)] if self.data else []
        words += ["--shared", str(self.shared)] if self.shared else []
        return shlex.join([*words, "--out", str(self.out)])


def runs_of(work: Work) -> list[Run]:
    """Every run of a set, in the order in which they are done.

    Raises:
        UsageProblem: a recipe, an arm or a setting does not exist.
    """
    sets.check_overrides(work.overrides)
    for name in work.only:
        work.chosen.arm(name)
    found = []
    for seed in range(1, work.seeds + 1):
        for arm in work.chosen.arms:
            recipe, settings = sets.settings_of(work.chosen, arm, seed, work.overrides)
            question_seed = seed if work.own_base else sets.SEED
            out = work.out / arm.name / f"seed-{seed}"
            found.append(
                Run(work.chosen, arm, seed, question_seed, recipe, settings, out, work.data)
            )
    return found
