"""An atom: one function written out."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from random import Random

from training.world.constants import draw_constants
from training.world.draft import Draft, Refs, Wording


@dataclass(frozen=True)
class Atom:
    """Templates use `{0}`, `{1}` for the parameters and names for the constants.

    `says` are the wordings: `!` starts an imperative ("!reverse the words of {0}"), `?` a clause
    ("?{0} is a palindrome"), anything else is a noun phrase ("the factorial of {0}"). The first is
    the canonical one.
    """

    key: str
    family: str
    kinds: tuple[str, ...]
    out: str
    lines: tuple[str, ...]
    says: tuple[str, ...]
    steps: tuple[str, ...]
    constants: dict[str, str] = field(default_factory=dict, hash=False)
    formulas: tuple[str, ...] = ()
    edge: tuple[str, ...] = ()
    weight: float = 1.0
    nonempty: bool = False
    recursive: bool = False
    helpers: tuple[str, ...] = ()


def _say(template: str) -> tuple[str, str]:
    kinds = {"!": "verb", "?": "clause"}
    kind = kinds.get(template[0], "np")
    return kind, template[1:] if kind != "np" else template


@cache
def local_names(atom: Atom) -> frozenset[str]:
    """Names that the code of an atom uses for itself; a parameter must not take one of them."""
    draft = build(atom, Random(0), tuple(f"parameter{i}" for i in range(len(atom.kinds))))
    tree = ast.parse(draft.code(f"def f({', '.join(draft.params)}):", "f"))
    return frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))


def build(atom: Atom, rng: Random, params: tuple[str, ...]) -> Draft:
    """The atom with constants and the given parameter names."""
    values = draw_constants(atom.constants, rng)

    def fill(text: str) -> str:
        return text.format(*params, fn="{fn}", **values)

    def word(rng: Random | None, refs: Refs) -> Wording:
        says = atom.says
        if any(" " in ref for ref in refs):
            # "the nums-th" is English, "the a given number-th" is not.
            says = tuple(say for say in says if "}th" not in say and "}-th" not in say) or says
        kind, text = _say(says[0] if rng is None else rng.choice(says))
        return Wording(kind, text.format(*refs, **values))

    return Draft(
        family=atom.family,
        primitives=(f"atom.{atom.key}",),
        kinds=atom.kinds,
        params=params,
        lines=tuple(fill(line) for line in atom.lines),
        steps=tuple(fill(step) for step in atom.steps),
        formulas=tuple(fill(formula) for formula in atom.formulas),
        out=atom.out,
        constants=tuple(values.values()),
        base_name=atom.key,
        word=word,
        nonempty=atom.nonempty,
        helpers=atom.helpers,
        edge=tuple(fill(case) for case in atom.edge),
        recursive=atom.recursive,
    )
