"""What can not become a file is said before the long work, and nothing is written."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from assistant.cli.main import main
from tests.support import llama3_student as made
from tests.support.student_runs import with_adapter
from training import student
from training.plan.numbers import size


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model in three files, and an adapter of it."""
    root = tmp_path_factory.mktemp("refusals")
    base = made.write(root / "base", made.tiny_llama_tokenizer(), made.Shape(shards=3))
    with_adapter(student.read(base, "float32")).save_pretrained(str(root / "adapter"))
    return root


@pytest.fixture
def place(whole, tmp_path):
    """A copy of both, to be spoiled."""
    for name in ("base", "adapter"):
        shutil.copytree(whole / name, tmp_path / name)
    return tmp_path


def _export(place, *more):
    return main(
        [
            "export", "--base", str(place / "base"), "--adapter", str(place / "adapter"),
            "--out", str(place / "out" / "t.gguf"), "--threads", "1", *more,
        ]
    )  # fmt: skip


def _config(place, **changes):
    path = place / "base" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _missing_shard(place):
    next((place / "base").glob("model-00002*")).unlink()


def _cut_shard(place):
    file = next((place / "base").glob("model-00003*"))
    file.write_bytes(file.read_bytes()[:-1000])


def _no_shard(place):
    file = next((place / "base").glob("model-00001*"))
    file.write_bytes(b"\0" * 64)


def _index(place):
    (place / "base" / "model.safetensors.index.json").write_text('{"weight_map": 3}')


def _lost_tensor(place):
    path = place / "base" / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"].pop("model.norm.weight")
    path.write_text(json.dumps(index))


def _moved_tensor(place):
    """The index names another file than the one that has it."""
    path = place / "base" / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    files = sorted(set(index["weight_map"].values()))
    old = index["weight_map"]["model.norm.weight"]
    index["weight_map"]["model.norm.weight"] = next(file for file in files if file != old)
    path.write_text(json.dumps(index))


def _other_base(place):
    path = place / "adapter" / "adapter_model.safetensors"
    tensors = {name: torch.cat([t, t]) for name, t in load_file(path).items()}
    save_file(tensors, path)


def _vocabulary(place):
    path = place / "base" / "tokenizer.json"
    found = json.loads(path.read_text())
    found["added_tokens"].append(found["added_tokens"][0] | {"id": 5000, "content": "<|far|>"})
    path.write_text(json.dumps(found))


SPOILT = {
    "a file of weights is missing": (_missing_shard, "model-00002-of-00003.safetensors is missing"),
    "one is cut off": (_cut_shard, "model-00003-of-00003.safetensors can not be read"),
    "one is none": (_no_shard, "model-00001-of-00003.safetensors can not be read"),
    "the index is none": (_index, "model.safetensors.index.json can not be read"),
    "the index forgets a tensor": (_lost_tensor, "model.norm.weight"),
    "the index names the wrong file": (
        _moved_tensor, "does not hold the tensor model.norm.weight, which model.safetensors.index",
    ),
    "an adapter of another base": (_other_base, "is it the adapter of another base?"),
    "a token without a row": (_vocabulary, "'<|far|>' of number 5000"),
    "an unknown kind": (lambda p: _config(p, model_type="mamba"), "'mamba'"),
    "another size than it says": (lambda p: _config(p, hidden_size=96), "embed_tokens"),
    "quantised weights": (lambda p: _config(p, quantization_config={"bits": 4}), "quant"),
    "no configuration": (lambda p: (p / "base" / "config.json").unlink(), "config.json"),
    "a broken configuration": (
        lambda p: (p / "base" / "config.json").write_text("{"), "config.json can not be read",
    ),
    "no tokenizer": (lambda p: (p / "base" / "tokenizer.json").unlink(), "tokenizer.json"),
    "a broken tokenizer": (
        lambda p: (p / "base" / "tokenizer.json").write_text('{"model": {}}'), "tokenizer",
    ),
    "no adapter": (lambda p: shutil.rmtree(p / "adapter"), "adapter_config.json can not be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_it_is_named_and_nothing_is_written(name, place, capfd):
    spoil, said = SPOILT[name]
    spoil(place)
    assert _export(place) == 1
    told = capfd.readouterr()
    assert said in told.err and "Traceback" not in told.err
    assert told.out == "" and not (place / "out").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--type", "Q9"], "there is no type 'Q9'"),
        (["--split-size", "many"], "--split-size many: a size is needed"),
        (["--split-size", "4G", "--type", "Q4_K_M"], "written directly"),
        (["--imatrix-text", "README.md"], "--imatrix-text is for llama.cpp's quantiser"),
        (["--type", "Q4_K_M", "--imatrix-text", "nowhere.txt"], "there is no file nowhere.txt"),
        (["--verify-text", "nowhere.txt"], "there is no file nowhere.txt"),
        (["--adapter-only", "--verify"], "--verify is not for an adapter alone"),
        (["--adapter-only", "--type", "Q8_0"], "an adapter is not written as Q8_0"),
        (["--type", "IQ2_XS"], "has to be told what matters least"),
        (["--type", "safetensors", "--verify"], "--verify is not for a folder of safetensors"),
        (["--threads", "-1"], "--threads -1"),
    ],
)
def test_an_option_that_means_nothing_is_refused(more, said, place, capfd):
    assert _export(place, *more) == 2
    assert said in capfd.readouterr().err
    assert not (place / "out").exists()


def test_a_folder_that_can_not_be_made_and_a_name_without_an_end(place, capfd):
    (place / "out").write_text("a file")
    assert _export(place) == 1
    assert "can not be made" in capfd.readouterr().err
    arguments = ["export", "--base", str(place / "base"), "--out", str(place / "out")]
    assert main(arguments) == 2
    assert "ends in .gguf" in capfd.readouterr().err


def test_what_the_disk_has_no_room_for_is_said_first(place, capfd, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: shutil._ntuple_diskusage(9, 8, 100_000))
    assert _export(place) == 1
    told = capfd.readouterr().err
    assert "takes" in told and "100 kB left" in told
    assert not (place / "out" / "t.gguf").exists()


def test_what_comes_out_is_the_path_alone(place, capfd):
    assert _export(place, "--type", "F16") == 0
    told = capfd.readouterr()
    assert told.out == f"{place / 'out' / 't.gguf'}\n"
    assert "LoRA of rank 4" in told.err
    assert _export(place, "--type", "F16") == 0
    assert "is there already" in capfd.readouterr().err


def test_a_dry_run_says_the_size_and_writes_nothing(place, capfd):
    assert _export(place, "--type", "Q4_K_M", "--dry-run") == 0
    said = capfd.readouterr().out
    assert "in float16 on the way" in said and "nats" in said
    assert not (place / "out").exists()
    assert _export(place, "--type", "Q4_K_M") == 0
    assert f"t.gguf: {size((place / 'out' / 't.gguf').stat().st_size)}," in said


def test_a_model_of_meta_keeps_its_name(place, capfd):
    (place / "base" / "README.md").write_text("---\nlicense: llama3.1\n---\n")
    assert _export(place, "--name", "mine") == 1
    assert "--name Llama-mine" in capfd.readouterr().err
    assert _export(place, "--name", "Llama-mine", "--type", "F16") == 0
    assert b"Built with Llama" in (place / "out" / "t.gguf").read_bytes()
