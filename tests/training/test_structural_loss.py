"""The structural loss: zero at the reference, and with a gradient that reaches the model."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from training.code_encoder import CodeEncoder
from training.losses.structural import Form, StructuralLoss

ROWS, LENGTH, VOCABULARY = 3, 12, 40


@pytest.fixture
def encoder() -> CodeEncoder:
    torch.manual_seed(0)
    encoder = CodeEncoder(VOCABULARY, width=16, layers=2, heads=2, max_tokens=LENGTH)
    encoder.mean.copy_(torch.randn(16) * 0.1)
    return encoder.eval().requires_grad_(False)


@pytest.fixture
def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, reference tokens, mask; the last program is shorter."""
    torch.manual_seed(1)
    logits = torch.randn(ROWS, LENGTH, VOCABULARY, requires_grad=True)
    targets = torch.randint(0, VOCABULARY, (ROWS, LENGTH))
    mask = torch.ones(ROWS, LENGTH, dtype=torch.bool)
    mask[-1, 7:] = False
    return logits, targets, mask


def test_the_reference_itself_has_no_loss(encoder, case):
    _, targets, mask = case
    choice = functional.one_hot(targets, VOCABULARY).float()
    assert StructuralLoss(encoder).choices(choice, targets, mask).abs().max() < 1e-6


@pytest.mark.parametrize("form", [Form.STRAIGHT_THROUGH, Form.SOFT])
def test_confident_logits_of_the_reference_have_no_loss(encoder, case, form):
    _, targets, mask = case
    logits = functional.one_hot(targets, VOCABULARY).float() * 100
    assert StructuralLoss(encoder, form)(logits, targets, mask).abs().max() < 1e-6


@pytest.mark.parametrize("form", [Form.STRAIGHT_THROUGH, Form.SOFT])
def test_wrong_tokens_have_a_loss_with_a_gradient(encoder, case, form):
    logits, targets, mask = case
    loss = StructuralLoss(encoder, form)(logits, targets, mask)
    assert (loss > 0.01).all()
    loss.sum().backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum((1, 2)) > 0).all()


def test_padding_gets_no_gradient_and_changes_nothing(encoder, case):
    logits, targets, mask = case
    loss = StructuralLoss(encoder)(logits, targets, mask)
    loss.sum().backward()
    assert logits.grad is not None
    assert logits.grad[-1, 7:].abs().max() == 0
    changed = logits.detach().clone()
    changed[-1, 7:] = 50.0
    assert torch.allclose(StructuralLoss(encoder)(changed, targets, mask), loss, atol=1e-6)


def test_the_straight_through_value_is_that_of_the_most_likely_tokens(encoder, case):
    logits, targets, mask = case
    real = StructuralLoss(encoder, Form.STRAIGHT_THROUGH)(logits, targets, mask)
    placebo = StructuralLoss(encoder, Form.PLACEBO)(logits, targets, mask)
    assert torch.allclose(real, placebo, atol=1e-6)


def test_the_placebo_has_no_gradient(encoder, case):
    logits, targets, mask = case
    assert not StructuralLoss(encoder, Form.PLACEBO)(logits, targets, mask).requires_grad


def test_the_soft_gradient_is_that_of_finite_differences(encoder, case):
    logits, targets, mask = case
    loss = StructuralLoss(encoder.double(), Form.SOFT, top_k=0)
    exact = logits.detach().double().requires_grad_()
    loss(exact, targets, mask).sum().backward()
    assert exact.grad is not None
    step = torch.zeros_like(exact)
    step[0, 3, 5] = 1e-5
    with torch.no_grad():
        up, down = (loss(exact + s, targets, mask).sum() for s in (step, -step))
    assert exact.grad[0, 3, 5].item() == pytest.approx(((up - down) / 2e-5).item(), rel=1e-4)


def test_descending_the_soft_loss_finds_the_reference_structure(encoder, case):
    logits, targets, mask = case
    loss = StructuralLoss(encoder, Form.SOFT, top_k=0)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    first = loss(logits, targets, mask).sum().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss(logits, targets, mask).sum().backward()
        optimizer.step()
    assert loss(logits, targets, mask).sum().item() < 0.2 * first
