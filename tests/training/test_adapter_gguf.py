"""A base with its adapter attached computes what the tuned model computes, without a merge."""

from __future__ import annotations

import shutil

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.engine import logits
from assistant.errors import ExportProblem, ModelProblem
from assistant.models import adapters, loadable
from tests.support import llama3_student as made
from tests.support.allocations import Largest, equal_of_one_type
from tests.support.student_runs import with_adapter
from training import gguf_export, student
from training.chat import CHATML, LLAMA3
from training.export import adapter_gguf, checkpoint, merging
from training.export.metadata import Labels, Origin

_LABELS = Labels("mine", chat=LLAMA3, origin=Origin("meta-llama/Llama-3.1-8B", "abc"))


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """Folder and file of a Llama, whose rows are reordered, and of a Qwen2, whose are not."""
    root = tmp_path_factory.mktemp("bases")
    shape = made.Shape(kind="qwen2", tied=True)
    folders = {
        "llama": made.write(root / "llama", made.tiny_llama_tokenizer()),
        "qwen2": made.write(root / "qwen2", made.tiny_qwen_tokenizer(), shape),
    }
    for kind, folder in folders.items():
        labels = Labels("base", chat=LLAMA3 if kind == "llama" else CHATML, follows_format=False)
        gguf_export.write(folder, folder / "tokenizer.json", root / f"{kind}.gguf", "F32", labels)
    return {kind: (folder, root / f"{kind}.gguf") for kind, folder in folders.items()}


@pytest.fixture(scope="module")
def row():
    chance = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (300,), generator=chance).tolist()


def _changed_head(net) -> None:
    """What was saved as a whole has to differ: unchanged it would be no change."""
    for name, parameter in net.named_parameters():
        if "modules_to_save" in name:
            parameter.data += 0.01


def _tuned(folder, out, **options):
    """A model with an adapter in torch, and the folder of the adapter."""
    net = with_adapter(student.read(folder, "float32"), **options).eval()
    _changed_head(net)
    net.save_pretrained(str(out))
    return net


@torch.no_grad()
def _error(net, base, adapter, row) -> float:
    expected = net(input_ids=torch.tensor([row])).logits[0].float().numpy()
    found = logits.all_logits(base, row, threads=1, adapters=[(adapter, 1.0)])
    return float(((expected - found) ** 2).sum() / (expected**2).sum())


