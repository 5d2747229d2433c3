"""Pretraining text of the same world."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from random import Random

import pytest

from assistant.format import parse
from training.world.documents import KINDS, document, pretraining_documents
from training.world.drills import drill
from training.world.generator import basic_structures
from training.world.statistics import statistics
from training.world.structure import split_of, structure_hash


@pytest.fixture(scope="module")
def documents():
    return list(pretraining_documents(700, 4))


def test_every_kind_occurs_and_has_text(documents):
    assert {d.kind for d in documents} == set(KINDS)
    assert all(d.assistant.strip() for d in documents)
    assert all((d.user == "") == (d.kind in ("code", "described")) for d in documents)


def test_no_code_in_them_is_held_out(documents):
    checked = 0
    for text in documents:
        for code in re.findall(r"^def .*\n(?:    .*\n|\n)*", text.assistant + "\n", re.MULTILINE):
            try:
                ast.parse(code)
            except SyntaxError:
                continue  # a definition line alone, from a drill
            assert split_of(structure_hash(code), basic_structures()) == "train"
            checked += 1
    assert checked > 500


def test_answers_follow_the_format(documents):
    for text in documents:
        if text.kind == "reasoning":
            done = parse(text.assistant)
            assert done.complete and done.code.startswith("def ")
        if text.kind == "direct":
            assert parse(text.assistant).code.startswith("def ")


def test_described_code_is_the_function_with_a_docstring(problems):
    for problem in problems[:200]:
        if problem.split == "train":
            code = document(problem, "described", Random(1)).assistant
            tree = ast.parse(code)
            assert ast.get_docstring(tree.body[0])
            assert structure_hash(code) == problem.structure


def test_drills_are_answered_from_the_request(problems):
    rng = Random(5)
    for problem in problems[:400]:
        asked, answer = drill(problem, rng)
        first = answer.split(" = ")[0]
        if asked.endswith("What is the function called?") and problem.form == "none":
            assert answer == problem.name  # the canonical name is to be found, not copied
        elif asked.endswith("Write only the def line."):
            assert answer in problem.code
        elif asked.startswith("Rename "):
            assert f"def {asked.split(' to ')[1].split(':')[0]}(" in answer
        elif asked.endswith("List the constants."):
            assert answer == "none" or all(
                part.strip("'") in asked for part in answer.split(", ") if part
            )
        else:
            assert first in asked


def test_the_world_needs_no_torch():
    program = (
        "import sys, training.world, training.world.documents, training.world.evaluation,"
        " training.teachers, training.teachers.endpoint;"
        "sys.exit(bool({'torch', 'transformers', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_statistics_count_what_is_there(problems):
    counted = statistics(problems[:500])
    assert counted["problems"] == 500 == sum(counted["splits"].values())
    assert counted["tokens, estimated"]["reasoning"]["median"] < 110
    assert counted["structures"]["train"] == len(
        {p.structure for p in problems[:500] if p.split == "train"}
    )
