"""What is measured between two models, and which bounds hold for which."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from assistant.errors import ExportProblem
from training.export import gates, verifying
from training.export.gates import gate
from training.export.verifying import Tally


def _measured(expected, found, following=(0,)):
    tally = Tally()
    tally.add(torch.tensor(expected), torch.tensor(found), list(following))
    return tally.result()


def test_two_places_by_hand():
    even, uneven = [0.0, 0.0], [math.log(3.0), 0.0]
    measured = _measured([even, uneven], [even, even], following=[1])
    kld = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert measured.tokens == 2
    assert measured.mean_kld == pytest.approx(kld / 2)
    assert measured.max_kld == pytest.approx(kld)
    assert measured.nmse == pytest.approx(1.0)
    assert measured.same_top == 1.0
    # One token follows: behind the last place there is none.
    assert measured.loss == measured.file_loss == pytest.approx(math.log(2))


def test_blocks_add_up_to_the_whole():
    chance = torch.Generator().manual_seed(1)
    expected, found = (torch.randn((70, 9), generator=chance) for _ in range(2))
    following = list(range(9)) * 8
    row = [0, *following[:69]]
    results = []
    for step in (70, 33):
        tally = Tally()
        blocks = [(n, found[n : n + step].numpy()) for n in range(0, 70, step)]
        verifying.add_row(tally, row, lambda start, stop: expected[start:stop], blocks)
        results.append(dataclasses.asdict(tally.result()))
    assert results[0] == pytest.approx(results[1])


def test_sizes_that_differ_are_refused():
    with pytest.raises(ExportProblem, match="3 tokens, and the model 2"):
        _measured([[0.0, 1.0]], [[0.0, 1.0, 2.0]])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_outside_of_every_bound(bad):
    measured = _measured([[0.0, 1.0]], [[0.0, bad]])
    for bounds in (gates.Gate(1e-8), gates.Gate(math.inf, 0.1, 0.5), gates.Gate(math.inf)):
        assert verifying.problems(measured, bounds)


def test_a_trained_model_of_billions_of_weights_has_the_bounds_of_llama_3_8b():
    large = gate("Q4_K_M", 8 * 10**9, 32, 1.5, 128256)
    assert (large.mean_kld, large.same_top) == (0.06, 0.9)
    small = gate("q4_k_m", 10**8, 30, 1.5, 49152)
    assert small.mean_kld == pytest.approx(0.24)
    assert small.same_top == pytest.approx(0.6)


@pytest.mark.parametrize("loss", [math.log(1000), math.nan])
def test_a_model_that_knows_nothing_is_held_to_its_logits_alone(loss):
    assert gate("Q8_0", 8 * 10**9, 2, loss, 1000) == gates.Gate(1e-2)


def test_rounding_adds_up_over_layers_and_drowns_errors_at_last():
    shallow, deep = (gate("Q8_0", 10**9, layers, 9.9, 100).nmse for layers in (3, 30))
    assert deep == pytest.approx(10 * shallow)
    assert gate("F32", 10**9, 100, 9.9, 100).nmse == 1e-8
    assert not gate("Q4_K_M", 10**9, 2, 9.9, 100).bounds_nothing
    assert gate("Q4_K_M", 10**9, 32, 9.9, 100).bounds_nothing
    assert not gate("Q4_K_M", 10**9, 32, 1.5, 100).bounds_nothing
    assert gate("IQ1_S", 10**9, 2, 1.5, 100).bounds_nothing


def test_the_cache_of_serving_may_add_something():
    exact, serving = (gate("F32", 10**9, 32, 9.9, 100, exact=exact) for exact in (True, False))
    assert exact.nmse == 1e-8
    assert serving.nmse == pytest.approx(1e-5, rel=1e-2)
