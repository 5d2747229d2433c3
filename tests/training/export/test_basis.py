"""An adapter goes onto the base that it was tuned on, with the tokenizer that it was tuned with."""

from __future__ import annotations

import dataclasses
import json
import shutil

import gguf
import pytest
from safetensors.torch import load_file, save_file

from assistant.cli.main import main
from tests.support import llama3_student as made
from tests.support.student_runs import job, make_adapter, run, settings_of, with_adapter
from training import files, student
from training.export import basis, lineage

NAME = "Llama-tiny"
SHAPE = made.Shape(layers=1, licence="llama3.1")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A base, a run of it with an adapter, and an adapter of elsewhere."""
    root = tmp_path_factory.mktemp("basis")
    base = made.write(root / NAME, made.tiny_llama_tokenizer(), SHAPE)
    settings = settings_of(base)
    run(settings, root / "run", "student")
    make_adapter(settings, root / "run")
    (root / "run" / "settings.json").write_text(json.dumps(settings_json(settings)))
    (root / "run" / "stages" / "adapter.json").write_text("{}")
    with_adapter(student.read(base, "float32")).save_pretrained(str(root / "adapter"))
    return root


def settings_json(settings):
    """As the folder of a run has them."""
    return {"recipe": "nano", **dataclasses.asdict(settings)}


@pytest.fixture
def place(tuned, tmp_path):
    """A copy of the base and the adapter, to be spoiled; times are those of the copy."""
    shutil.copytree(tuned / NAME, tmp_path / NAME, copy_function=shutil.copyfile)
    shutil.copytree(tuned / "adapter", tmp_path / "adapter")
    return tmp_path


def _export(base, adapter, out, *more):
    return main(
        [
            "export", "--base", str(base), "--adapter", str(adapter), "--out", str(out),
            "--type", "F16", "--threads", "1", *more,
        ]
    )  # fmt: skip


def _hashed(monkeypatch):
    """The files of weights that are hashed, as they are."""
    seen = []
    digest = files.digest

    def counted(path):
        if path.name.endswith(".safetensors"):
            seen.append(path)
        return digest(path)

    monkeypatch.setattr(files, "digest", counted)
    return seen


def test_the_run_s_own_base_is_known_without_a_hash(tuned, tmp_path, monkeypatch):
    seen = _hashed(monkeypatch)
    assert _export(tuned / NAME, tuned / "run" / "adapter", tmp_path / "a.gguf") == 0
    assert seen == []


def test_a_copy_of_it_is_the_same_base_by_its_hash(tuned, place, monkeypatch, capfd):
    monkeypatch.setattr(basis, "_LARGE_BYTES", 1)
    seen = _hashed(monkeypatch)
    assert _export(place / NAME, tuned / "run" / "adapter", place / "a.gguf") == 0
    assert seen == [place / NAME / "model.safetensors"]
    assert "by its sha256" in capfd.readouterr().err


def test_a_run_that_came_from_another_machine_finds_its_base(tuned, place, capfd):
    """The student's folder of there is not here."""
    shutil.copytree(tuned / "run", place / "run")
    known = place / "run" / "student" / "place.json"
    known.write_text(known.read_text().replace(str(tuned), "/elsewhere"))
    assert _export(place / NAME, place / "run" / "adapter", place / "a.gguf") == 0, (
        capfd.readouterr().err
    )


def _weights(base):
    path = base / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"] += 1
    save_file(tensors, path, {"format": "pt"})


def _config(base):
    path = base / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"rms_norm_eps": 1e-4}))


def _tokenizer(base):
    path = base / "tokenizer.json"
    path.write_text(path.read_text() + "\n")


def _sharded(base):
    save_file(load_file(base / "model.safetensors"), base / "model-1.safetensors")
    names = load_file(base / "model.safetensors")
    where = {"weight_map": dict.fromkeys(names, "model-1.safetensors")}
    (base / "model.safetensors.index.json").write_text(json.dumps(where))
    (base / "model.safetensors").unlink()


OTHERS = {
    "weights": (_weights, "model.safetensors is another"),
    "configuration": (_config, "config.json is another"),
    "tokenizer": (_tokenizer, "tokenizer.json is another"),
    "files": (_sharded, "only one of them has model-1.safetensors"),
}


@pytest.mark.parametrize("more", [(), ("--type", "safetensors"), ("--adapter-only", "--type", "")])
@pytest.mark.parametrize("name", OTHERS)
def test_a_base_that_only_fits_is_refused(tuned, place, name, more, capfd):
    spoil, said = OTHERS[name]
    spoil(place / NAME)
    out = place / "out" / "a.gguf"
    assert _export(place / NAME, tuned / "run" / "adapter", out, *more) == 1
    told = capfd.readouterr().err
    assert f"is not the model that the run {tuned / 'run'} has tuned: {said}" in told
    assert f"--base {tuned / NAME}" in told
    assert not out.parent.exists()


def test_a_file_that_was_changed_in_its_place_is_seen(tuned, place, capfd):
    """Of the same size, where the run has seen it."""
    settings = settings_of(place / NAME)
    run(settings, place / "run", "student")
    path = place / NAME / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(basis.ExportProblem, match=r"model\.safetensors is another"):
        basis.check(job(settings, place / "run"), place / NAME)


