"""The adapter's kinds, its targets, and a description that PEFT reads as it was meant."""

from __future__ import annotations

import json

import peft
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from assistant.errors import TrainingProblem, UsageProblem
from tests.training.tuning.support import NANO, awaken, pretrained
from training import model, student
from training.settings import Adapter
from training.tuning import lora, tuned
from training.tuning.machine import Machine

CPU = Machine(torch.device("cpu"))
TOKENS = torch.arange(8, 40)[None]


@pytest.mark.parametrize("kind", ["lora", "rslora", "dora"])
def test_what_is_written_is_what_peft_loads(nano, tmp_path, kind):
    chosen = {"kind": kind, "rank": 4, "alpha": 12, "targets": "q_proj, down_proj"}
    job = pretrained(nano, tmp_path, "llama", adapter=chosen)
    made = tuned.make(job, CPU)
    plain = student.load(job)(TOKENS).logits
    torch.testing.assert_close(made(TOKENS).logits, plain, msg="a fresh adapter does nothing")
    awaken(made)
    lora.save(job, made, "tests/tiny", "f" * 40)
    again = peft.PeftModel.from_pretrained(student.load(job), job.path("adapter"))
    with torch.no_grad():
        right = made.eval()(TOKENS).logits
        torch.testing.assert_close(again(TOKENS).logits, right, atol=1e-5, rtol=1e-4)
        assert (right - plain).abs().max() > 1e-3
    described = json.loads(job.path("adapter/adapter_config.json").read_text())
    assert described["target_modules"] == ["down_proj", "q_proj"]
    assert (described["use_rslora"], described["use_dora"]) == (kind == "rslora", kind == "dora")
    assert described["base_model_name_or_path"] == "tests/tiny"
    assert described["revision"] == "f" * 40


def test_the_scale_is_that_of_the_kind():
    base = model.fresh(NANO.model, 64, seed=0)
    scales = {}
    for kind in ("lora", "rslora"):
        made = lora.with_adapter(base, Adapter(rank=16, alpha=32, kind=kind), seed=0)
        layer = made.get_base_model().model.layers[0].self_attn.q_proj
        scales[kind] = layer.scaling["default"]
        base = made.unload()
    assert scales == {"lora": 2.0, "rslora": 8.0}


def test_the_adapter_is_in_float32_on_weights_in_bfloat16(nano, tmp_path):
    job = pretrained(nano, tmp_path, "qwen2", student={"weights": "bfloat16"})
    made = tuned.make(job, CPU)
    kinds = {p.requires_grad: set() for p in made.parameters()}
    for parameter in made.parameters():
        kinds[parameter.requires_grad].add(parameter.dtype)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}


def test_all_are_the_seven_linear_layers():
    base = model.fresh(NANO.model, 64, seed=0)
    assert lora.targets(base, "all") == sorted(lora.ALL)
    assert len(lora.ALL) == 7
    assert lora.targets(base, "v_proj,q_proj") == ["q_proj", "v_proj"]


@pytest.mark.parametrize("wrong", ["query", "q_proj,lm_head", "embed_tokens"])
def test_a_target_that_the_model_has_not_is_refused_with_what_it_has(wrong):
    base = model.fresh(NANO.model, 64, seed=0)
    with pytest.raises(TrainingProblem, match=rf"adapter.targets={wrong}.*it has: down_proj"):
        lora.targets(base, wrong)


def test_a_kind_that_there_is_not_is_refused():
    with pytest.raises(UsageProblem, match=r"adapter.kind=full"):
        lora.options(Adapter(kind="full"))


def test_dropout_is_that_of_the_place_in_the_run(nano, tmp_path):
    """The same seed, the same masks; another, others. Off while looking."""
    job = pretrained(nano, tmp_path, "llama", adapter={"dropout": 0.5})
    made = tuned.make(job, CPU)
    awaken(made)

    def after(seed):
        torch.manual_seed(seed)
        return made(TOKENS).logits

    assert torch.equal(after(1), after(1))
    assert not torch.equal(after(1), after(2))
    made.eval()
    assert torch.equal(after(1), after(2))


def test_four_bits_without_a_card_say_so(nano, tmp_path):
    job = pretrained(nano, tmp_path, "llama", student={"weights": "nf4"})
    with pytest.raises(TrainingProblem, match=r"student.weights=nf4 needs a CUDA card"):
        tuned.make(job, CPU)


def test_a_model_of_another_build_is_refused():
    config = GPT2Config(vocab_size=64, n_positions=32, n_embd=16, n_layer=1, n_head=2)
    with pytest.raises(TrainingProblem, match="GPT2LMHeadModel is not built like Llama"):
        tuned._check_shape(GPT2LMHeadModel(config))
