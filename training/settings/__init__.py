"""Every setting of a training run: one dataclass a stage, one file for what belongs together.

A recipe (`training/recipes/`) gives values; `--set base.tokens=100000` replaces one. What a
recipe leaves out has the default written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.settings.adapter import Adapter
from training.settings.contexts import Contexts
from training.settings.curriculum import Curriculum
from training.settings.encoder import Encoder
from training.settings.problems import Problems
from training.settings.results import Evaluate, Export
from training.settings.scratch import Architecture, Base, Tokenizer
from training.settings.structural import Structural
from training.settings.student import Student

__all__ = [
    "Adapter",
    "Architecture",
    "Base",
    "Contexts",
    "Curriculum",
    "Encoder",
    "Evaluate",
    "Export",
    "Problems",
    "Recipe",
    "Settings",
    "Structural",
    "Student",
    "Tokenizer",
]


@dataclass(frozen=True)
class Settings:
    """All settings of a run."""

    chain: str = "scratch"
    """`scratch` makes a small model and tunes it; `pretrained` tunes `student.model`; `untrained`
    exports and scores `student.model` as it is, the baseline."""
    seed: int = 1
    """Of everything that is drawn by chance."""
    threads: int = 2
    """Processor threads. Sums depend on it: another number gives other last digits."""
    install: bool = False
    """Copy the model to where it is used: one made from nothing into the package, as the one that
    `assistant` answers with; one made from a student into the models folder, under its name."""
    problems: Problems = field(default_factory=Problems)
    contexts: Contexts = field(default_factory=Contexts)
    tokenizer: Tokenizer = field(default_factory=Tokenizer)
    model: Architecture = field(default_factory=Architecture)
    base: Base = field(default_factory=Base)
    student: Student = field(default_factory=Student)
    encoder: Encoder = field(default_factory=Encoder)
    structural: Structural = field(default_factory=Structural)
    curriculum: Curriculum = field(default_factory=Curriculum)
    adapter: Adapter = field(default_factory=Adapter)
    export: Export = field(default_factory=Export)
    evaluate: Evaluate = field(default_factory=Evaluate)


@dataclass(frozen=True)
class Recipe:
    """Named settings: a TOML file in `training/recipes/`, or one of the user's own.

    Attributes:
        name: as `assistant train` takes it: a name, or the path of a file.
        summary: one line for the list.
        settings: all of them.
        origins: by key, where the values that a file gives come from: `recipe NAME`.
        extends: name of the recipe whose values hold where this one gives none; or empty.
    """

    name: str
    summary: str
    settings: Settings
    origins: Mapping[str, str] = field(default_factory=dict)
    extends: str = ""

    @property
    def folder(self) -> str:
        """What the run's folder is called when none is named."""
        return Path(self.name).name.removesuffix(".toml")
