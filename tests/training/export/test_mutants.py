"""Exports that are wrong in one thing each: the gate finds every one of them in float32.

A wrong export is made as a right export of a wrong model, so nothing in the writer helps. At the
types that round, the smaller errors are lost in the rounding. Measured on a model like this one,
with 256 columns, which of them are found still:

    error                F32    found down to    NMSE at F32 (right: 1.3e-10)
    no permutation       yes    Q3_K_M           1.2
    LoRA's scale         yes    Q3_K_M           1.0
    another rope base    yes    Q4_K_M           0.84
    no rope factors      yes    Q6_K             0.069
    swapped tokens       yes    Q8_0             0.023
    another eps          yes    BF16             0.0012

With 32 layers of 128 columns all are found in F32 and in F16; in Q8_0, whose bound grows with the
layers, only order, rope base and scale.
"""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support import llama3_student as made
from tests.support.student_runs import with_adapter
from training import gguf_export, student
from training.chat import LLAMA3
from training.export import checkpoint, gates, merging, verifying
from training.export.metadata import Labels

TOKENS = 2048
"""Waves that Llama 3 stretches are longer than that: a short text would not show them."""
PARAMETERS, ROWS = 300_000, 405
"""About, of the model: gates ask for them."""
SHAPE = made.Shape(layers=2, width=128, heads=4, kv_heads=2, feed=256)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A Llama of 3.1's kind with an rsLoRA adapter, and a text."""
    root = tmp_path_factory.mktemp("mutants")
    base = made.write(root / "both", made.tiny_llama_tokenizer(), SHAPE)
    # As small as in trained models: with a spread of 1 the norms' epsilon would not matter.
    tensors = load_file(base / "model.safetensors")
    tensors["model.embed_tokens.weight"] *= 0.02
    save_file(tensors, base / "model.safetensors")
    net = with_adapter(student.read(base, "float32"), use_rslora=True, r=16, lora_alpha=16)
    net.save_pretrained(str(base / "adapter"))
    chance = torch.Generator().manual_seed(5)
    row = torch.randint(0, 256, (TOKENS,), generator=chance).tolist()
    return merging.opened(base, base / "adapter"), base, row


def _measured(tuned, folder, type_name="F32", *, exact=True):
    """How far the export of what lies in `folder` is from the right model."""
    model, _, row = tuned
    both = merging.opened(folder, folder / "adapter")
    checkpoint.write(folder / "merged", both.shapes, both.rows)
    shutil.copy(folder / "config.json", folder / "merged")
    labels = Labels("t", chat=LLAMA3)
    file = folder / "t.gguf"
    gguf_export.write(folder / "merged", folder / "tokenizer.json", file, type_name, labels)
    return verifying.compare(model, file, [row], threads=1, exact=exact)


def _found(measured, type_name="F32", *, exact=True):
    gate = gates.gate(type_name, PARAMETERS, SHAPE.layers, measured.loss, ROWS, exact=exact)
    return verifying.problems(measured, gate)


def _config(folder, **changes):
    _change(folder / "config.json", **changes)


def _change(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _tensors(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name in tensors:
        tensors[name] = change(name, tensors[name]).contiguous()
    save_file(tensors, path)


def _no_permutation(folder):
    """Rows in the order that the writer's reordering turns into transformers' own."""
    config = json.loads((folder / "config.json").read_text())
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}

    def back(name, tensor):
        count = heads.get(name.split(".")[-2])
        if count is None:
            return tensor
        rows, *rest = tensor.shape
        return tensor.reshape(count, rows // count // 2, 2, *rest).swapaxes(1, 2).reshape(rows, -1)

    _tensors(folder, back)


def _no_factors(folder):
    _config(folder, rope_parameters={"rope_type": "default", "rope_theta": 500000.0})


def _wrong_base(folder):
    rope = json.loads((folder / "config.json").read_text())["rope_parameters"]
    _config(folder, rope_parameters=rope | {"rope_theta": 10000.0})


def _swapped(folder):
    def swap(name, tensor):
        if name == "model.embed_tokens.weight":
            tensor = tensor.clone()
            tensor[[17, 18]] = tensor[[18, 17]]
        return tensor

    _tensors(folder, swap)


def _wrong_eps(folder):
    _config(folder, rms_norm_eps=1e-6)


def _lora_scale(folder):
    """rsLoRA taken for LoRA, as llama.cpp's converter of adapters does."""
    _change(folder / "adapter" / "adapter_config.json", use_rslora=False)


MUTANTS = {
    "no permutation": _no_permutation, "no rope factors": _no_factors,
    "another rope base": _wrong_base, "swapped tokens": _swapped, "another eps": _wrong_eps,
    "LoRA's scale": _lora_scale,
}  # fmt: skip
LOST = {"another eps": ("Q8_0",)}
"""Errors that are smaller than what a type rounds away. Of a trained model whose loss on the text
is low the divergence is looked at as well, which finds more."""


@pytest.fixture
def copy(tuned, tmp_path):
    """A folder with base and adapter, to be spoiled."""
    shutil.copytree(tuned[1], tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("type_name", ["F32", "F16", "Q8_0"])
def test_a_right_export_passes(tuned, copy, type_name):
    measured = _measured(tuned, copy, type_name)
    assert _found(measured, type_name) == []
    assert measured.tokens == TOKENS
    if type_name == "F32":
        assert measured.nmse < 1e-9
        assert measured.same_top == 1.0


def test_a_right_export_passes_with_the_cache_of_serving(tuned, copy):
    measured = _measured(tuned, copy, exact=False)
    assert _found(measured, exact=False) == []
    # The stricter bound is not for this.
    assert _found(measured)


@pytest.mark.parametrize("name", MUTANTS)
@pytest.mark.parametrize("type_name", ["F32", "Q8_0"])
def test_a_wrong_export_does_not_pass(tuned, copy, name, type_name):
    MUTANTS[name](copy)
    found = _found(_measured(tuned, copy, type_name), type_name)
    assert bool(found) == (type_name not in LOST.get(name, ()))
    assert not found or "squared error of the logits" in found[0]
