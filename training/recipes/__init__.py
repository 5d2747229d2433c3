"""Recipes: one file each, read top to bottom. `assistant train --list` shows them."""

from __future__ import annotations

from assistant.errors import UsageProblem
from training.recipes.nano import NANO
from training.recipes.starter import STARTER
from training.settings import Recipe

RECIPES = {recipe.name: recipe for recipe in (NANO, STARTER)}


def find(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        UsageProblem: there is none.
    """
    if name not in RECIPES:
        known = ", ".join(RECIPES)
        raise UsageProblem(
            f"there is no recipe {name!r}; there are: {known}", hint="assistant train --list"
        )
    return RECIPES[name]
