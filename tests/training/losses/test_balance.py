"""Both losses meet at the last hidden state: gradients, norms, scale."""

from __future__ import annotations

import pytest
import torch

from training.losses.balance import Norms, backward, combined, scale


def _case():
    torch.manual_seed(0)
    inner = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    head = torch.randn(3, dtype=torch.float64, requires_grad=True)
    hidden = torch.tanh(inner)
    cut = hidden.detach().requires_grad_()
    return inner, head, hidden, cut


def test_the_gradients_are_those_of_the_weighted_sum():
    inner, head, hidden, cut = _case()
    norms = backward(hidden, cut, (cut.square().sum(), (cut @ head).sum()), (0.7, 0.2), [head])
    found = inner.grad.clone(), head.grad.clone()
    inner.grad = head.grad = None
    whole = torch.tanh(inner)
    (0.7 * whole.square().sum() + 0.2 * (whole @ head).sum()).backward()
    assert torch.allclose(found[0], inner.grad)
    assert torch.allclose(found[1], head.grad)
    assert norms.token == pytest.approx((2 * cut).norm().item())
    assert norms.structural == pytest.approx(2 * head.norm().item())


def test_gradients_of_several_parts_add_up():
    inner, head, hidden, cut = _case()
    backward(hidden, cut, (cut.square().sum(), (cut @ head).sum()), (1.0, 0.5), [head])
    once = inner.grad.clone(), head.grad.clone()
    hidden = torch.tanh(inner)
    cut = hidden.detach().requires_grad_()
    backward(hidden, cut, (cut.square().sum(), (cut @ head).sum()), (1.0, 0.5), [head])
    assert torch.allclose(inner.grad, 2 * once[0])
    assert torch.allclose(head.grad, 2 * once[1])


def test_a_loss_without_a_gradient_leaves_the_other_exactly_as_it_is():
    inner, _, hidden, cut = _case()
    norms = backward(hidden, cut, (cut.square().sum(), torch.tensor(0.4)), (0.5, 0.5))
    found = inner.grad.clone()
    inner.grad = None
    hidden = torch.tanh(inner)
    cut = hidden.detach().requires_grad_()
    backward(hidden, cut, (cut.square().sum(), torch.tensor(0.0)), (0.5, 0.0))
    assert torch.equal(found, inner.grad)
    assert norms.structural == norms.ratio == 0.0


def test_auto_holds_the_ratio_and_raw_leaves_it():
    norms = Norms(2.0, 0.01)
    assert scale(norms, "auto", 0.1) * norms.structural == pytest.approx(0.1 * norms.token)
    assert scale(norms, "raw", 0.1) == 1.0
    assert scale(Norms(2.0, 0.0), "auto", 0.1) == 1.0
    assert scale(Norms(2.0, 1e-30), "auto", 0.1) == 1e4


def test_norms_of_parts_are_those_of_the_whole():
    whole = torch.randn(6, 2)
    parts = [Norms(part.norm().item(), 2 * part.norm().item()) for part in whole.split(2)]
    assert combined(parts).token == pytest.approx(whole.norm().item(), rel=1e-6)
    assert combined(parts).ratio == pytest.approx(2.0)


def test_one_odd_step_does_not_throw_the_scale_about():
    assert scale(Norms(2.0, 0.0), "auto", 0.1, before=30.0) == 30.0
    assert scale(Norms(2.0, 1e-9), "auto", 0.1, before=30.0) == 60.0
    assert scale(Norms(2.0, 2.0), "auto", 0.1, before=30.0) == 15.0
    assert scale(Norms(2.0, 0.01), "auto", 0.1, before=15.0) == pytest.approx(20.0)
