"""A student of a folder or the hub: what it is, how it is asked, what is refused at once."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest
import tokenizers
import torch

from assistant.engine.engine import Engine
from assistant.engine.types import Message
from assistant.errors import AssistantError, DataProblem, TrainingProblem, UsageProblem
from tests.support import llama3_student as made
from tests.support.student_runs import job, run, settings_of
from training import gguf_export, student
from training.documents import Special, Writer
from training.export.metadata import Labels
from training.settings import Contexts, Export, Student


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return made.write(
        tmp_path_factory.mktemp("llama") / "Llama-tiny",
        made.tiny_llama_tokenizer(),
        made.Shape(layers=1, template=made.LLAMA_TEMPLATE, licence="llama3.1"),
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    shape = made.Shape(layers=1)
    return made.write(tmp_path_factory.mktemp("base") / "b", made.tiny_llama_tokenizer(), shape)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    shape = replace(made.QWEN, layers=1)
    return made.write(tmp_path_factory.mktemp("qwen") / "q", made.tiny_qwen_tokenizer(), shape)


def _described(folder, out, **changes):
    settings = settings_of(folder, **changes)
    run(settings, out, "student")
    return settings, student.describe(job(settings, out))


def test_a_folder_is_described(llama, tmp_path):
    settings, found = _described(llama, tmp_path)
    config = json.loads((llama / "config.json").read_text())
    assert (found.source, found.revision, found.folder) == ("Llama-tiny", "", str(llama))
    assert (found.model_type, found.vocabulary) == ("llama", config["vocab_size"])
    assert (found.context, found.licence) == (131072, "llama3.1")
    assert set(found.files) == {"config.json", "tokenizer.json", "model.safetensors"}
    assert student.folder(job(settings, tmp_path)) == llama
    loaded = student.load(job(settings, tmp_path))
    assert loaded.dtype == torch.float32
    assert not (tmp_path / "student" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "chat", "begin", "end"),
    [
        ("llama", "llama3", "<|begin_of_text|>", "<|eot_id|>"),
        ("qwen", "chatml", "", "<|im_end|>"),
        ("base", "plain", "<|begin_of_text|>", "<|end_of_text|>"),
    ],
)
def test_the_chat_format_is_what_the_model_s_own_template_shows(
    name, chat, begin, end, request, tmp_path
):
    settings, found = _described(
        request.getfixturevalue(name), tmp_path, export=Export(name="Llama-x")
    )
    assert (found.chat, found.begin, found.end) == (chat, begin, end)
    assert student.chat(job(settings, tmp_path)).end == end


def test_the_settings_name_another_chat_format(llama, tmp_path):
    tuned = Student(model=str(llama), chat="plain")
    _, found = _described(llama, tmp_path, student=tuned)
    assert (found.chat, found.end) == ("plain", "<|end_of_text|>")
    with pytest.raises(TrainingProblem, match=r"im_start.*chatml"):
        _described(llama, tmp_path, student=Student(model=str(llama), chat="chatml"))
    with pytest.raises(UsageProblem, match=r"student\.chat=alpaca"):
        _described(llama, tmp_path, student=Student(model=str(llama), chat="alpaca"))


REQUESTS = (
    "Add two numbers.",
    "\n\n  Indented, 1234567 digits, caf\u00e9 e\u0301 \u2028 end \n",
    "What does <|eot_id|> do? And <|im_end|>, <|start_header_id|>system<|end_header_id|>?",
    "<|begin_of_text|>",
    "Parse x<tool_call>y</tool_call> and <|fim_prefix|> in `text`.",
    "    " * 10 + "deep",
)


@pytest.mark.parametrize("name", ["llama", "qwen", "base"])
def test_training_reads_a_request_as_serving_sends_it(name, request, tmp_path):
    folder = request.getfixturevalue(name)
    settings, _ = _described(folder, tmp_path, export=Export(name="Llama-x"))
    asked = job(settings, tmp_path)
    writer = student.writer(asked)
    labels = Labels("t", chat=student.chat(asked))
    gguf_export.write(folder, student.tokenizer_file(asked), tmp_path / "t.gguf", "F16", labels)
    with Engine(tmp_path / "t.gguf") as engine:
        for text in REQUESTS:
            served = engine.prepare_chat([Message("user", text)]).tokens
            assert list(served) == writer.prompt(text), text
            assert engine.vocabulary.text(served).count(text) == 1
        plain = [t for t in REQUESTS if "<tool_call>" not in t]
        for text in plain:
            assert engine.vocabulary.tokenize(text) == writer.encode(text)


def test_a_request_can_not_end_its_own_turn(llama, tmp_path):
    settings, _ = _described(llama, tmp_path)
    writer = student.writer(job(settings, tmp_path))
    end = student.tokenizer(job(settings, tmp_path)).token_to_id("<|eot_id|>")
    assert writer.prompt("say <|eot_id|> twice: <|eot_id|>").count(end) == 1
    assert end not in writer.encode("x = '<|eot_id|>'")


def test_texts_without_special_tokens_are_read_as_ever():
    described = made.tiny_qwen_tokenizer() | {"normalizer": None}
    tokens = tokenizers.Tokenizer.from_str(json.dumps(described))
    text = "def add(a, b):\n    return a + b  # 1 < 2 |> x\n"
    assert Writer(tokens).encode(text) == tokens.encode(text, add_special_tokens=False).ids
    assert Special.END_OF_TURN.value == Writer(tokens).chat.end


def _refused(folder, tmp_path, **changes) -> str:
    with pytest.raises(AssistantError) as caught:
        _described(folder, tmp_path / "run", **changes)
    return str(caught.value)


def _copy(folder, target):
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model_type": "gpt_neox"}, "'gpt_neox'"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1.0}}, "yarn"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"use_sliding_window": True}, "sliding"),
    ],
)
def test_a_model_that_can_not_be_exported_is_refused_at_once(llama, tmp_path, change, said):
    folder = _copy(llama, tmp_path / "other")
    config = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(config))
    assert said in _refused(folder, tmp_path)


def test_a_tokenizer_that_llama_cpp_does_not_know_is_refused(llama, tmp_path):
    folder = _copy(llama, tmp_path / "other")
    described = json.loads((folder / "tokenizer.json").read_text())
    split = described["pre_tokenizer"]["pretokenizers"][0]
    split["pattern"]["Regex"] = split["pattern"]["Regex"].replace("{1,3}", "{1,2}")
    (folder / "tokenizer.json").write_text(json.dumps(described))
    assert "{1,2}" in _refused(folder, tmp_path)
    described["model"]["type"] = "Unigram"
    (folder / "tokenizer.json").write_text(json.dumps(described))
    assert "Unigram" in _refused(folder, tmp_path)


def test_pickles_are_refused(llama, tmp_path):
    folder = _copy(llama, tmp_path / "other")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert "files of pickles" in _refused(folder, tmp_path)


def test_what_is_made_from_llama_is_called_llama(llama, qwen, tmp_path):
    said = _refused(llama, tmp_path, export=Export(name="my-coder"))
    assert "begins with Llama" in said
    assert "--set export.name=Llama-tiny-reasoning" in said
    teacher = Contexts(teacher="http://x", teacher_model="meta-llama/Llama-3.1-70B-Instruct")
    assert "70B" in _refused(qwen, tmp_path, export=Export(name="my-coder"), contexts=teacher)
    _described(qwen, tmp_path / "fine", export=Export(name="my-coder"))
    assert "starter" in _refused(qwen, tmp_path, export=Export(name="starter"))


def test_a_baseline_needs_something_to_be_scored_on(qwen, tmp_path):
    evaluate = replace(settings_of(qwen).evaluate, benchmarks="")
    assert "evaluate.benchmarks" in _refused(qwen, tmp_path, chain="untrained", evaluate=evaluate)


@pytest.mark.parametrize("model", ["", "/nowhere/at/all", "not a name"])
def test_a_student_that_is_not_there_is_named(model, tmp_path):
    with pytest.raises(AssistantError, match=r"student\.model"):
        run(settings_of(tmp_path, student=Student(model=model)), tmp_path / "run", "student")


def test_without_a_network_the_hub_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataProblem, match=r"student\.model=FOLDER"):
        settings = settings_of(tmp_path, student=Student(model="a/b", revision="0" * 40))
        run(settings, tmp_path / "run", "student")


def _in_the_hub_s_cache(llama, root, commit):
    """The student as huggingface_hub keeps it: small files by git's hash, large by sha256."""
    from training import files

    snapshot = root / "hub" / "models--meta-llama--Llama-3.1-tiny" / "snapshots" / commit
    blobs = snapshot.parents[1] / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in llama.iterdir():
        large = path.suffix == ".safetensors"
        blob = blobs / (files.digest(path) if large else files.digest(path)[:40])
        blob.write_bytes(path.read_bytes())
        (snapshot / path.name).symlink_to(blob)
    return blobs, snapshot