def test_a_model_from_scratch_is_compared_with_the_run_s_base(tmp_path):
    base = made.write(tmp_path / "run" / "base", made.tiny_llama_tokenizer(), SHAPE)
    found = job(settings_of(base, chain="scratch"), tmp_path / "run")
    shutil.copytree(base, tmp_path / "copy", copy_function=shutil.copyfile)
    basis.check(found, base)
    basis.check(found, tmp_path / "copy")
    _weights(tmp_path / "copy")
    with pytest.raises(basis.ExportProblem, match=r"model\.safetensors is another"):
        basis.check(found, tmp_path / "copy")


def _says(adapter, name):
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"base_model_name_or_path": name}))


@pytest.mark.parametrize(
    ("name", "origin", "doubted"),
    [
        (f"meta-llama/{NAME}", f"meta-llama/{NAME}", False),
        (f"/home/somebody/{NAME}/", NAME, False),
        (NAME, NAME, False),
        ("", NAME, False),
        ("Qwen/Qwen2.5-7B", NAME, True),
        ("/models/Llama-other", NAME, True),
    ],
)
def test_an_adapter_that_names_another_base(place, name, origin, doubted, capfd):
    _says(place / "adapter", name)
    assert _export(place / NAME, place / "adapter", place / "a.gguf") == 0
    assert ("the adapter says it was tuned on" in capfd.readouterr().err) == doubted
    fields = gguf.GGUFReader(place / "a.gguf").fields
    assert fields["general.base_model.0.name"].contents() == origin.rpartition("/")[2]
    found = lineage.of_folders(place / NAME, place / "adapter", _adapter(place), "")
    assert found.origin.source == origin


def _adapter(place):
    return json.loads((place / "adapter" / "adapter_config.json").read_text())


def test_names_of_the_hub_s_cache_and_of_the_configuration(place):
    commit = "0" * 40
    base = place / "models--meta-llama--Llama-tiny" / "snapshots" / commit
    base.parent.mkdir(parents=True)
    (place / NAME).rename(base)
    for said, doubted in (
        ("meta-llama/Llama-tiny", ""), ("other/Llama-tiny", "other/Llama-tiny"),
        (str(base), ""),
    ):  # fmt: skip
        assert basis.doubt(base, {"base_model_name_or_path": said}) == doubted
    found = basis.origin(base, {"base_model_name_or_path": "other/Llama-tiny"})
    assert (found.source, found.revision) == ("meta-llama/Llama-tiny", commit)
    path = base / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"_name_or_path": "other/name"}))
    assert basis.doubt(base, {"base_model_name_or_path": "other/name"}) == ""


def test_the_notice_of_llama_is_kept_where_only_the_adapter_names_it(place):
    (place / NAME / "README.md").unlink()
    (place / NAME).rename(place / "base")
    _says(place / "adapter", "meta-llama/Llama-3.1-8B")
    found = lineage.of_folders(place / "base", place / "adapter", _adapter(place), "")
    assert "Built with Llama" in found.description and found.name.startswith("Llama")


def _own_words(adapter, base):
    """A tokenizer with a token more, as PEFT and TRL save it; the base has a row for it."""
    described = json.loads((base / "tokenizer.json").read_text())
    added = described["added_tokens"]
    unused = added[-1]["content"]
    added[-1]["content"] = "<|mine|>"
    described["model"]["vocab"].pop(unused, None)
    (adapter / "tokenizer.json").write_text(json.dumps(described))
    (adapter / "tokenizer_config.json").write_text(json.dumps({"chat_template": "MINE"}))


def test_the_adapter_s_tokenizer_and_template_are_the_model_s(place):
    _own_words(place / "adapter", place / NAME)
    assert _export(place / NAME, place / "adapter", place / "a.gguf") == 0
    fields = gguf.GGUFReader(place / "a.gguf").fields
    assert "<|mine|>" in fields["tokenizer.ggml.tokens"].contents()
    assert fields["tokenizer.chat_template"].contents() == "MINE"
    out = place / "merged"
    assert _export(place / NAME, place / "adapter", out, "--type", "safetensors") == 0
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (out / name).read_bytes() == (place / "adapter" / name).read_bytes()


def test_the_run_s_tokenizer_stays(tuned, place):
    shutil.copytree(tuned / "run", place / "run")
    _own_words(place / "run" / "adapter", place / NAME)
    assert _export(place / NAME, place / "run" / "adapter", place / "a.gguf") == 0
    fields = gguf.GGUFReader(place / "a.gguf").fields
    assert "<|mine|>" not in fields["tokenizer.ggml.tokens"].contents()


def test_an_adapter_s_tokenizer_without_a_template_leaves_the_base_s(place):
    _own_words(place / "adapter", place / NAME)
    (place / "adapter" / "tokenizer_config.json").unlink()
    path = place / NAME / "tokenizer_config.json"
    path.write_text(json.dumps({"chat_template": "BASE"}))
    assert _export(place / NAME, place / "adapter", place / "a.gguf") == 0
    fields = gguf.GGUFReader(place / "a.gguf").fields
    assert "<|mine|>" in fields["tokenizer.ggml.tokens"].contents()
    assert fields["tokenizer.chat_template"].contents() == "BASE"
