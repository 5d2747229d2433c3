"""A GGUF made here computes what the torch model computes, and a wrong one is found out."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import gguf
import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.errors import ExportProblem, UsageProblem
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.models import loadable
from tests.support import llama3_student as made
from training import gguf_export, verify
from training.chain import CHAIN
from training.chat import CHATML, LLAMA3
from training.documents import CHAT_TEMPLATE
from training.export import (
    content,
    families,
    lineage,
    making,
    merging,
    rotary,
    verifying,
    vocabulary,
)
from training.export.metadata import Labels
from training.recipes import find
from training.stages import Job


def _job(nano) -> Job:
    stage = next(stage for stage in CHAIN if stage.name == "gguf")
    return Job(stage, "nano", find("nano").settings, nano, None, "")


def _as_it_is(found):
    return found


def _in_order(found):
    """Rows of queries and keys stay where they are."""
    tensors = tuple(dataclasses.replace(tensor, heads=0) for tensor in found.tensors)
    return dataclasses.replace(found, tensors=tensors)


def _unstretched(found):
    """Without Llama 3's divisors of the rotary frequencies."""
    return dataclasses.replace(found, constants={})


def _written(folder, tokenizer, target, type_name, labels, spoil=_as_it_is):
    found = spoil(content.of(merging.opened(folder), tokenizer, labels))
    making.make(making.Order(found, target, type_name, (folder, tokenizer)))


def _measured(nano, target, type_name, spoil=_as_it_is):
    tokenizer, labels = nano / "tokenizer.json", Labels("t")
    _written(nano / "merged", tokenizer, target, type_name, labels, spoil)
    rows = verify.texts(_job(nano))
    return verifying.compare(merging.opened(nano / "merged"), target, rows, threads=1)


@pytest.mark.parametrize(
    ("type_name", "largest_nmse", "smallest_same_top"),
    [("F32", 1e-8, 1.0), ("F16", 2e-5, 0.98), ("Q8_0", 5e-3, 0.9)],
)
def test_the_file_computes_what_torch_computes(
    nano, tmp_path, type_name, largest_nmse, smallest_same_top
):
    report = _measured(nano, tmp_path / "model.gguf", type_name)
    assert report.tokens >= 200
    assert report.nmse < largest_nmse
    assert report.same_top >= smallest_same_top


def test_without_reordered_queries_and_keys_the_file_is_found_wrong(nano, tmp_path):
    right = _measured(nano, tmp_path / "right.gguf", "F32")
    wrong = _measured(nano, tmp_path / "wrong.gguf", "F32", _in_order)
    assert wrong.nmse > 1e-6 > 100 * right.nmse


def test_the_stage_refuses_a_file_that_computes_something_else(nano, tmp_path):
    job = _job(nano)
    wrong = tmp_path / "run"
    wrong.mkdir()
    for name in ("merged", "tokenizer.json", "problems.jsonl", "contexts.jsonl"):
        (wrong / name).symlink_to(nano / name)
    target = wrong / "model.gguf"
    _written(nano / "merged", nano / "tokenizer.json", target, "F32", Labels("t"), _in_order)
    strict = dataclasses.replace(job.settings.export, max_kld=1e-6)
    settings = dataclasses.replace(job.settings, export=strict)
    with pytest.raises(ExportProblem, match="does not compute"):
        verify.compare(
            dataclasses.replace(job, out=wrong, settings=settings),
            merging.opened(wrong / "merged"),
        )


def test_the_file_says_what_it_is(nano):
    fields = gguf.GGUFReader(nano / "model.gguf").fields
    said = {name: field.contents() for name, field in fields.items()}
    assert said["general.license"] == "apache-2.0"
    assert said["assistant.format.name"] == FORMAT_NAME
    assert said["assistant.format.version"] == FORMAT_VERSION
    assert said["tokenizer.chat_template"] == CHAT_TEMPLATE
    assert said["tokenizer.ggml.add_bos_token"] is False
    assert "from scratch" in said["general.description"]


def test_norms_are_float32_and_matrices_are_not(nano):
    tensors = gguf.GGUFReader(nano / "model.gguf").tensors
    types = {t.name: t.tensor_type.name for t in tensors}
    assert types["blk.0.attn_norm.weight"] == "F32"
    assert types["blk.0.attn_q.weight"] == "Q8_0"
    assert "output.weight" not in types


def test_the_same_model_gives_the_same_bytes_under_any_file_name(nano, tmp_path):
    digests = set()
    for name in ("one.gguf", "two.gguf"):
        gguf_export.write(
            nano / "merged",
            nano / "tokenizer.json",
            tmp_path / name,
            "Q8_0",
            lineage.of_run(_job(nano)),
        )
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests == {hashlib.sha256((nano / "model.gguf").read_bytes()).hexdigest()}


def test_values_that_are_no_numbers_are_refused(nano, tmp_path):
    tensors = load_file(nano / "merged" / "model.safetensors")
    tensors["model.norm.weight"][0] = float("inf")
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((nano / "merged" / "config.json").read_bytes())
    with pytest.raises(ExportProblem, match=r"model\.norm\.weight"):
        gguf_export.write(
            tmp_path, nano / "tokenizer.json", tmp_path / "x.gguf", "F32", Labels("t")
        )


