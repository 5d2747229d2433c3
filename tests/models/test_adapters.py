"""An adapter's file is looked at before C reads it; a model with an adapter has a name."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from assistant import locations
from assistant.errors import ModelProblem
from assistant.models import adapters, loadable, store
from assistant.models.names import Chosen
from tests.support import tiny_adapter
from tests.support.tiny_gguf import Tiny, write

BASE = Tiny()
Q = "blk.0.attn_q.weight"
_GOOD = tiny_adapter.random_of(BASE, (Q, "blk.1.ffn_down.weight"))


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("m") / "base.gguf", BASE)


@pytest.fixture
def folder() -> Path:
    """The models folder."""
    locations.models_dir().mkdir(parents=True)
    return locations.models_dir()


class TestHeader:
    def test_a_good_one_fits(self, base, tmp_path):
        path = tiny_adapter.write(
            tmp_path / "a.gguf", _GOOD, template="T", format=("reasoning-then-code", 9)
        )
        plain = loadable.read(base)
        header = adapters.joined(plain, path)

        assert header.text("tokenizer.chat_template") == "T"
        assert header.integer("assistant.format.version") == 9
        assert header.architecture == "llama"
        assert header.tensors == plain.tensors
        assert adapters.joined(plain, None) is plain

    @pytest.mark.parametrize(
        ("metadata", "why"),
        [
            ({"adapter.type": "control"}, "of the type 'control'"),
            ({"adapter.type": None}, "of the type None"),
            ({"adapter.lora.alpha": None}, "alpha is None"),
            ({"adapter.lora.alpha": 12.0}, "not a number of 32 bits"),  # of 64; ends the process
            ({"adapter.lora.alpha": 12}, "not a number of 32 bits"),
            ({"adapter.lora.alpha": np.float32("nan")}, "alpha is nan"),
            ({"adapter.lora.alpha": np.float32(0)}, r"alpha is 0\.0"),
            ({"adapter.alora.invocation_tokens": [1, 2]}, "activated LoRA"),
            ({"general.type": "model"}, "no adapter but a model"),
            ({"general.type": 7}, "no adapter but a model"),
        ],
    )
    def test_what_it_says_of_itself(self, tmp_path, metadata, why):
        path = tiny_adapter.write(tmp_path / "a.gguf", _GOOD, metadata=metadata)
        with pytest.raises(ModelProblem, match=why):
            adapters.read(path)

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda t: t.pop(f"{Q}.lora_b"), "one of two matrices"),
            (lambda t: t.clear(), "changes nothing"),
            (lambda t: t.update({f"{Q}.lora_b": t[f"{Q}.lora_b"][:, :2].copy()}), "ranks"),
            (lambda t: t.update({f"{Q}.lora_a": t[f"{Q}.lora_a"][0].copy()}), "shape"),
            (lambda t: t.update({f"{Q}.lora_a": np.zeros((3, 64), np.int32)}), "of type"),
            (lambda t: t.update({"blk.0.attn_norm.weight": np.ones(64, np.float32)}), "Merge it"),
            (lambda t: t.update({"x.lora_a": np.ones((3, 64), np.float32)}), "can not be attached"),
            (
                lambda t: t.update({"token_embd.weight.lora_a": np.ones((3, 64), np.float32)}),
                "can not be attached",
            ),
        ],
    )
    def test_its_matrices(self, tmp_path, change, why):
        tensors = dict(_GOOD)
        change(tensors)
        path = tiny_adapter.write(tmp_path / "a.gguf", tensors)
        with pytest.raises(ModelProblem, match=why):
            adapters.read(path)

    @pytest.mark.parametrize(
        ("tensors", "architecture", "why"),
        [
            (_GOOD, "qwen2", "of the architecture 'qwen2'"),
            (tiny_adapter.random_of(BASE, ("blk.7.attn_q.weight",)), "llama", "has not"),
            (tiny_adapter.random_of(Tiny(width=32), (Q,)), "llama", r"\(32, 32\).*\(64, 64\)"),
        ],
    )
    def test_one_of_another_model(self, base, tmp_path, tensors, architecture, why):
        path = tiny_adapter.write(tmp_path / "a.gguf", tensors, architecture=architecture)
        with pytest.raises(ModelProblem, match=rf"(?s)a\.gguf does not fit base\.gguf: .*{why}"):
            adapters.joined(loadable.read(base), path)

    def test_it_is_no_model(self, tmp_path):
        path = tiny_adapter.write(tmp_path / "a.gguf", _GOOD)
        with pytest.raises(ModelProblem, match=r"(?s)is an adapter.*BASE\.gguf\+a\.gguf"):
            loadable.read(path)

    def test_a_damaged_one_is_refused_or_read(self, tmp_path):
        """Never another error, whatever byte of its header is wrong."""
        path = tiny_adapter.write(tmp_path / "a.gguf", _GOOD)
        data, chance = path.read_bytes(), random.Random(4)
        end = min(tensor.start for tensor in adapters.read(path).tensors)
        for _ in range(400):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 3)):
                broken[chance.randrange(end)] = chance.randrange(256)
            path.write_bytes(broken)
            try:
                adapters.read(path)
            except ModelProblem:
                continue


class TestNames:
    @pytest.fixture(autouse=True)
    def _files(self, base, folder):
        shutil.copy(base, folder / "base.gguf")
        tiny_adapter.write(folder / "mine.gguf", _GOOD, template="T", format=("f", 3))

    def test_both_are_named_as_models_are(self, base, folder, tmp_path, monkeypatch):
        both = Chosen(folder / "base.gguf", folder / "mine.gguf")
        shutil.copy(folder / "mine.gguf", tmp_path / "other.gguf")
        monkeypatch.chdir(tmp_path)

        for name in ("base+mine", "base.gguf+mine.gguf", f"{both.path}+{both.adapter}"):
            assert store.choose(name) == both
        assert store.choose(f"base+{tmp_path}/other.gguf").adapter == tmp_path / "other.gguf"
        assert store.choose("base+other.gguf").adapter == tmp_path / "other.gguf"
        assert store.choose("base") == Chosen(folder / "base.gguf")
        assert store.name_of(both.path, both.adapter) == "base+mine"

    def test_one_beside_the_model_needs_no_folder(self, base, tmp_path):
        shutil.copy(base, tmp_path / "b.gguf")
        tiny_adapter.write(tmp_path / "beside.gguf", _GOOD)
        found = store.choose(f"{tmp_path}/b.gguf+beside.gguf")

        assert found.adapter == tmp_path / "beside.gguf"
        assert store.choose(store.name_of(found.path, found.adapter)) == found

    def test_a_plus_in_a_file_s_name(self, folder):
        shutil.copy(folder / "base.gguf", folder / "c++.gguf")
        shutil.copy(folder / "mine.gguf", folder / "a+b.gguf")

        assert store.choose("c++") == Chosen(folder / "c++.gguf")
        assert store.choose("c+++a+b") == Chosen(folder / "c++.gguf", folder / "a+b.gguf")

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("base+gone", "no model 'gone'"),
            ("gone+mine", "no model 'gone'"),
            ("+mine", "one of both is missing"),
            ("base+", "one of both is missing"),
            ("/no/base.gguf+/no/mine.gguf", r"model file /no/base\.gguf does not exist"),
        ],
    )
    def test_one_that_is_missing_is_named(self, name, why):
        with pytest.raises(ModelProblem, match=why):
            store.choose(name)

    def test_adapters_are_no_models_in_the_list(self, folder):
        listed = {entry.name: entry.adapter for entry in store.entries(with_adapters=True)}

        assert listed["mine"] is True
        assert listed["base"] is False
        assert "mine" not in {entry.name for entry in store.entries()}

    def test_what_both_are_together(self, folder):
        base, both = store.info("base"), store.info("base+mine")

        assert (both.name, both.adapter) == ("base+mine", folder / "mine.gguf")
        assert (both.format_name, both.format_version) == ("f", 3)
        assert both.memory_bytes - base.memory_bytes == both.adapter.stat().st_size
        assert both.size - base.size == both.adapter.stat().st_size
        assert store.info("mine").is_adapter
        assert not store.info("mine").chat

    def test_an_adapter_alone_can_not_answer(self):
        with pytest.raises(ModelProblem, match=r"(?s)is an adapter.*BASE\.gguf\+mine\.gguf"):
            store.use("mine")
