"""A model with an adapter attached says what the merged model would say."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assistant.engine import logits, quantiser
from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, EngineSettings, Limits, Message, Text
from assistant.errors import ModelProblem
from tests.support import tiny_adapter, tiny_gguf
from tests.support.tiny_gguf import Tiny, chain_of, write

ABCD = Tiny(chain=chain_of(*"ABCD"), format=None)
XYZ = chain_of(*"XYZ")
NAMES = tuple(f"blk.{layer}.{name}.weight" for layer in (0, 1) for name in (
    "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down",
))  # fmt: skip


def said(engine: Engine) -> str:
    request = engine.prepare_chat([Message("user", "hi")], limits=Limits(max_tokens=20))
    return "".join(
        output.text
        for output in engine.generate(request, CancelToken())
        if isinstance(output, Text)
    )


@pytest.fixture
def base(tmp_path) -> Path:
    return write(tmp_path / "base.gguf", ABCD)


@pytest.fixture
def adapter(tmp_path) -> Path:
    return tiny_adapter.write(
        tmp_path / "xyz.gguf", tiny_adapter.of_chain(ABCD, XYZ), format=("reasoning-then-code", 1)
    )


def test_it_says_what_was_tuned(base, adapter):
    with Engine(base) as engine:
        assert said(engine) == "ABCD"
        assert (engine.facts.adapter, engine.facts.format_name) == (None, None)
        alone = engine.facts.memory_bytes
    with Engine(base, EngineSettings(adapter=adapter)) as engine:
        assert said(engine) == "XYZ"
        assert engine.facts.adapter == adapter
        assert engine.facts.adapter_modified_ns == adapter.stat().st_mtime_ns
        assert engine.facts.format_name == "reasoning-then-code"
        assert engine.facts.memory_bytes == alone + adapter.stat().st_size
    with Engine(base, EngineSettings(adapter=adapter, adapter_scale=0.0)) as engine:
        assert said(engine) == "ABCD"


def test_its_chat_template_goes_first(tmp_path, adapter):
    """A base model has none; what was tuned on it has one."""
    base = write(tmp_path / "plain.gguf", replace(ABCD, template=None))
    tuned = tiny_adapter.write(
        tmp_path / "t.gguf", tiny_adapter.of_chain(ABCD, XYZ), template=tiny_gguf.CHATML
    )
    with Engine(base, EngineSettings(adapter=tuned)) as engine:
        assert engine.facts.chat
        assert said(engine) == "XYZ"
    with Engine(base, EngineSettings(adapter=adapter)) as engine:
        assert not engine.facts.chat


def test_every_matrix_is_changed_as_a_merge_changes_it(tmp_path, monkeypatch):
    spec = Tiny(context=256)
    base = write(tmp_path / "base.gguf", spec)
    pairs = tiny_adapter.random_of(spec, NAMES)
    path = tiny_adapter.write(tmp_path / "a.gguf", pairs)
    tokens = np.random.default_rng(2).integers(0, 256, 100).tolist()
    plain = tiny_gguf._tensors

    def merged(*arguments):
        found = plain(*arguments)
        for name in NAMES:
            change = pairs[f"{name}.lora_b"] @ pairs[f"{name}.lora_a"]
            found[name] = found[name] + change * np.float32(tiny_adapter.ALPHA / 3)
        return found

    monkeypatch.setattr(tiny_gguf, "_tensors", merged)
    expected = logits.all_logits(write(tmp_path / "merged.gguf", spec), tokens, threads=1)
    found = logits.all_logits(base, tokens, threads=1, adapters=[(path, 1.0)])
    half = logits.all_logits(base, tokens, threads=1, adapters=[(path, 0.5)])

    assert ((found - expected) ** 2).sum() < 1e-9 * (expected**2).sum()
    assert ((half - expected) ** 2).sum() > 1e-4 * (expected**2).sum()


def test_one_of_another_model_is_refused_before_anything_is_loaded(tmp_path, base):
    foreign = tiny_adapter.write(
        tmp_path / "foreign.gguf", tiny_adapter.random_of(Tiny(), ("blk.9.attn_q.weight",))
    )
    shares: list[float] = []
    with pytest.raises(ModelProblem, match=r"foreign\.gguf does not fit base\.gguf"):
        Engine(base, EngineSettings(adapter=foreign), lambda share: shares.append(share) or True)
    assert not shares


def test_one_that_is_cut_off_is_refused(base, adapter):
    adapter.write_bytes(adapter.read_bytes()[:-100])
    with pytest.raises(ModelProblem, match="is cut off"):
        Engine(base, EngineSettings(adapter=adapter))


@pytest.mark.parametrize("type_name", ["Q8_0", "Q4_0", "Q4_K_M"])
def test_a_quantised_base_takes_one_too(tmp_path, caplog, type_name):
    """llama.cpp keeps such weights in another order, and says so of every matrix."""
    spec = replace(ABCD, width=256)
    base = write(tmp_path / "base.gguf", spec)
    adapter = tiny_adapter.write(tmp_path / "a.gguf", tiny_adapter.of_chain(spec, XYZ))
    quantiser.quantise(base, tmp_path / "q.gguf", type_name, threads=1)

    with Engine(tmp_path / "q.gguf", EngineSettings(adapter=adapter)) as engine:
        assert said(engine) == "XYZ"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
