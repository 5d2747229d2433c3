"""Batches hold every document once an epoch, in a fixed order, and keep them apart."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training import batches, model
from training.documents import document
from training.losses.token import token_loss
from training.settings import Architecture

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=60)


@given(LENGTHS, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_an_epoch_has_each_document_once_and_no_batch_is_too_large(lengths, seed):
    plan = batches.plan(lengths, batch_tokens=100, budget=1, seed=seed)
    whole = batches.plan(lengths, batch_tokens=100, budget=sum(lengths) * 100, seed=seed)
    assert plan == whole[:1]
    seen: list[int] = []
    for batch in whole:
        assert len(batch) * max(lengths[i] for i in batch) <= 100
        seen += batch
    assert set(seen[: len(lengths)]) == set(range(len(lengths)))


def test_the_order_depends_on_the_seed_alone():
    lengths = list(range(5, 80))
    assert batches.plan(lengths, 200, 9000, 1) == batches.plan(lengths, 200, 9000, 1)
    assert batches.plan(lengths, 200, 9000, 1) != batches.plan(lengths, 200, 9000, 2)


def test_documents_come_again_when_they_do_not_fill_the_budget():
    plan = batches.plan([10, 10], batch_tokens=20, budget=100, seed=0)
    assert [sorted(batch) for batch in plan] == [[0, 1]] * 5


def _loss(net: torch.nn.Module, documents: list) -> tuple[float, float]:
    batch = batches.collate(documents, prompt_weight=0.25)
    with torch.no_grad():
        hidden = net.model(input_ids=batch.tokens[:, :-1], use_cache=False).last_hidden_state
    weights = batch.weights[:, 1:]
    head = net.lm_head.weight.detach()
    targets = batch.tokens[:, 1:].flatten()
    loss = token_loss(hidden.flatten(0, 1), head, targets, weights.flatten()).loss
    return loss.item(), weights.sum().item()


def test_the_loss_of_documents_together_is_that_of_each_alone():
    """What fails when a document sees its neighbour, its padding, or the wrong weights."""
    shape = Architecture(width=32, layers=2, heads=2, kv_heads=1, feed_forward=64, context=64)
    net = model.fresh(shape, vocabulary=64, seed=0)
    rng = np.random.default_rng(0)
    documents = [
        document(rng.integers(6, 64, given).tolist(), rng.integers(6, 64, written).tolist())
        for given, written in ((3, 20), (10, 4), (0, 31), (7, 7))
    ]
    together, weight = _loss(net, documents)
    alone = [_loss(net, [d]) for d in documents]
    assert weight == sum(w for _, w in alone)
    mean = sum(loss * w for loss, w in alone) / weight
    assert abs(together - mean) < 1e-5