OPTIONS = {
    "LoRA": {},
    "rsLoRA": {"use_rslora": True},
    "ranks": {"rank_pattern": {"q_proj": 2, "down_proj": 7}},
    "rsLoRA, ranks": {"use_rslora": True, "rank_pattern": {"k_proj": 3}},
    "alphas": {"alpha_pattern": {"k_proj": 5, "layers.1.mlp.up_proj": 3}},
}


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("options", OPTIONS)
def test_an_attached_adapter_computes_what_was_trained(bases, row, tmp_path, kind, options):
    folder, base = bases[kind]
    net = _tuned(folder, tmp_path / "adapter", **OPTIONS[options])
    merged = merging.opened(folder, tmp_path / "adapter")
    adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)

    assert _error(net, base, tmp_path / "a.gguf", row) < 1e-9
    # The base alone is something else.
    plain = logits.all_logits(base, row, threads=1)
    both = logits.all_logits(base, row, threads=1, adapters=[(tmp_path / "a.gguf", 1.0)])
    assert ((plain - both) ** 2).sum() / (plain**2).sum() > 1e-4


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_a_head_of_its_own_can_be_changed(bases, row, tmp_path):
    """PEFT saves the head as it was beside the change; that is no change."""
    folder, base = bases["llama"]
    net = _tuned(folder, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    merged = merging.opened(folder, tmp_path / "adapter")
    adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)

    assert _error(net, base, tmp_path / "a.gguf", row) < 1e-9


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`")
def test_an_unchanged_head_of_another_type_is_no_change(bases, tmp_path, monkeypatch):
    """A base in bfloat16, its head kept beside the adapter in float32."""
    folder = bases["llama"][0]
    _tuned(folder, tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    path, head = tmp_path / "adapter" / "adapter_model.safetensors", checkpoint.opened(folder)
    tensors = load_file(path)
    name = next(name for name in tensors if "lora" not in name)
    tensors[name] = head.tensor("lm_head.weight").float()
    assert head.tensor("lm_head.weight").dtype == torch.bfloat16
    save_file(tensors, path)
    monkeypatch.setattr(torch, "equal", equal_of_one_type)
    merged = merging.opened(folder, tmp_path / "adapter")
    with Largest() as made:
        adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)
    assert made.values < tensors[name].numel()
    tensors[name][-1, -1] += 1.0
    save_file(tensors, path)
    merged = merging.opened(folder, tmp_path / "adapter")
    with pytest.raises(ExportProblem, match="as a whole"):
        adapter_gguf.write(merged, tmp_path / "b.gguf", _LABELS)


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`", "ignore:Model has `tie_word")
def test_a_tied_head_that_the_base_has_twice_is_not_left_out(bases, tmp_path):
    """Some checkpoints keep the head beside the embedding that it is."""
    folder = tmp_path / "base"
    shutil.copytree(bases["qwen2"][0], folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    _tuned(bases["qwen2"][0], tmp_path / "adapter", target_modules=["q_proj", "lm_head"])
    merged = merging.opened(folder, tmp_path / "adapter")
    with pytest.raises(ExportProblem, match=r"lm_head.*is the embedding"):
        adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)


@pytest.mark.parametrize("wrong", ["scale", "order"])
def test_a_wrong_adapter_is_told_apart(bases, row, tmp_path, monkeypatch, wrong):
    """rsLoRA taken as LoRA, and rows as transformers has them."""
    folder, base = bases["llama"]
    net = _tuned(folder, tmp_path / "adapter", use_rslora=True)
    if wrong == "scale":
        monkeypatch.setattr(adapter_gguf, "_alpha", lambda changes: 16.0)
        monkeypatch.setattr(
            adapter_gguf, "pair_of",
            lambda tensor, change, alpha, pair_of=adapter_gguf.pair_of: pair_of(
                tensor, change, change.scale * change.first.shape[0]
            ),
        )  # fmt: skip
    else:
        monkeypatch.setattr(adapter_gguf.encoding, "reordered", lambda values, heads: values)
    merged = merging.opened(folder, tmp_path / "adapter")
    adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)

    assert _error(net, base, tmp_path / "a.gguf", row) > 1e-4


@pytest.mark.parametrize(("type_name", "largest"), [("F16", 1e-6), ("BF16", 1e-4)])
def test_smaller_types_round_it(bases, row, tmp_path, type_name, largest):
    folder, base = bases["llama"]
    net = _tuned(folder, tmp_path / "adapter")
    merged = merging.opened(folder, tmp_path / "adapter")
    adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS, type_name)

    assert 1e-12 < _error(net, base, tmp_path / "a.gguf", row) < largest
    kinds = {tensor.tensor_type.name for tensor in gguf.GGUFReader(tmp_path / "a.gguf").tensors}
    assert kinds == {type_name}


def test_the_file_says_what_it_is(bases, tmp_path):
    folder, base = bases["llama"]
    _tuned(folder, tmp_path / "adapter", use_rslora=True)
    merged = merging.opened(folder, tmp_path / "adapter")
    adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)
    adapter_gguf.write(merged, tmp_path / "b.gguf", _LABELS)

    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()
    header = adapters.read(tmp_path / "a.gguf")
    adapters.check_fits(header, loadable.read(base))
    said = header.metadata
    assert (said["general.type"], said["adapter.type"]) == ("adapter", "lora")
    rank, alpha = merged.adapter.config["r"], merged.adapter.config["lora_alpha"]
    assert said["adapter.lora.alpha"] == np.float32(alpha * rank**0.5)
    assert said["general.base_model.0.name"] == "Llama-3.1-8B"
    assert said["assistant.format.name"]
    assert said["tokenizer.chat_template"] == LLAMA3.template
    assert len(header.tensors) == 2 * len(merged.adapter.changes)


@pytest.mark.filterwarnings("ignore:Setting `save_embedding_layers`", "ignore:Model has `tie_word")
@pytest.mark.parametrize(
    ("kind", "options", "why"),
    [
        ("llama", {"use_dora": True}, r"DoRA.*merge it"),
        ("llama", {"modules_to_save": ["lm_head"]}, r"lm_head\.weight as a whole.*merge it"),
        ("llama", {"modules_to_save": ["embed_tokens"]}, r"embed_tokens\.weight as a whole"),
        ("qwen2", {"target_modules": ["q_proj", "lm_head"]}, r"lm_head.*is the embedding"),
        ("llama", {"target_modules": ["q_proj", "embed_tokens"]}, "changes the embedding"),
    ],
)
def test_what_can_not_be_attached_has_to_be_merged(bases, tmp_path, kind, options, why):
    folder = bases[kind][0]
    _tuned(folder, tmp_path / "adapter", **options)
    merged = merging.opened(folder, tmp_path / "adapter")
    with pytest.raises(ExportProblem, match=f"(?s){why}"):
        adapter_gguf.write(merged, tmp_path / "a.gguf", _LABELS)
    assert not (tmp_path / "a.gguf").exists()


def test_an_adapter_of_another_base_is_refused_before_it_is_attached(bases, row, tmp_path):
    folder = bases["llama"][0]
    _tuned(folder, tmp_path / "adapter")
    adapter_gguf.write(merging.opened(folder, tmp_path / "adapter"), tmp_path / "a.gguf", _LABELS)
    with pytest.raises(ModelProblem, match=r"architecture 'llama'.*Llama-3\.1-8B"):
        logits.all_logits(bases["qwen2"][1], row, threads=1, adapters=[(tmp_path / "a.gguf", 1.0)])
