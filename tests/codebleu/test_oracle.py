"""codebleu 0.7.0 itself beside our imitation of it, where it is installed.

    python -m venv old && old/bin/pip install codebleu==0.7.0 \\
        tree-sitter==0.22.3 tree-sitter-python==0.21.0
    CODEBLEU_PYTHON=old/bin/python .venv/bin/python -m pytest tests/codebleu/test_oracle.py

Both run in that interpreter, so grammar and hash seed are the same and so must be the numbers.
"""

from __future__ import annotations

import json
import os
import random
import subprocess

import pytest

from tests.support.codebleu import ROOT, data, humaneval, mbpp_test

BOTH = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from codebleu.dataflow_match import corpus_dataflow_match as old_data_flow
from codebleu.syntax_match import corpus_syntax_match as old_syntax
from codebleu.utils import get_tree_sitter_language
from assistant.benchmarks.codebleu import CODEBLEU_070, Pair
from assistant.benchmarks.codebleu.matching import sample
language = get_tree_sitter_language("python")
for one, other in json.load(sys.stdin):
    ours = sample(Pair("", one, other), CODEBLEU_070)
    syntax = old_syntax([[one]], [other], "python", language)
    flow = old_data_flow([[one]], [other], "python", language)
    print(json.dumps([ours.syntax.value, syntax, ours.data_flow.value, flow]))
"""


def damaged(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text) + 1)
    put = chance.choice(["", "(", '"', "'", "\n", "é", "else:", ":", "=", "\t", " if "])
    return text[:place] + put + text[place + chance.randrange(4) :]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_numbers_as_the_package(seed: int):
    python = os.environ.get("CODEBLEU_PYTHON")
    if not python:
        pytest.skip("CODEBLEU_PYTHON names no interpreter with codebleu 0.7.0")
    pairs = [
        (row["ref"], row["hyp"]) for row in json.loads(data("codebleu_ref/pairs.json").read_text())
    ]
    chance = random.Random(seed)
    texts = [prompt + body for prompt, body in humaneval()] + mbpp_test()
    pairs += [(text, chance.choice(texts)) for text in texts]
    pairs += [(text, damaged(text, chance)) for text in texts]
    done = subprocess.run(
        [python, "-c", BOTH],
        input=json.dumps(pairs),
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(pairs) > 1500
    for number, (syntax, old_syntax, flow, old_flow) in enumerate(found):
        assert (syntax, flow) == pytest.approx((old_syntax, old_flow), abs=1e-12), number
