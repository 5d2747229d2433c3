"""Functions that are no pipelines: each written out, with parameters and wordings of its own."""

from __future__ import annotations

from training.world.atoms.atom import Atom, build, local_names
from training.world.atoms.classics import CLASSICS
from training.world.atoms.dicts import DICTS
from training.world.atoms.lists import LISTS
from training.world.atoms.numbers import NUMBERS
from training.world.atoms.strings import STRINGS

ATOMS: tuple[Atom, ...] = (*NUMBERS, *STRINGS, *LISTS, *DICTS, *CLASSICS)
WEIGHTS = tuple(atom.weight for atom in ATOMS)

__all__ = ["ATOMS", "WEIGHTS", "Atom", "build", "local_names"]
