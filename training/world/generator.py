"""The stream of problems: the same count and seed give the same problems, byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from functools import cache
from random import Random

from training.world import atoms
from training.world.draft import Draft
from training.world.execution import Examples, assertions, call_text, load, make_examples, shown
from training.world.finish import add_guard, add_post
from training.world.names import parameter_names
from training.world.pipelines.compose import build as build_pipeline
from training.world.pipelines.spec import basic_specs, draw
from training.world.problem import SPLITS, Construction, Problem
from training.world.requests import compose, draw_form, draw_name, draw_signature
from training.world.structure import split_of, structure_hash

PIPELINE_SHARE = 0.62
_BASIC_SEED = "the blocks alone"


@cache
def basic_structures() -> frozenset[str]:
    """Structures of every building block on its own; they always belong to training."""
    rng = Random(_BASIC_SEED)
    found = set()
    for spec in basic_specs(rng):
        draft = build_pipeline(spec, parameter_names(None, spec.source.params))
        found.add(structure_hash(draft.code(_plain_signature(draft), "f")))
    for atom in atoms.ATOMS:
        names = parameter_names(None, atom.kinds, atoms.local_names(atom))
        draft = atoms.build(atom, rng, names)
        found.add(structure_hash(draft.code(_plain_signature(draft), "f")))
    return frozenset(found)


def _plain_signature(draft: Draft) -> str:
    return f"def f({', '.join(draft.params)}):"


def draw_draft(rng: Random, free_names: bool) -> Draft:
    """A random function, with a guard or a change of its result now and then.

    Args:
        free_names: the request will not state the parameters, so they get canonical names.
    """
    naming = None if free_names else rng
    if rng.random() < PIPELINE_SHARE:
        spec = draw(rng)
        draft = build_pipeline(spec, parameter_names(naming, spec.source.params))
        changed = 0.1
    else:
        atom = rng.choices(atoms.ATOMS, weights=atoms.WEIGHTS)[0]
        taken = atoms.local_names(atom)
        draft = atoms.build(atom, rng, parameter_names(naming, atom.kinds, taken))
        changed = 0.3
    if rng.random() < changed:
        draft = add_post(draft, rng)
    if rng.random() < 0.06:
        draft = add_guard(draft, rng)
    return draft


def _edge_cases(draft: Draft, examples: Examples) -> tuple[str, ...]:
    if examples.empty is None or draft.nonempty:
        cases = [f"{draft.params[0]} is not empty"]
        if draft.kinds[0] in ("n", "bign", "smalln", "int"):
            cases = [f"{draft.params[0]} is positive"]
    else:
        empty = {"n": "0", "bign": "0", "smalln": "0", "int": "0"}.get(draft.kinds[0])
        subject = f"{draft.params[0]} is {empty}" if empty else f"empty {draft.params[0]}"
        cases = [f"{subject}: {examples.empty}"]
    return (*cases, *draft.edge)


def make(rng: Random) -> Problem | None:
    """One problem; None when the draw is not worth one."""
    form = draw_form(rng)
    draft = draw_draft(rng, form in ("named", "none"))
    name = draw_name(rng, draft, form)
    if name in draft.params:
        return None
    hints = form in ("stub", "ticks", "line") and rng.random() < (0.35 if form == "stub" else 0.12)
    signature = draw_signature(rng, draft, name, hints)
    code = draft.code(signature, name)
    examples = make_examples(draft, load(code, name), rng)
    if examples is None:
        return None
    example = None
    if rng.random() < (0.2 if form == "stub" else 0.14):
        arguments, result = examples.calls[0]
        example = (call_text(name, arguments), shown(result))
        if len(example[0]) + len(example[1]) > 90 or form == "none":
            example = None
    request = compose(rng, draft, name, form, signature, example)
    structure = structure_hash(code)
    goal = draft.word(None, draft.params)
    prefix = "whether " if goal.kind == "clause" else ""
    construction = Construction(
        draft.family,
        draft.primitives,
        f"{prefix}{goal.text}",
        draft.steps,
        draft.formulas,
        _edge_cases(draft, examples),
    )
    identity = hashlib.sha256(f"{request.text}\0{code}".encode()).hexdigest()[:16]
    return Problem(
        id=identity,
        request=request.text,
        register=request.register,
        signature=request.signature,
        name=name,
        code=code,
        tests=assertions(name, examples.calls),
        structure=structure,
        construction=construction,
        split=split_of(structure, basic_structures()),
        form=request.form,
    )


def generate(count: int, seed: int, splits: Collection[str] = SPLITS) -> Iterator[Problem]:
    """`count` problems with different requests.

    Every attempt has a random source of its own, made from the seed and the number of the
    attempt; so a longer run begins with the problems of a shorter one.

    Args:
        splits: only problems of these splits are counted and given.
    """
    requests: set[str] = set()
    attempt = 0
    while count > 0:
        problem = make(Random(f"{seed}:{attempt}"))
        attempt += 1
        if problem is None or problem.split not in splits or problem.request in requests:
            continue
        requests.add(problem.request)
        count -= 1
        yield problem
