"""Adapters that change more than the usual matrices compute what PEFT computes with them."""

from __future__ import annotations

import json
import shutil
import warnings

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, SmolLM3Config

from assistant.engine.logits import all_logits
from assistant.errors import ExportProblem
from tests.support import llama3_student as made
from tests.support.allocations import equal_of_one_type
from tests.support.student_runs import SEVEN, with_adapter
from training import student
from training.chat import LLAMA3
from training.export import adapter, checkpoint, content, making, merging
from training.export.metadata import Labels

TOKENS = [3, 17, 200, 41, 5, 90, 300, 12]
WIDE = (*SEVEN, "embed_tokens")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A model whose head is its embedding, and one that has both."""
    root = tmp_path_factory.mktemp("adapters")
    return {
        tied: made.write(
            root / f"tied-{tied}", made.tiny_llama_tokenizer(), made.Shape(tied=tied)
        )
        for tied in (True, False)
    }  # fmt: skip


def _logits(tuned):
    with torch.no_grad():
        return tuned(input_ids=torch.tensor([TOKENS]), use_cache=False).logits[0]


def _spread(tuned):
    """Give every part of an adapter values that change something."""
    torch.manual_seed(4)
    for name, parameter in tuned.named_parameters():
        if "lora_embedding_A" in name or "modules_to_save" in name:
            parameter.data += 0.05 * torch.randn_like(parameter)


def _exported(base, folder, target):
    both = merging.opened(base, folder)
    found = content.of(both, base / "tokenizer.json", Labels("t", chat=LLAMA3))
    making.make(making.Order(found, target, "F32", (base, folder)))
    return both


CASES = {
    "ranks and alphas by pattern": {
        "rank_pattern": {"q_proj": 2, r"layers\.1\.mlp\.down_proj": 7},
        "alpha_pattern": {"model.layers.0.self_attn.v_proj": 11, "o_proj": 3},
    },
    "the same, rsLoRA": {
        "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"o_proj": 3}, "use_rslora": True,
    },
    "a head of its own": {"modules_to_save": ["lm_head"]},
    "an embedding of its own": {"modules_to_save": ["embed_tokens"]},
    "norms": {"modules_to_save": ["input_layernorm"]},
    "an embedding with an adapter": {"target_modules": list(WIDE)},
    "a head with an adapter": {"target_modules": [*SEVEN, "lm_head"]},
}  # fmt: skip


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_the_file_computes_what_the_tuned_model_computes(bases, tied, name, tmp_path):
    base = bases[tied]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned = with_adapter(student.read(base, "float32"), **CASES[name]).eval()
        _spread(tuned)
        expected = _logits(tuned)
        tuned.save_pretrained(str(tmp_path / "adapter"))
    _exported(base, tmp_path / "adapter", tmp_path / "t.gguf")
    found = torch.from_numpy(all_logits(tmp_path / "t.gguf", TOKENS, threads=1))
    assert ((found - expected) ** 2).sum() / (expected**2).sum() < 1e-8
    names = {tensor.name for tensor in gguf.GGUFReader(tmp_path / "t.gguf").tensors}
    own_head = not tied or any(word in name for word in ("head", "embedding"))
    assert ("output.weight" in names) == own_head


@pytest.mark.parametrize("part", ["lm_head", "embed_tokens"])
def test_a_head_that_is_tied_without_a_word_is_written_when_it_changed(bases, part, tmp_path):
    """SmolLM3's configuration need not say that its head is the embedding."""
    base = _silent_smollm3(bases[True], tmp_path / "base")
    tuned = with_adapter(_smollm3(base), modules_to_save=[part]).eval()
    _spread(tuned)
    expected = _logits(tuned)
    tuned.save_pretrained(str(tmp_path / "adapter"))
    both = _exported(base, tmp_path / "adapter", tmp_path / "t.gguf")
    assert both.described["tie_word_embeddings"] is False
    found = torch.from_numpy(all_logits(tmp_path / "t.gguf", TOKENS, threads=1))
    assert ((found - expected) ** 2).sum() / (expected**2).sum() < 1e-8


