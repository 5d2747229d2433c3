"""Logits of a whole text come in blocks, and are those of one piece."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import logits
from assistant.errors import EngineProblem
from tests.support.tiny_gguf import Tiny, write


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("m") / "model.gguf", Tiny(context=2048))


@pytest.fixture(scope="module")
def tokens() -> list[int]:
    return np.random.default_rng(3).integers(0, 256, 700).tolist()


def test_blocks_are_the_rows_of_the_whole(model, tokens):
    whole = logits.all_logits(model, tokens, threads=1)
    blocks = list(logits.logits_in_blocks(model, tokens, threads=1))

    assert [first for first, _ in blocks] == [0, 256, 512]
    assert [len(block) for _, block in blocks] == [256, 256, 188]
    assert (np.concatenate([block for _, block in blocks]) == whole).all()
    assert np.isfinite(whole).all()


def test_no_more_than_two_blocks_are_in_memory(model, tokens):
    """One that is given out, and the next."""
    tracemalloc.start()
    try:
        blocks = logits.logits_in_blocks(model, [*tokens, *tokens], threads=1)
        rows = sum(len(block) for _, block in blocks)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    with logits.Evaluator(model, threads=1) as opened:
        block = logits.ROWS * opened.vocabulary * 4
    assert rows == 1400
    assert peak < 3 * block < 1400 * opened.vocabulary * 4


def test_one_text_does_not_see_another(model, tokens):
    alone = logits.all_logits(model, tokens[:40], threads=1)
    with logits.Evaluator(model, threads=1) as opened:
        list(opened.blocks(tokens))
        _, after = next(opened.blocks(tokens[:40]))

    assert (after == alone).all()


def test_what_is_no_token_is_refused(model):
    with pytest.raises(EngineProblem, match="from 0 to"):
        logits.all_logits(model, [1_000_000], threads=1)
    with pytest.raises(EngineProblem, match="at least one"):
        logits.all_logits(model, [], threads=1)
