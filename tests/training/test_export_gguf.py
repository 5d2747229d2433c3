"""A GGUF made here computes what the torch model computes, and a wrong one is found out."""

from __future__ import annotations

import dataclasses
import hashlib

import gguf
import pytest
from safetensors.torch import load_file, save_file

from assistant.errors import ExportProblem
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from training import gguf_export, verify
from training.chain import CHAIN
from training.documents import CHAT_TEMPLATE
from training.recipes import find
from training.stages import Job


def _job(nano) -> Job:
    stage = next(stage for stage in CHAIN if stage.name == "gguf")
    return Job(stage, "nano", find("nano").settings, nano, None, "")


def _measured(nano, target, type_name, **options):
    gguf_export.write(nano / "merged", nano / "tokenizer.json", target, type_name, "t", **options)
    return verify.divergence(nano / "merged", target, verify.texts(_job(nano)), threads=1)


@pytest.mark.parametrize(
    ("type_name", "largest_nmse", "smallest_same_top"),
    [("F32", 1e-8, 1.0), ("F16", 2e-5, 0.98), ("Q8_0", 5e-3, 0.9)],
)
def test_the_file_computes_what_torch_computes(
    nano, tmp_path, type_name, largest_nmse, smallest_same_top
):
    report = _measured(nano, tmp_path / "model.gguf", type_name)
    assert report["tokens"] >= 200
    assert report["nmse"] < largest_nmse
    assert report["same_top"] >= smallest_same_top


def test_without_reordered_queries_and_keys_the_file_is_found_wrong(nano, tmp_path):
    right = _measured(nano, tmp_path / "right.gguf", "F32")
    wrong = _measured(nano, tmp_path / "wrong.gguf", "F32", permute=False)
    assert wrong["nmse"] > 1e-6 > 100 * right["nmse"]


def test_the_stage_refuses_a_file_that_computes_something_else(nano, tmp_path):
    job = _job(nano)
    wrong = tmp_path / "run"
    wrong.mkdir()
    for name in ("merged", "tokenizer.json", "problems.jsonl", "contexts.jsonl"):
        (wrong / name).symlink_to(nano / name)
    target = wrong / "model.gguf"
    gguf_export.write(nano / "merged", nano / "tokenizer.json", target, "F32", "t", permute=False)
    strict = dataclasses.replace(job.settings.export, max_kld=1e-6)
    settings = dataclasses.replace(job.settings, export=strict)
    with pytest.raises(ExportProblem, match="does not compute"):
        verify.compare(dataclasses.replace(job, out=wrong, settings=settings))


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
        gguf_export.write(nano / "merged", nano / "tokenizer.json", tmp_path / name, "Q8_0", "nano")
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert digests == {hashlib.sha256((nano / "model.gguf").read_bytes()).hexdigest()}


def test_values_that_are_no_numbers_are_refused(nano, tmp_path):
    tensors = load_file(nano / "merged" / "model.safetensors")
    tensors["model.norm.weight"][0] = float("inf")
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_bytes((nano / "merged" / "config.json").read_bytes())
    with pytest.raises(ExportProblem, match=r"model\.norm\.weight"):
        gguf_export.write(tmp_path, nano / "tokenizer.json", tmp_path / "x.gguf", "F32", "t")


def test_an_unknown_type_names_those_that_there_are(nano, tmp_path):
    with pytest.raises(ExportProblem, match="Q8_0"):
        gguf_export.write(
            nano / "merged", nano / "tokenizer.json", tmp_path / "x.gguf", "Q3_K", "t"
        )