def _smollm3(base):
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)


def _silent_smollm3(like, folder):
    """A random SmolLM3 with the words of another model, and no word on its head."""
    rows = json.loads((like / "config.json").read_text())["vocab_size"]
    config = SmolLM3Config(
        vocab_size=rows, hidden_size=64, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        bos_token_id=0, eos_token_id=1, pad_token_id=None,
    )  # fmt: skip
    torch.manual_seed(2)
    net = AutoModelForCausalLM.from_config(config)
    net.save_pretrained(folder)
    described = json.loads((folder / "config.json").read_text())
    assert described.pop("tie_word_embeddings", True) is True
    (folder / "config.json").write_text(json.dumps(described))
    shutil.copy(like / "tokenizer.json", folder)
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_an_unknown_kind_is_refused_when_it_is_planned_not_when_it_is_opened(bases, tied, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(bases[tied], base)
    with_adapter(student.read(base, "float32"), modules_to_save=["lm_head"]).save_pretrained(
        str(tmp_path / "adapter")
    )
    described = json.loads((base / "config.json").read_text()) | {"model_type": "mamba"}
    (base / "config.json").write_text(json.dumps(described))
    both = merging.opened(base, tmp_path / "adapter")
    assert both.described["tie_word_embeddings"] is False and both.shapes
    with pytest.raises(ExportProblem, match="'mamba'"):
        content.of(both, base / "tokenizer.json", Labels("t"))


def test_a_change_that_no_file_has_is_refused(bases, tmp_path):
    """Frequencies of older checkpoints are left out: an adapter that has them is not half taken."""
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    base, folder = tmp_path / "base", tmp_path / "adapter"
    shutil.copytree(bases[False], base)
    _spoil(base, lambda t: t.update({name: torch.ones(8)}), "model.safetensors")
    with_adapter(student.read(bases[False], "float32")).save_pretrained(str(folder))
    _spoil(folder, lambda t: t.update({f"base_model.model.{name}": torch.ones(8)}))
    with pytest.raises(ExportProblem, match=r"changes model.*inv_freq, which a file of this"):
        content.of(merging.opened(base, folder), base / "tokenizer.json", Labels("t"))


def test_heads_of_two_types_are_compared_and_equal_ones_stay_one(bases, saved, monkeypatch):
    """An embedding in bfloat16 beside the same head in float32, as a later edit leaves them."""
    shape = checkpoint.opened(bases[True]).shape("model.embed_tokens.weight")
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    stem = "base_model.model."
    monkeypatch.setattr(torch, "equal", equal_of_one_type)

    def save(head):
        _spoil(saved, lambda t: t.update({
            f"{stem}model.embed_tokens.weight": values, f"{stem}lm_head.weight": head,
        }))  # fmt: skip
        found = merging.opened(bases[True], saved)
        return content.of(found, bases[True] / "tokenizer.json", Labels("t")).tensors

    assert "output.weight" not in {tensor.name for tensor in save(values.float())}
    other = values.float()
    other[-1, -1] += 1
    assert "output.weight" in {tensor.name for tensor in save(other)}


@pytest.mark.parametrize("part", ["lm_head", "embed_tokens"])
@pytest.mark.parametrize("tied", [True, False])
def test_what_ensure_weight_tying_does_is_done_to_a_tied_model_only(bases, tied, part, tmp_path):
    """Of two matrices PEFT changes the one that it was told to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = with_adapter(
            student.read(bases[tied], "float32"), modules_to_save=[part], ensure_weight_tying=True
        ).eval()
        _spread(net)
        expected = _logits(net)
        net.save_pretrained(str(tmp_path / "adapter"))
    _exported(bases[tied], tmp_path / "adapter", tmp_path / "t.gguf")
    found = torch.from_numpy(all_logits(tmp_path / "t.gguf", TOKENS, threads=1))
    assert ((found - expected) ** 2).sum() / (expected**2).sum() < 1e-8


def test_an_embedding_that_was_enlarged_is_written_enlarged(bases, tmp_path):
    net = student.read(bases[False], "float32")
    rows = net.config.vocab_size + 8
    net.resize_token_embeddings(rows)
    tuned = with_adapter(net).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuned.save_pretrained(str(tmp_path / "adapter"), save_embedding_layers=True)
    both = _exported(bases[False], tmp_path / "adapter", tmp_path / "t.gguf")
    assert both.described["vocab_size"] == rows
    expected = _logits(tuned)
    found = torch.from_numpy(all_logits(tmp_path / "t.gguf", TOKENS, threads=1))
    assert ((found - expected) ** 2).sum() / (expected**2).sum() < 1e-8


@pytest.mark.parametrize("size", [1, 5, 33])
def test_rows_are_rows_of_the_whole(bases, tmp_path, size):
    for number, options in enumerate(({}, {"use_dora": True})):
        folder = tmp_path / str(number)
        with_adapter(student.read(bases[False], "float32"), **options).save_pretrained(str(folder))
        both = merging.opened(bases[False], folder)
        for name, shape in both.shapes.items():
            parts = [
                both.rows(name, at, min(at + size, shape[0])) for at in range(0, shape[0], size)
            ]
            torch.testing.assert_close(torch.cat(parts), both.tensor(name), atol=1e-6, rtol=1e-5)


@pytest.fixture
def saved(bases, tmp_path):
    """An adapter's folder, its configuration and its tensors, to be spoiled."""
    with_adapter(student.read(bases[False], "float32")).save_pretrained(str(tmp_path))
    return tmp_path


def _spoil(folder, change, name=adapter.WEIGHTS):
    path = folder / name
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def _first(tensors, part):
    return next(name for name in sorted(tensors) if part in name)


SPOILT = {
    "no B": (lambda t: t.pop(_first(t, "lora_B")), "which the base model has not"),
    "another layer": (
        lambda t: t.update({n.replace("layers.1", "layers.7"): t.pop(n)
                            for n in [*t] if "layers.1" in n}),
        "layers.7",
    ),
    "infinite": (lambda t: t[_first(t, "lora_A")].__setitem__(0, float("inf")), "no numbers"),
    "another shape": (lambda t: t.update({_first(t, "lora_A"): torch.ones(4, 3)}), "another base"),
    "something else": (
        lambda t: t.update({"base_model.model.x.weight": torch.ones(2)}), "x.weight",
    ),
    "a norm of another size": (
        lambda t: t.update({"base_model.model.model.norm.weight": torch.ones(2)}),
        "of shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_does_not_fit_is_refused_before_anything_is_written(bases, saved, name):
    change, said = SPOILT[name]
    _spoil(saved, change)
    with pytest.raises(ExportProblem, match=said.replace(".", r"\.")) as caught:
        merging.opened(bases[False], saved)
    assert said in str(caught.value)


def test_files_that_can_not_be_read_are_named(bases, saved):
    (saved / adapter.CONFIG).write_text("{")
    with pytest.raises(ExportProblem, match=r"adapter_config\.json can not be read"):
        merging.opened(bases[False], saved)
    (saved / adapter.CONFIG).write_text(json.dumps({"peft_type": "PROMPT_TUNING"}))
    with pytest.raises(ExportProblem, match="no adapter of LoRA"):
        merging.opened(bases[False], saved)
    (saved / adapter.CONFIG).write_text(json.dumps({"r": 4, "lora_alpha": 6}))
    whole = (saved / adapter.WEIGHTS).read_bytes()
    (saved / adapter.WEIGHTS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExportProblem, match=r"adapter_model\.safetensors can not be read"):
        merging.opened(bases[False], saved)
