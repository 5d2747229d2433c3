"""`--type safetensors`: transformers reads it, a kill costs one file, nothing of others is lost."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil

import pytest
import torch

pytest.importorskip("llama_cpp", reason="the driver of the command loads the quantiser too")

from transformers import AutoModelForCausalLM, AutoTokenizer

from assistant.cli.main import main
from tests.support import export_runs
from tests.support import llama3_student as made
from tests.support.student_runs import with_adapter
from training import student
from training.export import alone, folder, merging

TOKENS = torch.tensor([[3, 17, 200, 41, 5, 90, 300, 12]])
SHAPE = made.Shape(width=128, layers=4, feed=512, shards=2, dtype=torch.float32)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model, an adapter of it, and what the two compute."""
    root = tmp_path_factory.mktemp("folder")
    base = made.write(root / "base", made.tiny_llama_tokenizer(), SHAPE)
    tuned = with_adapter(student.read(base, "float32"))
    tuned.save_pretrained(str(root / "adapter"))
    return root, _logits(tuned.merge_and_unload())


@pytest.fixture
def place(whole, tmp_path):
    """A copy of both, that may be spoiled."""
    for name in ("base", "adapter"):
        shutil.copytree(whole[0] / name, tmp_path / name)
    return tmp_path


def _logits(model):
    with torch.no_grad():
        return model(input_ids=TOKENS, use_cache=False).logits[0]


def _options(place):
    return (
        "--base", str(place / "base"), "--adapter", str(place / "adapter"),
        "--type", "safetensors", "--threads", "1",
    )  # fmt: skip


def _export(place, out):
    return main(["export", *_options(place), "--out", str(out)])


def _state(target):
    """Content and time of each file below a folder."""
    return {
        str(path.relative_to(target)): (path.read_bytes(), path.lstat().st_mtime_ns)
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def _digests(target):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in target.iterdir()
        if path.name != folder.MARKER
    }


def test_transformers_reads_it_and_computes_what_the_merged_model_computes(whole, place, capfd):
    target = place / "out" / "merged"
    assert _export(place, target) == 0
    assert capfd.readouterr().out == f"{target}\n"
    found = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32)
    torch.testing.assert_close(_logits(found), whole[1], rtol=1e-4, atol=1e-5)
    assert AutoTokenizer.from_pretrained(target)("def add")["input_ids"]
    assert [path.name for path in target.parent.iterdir()] == ["merged"]


def test_the_same_again_is_there_already_and_other_inputs_are_written_anew(place, capfd):
    target = place / "merged"
    assert _export(place, target) == 0
    before = _state(target)
    capfd.readouterr()
    assert _export(place, target) == 0
    assert "is there already" in capfd.readouterr().err
    assert _state(target) == before
    os.utime(place / "adapter" / "adapter_model.safetensors")
    assert _export(place, target) == 0
    assert "is there already" not in capfd.readouterr().err
    assert _state(target) != before


def test_a_file_that_was_lost_is_all_that_is_written(place, monkeypatch):
    monkeypatch.setattr("training.export.checkpoint.SHARD_BYTES", 1_000_000)
    target = place / "merged"
    assert _export(place, target) == 0
    before, digests = _state(target), _digests(target)
    lost = "model-00002-of-"
    next(target.glob(f"{lost}*")).unlink()
    assert _export(place, target) == 0
    assert _digests(target) == digests
    kept = {n for n in before if n.startswith("model-") and not n.startswith(lost)}
    after = _state(target)
    assert len(kept) >= 2 and all(after[name] == before[name] for name in kept)


def test_killed_it_goes_on_and_does_no_file_again(place):
    """The process kills itself at random events; SHARD_BYTES is small in it."""
    arguments = (*_options(place), "--out")
    first = export_runs.export(*arguments, place / "whole")
    assert first.code == 0, first.said
    digests = _digests(place / "whole")
    shards = sorted(name for name in digests if name.endswith(".safetensors"))
    assert len(shards) >= 3
    chance = random.Random(5)
    for third in range(3):
        target = place / f"killed-{third}"
        at = first.events * third // 3 + chance.randrange(first.events // 3)
        assert export_runs.export(*arguments, target, die_at=max(1, at)).killed
        assert not (target / "config.json").exists()
        done = json.loads((target / folder.MARKER).read_text())["files"]
        there = {path.name for path in target.glob("model*.safetensors")}
        assert set(done) <= there and len(there - set(done)) <= 1
        again = export_runs.export(*arguments, target)
        assert again.code == 0, again.said
        assert _digests(target) == digests
        left = [name for name in shards if name not in done]
        assert set(again.read) == _tensors(target, left)


def _tensors(target, shards):
    index = json.loads((target / "model.safetensors.index.json").read_text())
    return {name for name, file in index["weight_map"].items() if file in shards}


def _linked(place):
    (place / "link").symlink_to(place / "base")
    return place / "link"


OWN = {
    "itself": (lambda place: place / "base", "is the base itself"),
    "by a symlink": (_linked, "is the base itself"),
    "by a way about": (lambda place: place / "adapter" / ".." / "base", "is the base itself"),
    "the adapter": (lambda place: place / "adapter", "is the adapter itself"),
}


@pytest.mark.parametrize("name", OWN)
def test_what_it_is_made_of_is_refused_however_it_is_reached(place, name, capfd):
    find, said = OWN[name]
    target = find(place)
    before = _state(place)
    assert _export(place, target) == 1
    assert said in capfd.readouterr().err
    assert _state(place) == before


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors", "model-00001-of-00002.safetensors", "tokenizer.json"],
)
@pytest.mark.parametrize("marker", [None, "{", '{"key": 3}'])
def test_a_folder_of_somebody_else_is_not_touched(place, name, marker, capfd):
    target = place / "theirs"
    target.mkdir()
    (target / name).write_text("theirs")
    if marker is not None:
        (target / folder.MARKER).write_text(marker)
    before = _state(place)
    assert _export(place, target) == 1
    assert f"holds {name}, and was not written by" in capfd.readouterr().err
    assert _state(place) == before
    assert main(["export", *_options(place), "--out", str(target), "--dry-run"]) == 1


def test_a_folder_with_other_things_is_written_to(place):
    target = place / "mine"
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    assert _export(place, target) == 0
    assert (target / "notes.txt").read_text() == "mine"


def test_two_processes_do_not_write_one_folder(place, capfd):
    target = place / "merged"
    target.mkdir()
    (place / "same").symlink_to(target)
    with alone.held(target):
        assert _export(place, place / "same") == 1
    assert "another process is writing" in capfd.readouterr().err
    assert list(target.iterdir()) == []


def test_a_value_that_is_no_number_leaves_no_model(place, capfd, monkeypatch):
    rows = merging.Merged.rows

    def spoilt(self, name, start, stop):
        found = rows(self, name, start, stop)
        return found * float("nan") if name == "model.norm.weight" else found

    monkeypatch.setattr(merging.Merged, "rows", spoilt)
    assert _export(place, place / "merged") == 1
    assert "model.norm.weight has values" in capfd.readouterr().err
    assert not (place / "merged" / "config.json").exists()
