"""Log-probabilities, compared with a plain computation in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assistant.engine.probabilities import probability


def piece_of(token: int) -> bytes:
    return b"<%d>" % token


@pytest.mark.parametrize("size", [3, 2048, 128_257])
def test_they_are_the_models_own_distribution(size: int) -> None:
    logits = np.random.default_rng(size).standard_normal(size).astype(np.float32) * 8 + 100
    before = logits.copy()
    exact = logits.astype(np.float64)
    exact -= exact.max()
    exact -= math.log(np.exp(exact).sum())

    for token in (0, 1, size - 1, int(logits.argmax())):
        found = probability(logits, token, 5, piece_of)

        assert (found.token, found.piece) == (token, piece_of(token))
        assert found.logprob == pytest.approx(exact[token], abs=2e-5)
        order = np.argsort(-exact)[:5]
        assert [entry[0] for entry in found.alternatives] == order.tolist()
        assert [entry[1] for entry in found.alternatives] == [piece_of(t) for t in order]
        assert [entry[2] for entry in found.alternatives] == pytest.approx(exact[order], abs=2e-5)
    assert (logits == before).all()


def test_they_sum_to_one() -> None:
    logits = np.random.default_rng(1).standard_normal(500).astype(np.float32)

    found = probability(logits, 3, 500, piece_of)

    assert sum(math.exp(entry[2]) for entry in found.alternatives) == pytest.approx(1)


def test_none_are_told_if_none_are_wanted() -> None:
    assert probability(np.zeros(9, np.float32), 3, 0, piece_of).alternatives == ()


def test_the_first_of_equal_ones_comes_first() -> None:
    found = probability(np.zeros(5000, np.float32), 3, 3, piece_of)

    assert [entry[0] for entry in found.alternatives] == [0, 1, 2]


def test_impossible_tokens_do_not_disturb() -> None:
    logits = np.array([0, -math.inf, 0], np.float32)

    assert probability(logits, 0, 2, piece_of).logprob == pytest.approx(math.log(0.5))
    assert probability(logits, 1, 2, piece_of).logprob == -math.inf