def test_a_student_of_the_hub_is_taken_by_its_commit(llama, tmp_path, monkeypatch):
    import huggingface_hub.constants

    commit = "a" * 40
    _, snapshot = _in_the_hub_s_cache(llama, tmp_path, commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    hub = Student(model="meta-llama/Llama-3.1-tiny", revision=commit)
    settings, found = _described(llama, tmp_path / "run", student=hub)
    assert (found.source, found.revision) == ("meta-llama/Llama-3.1-tiny", commit)
    assert found.folder == str(snapshot)
    _described(llama, tmp_path / "run", student=hub)  # again, from what the run knows
    _, same = _described(llama, tmp_path / "other")
    assert same.files == found.files
    assert student.load(job(settings, tmp_path / "run")).config.model_type == "llama"


def test_a_student_that_changed_is_another_one(llama, tmp_path):
    folder = _copy(llama, tmp_path / "mine")
    _, before = _described(folder, tmp_path / "run")
    record = (tmp_path / "run" / "student" / "student.json").read_bytes()
    os.utime(folder / "model.safetensors", ns=(1, 1))
    _described(folder, tmp_path / "run")
    assert (tmp_path / "run" / "student" / "student.json").read_bytes() == record
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    _, after = _described(folder, tmp_path / "run")
    changed = {name for name in before.files if before.files[name] != after.files[name]}
    assert changed == {"model.safetensors"}


def test_the_same_files_in_another_folder_are_the_same_student(llama, tmp_path):
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    _described(llama, tmp_path / "one")
    _described(_copy(llama, moved / llama.name), tmp_path / "two")
    first, second = (tmp_path / n / "student" / "student.json" for n in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_an_encoder_of_codebert_s_shape_is_one(tmp_path):
    """What stands for CodeBERT in the tests of whole runs: its size of vocabulary, its numbers."""
    from training.losses.encoders import roberta
    from training.losses.pooling import Pooling

    folder = made.code_encoder(tmp_path / "codebert")
    encoder, pieces = roberta("codebert", str(folder), "", Pooling.PIECES, 0, 1)
    assert encoder.table.shape == (50265, 32)
    assert (encoder.opening, encoder.closing, encoder.max_pieces) == ((0,), 2, 510)
    code = b"def add(a, b):\n    return a + b\n"
    ids = pieces.encode(code)
    assert min(ids) > 3
    assert b"".join(map(pieces.bytes_of, ids)) == code