def test_an_unknown_type_names_those_that_there_are(nano, tmp_path):
    with pytest.raises(UsageProblem, match="Q8_0"):
        gguf_export.write(
            nano / "merged", nano / "tokenizer.json", tmp_path / "x.gguf", "Q3_K", Labels("t")
        )


SHAPES = {
    "llama, new form": made.Shape(),
    "llama, old form, tied": made.Shape(form="old", tied=True, rows=420),
    "llama, default positions": made.Shape(kv_heads=4),
    "qwen2, untied": dataclasses.replace(made.QWEN, tied=False, shards=2, form="old"),
    "qwen2, tied, padded": dataclasses.replace(made.QWEN, rows=448),
}


@pytest.fixture(scope="module")
def rows():
    chance = torch.Generator().manual_seed(5)
    return [torch.randint(0, 256, (700,), generator=chance).tolist()]


def _student(tmp_path, shape):
    qwen = shape.kind == "qwen2"
    described = made.tiny_qwen_tokenizer() if qwen else made.tiny_llama_tokenizer()
    return made.write(tmp_path / "student", described, shape)


def _differs(folder, target, rows, type_name="F32", spoil=_as_it_is):
    qwen = "qwen" in json.loads((folder / "config.json").read_text())["model_type"]
    labels = Labels("t", chat=CHATML if qwen else LLAMA3)
    _written(folder, folder / "tokenizer.json", target, type_name, labels, spoil)
    return verifying.compare(merging.opened(folder), target, rows, threads=1)


@pytest.mark.parametrize("name", SHAPES)
def test_a_student_of_each_shape_computes_the_same(name, tmp_path, rows):
    folder = _student(tmp_path, SHAPES[name])
    if "default" in name:
        config = json.loads((folder / "config.json").read_text())
        config["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
        (folder / "config.json").write_text(json.dumps(config))
    report = _differs(folder, tmp_path / "t.gguf", rows)
    assert report.nmse < 1e-8
    assert report.same_top == 1.0
    assert loadable.read(tmp_path / "t.gguf")


@pytest.mark.parametrize("spoil", [_in_order, _unstretched])
def test_a_llama_without_its_order_or_its_frequencies_is_found_wrong(spoil, tmp_path, rows):
    folder = _student(tmp_path, made.Shape())
    assert _differs(folder, tmp_path / "t.gguf", rows, spoil=spoil).nmse > 1e-6


def test_biases_stay_float32_and_a_qwen_is_not_reordered(tmp_path, rows):
    folder = _student(tmp_path, made.QWEN)
    report = _differs(folder, tmp_path / "t.gguf", rows, "Q8_0")
    assert report.nmse < 2e-2
    tensors = {t.name: t for t in gguf.GGUFReader(tmp_path / "t.gguf").tensors}
    assert tensors["blk.0.attn_q.bias"].tensor_type.name == "F32"
    assert tensors["blk.0.attn_q.weight"].tensor_type.name == "Q8_0"
    assert "output.weight" not in tensors
    stored = load_file(folder / "model.safetensors")["model.layers.0.self_attn.k_proj.bias"]
    assert (tensors["blk.0.attn_k.bias"].data == stored.float().numpy()).all()


def test_kinds_of_tokens_and_padding(tmp_path):
    folder = _student(tmp_path, dataclasses.replace(made.QWEN, rows=448))
    found = vocabulary.read(folder / "tokenizer.json", 448)
    kinds = dict(zip(found.tokens, found.kinds, strict=True))
    assert found.pre == "qwen2"
    assert kinds["<|im_end|>"] is kinds["<|fim_prefix|>"] is gguf.TokenType.CONTROL
    assert kinds["<tool_call>"] is gguf.TokenType.USER_DEFINED
    assert kinds["[PAD447]"] is gguf.TokenType.UNUSED
    assert len(found.tokens) == 448
    with pytest.raises(ExportProblem, match="only 300 rows"):
        vocabulary.read(folder / "tokenizer.json", 300)


def test_the_frequencies_of_llama_3_1():
    described = made.config(made.Shape(width=4096, heads=32, rows=9), dict.fromkeys(
        made.LLAMA_SPECIALS, 0
    ))  # fmt: skip
    family = families.find(described)
    (factors,) = families.constants(family, described).values()
    # Waves up to 2,048 tokens are left (29 of them: 2 pi 500000^(i/64)), those over 8,192 not.
    assert factors.shape == (64,)
    assert (factors[:29] == 1.0).all()
    assert (factors[35:] == 8.0).all()
    assert (factors[29:35] > 1.0).all()
    assert (factors[1:] >= factors[:-1]).all()
    old = made.config(made.Shape(width=4096, heads=32, rows=9, form="old"), dict.fromkeys(
        made.LLAMA_SPECIALS, 0
    ))  # fmt: skip
    assert (families.constants(family, old)[rotary.FACTORS] == factors).all()
    assert families.base(family, old) == 500000.0


def test_a_model_without_its_head_is_refused(tmp_path):
    folder = _student(tmp_path, made.Shape(tied=True))
    config = json.loads((folder / "config.json").read_text()) | {"tie_word_embeddings": False}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ExportProblem, match=r"lm_head\.weight"):
        gguf_export.write(
            folder, folder / "tokenizer.json", tmp_path / "t.gguf", "F32", Labels("t", chat=LLAMA3)
        )
