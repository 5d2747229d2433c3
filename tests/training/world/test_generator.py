"""The stream of problems: right, reproducible, varied, and split without a leak."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from collections import Counter

from training.world import generate, run_many, structure_hash, to_json
from training.world.generator import basic_structures
from training.world.problem import from_json


def _pairs(problem):
    keys = problem.construction.primitives
    return [(a, b) for i, a in enumerate(keys) for b in keys[i + 1 :]]


def test_reference_code_passes_its_tests(problems):
    # In this process: the code is the world's own.
    for problem in problems:
        space: dict = {}
        exec(problem.code, space)
        for test in problem.tests:
            exec(test, space)
    assert all(len(problem.tests) >= 3 for problem in problems)


def test_reference_code_passes_in_a_process_of_its_own(problems):
    sample = problems[::20]
    failed = [
        p.code
        for p, o in zip(sample, run_many([(p, p.code) for p in sample]), strict=True)
        if not o.passed
    ]
    assert len(sample) == 150
    assert failed == []


def test_tests_tell_right_from_wrong(problems):
    """An answer that always says the same passes nowhere."""
    sample = [p for p in problems if p.signature][:80]
    for constant in ("0", "[]", "True", "''"):
        answers = [(p, f"{p.signature}\n    return {constant}\n") for p in sample]
        assert not any(outcome.passed for outcome in run_many(answers))


def test_no_heldout_structure_occurs_in_training(problems):
    """From the code itself, not from what a problem says about itself."""
    structures = {split: set() for split in ("train", "validation", "heldout")}
    for problem in problems:
        structures[problem.split].add(structure_hash(problem.code))
    assert len(structures["heldout"]) > 180
    assert not structures["train"] & structures["heldout"]
    assert not structures["train"] & structures["validation"]
    assert not structures["validation"] & structures["heldout"]
    other = {structure_hash(p.code) for p in generate(1000, 99, splits=("train",))}
    assert not other & structures["heldout"]


def test_what_is_held_out_is_made_of_known_parts(problems):
    train = [p for p in problems if p.split == "train"]
    heldout = [p for p in problems if p.split == "heldout"]
    parts = {key for p in train for key in p.construction.primitives}
    # Predicates of all() and any() are rare; each is a known filter in a known place.
    unknown = {
        key
        for p in heldout
        for key in p.construction.primitives
        if key not in parts and not key.startswith(("all.", "any."))
    }
    assert len(unknown) <= 3, unknown
    known_pairs = {pair for p in train for pair in _pairs(p)}
    asked = [pair for p in heldout for pair in _pairs(p)]
    # In this small sample; of 60,000 problems 95 % of the pairs are known.
    assert sum(pair in known_pairs for pair in asked) / len(asked) > 0.45
    assert 0.06 < len(heldout) / len(problems) < 0.18
    assert not {p.structure for p in heldout} & basic_structures()


def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed(problems):
    program = (
        "import hashlib; from training.world import generate, to_json;"
        "print(hashlib.sha256(''.join(map(to_json, generate(150, 20))).encode()).hexdigest())"
    )
    here = hashlib.sha256("".join(map(to_json, problems[:150])).encode()).hexdigest()
    for seed in ("1", "2"):
        said = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert said.stdout.strip() == here


def test_another_seed_gives_other_problems(problems):
    other = {p.request for p in generate(200, 21)}
    assert len(other & {p.request for p in problems}) < 10


def test_requests_are_unique_and_varied(problems):
    assert len({p.request for p in problems}) == len(problems)
    assert len({p.id for p in problems}) == len(problems)
    assert len({p.structure for p in problems}) > 1300
    assert len({p.name for p in problems}) > 1200
    families = Counter(p.construction.family for p in problems)
    assert {"lists", "strings", "numbers", "dicts", "two-lists", "recursion", "predicates"} == set(
        families
    )
    assert min(families.values()) > 45
    registers = Counter(p.register for p in problems)
    assert {"docstring", "terse", "question", "imperative", "chatty", "examples"} == set(registers)


def test_problems_survive_being_written(problems):
    for problem in problems[:300]:
        assert from_json(to_json(problem)) == problem


def test_code_is_one_short_function_without_docstring(problems):
    for problem in problems:
        tree = ast.parse(problem.code)
        assert [type(n) for n in tree.body] == [ast.FunctionDef]
        assert ast.get_docstring(tree.body[0]) is None
        assert tree.body[0].name == problem.name
        assert len(problem.code) < 700
        assert problem.code.endswith("\n")


def test_pipelines_never_overwrite_a_parameter(problems):
    """Names within a comprehension are its own; a statement that stores is what would hurt."""
    checked = 0
    for problem in problems:
        if not problem.construction.primitives[0].startswith("source."):
            continue
        function = ast.parse(problem.code).body[0]
        params = {argument.arg for argument in function.args.args}
        own = {
            name
            for node in ast.walk(function)
            if isinstance(node, ast.comprehension)
            for name in ast.walk(node.target)
        }
        stored = {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in own
        }
        assert not params & stored, problem.code
        checked += 1
    assert checked > 1200
