"""The chunked token loss is the plain one: values and gradients, whatever the chunk."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from training.losses.token import token_loss

WIDTH, VOCABULARY = 6, 11


def _case(places: int, seed: int, share: float):
    torch.manual_seed(seed)
    hidden = torch.randn(places, WIDTH, dtype=torch.float64, requires_grad=True)
    head = torch.randn(VOCABULARY, WIDTH, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(0, VOCABULARY, (places,))
    weights = torch.rand(places, dtype=torch.float64) * (torch.rand(places) < share)
    return hidden, head, targets, weights


def _plain(hidden, head, targets, weights):
    each = functional.cross_entropy(hidden @ head.T, targets, reduction="none")
    return (each * weights).sum() / weights.sum().clamp(min=1e-8)


@settings(max_examples=60, deadline=None)
@given(
    places=st.integers(0, 23), chunk=st.integers(1, 30), seed=st.integers(0, 9),
    share=st.sampled_from([0.0, 0.3, 1.0]), k=st.integers(1, VOCABULARY),
)  # fmt: skip
def test_value_and_gradients_are_the_plain_ones(places, chunk, seed, share, k):
    hidden, head, targets, weights = _case(places, seed, share)
    emit = torch.rand(places) < 0.5
    logits = hidden @ head.T
    plain_top = torch.topk(logits[emit], k, dim=-1)
    pull = torch.randn_like(plain_top.values)
    plain = _plain(hidden, head, targets, weights)
    expected = torch.autograd.grad(3 * plain + (plain_top.values * pull).sum(), [hidden, head])

    found = token_loss(hidden, head, targets, weights, emit=emit, top_k=k, chunk=chunk)
    total = 3 * found.loss + (found.values * pull).sum()
    assert found.loss.item() == pytest.approx(plain.item(), abs=1e-12)
    assert torch.equal(found.tokens, plain_top.indices)
    for gradient, right in zip(torch.autograd.grad(total, [hidden, head]), expected, strict=True):
        assert torch.allclose(gradient, right, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    hidden, head, targets, weights = _case(7, 0, 0.7)
    assert torch.autograd.gradcheck(
        lambda h, w: token_loss(h, w, targets, weights, chunk=3).loss, (hidden, head)
    )


def test_it_can_be_followed_back_twice():
    hidden, head, targets, weights = _case(7, 0, 0.7)
    loss = token_loss(hidden, head, targets, weights).loss
    first = torch.autograd.grad(loss, hidden, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(loss, hidden)[0])


def test_a_frozen_head_gets_no_gradient():
    hidden, head, targets, weights = _case(7, 0, 0.7)
    head.requires_grad_(False)
    token_loss(hidden, head, targets, weights).loss.backward()
    assert head.grad is None
    assert hidden.grad is not None


def test_places_that_do_not_count_never_reach_the_head():
    hidden, head, targets, weights = _case(7, 0, 0.5)
    with torch.no_grad():
        hidden[weights == 0] = float("nan")
    loss = token_loss(hidden, head, targets, weights).loss
    loss.backward()
    assert loss.isfinite()
    assert hidden.grad[weights == 0].eq(0).all()


def test_a_batch_in_parts_adds_up_to_the_whole():
    hidden, head, targets, weights = _case(20, 1, 0.5)
    whole = token_loss(hidden, head, targets, weights).loss
    total = weights.sum()
    parts = [
        token_loss(hidden[p], head, targets[p], weights[p], total=total).loss
        for p in (slice(0, 3), slice(3, 20))
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-12)
    expected = torch.autograd.grad(whole, hidden)[0]
    assert torch.allclose(torch.autograd.grad(sum(parts), hidden)[0], expected, atol=1e-12)


def test_the_whole_logits_are_never_in_memory(monkeypatch):
    hidden, head, targets, weights = _case(50, 1, 1.0)
    seen = []
    real = torch.logsumexp
    monkeypatch.setattr(
        torch, "logsumexp", lambda x, *a, **k: seen.append(len(x)) or real(x, *a, **k)
    )
    token_loss(hidden, head, targets, weights, chunk=8)
    assert max(seen) == 8
    assert sum(seen) == 50
