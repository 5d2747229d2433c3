"""The adapter's fused product computes what peft computes, forward and backward."""

from __future__ import annotations

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from training.tuning import fused

TOKENS = torch.arange(24).view(2, 12) * 7 % 40


def _tuned(dtype=torch.float64, **settings):
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        initializer_range=0.2, attention_bias=settings.pop("biased", False),
    )  # fmt: skip
    options = {"r": 3, "lora_alpha": 5, "init_lora_weights": False} | settings
    lora = peft.LoraConfig(
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj"], **options
    )
    return peft.get_peft_model(LlamaForCausalLM(config).to(dtype), lora).to(dtype)


@pytest.fixture(autouse=True)
def _exact_norm(monkeypatch):
    def forward(self, state):
        spread = state.square().mean(-1, keepdim=True) + self.variance_epsilon
        return self.weight * state * spread.rsqrt()

    monkeypatch.setattr(LlamaRMSNorm, "forward", forward)


def _taken(tuned, **autocast):
    with torch.autocast("cpu", torch.bfloat16, enabled=bool(autocast)):
        state = tuned.get_base_model().model(input_ids=TOKENS).last_hidden_state
    state.float().square().sum().backward()
    return state.detach(), {n: p.grad for n, p in tuned.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", [{}, {"use_rslora": True}, {"biased": True}])
def test_values_and_gradients_are_those_of_peft(kind):
    plain, quick = _tuned(**dict(kind)), _tuned(**dict(kind))
    assert fused.install(quick) == 12
    (right, slopes), (found, gradients) = _taken(plain), _taken(quick)
    assert torch.allclose(found, right, atol=1e-10)
    assert gradients.keys() == slopes.keys()
    assert len(slopes) == 24
    for name, slope in slopes.items():
        assert torch.allclose(gradients[name], slope, rtol=1e-6, atol=1e-6), name


def test_under_autocast_it_is_as_near_to_the_truth_as_peft():
    right, _ = _taken(_tuned())
    plain, quick = _tuned(torch.float32), _tuned(torch.float32)
    fused.install(quick)
    far, _ = _taken(plain, enabled=True)
    near, gradients = _taken(quick, enabled=True)
    assert (near - right).norm() <= 1.2 * (far - right).norm()
    assert {g.dtype for g in gradients.values()} == {torch.float32}


def test_the_first_layer_makes_no_gradient_towards_the_embedding():
    tuned = _tuned()
    fused.install(tuned)
    _, gradients = _taken(tuned)
    assert not any("embed" in name for name in gradients)


def test_an_adapter_that_is_switched_off_is_off():
    tuned = _tuned()
    with tuned.disable_adapter(), torch.no_grad():
        right = tuned.get_base_model().model(input_ids=TOKENS).last_hidden_state
    fused.install(tuned)
    with tuned.disable_adapter(), torch.no_grad():
        off = tuned.get_base_model().model(input_ids=TOKENS).last_hidden_state
    assert torch.equal(off, right)
    assert not torch.equal(_taken(tuned)[0], right)


@pytest.mark.parametrize("kind", [{"use_dora": True}, {"lora_dropout": 0.1}])
def test_what_it_can_not_do_stays_with_peft(kind):
    assert fused.install(_tuned(**kind)) == 0


def test_it_keeps_the_input_once_for_all_layers_that_read_it():
    """What is kept for the backward pass, in bytes, against peft's."""

    def kept(tuned):
        seen = {}
        with (
            torch.autograd.graph.saved_tensors_hooks(
                lambda t: seen.setdefault(t.untyped_storage().data_ptr(), t) is None or t,
                lambda t: t,
            ),
            torch.autocast("cpu", torch.bfloat16),
        ):
            state = tuned.get_base_model().model(input_ids=TOKENS).last_hidden_state
        held = sum(t.untyped_storage().nbytes() for t in seen.values())
        return held, state

    plain, quick = _tuned(torch.float32).bfloat16(), _tuned(torch.float32).bfloat16()
    for tuned in (plain, quick):
        for name, parameter in tuned.named_parameters():
            if "lora_" in name:
                parameter.data = parameter.data.float()
    fused.install(quick)
    assert kept(quick)[0] < kept(plain)[0]


def test_the_norm_of_a_card_is_that_of_the_model():
    torch.manual_seed(0)
    plain = LlamaRMSNorm(64, eps=1e-5).bfloat16()
    plain.weight.data = torch.rand(64).bfloat16() + 0.5
    state = torch.randn(9, 64).bfloat16()
    right = plain(state)
    with torch.autocast("cpu", torch.bfloat16):
        found = fused.norm(state, plain.weight, 1e-5)
    assert found.dtype == torch.bfloat16
    assert (found.float() - right.float()).abs().max() <= 2**-7 * right.float().abs().max()


def test_on_a_processor_the_norms_stay_as_they_are():
    tuned = _tuned()
    right = _taken(tuned)[0]
    fused.install(tuned)
    norms = [part for part in tuned.modules() if isinstance(part, LlamaRMSNorm)]
    assert len(norms) == 5
    state = torch.randn(3, 16, dtype=torch.float64)
    assert torch.equal(norms[0](state), LlamaRMSNorm.forward(norms[0], state))
    assert torch.allclose(_taken(tuned)[0], right, atol=1e-10)
