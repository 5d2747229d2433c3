"""The merged model is the base with its adapter, exactly; what can not be merged is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.errors import ExportProblem
from tests.support import llama3_student as made
from tests.support.allocations import Largest
from tests.support.student_runs import SEVEN, with_adapter
from training import model, student
from training.export import adapter as adapter_module
from training.export import checkpoint, merging
from training.export.adapter import read


def _merged(base, adapter) -> dict[str, torch.Tensor]:
    """Every tensor of the folder `base` with the adapter in its folder."""
    both = merging.opened(base, adapter)
    return {name: both.tensor(name) for name in both.shapes}


def test_the_merged_weights_are_those_of_peft(nano):
    tuned = peft.PeftModel.from_pretrained(model.load(nano / "base"), nano / "adapter")
    expected = model.weights(tuned.merge_and_unload())
    found = load_file(nano / "merged" / "model.safetensors")
    assert set(found) == set(expected)
    for name, weight in found.items():
        torch.testing.assert_close(weight, expected[name], atol=1e-6, rtol=1e-5)


def test_the_adapter_changed_every_linear_layer(nano):
    base = load_file(nano / "base" / "model.safetensors")
    after = load_file(nano / "merged" / "model.safetensors")
    changed = {name for name in base if not torch.equal(base[name], after[name])}
    assert changed == {name for name in base if "_proj" in name}


@pytest.fixture(scope="module")
def students(tmp_path_factory):
    """A Llama in one file and a Qwen2 in three, with biases and tied embeddings, in bfloat16."""
    root = tmp_path_factory.mktemp("students")
    llama = made.write(root / "llama", made.tiny_llama_tokenizer())
    shape = made.Shape(kind="qwen2", tied=True, shards=3)
    return {"llama": llama, "qwen2": made.write(root / "qwen", made.tiny_qwen_tokenizer(), shape)}


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize(
    "options",
    [{}, {"use_rslora": True}, {"use_dora": True}, {"use_dora": True, "use_rslora": True}],
)
def test_every_kind_of_adapter_merges_as_peft_merges_it(students, kind, options, tmp_path):
    tuned = with_adapter(student.read(students[kind], "float32"), **options)
    tuned.save_pretrained(str(tmp_path))
    found = _merged(students[kind], tmp_path)
    expected = tuned.merge_and_unload().state_dict()
    base = checkpoint.opened(students[kind])
    for name, weight in found.items():
        assert weight.dtype == torch.float32
        torch.testing.assert_close(weight, expected[name], atol=1e-5, rtol=1e-5)
        linear = name.endswith(".weight") and any(part in name for part in SEVEN)
        assert torch.equal(weight, base.tensor(name).float()) != linear


def test_a_small_change_of_bfloat16_weights_is_not_rounded_away(students, tmp_path):
    tuned = with_adapter(student.read(students["llama"], "float32"))
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            parameter.data *= 1e-4
    tuned.save_pretrained(str(tmp_path))
    name = "model.layers.0.mlp.up_proj.weight"
    change = _merged(students["llama"], tmp_path)[name]
    change = change - checkpoint.opened(students["llama"]).tensor(name).float()
    lora = load_file(tmp_path / "adapter_model.safetensors")
    stem = f"base_model.model.{name.removesuffix('.weight')}"
    whole = 1.5 * lora[f"{stem}.lora_B.weight"] @ lora[f"{stem}.lora_A.weight"]
    assert (change - whole).norm() / whole.norm() < 0.02


def test_files_of_limited_size_hold_the_same_model(students, tmp_path):
    source = checkpoint.opened(students["llama"])
    shapes = source.shapes()
    checkpoint.write(tmp_path, shapes, lambda *rows: source.rows(*rows).float(), shard_bytes=60_000)
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(files) > 3
    again = checkpoint.opened(tmp_path)
    assert again.shapes() == shapes
    assert all(torch.equal(again.tensor(n), source.tensor(n).float()) for n in shapes)
    index = json.loads((tmp_path / checkpoint.INDEX).read_text())
    assert sorted(index["metadata"]["sha256"]) == files


@pytest.fixture
def adapter(nano, tmp_path):
    shutil.copytree(nano / "adapter", tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.fixture
def shapes(nano):
    return checkpoint.opened(nano / "base").shapes()


def _with(adapter, **options):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | options))


@pytest.mark.parametrize(
    "options",
    [
        {"lora_bias": True}, {"trainable_token_indices": [3]}, {"use_dora": True},
        {"init_lora_weights": "pissa"}, {"peft_type": "ADALORA"}, {"bias": "all"},
        {"use_bdlora": {"nblocks": 2}}, {"monteclora_config": {"num_samples": 8}},
        {"kasa_config": {"beta": 1e-4}}, {"velora_config": {"num_groups": 2}},
        {"alora_invocation_tokens": [5, 6]}, {"arrow_config": {"top_k": 3}},
    ],
)  # fmt: skip
def test_an_adapter_of_another_kind_is_refused(shapes, adapter, options):
    _with(adapter, **options)
    with pytest.raises(ExportProblem, match=next(iter(options))):
        read(adapter, shapes)


NOT_FOR_THE_RESULT = {
    # which matrices have an adapter: what is in the file says it
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern",
    "modules_to_save",
    # how it was begun and trained; starts that change the base are told by init_lora_weights
    "lora_dropout", "eva_config", "corda_config", "lora_ga_config", "inference_mode",
    # where it is from, and what goes with another option
    "auto_mapping", "base_model_name_or_path", "revision", "peft_version", "task_type",
    "runtime_config", "megatron_core", "qalora_group_size",
}  # fmt: skip
UNDERSTOOD = {
    "r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora",
    "ensure_weight_tying", "peft_type", "bias", "init_lora_weights",
}  # fmt: skip


def test_every_option_of_peft_is_understood_or_refused():
    """A new version of PEFT with a new option fails here, before a file comes out wrong."""
    options = {field.name for field in dataclasses.fields(peft.LoraConfig)}
    refused = {*adapter_module._UNSUPPORTED, *adapter_module._NEVER_MERGED}
    assert options - NOT_FOR_THE_RESULT - UNDERSTOOD == refused


def test_what_no_merge_can_do_is_not_advised(shapes, adapter):
    _with(adapter, alora_invocation_tokens=[5, 6])
    with pytest.raises(ExportProblem) as caught:
        read(adapter, shapes)
    assert "merge_and_unload" not in caught.value.hint


def _changed(adapter, change):
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_values_that_are_no_numbers_are_refused(shapes, adapter):
    def spoil(tensors):
        tensors[sorted(tensors)[1]][0, 0] = float("nan")

    _changed(adapter, spoil)
    with pytest.raises(ExportProblem, match="no numbers"):
        read(adapter, shapes)


@pytest.mark.parametrize("row", [0, 700, 2999])
def test_a_large_part_is_looked_through_without_a_copy(tmp_path, row):
    """Its blocks are looked at one by one, and the last one too."""
    name, rows, width = "model.embed_tokens.weight", 3000, 1024
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 2}))
    stem = "base_model.model.lm_head.lora"
    tensors = {
        f"base_model.model.{name}": torch.zeros(rows, width, dtype=torch.bfloat16),
        f"{stem}_A.weight": torch.zeros(2, width), f"{stem}_B.weight": torch.zeros(rows, 2),
    }  # fmt: skip
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    shapes = {name: (rows, width)}
    with Largest() as made:
        read(tmp_path, shapes)
    assert made.values <= adapter_module._BLOCK_VALUES < rows * width

    tensors[f"base_model.model.{name}"][row, 3] = float("inf")
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    with pytest.raises(ExportProblem, match="1 values"):
        read(tmp_path, shapes)


def test_an_adapter_of_another_base_is_refused(shapes, adapter):
    name = next(name for name in shapes if "q_proj" in name)
    with pytest.raises(ExportProblem, match="the base model has not"):
        read(adapter, {n: shape for n, shape in shapes.items() if n != name})
    with pytest.raises(ExportProblem, match=r"the base has \(3, 3\)"):
        read(adapter, shapes | {name: (3, 3)})


def test_a_part_that_nothing_uses_is_refused(shapes, adapter):
    _changed(adapter, lambda tensors: tensors.update(surplus=torch.zeros(2)))
    with pytest.raises(ExportProblem, match="surplus"):
        read(adapter, shapes)
