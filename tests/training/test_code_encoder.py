"""The code encoder tells renamed programs, which are equal, from mutated ones, which are not."""

from __future__ import annotations

import ast
import random

import pytest
import torch

from training import mutations
from training.code_encoder import CodeEncoder, pad
from training.encoder import contrast, mean_vector, telling_apart, three_forms
from training.world import generate, run_tests
from training.world.structure import structure_hash


@pytest.fixture(scope="module")
def programs() -> list[str]:
    rng = random.Random(0)
    made = generate(1500, 1, splits=("train",))
    return [p.code for p in made if mutations.mutated(p.code, rng) is not None]


def _fresh(tokens) -> CodeEncoder:
    torch.manual_seed(0)
    return CodeEncoder(tokens.get_vocab_size(), width=48, layers=1, heads=4, max_tokens=100)


def test_training_beats_a_random_encoder_on_programs_it_has_not_seen(programs, writer, tokens):
    seen, unseen = programs[150:], programs[:150]
    random_encoder, encoder = _fresh(tokens), _fresh(tokens)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=3e-3)
    rng = random.Random(1)
    for _ in range(100):
        forms = [list(map(writer.encode, f)) for f in three_forms(rng.sample(seen, 24), rng)]
        loss, _ = contrast(encoder, forms, temperature=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for each in (encoder, random_encoder):
        each.mean.copy_(mean_vector(each, [writer.encode(p) for p in seen[:200]]))
    trained, untrained = (
        sum(telling_apart(each, writer, unseen, seed) for seed in range(2)) / 2
        for each in (encoder, random_encoder)
    )
    # 300 comparisons: the standard error of a share near 0.6 is 0.03.
    assert trained > 0.65
    assert trained > untrained + 0.1


def test_padding_does_not_change_a_vector(programs, writer, tokens):
    encoder = _fresh(tokens)
    ids = [writer.encode(program) for program in programs[:4]]
    together, mask = pad(ids, 100)
    alone, alone_mask = pad(ids[:1], 100)
    torch.testing.assert_close(
        encoder.embed(together, mask)[0], encoder.embed(alone, alone_mask)[0], atol=1e-5, rtol=1e-4
    )


def test_a_renamed_program_still_passes_its_tests(some_problems):
    rng = random.Random(0)
    for problem in some_problems[:40]:
        code = mutations.renamed(problem.code, rng)
        assert structure_hash(code) == structure_hash(problem.code)
        name = next(n.name for n in ast.parse(code).body if isinstance(n, ast.FunctionDef))
        outcome = run_tests(problem, f"{code}\n{problem.name} = {name}\n")
        assert outcome.passed, (problem.code, code, outcome.reason)


def test_a_mutated_program_differs_and_parses(programs):
    rng = random.Random(0)
    for program in programs[:100]:
        changed = mutations.mutated(program, rng)
        assert changed is not None
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(program))


def test_a_program_without_anything_to_mutate_is_left_out():
    assert mutations.mutated("def f(x):\n    return x\n", random.Random(0)) is None
