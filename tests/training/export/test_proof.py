"""The report beside a file: everything about it in two forms, for right files and wrong ones."""

from __future__ import annotations

import dataclasses
import json

import pytest
import tokenizers

from assistant.errors import DataProblem, ExportProblem
from tests.support import llama3_student as made
from training.chat import LLAMA3
from training.export import content, identity, making, merging, proof, samples
from training.export.metadata import Labels
from training.export.proof import Task


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("proof")
    made.write(root, made.tiny_llama_tokenizer(), made.Shape(layers=1))
    labels = Labels("t", chat=LLAMA3)
    right = content.of(merging.opened(root), root / "tokenizer.json", labels)
    unordered = tuple(dataclasses.replace(tensor, heads=0) for tensor in right.tensors)
    wrong = dataclasses.replace(right, tensors=unordered)
    for name, found in (("right", right), ("wrong", wrong)):
        making.make(making.Order(found, root / f"{name}.gguf", "F32", (root,)))
    return root


@pytest.fixture
def task(folder):
    return Task(merging.opened(folder), folder / "tokenizer.json", "F32", chat=LLAMA3)


def test_a_right_file_passes_and_a_report_is_kept(folder, task):
    file = folder / "right.gguf"
    found = proof.of(file, task, threads=1)
    proof.write(found, file)
    kept = json.loads((folder / "right.verify.json").read_text())
    assert found.passed and kept["passed"] and kept["problems"] == []
    assert kept["measured"]["tokens"] == 2048
    assert kept["measured"]["nmse"] < 1e-8
    assert kept["identity"]["texts"] >= 200
    # JSON has no infinity.
    assert kept["gate"]["mean_kld"] is None and not kept["trained"]
    text = (folder / "right.verify.md").read_text()
    assert text.startswith("# right.gguf: passed")
    assert kept["sha256"] in text
    assert "2,048 places" in text


def test_a_wrong_file_does_not_pass_and_the_report_says_why(folder, task, tmp_path):
    text = tmp_path / "mine.txt"
    text.write_text("Text of mine. " * 30)
    short = dataclasses.replace(task, text=text, tokens=100)
    found = proof.of(folder / "wrong.gguf", short, threads=1)
    assert not found.passed
    assert found.text == "mine.txt"
    assert found.measured.tokens == 100
    written = proof.markdown(found)
    assert "NOT PASSED" in written
    assert "squared error of the logits" in written


def test_text_that_is_not_there_is_named(task, tmp_path):
    with pytest.raises(DataProblem, match=r"none\.txt"):
        proof.rows_of(dataclasses.replace(task, text=tmp_path / "none.txt"))
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ExportProblem, match="no text"):
        proof.rows_of(dataclasses.replace(task, text=tmp_path / "empty.txt"))


def test_documents_of_a_run_are_added(task):
    rows, what = proof.rows_of(dataclasses.replace(task, documents=[[5] * 3000], tokens=64))
    assert [len(row) for row in rows] == [64, 2048]
    assert "1 documents" in what


def test_a_tokenizer_that_cuts_batches_does_not_cut_this(folder, task, tmp_path):
    described = json.loads((folder / "tokenizer.json").read_text())
    cut = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(described | {"truncation": cut}))
    task = dataclasses.replace(task, tokenizer=tmp_path / "tokenizer.json", tokens=500)
    assert proof.rows_of(task) == proof.rows_of(
        dataclasses.replace(task, tokenizer=folder / "tokenizer.json")
    )
    assert len(samples.tokenizer(task.tokenizer).encode("x = 1\n" * 50).ids) > 8
    texts = [("long", "def f(x):\n    return x\n" * 9)]
    described = task.model.described
    found = identity.compare(folder / "right.gguf", task.tokenizer, described, texts=texts)
    assert found.problems == ()


def test_a_broken_tokenizer_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(ExportProblem, match=r"tokenizer\.json can not be read"):
        samples.tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(("count", "longest", "lengths"), [
    (100, 40, [40, 40, 20]), (100, 100, [100]), (30, 100, [30]), (41, 40, [40]),
])  # fmt: skip
def test_rows_are_as_long_as_they_may_be_and_begin_alike(folder, count, longest, lengths):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    texts = ["def f(x):\n    return x\n"] * 40
    rows = samples.rows(tokenizer, texts, count, longest)
    assert [len(row) for row in rows] == lengths
    (begin,) = tokenizer.encode("").ids
    assert all(row.count(begin) == 1 and row[0] == begin for row in rows)
    joined = [token for row in rows for token in row[1:]]
    whole = [t for text in texts for t in tokenizer.encode(text, add_special_tokens=False).ids]
    assert joined == whole[: len(joined)]


def test_a_short_text_is_taken_whole(folder):
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    (row,) = samples.rows(tokenizer, ["def f"], 2048, 2048)
    assert row == tokenizer.encode("def f").ids


def test_real_files_are_on_every_machine():
    names = [name for name, _ in samples.real(200)]
    assert len(set(names)) == 200
    assert all(text for _, text in samples.real(20))
