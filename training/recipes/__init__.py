"""Recipes: one TOML file each, read top to bottom. `assistant train --list` shows them.

    paper-*             arXiv 2510.17598 as it says, its ranks, and what it is compared with
    qwen25-coder-1.5b   the same with the remedies that we recommend, on one consumer card
    my-code             a folder of one's own code
    starter, nano       a small model from nothing

A file gives values to settings (`training/settings/`) by their own keys: `[adapter]` and then
`rank = 32` is what `--set adapter.rank=32` says. Besides, `summary` is its line in the list, and
`extends` names a recipe whose values hold where the file has none. A file of one's own does the
same from anywhere: `assistant train ./mine.toml`.

Deliberately absent: conditions, variables and includes. A recipe is values, and what a run used is
in its folder.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from assistant.errors import UsageProblem
from training.recipes.reading import SUFFIX, packaged, read
from training.settings import Recipe

RECIPES: dict[str, Recipe] = {name: read(path, name) for name, path in packaged().items()}
"""Those that come with the package, by name."""


def find(name: str) -> Recipe:
    """The recipe called `name`, or the one in the file of that path.

    Raises:
        UsageProblem: there is none, or the file is no recipe; the message says what is wrong.
    """
    if name in RECIPES:
        return RECIPES[name]
    if name.endswith(SUFFIX) or os.sep in name or "/" in name:
        return read(Path(name).expanduser(), name)
    near = difflib.get_close_matches(name, RECIPES, n=1)
    raise UsageProblem(
        f"there is no recipe {name!r}; there are: {', '.join(RECIPES)}",
        hint=f"did you mean {near[0]}?" if near else "assistant train --list",
    )
