"""Functions that are no pipelines: each written out, with parameters and wordings of its own."""

from __future__ import annotations

from random import Random

from training.world.atoms.atom import Atom, build
from training.world.atoms.numbers import NUMBERS

ATOMS: tuple[Atom, ...] = (*NUMBERS,)
WEIGHTS = tuple(atom.weight for atom in ATOMS)

__all__ = ["ATOMS", "WEIGHTS", "Atom", "Random", "build"]
