"""L_s and its arms: zero at the reference, gradients that are right, descent that helps."""

from __future__ import annotations

import itertools

import pytest
import torch

from assistant.errors import UsageProblem
from tests.training.losses.support import aligner, loss_of, places_of, references, roberta
from training.losses.alignment import Aligner
from training.losses.policy import score_function
from training.losses.pooling import Pooling
from training.losses.projection import Projection
from training.losses.structural import Arm, Places, named

ALIGNER = aligner()
KNOWN, TARGETS = references(ALIGNER)
SIZE = ALIGNER.student.size
ANCHORED = (Arm.SOFT, Arm.STRAIGHT_THROUGH)
WITH_GRADIENT = (*ANCHORED, Arm.UNANCHORED, Arm.POLICY_GRADIENT)


def _logits(seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    return torch.randn(len(TARGETS), SIZE, dtype=torch.float64, requires_grad=True)


def _at_the_reference() -> torch.Tensor:
    logits = torch.zeros(len(TARGETS), SIZE, dtype=torch.float64)
    # Large enough for exp of the others to be 0 exactly.
    return logits.scatter(1, TARGETS[:, None], 1e4).requires_grad_()


@pytest.mark.parametrize("window", [0, 7])
@pytest.mark.parametrize("arm", [*ANCHORED, Arm.PLACEBO, Arm.POLICY_GRADIENT])
def test_the_reference_itself_has_no_loss_at_all(arm, window):
    logits = _at_the_reference()
    loss = loss_of(ALIGNER, arm, window=window)(places_of(logits, TARGETS, KNOWN))
    assert loss.tolist() == [0.0] * len(KNOWN)


def test_the_straight_through_arm_is_zero_wherever_the_most_likely_tokens_are_right():
    logits = _logits().detach()
    logits.scatter_(1, TARGETS[:, None], 9.0).requires_grad_()
    loss = loss_of(ALIGNER, Arm.STRAIGHT_THROUGH)(places_of(logits, TARGETS, KNOWN))
    assert loss.tolist() == [0.0] * len(KNOWN)
    loss.sum().backward()
    assert logits.grad.abs().max() == 0
    soft = loss_of(ALIGNER, Arm.SOFT)(places_of(logits, TARGETS, KNOWN))
    assert (soft > 0).all()


def test_the_unanchored_arm_has_a_loss_at_the_reference():
    loss = loss_of(ALIGNER, Arm.UNANCHORED)(places_of(_at_the_reference(), TARGETS, KNOWN))
    assert (loss > 1e-4).all()


@pytest.mark.parametrize("arm", WITH_GRADIENT)
def test_wrong_tokens_have_a_loss_with_a_gradient_in_every_program(arm):
    logits = _logits()
    loss = loss_of(ALIGNER, arm)(places_of(logits, TARGETS, KNOWN, 64))
    assert (loss > 1e-3).all()
    loss.sum().backward()
    for part in logits.grad.split([reference.tokens for reference in KNOWN]):
        assert part.abs().max() > 0


def test_the_straight_through_value_is_that_of_the_decoded_tokens():
    places = places_of(_logits(), TARGETS, KNOWN, 64)
    real = loss_of(ALIGNER, Arm.STRAIGHT_THROUGH)(places)
    placebo = loss_of(ALIGNER, Arm.PLACEBO)(places)
    assert torch.allclose(real, placebo, atol=1e-12)
    assert not placebo.requires_grad


def _difference(value, at: torch.Tensor, entry: tuple[int, ...], step: float = 1e-5) -> float:
    moved = torch.zeros_like(at)
    moved[entry] = step
    with torch.no_grad():
        up, down = value(at + moved), value(at - moved)
    return ((up - down) / (2 * step)).item()


ENTRIES = [(0, 3), (5, 17), (11, 200), (20, 90)]


@pytest.mark.parametrize("window", [0, 7])
def test_the_soft_gradient_is_that_of_finite_differences(window):
    logits, loss = _logits(), loss_of(ALIGNER, Arm.SOFT, window=window, temperature=0.7)

    def value(x):
        return loss(places_of(x, TARGETS, KNOWN)).sum()

    value(logits).backward()
    for entry in ENTRIES:
        right = _difference(value, logits.detach(), entry)
        assert logits.grad[entry].item() == pytest.approx(right, rel=1e-4, abs=1e-10)


@pytest.mark.parametrize("arm", [Arm.STRAIGHT_THROUGH, Arm.UNANCHORED])
def test_the_straight_through_gradient_is_that_of_the_mixture_at_the_decoded_tokens(arm):
    """The value jumps, so what is differentiated is q_t with its hard part held still."""
    logits, loss = _logits(), loss_of(ALIGNER, arm)
    loss(places_of(logits, TARGETS, KNOWN)).sum().backward()
    still = torch.softmax(logits.detach(), -1)
    hard = torch.nn.functional.one_hot(logits.argmax(-1), SIZE).double()

    def value(x):
        chosen = (hard + torch.softmax(x, -1) - still) @ loss.matrix
        places = places_of(x, TARGETS, KNOWN)
        if arm is Arm.STRAIGHT_THROUGH:
            return loss._anchored(places, chosen).sum()
        held = dict.fromkeys([0], chosen)
        object.__setattr__(loss, "_mixture", lambda _: held[0])
        return loss._unanchored(places).sum()

    for entry in ENTRIES:
        right = _difference(value, logits.detach(), entry)
        assert logits.grad[entry].item() == pytest.approx(right, rel=1e-4, abs=1e-10)


def test_the_policy_gradient_is_that_of_the_expected_distance():
    """Every sequence is drawn once and weighed by its probability: no chance is left."""
    k = 3
    known, targets = references(ALIGNER, ("def",))
    assert len(targets) <= 3
    torch.manual_seed(3)
    logits = torch.randn(len(targets), SIZE, dtype=torch.float64)
    tokens = torch.topk(logits, k, dim=-1).indices
    start = logits.gather(1, tokens).requires_grad_()
    sequences = list(itertools.product(range(k), repeat=len(targets)))

    def distances(values):
        loss = loss_of(ALIGNER, Arm.POLICY_GRADIENT)
        places = Places(values, tokens, targets, known)
        return torch.stack(
            [loss._literal(places, tokens[range(len(targets)), list(s)])[0] for s in sequences]
        )

    def chances(values):
        logs = torch.log_softmax(values, -1)
        return torch.stack([logs[range(len(targets)), list(s)].sum().exp() for s in sequences])

    gradient = torch.zeros_like(start)
    for sequence, chance in zip(sequences, chances(start.detach()), strict=True):
        loss = loss_of(
            ALIGNER, Arm.POLICY_GRADIENT, sampler=lambda _, s=sequence: torch.tensor(s)
        )  # fmt: skip
        value = loss(Places(start, tokens, targets, known)).sum()
        gradient += chance * torch.autograd.grad(value, start)[0]

    def expected(values):
        return (chances(values) * distances(values)).sum()

    for entry in itertools.product(range(len(targets)), range(k)):
        right = _difference(expected, start.detach(), entry)
        assert gradient[entry].item() == pytest.approx(right, rel=1e-4, abs=1e-10)


def test_a_draw_as_near_as_the_baseline_is_not_encouraged():
    logs = torch.tensor([-1.0, -2.0], requires_grad=True)
    score_function(logs, torch.tensor([0.3, 0.5]), torch.tensor([0.3, 0.1])).sum().backward()
    assert logs.grad.tolist() == pytest.approx([0.0, 0.4])


def _projection_case():
    torch.manual_seed(4)
    head = Projection(5, 16).double()
    ends = torch.randn(len(KNOWN), 5, dtype=torch.float64, requires_grad=True)
    return loss_of(ALIGNER, Arm.PROJECTION, projection=head), head, ends


def test_the_projection_gradient_is_that_of_finite_differences():
    loss, head, ends = _projection_case()

    def value(x):
        return loss(places_of(_logits().detach(), TARGETS, KNOWN, 4, ends=x)).sum()

    value(ends).backward()
    for entry in [(0, 1), (2, 4)]:
        right = _difference(value, ends.detach(), entry)
        assert ends.grad[entry].item() == pytest.approx(right, rel=1e-4)
    assert all(p.grad.abs().max() > 0 for p in head.parameters())


def test_a_projection_that_hits_the_vector_has_no_loss():
    loss, head, ends = _projection_case()
    target = loss.reference_vectors(KNOWN[:1])[0]
    with torch.no_grad():
        head.head.weight.zero_()
        head.head.bias.copy_(target)
    assert loss(places_of(_logits(), TARGETS, KNOWN, 4, ends=ends))[0].item() < 1e-12


@pytest.mark.parametrize("arm", [*ANCHORED, Arm.UNANCHORED])
def test_one_step_lowers_the_loss(arm):
    logits, loss = _logits(), loss_of(ALIGNER, arm)
    optimizer = torch.optim.SGD([logits], lr=20.0)
    first = loss(places_of(logits, TARGETS, KNOWN)).sum()
    first.backward()
    optimizer.step()
    assert loss(places_of(logits, TARGETS, KNOWN)).sum() < first


def test_policy_steps_lower_the_expected_distance():
    torch.manual_seed(5)
    known, targets = references(ALIGNER, ("def",))
    logits = torch.randn(len(targets), SIZE, dtype=torch.float64, requires_grad=True)
    loss = loss_of(ALIGNER, Arm.POLICY_GRADIENT)
    optimizer = torch.optim.Adam([logits], lr=0.3)
    values = []
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(places_of(logits, targets, known, 8)).sum()
        value.backward()
        values.append(value.item())
        optimizer.step()
    assert min(values) < 0.9 * values[0]


def test_programs_in_parts_have_the_losses_and_gradients_of_all_together():
    logits, loss = _logits(), loss_of(ALIGNER, Arm.STRAIGHT_THROUGH)
    together = loss(places_of(logits, TARGETS, KNOWN, 64))
    whole = torch.autograd.grad(together.sum(), logits)[0]
    start, parts, gradient = 0, [], torch.zeros_like(logits)
    for reference in KNOWN:
        here = slice(start, start + reference.tokens)
        alone = loss(places_of(logits[here], TARGETS[here], [reference], 64))
        parts.append(alone.item())
        gradient += torch.autograd.grad(alone.sum(), logits)[0]
        start += reference.tokens
    assert parts == pytest.approx(together.tolist(), rel=1e-9)
    assert torch.allclose(gradient, whole, atol=1e-12)


def test_a_shared_tokenizer_is_the_identity_alignment():
    shared = Aligner(ALIGNER.encoder, ALIGNER.encoder)
    known, targets = references(shared)
    torch.manual_seed(6)
    logits = torch.randn(len(targets), shared.encoder.size, dtype=torch.float64)
    loss = loss_of(shared, Arm.SOFT)
    assert loss.matrix.data_ptr() == loss.encoder.table.data_ptr()
    # By the formula as it is written, one program at a time.
    start = 0
    found = loss(places_of(logits, targets, known))
    for value, reference in zip(found, known, strict=True):
        size = reference.tokens
        chosen = torch.softmax(logits[start : start + size], -1) @ loss.encoder.table
        mask = torch.ones(1, size, dtype=torch.bool)
        generated = loss.centring(loss.encoder(chosen[None], mask))
        right = loss.centring(
            loss.encoder(loss.encoder.table[targets[start : start + size]][None], mask)
        )
        cosine = torch.nn.functional.cosine_similarity(generated, right).item()
        assert value.item() == pytest.approx(1 - cosine, rel=1e-6)
        start += size


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("layer", [0, 1])
def test_every_pooling_and_layer_is_zero_at_the_reference_and_not_elsewhere(pooling, layer):
    encoder = roberta(ALIGNER.encoder.size, pooling, layer)
    loss = loss_of(ALIGNER, Arm.STRAIGHT_THROUGH, encoder=encoder)
    assert loss(places_of(_at_the_reference(), TARGETS, KNOWN)).abs().max() == 0
    assert loss(places_of(_logits(), TARGETS, KNOWN)).min() > 1e-4


def test_an_unknown_arm_is_named_with_the_known_ones():
    with pytest.raises(UsageProblem, match=r"structural.arm=hard.*straight-through"):
        named(Arm, "hard", "structural.arm")
