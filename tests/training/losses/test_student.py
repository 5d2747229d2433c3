"""The losses on a whole tiny model in float64, and the model as its own encoder."""

from __future__ import annotations

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from tests.training.losses.support import aligner, loss_of, references
from training.losses.alignment import Aligner
from training.losses.encoders import StudentEncoder
from training.losses.projection import Projection
from training.losses.structural import Arm, Places, StructuralLoss
from training.losses.token import token_loss

ALIGNER = aligner()
KNOWN, TARGETS = references(ALIGNER, ("def area(x):\n", "return π\n"))
SIZE = ALIGNER.student.size


@pytest.fixture
def tuned(monkeypatch):
    """Four layers, adapter and all, in float64."""
    # Its own norm rounds to float32, which differences of 1e-6 would not survive.
    monkeypatch.setattr(LlamaRMSNorm, "forward", _exact_norm)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=SIZE, hidden_size=16, intermediate_size=24, num_hidden_layers=4,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
        tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    lora = peft.LoraConfig(r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    return peft.get_peft_model(LlamaForCausalLM(config), lora).double()


def _exact_norm(self, state):
    spread = state.square().mean(-1, keepdim=True) + self.variance_epsilon
    return self.weight * state * spread.rsqrt()


def _places(tuned, chunk: int = 5):
    """Both programs as one row each, behind a token that opens them; L_token with them."""
    llama = tuned.get_base_model()
    sizes = [reference.tokens for reference in KNOWN]
    hidden = torch.cat(
        [
            llama.model(input_ids=torch.cat([part.new_tensor([9]), part[:-1]])[None])[0][0]
            for part in TARGETS.split(sizes)
        ]
    )  # (places, width)
    everything = torch.ones(len(TARGETS), dtype=torch.bool)
    found = token_loss(
        hidden, llama.lm_head.weight, TARGETS, everything.double(),
        emit=everything, chunk=chunk,
    )  # fmt: skip
    ends = hidden[[0, sizes[0]]]
    return found.loss, Places(found.values, found.tokens, TARGETS, KNOWN, ends)


def _loss(arm: Arm, tuned) -> StructuralLoss:
    torch.manual_seed(1)
    if arm is Arm.STUDENT_ENCODER:
        shared = StudentEncoder(tuned)
        return StructuralLoss(shared, shared.table, arm)
    return loss_of(ALIGNER, arm, projection=Projection(16, 16).double())


@pytest.mark.parametrize("arm", [Arm.OFF, Arm.PLACEBO, Arm.SOFT, Arm.PROJECTION])
def test_the_whole_models_gradient_is_that_of_finite_differences(tuned, arm):
    structural = _loss(arm, tuned)

    def value():
        token, places = _places(tuned)
        return 0.6 * token + 0.4 * structural(places).mean()

    value().backward()
    names = [n for n, p in tuned.named_parameters() if p.requires_grad and ".3." in n]
    assert len(names) == 4
    for name in names:
        parameter = tuned.get_parameter(name)
        with torch.no_grad():
            sides = []
            for side in (1e-6, -2e-6):
                parameter[0, 1] += side
                sides.append(value().item())
            parameter[0, 1] += 1e-6
        right = (sides[0] - sides[1]) / 2e-6
        assert parameter.grad[0, 1].item() == pytest.approx(right, rel=1e-4, abs=1e-8)


def test_the_placebos_gradient_is_the_token_losss_to_the_last_bit(tuned):
    def gradients(arm):
        tuned.zero_grad()
        token, places = _places(tuned)
        (0.6 * token + 0.4 * _loss(arm, tuned)(places).mean()).backward()
        return {n: p.grad.clone() for n, p in tuned.named_parameters() if p.grad is not None}

    placebo, off, real = map(gradients, (Arm.PLACEBO, Arm.OFF, Arm.STRAIGHT_THROUGH))
    assert placebo.keys() == off.keys()
    assert all(torch.equal(placebo[name], off[name]) for name in off)
    assert not any(torch.equal(real[name], off[name]) for name in off)


def test_the_student_encoder_is_the_base_models_beginning(tuned):
    encoder = StudentEncoder(tuned, layers=2)
    tokens = torch.tensor([[4, 5, 6, 7], [8, 9, 0, 0]])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]], dtype=torch.bool)
    found = encoder(encoder.table[tokens], mask)
    inner = tuned.get_base_model().model
    with tuned.disable_adapter():
        states = inner(input_ids=tokens, output_hidden_states=True).hidden_states[2]
    right = torch.stack([inner.norm(states[0]).mean(0), inner.norm(states[1, :2]).mean(0)])
    assert torch.allclose(found, right, atol=1e-12)
    assert len(inner.layers) == 4
    assert any(p.requires_grad for p in tuned.parameters())


def test_the_student_encoder_takes_no_gradient_through_its_own_layers(tuned):
    shared = Aligner(ALIGNER.student, ALIGNER.student)
    known = [shared.reference(part.tolist()) for part in TARGETS.split([r.tokens for r in KNOWN])]
    _, places = _places(tuned)
    still = Places(places.values.detach().requires_grad_(), places.tokens, TARGETS, known)
    loss = _loss(Arm.STUDENT_ENCODER, tuned)
    value = loss(still).sum()
    value.backward()
    assert still.values.grad.abs().max() > 0
    assert all(p.grad is None for p in tuned.parameters())
    # The hard part held still, as for the straight-through arm.
    kept, start = torch.softmax(still.values.detach(), -1), still.values.detach()
    hard = torch.zeros_like(kept)
    hard[:, 0] = 1.0

    def moved(at, by):
        values = start.clone()
        values[at] += by
        shares = hard + torch.softmax(values, -1) - kept
        chosen = torch.einsum("nk,nkd->nd", shares, loss.matrix[still.tokens])
        return loss._anchored(still, chosen).sum().item()

    for at in [(0, 1), (3, 0), (5, 4)]:
        right = (moved(at, 1e-5) - moved(at, -1e-5)) / 2e-5
        assert still.values.grad[at].item() == pytest.approx(right, rel=1e-4, abs=1e-10)


def test_the_student_encoder_is_zero_at_the_reference(tuned):
    shared = Aligner(ALIGNER.student, ALIGNER.student)
    known = [shared.reference(part.tolist()) for part in TARGETS.split([r.tokens for r in KNOWN])]
    values = torch.tensor([[9.0, 1.0]], dtype=torch.float64).repeat(len(TARGETS), 1)
    tokens = torch.stack([TARGETS, (TARGETS + 1) % SIZE], 1)
    assert _loss(Arm.STUDENT_ENCODER, tuned)(Places(values, tokens, TARGETS, known)).eq(0).all()
