"""The merged model is the base with its adapter, exactly; what can not be merged is refused."""

from __future__ import annotations

import json
import shutil

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.errors import ExportProblem
from training import model
from training.merge import merged


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


@pytest.fixture
def adapter(nano, tmp_path):
    shutil.copytree(nano / "adapter", tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.fixture
def base(nano):
    return load_file(nano / "base" / "model.safetensors")


def _with(adapter, **options):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | options))


@pytest.mark.parametrize("options", [{"use_dora": True}, {"use_rslora": True}])
def test_an_adapter_of_another_kind_is_refused(base, adapter, options):
    _with(adapter, **options)
    with pytest.raises(ExportProblem, match=next(iter(options))):
        merged(base, adapter)


def _changed(adapter, change):
    path = adapter / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_values_that_are_no_numbers_are_refused(base, adapter):
    def spoil(tensors):
        tensors[sorted(tensors)[1]][0, 0] = float("nan")

    _changed(adapter, spoil)
    with pytest.raises(ExportProblem, match="no numbers"):
        merged(base, adapter)


def test_an_adapter_of_another_base_is_refused(base, adapter):
    name = next(name for name in base if "q_proj" in name)
    del base[name]
    with pytest.raises(ExportProblem, match="the base model has not"):
        merged(base, adapter)


def test_a_part_that_nothing_uses_is_refused(base, adapter):
    _changed(adapter, lambda tensors: tensors.update(surplus=torch.zeros(2)))
    with pytest.raises(ExportProblem, match="surplus"):
        merged(base, adapter)
