"""The memory of a model is known before it is loaded, and what does not fit is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.models import gguf, machine, memory
from assistant.models.gguf import Array, Header
from tests.support.tiny_gguf import Tiny, write

GIB = 1 << 30
# Layers, heads, heads of keys, width, width of a head, feed-forward, vocabulary.
SHAPES = {
    "qwen2.5-coder-1.5b": (28, 12, 2, 1536, 0, 8960, 151_936),
    "qwen2.5-coder-7b": (28, 28, 4, 3584, 0, 18_944, 152_064),
    "qwen2.5-coder-14b": (48, 40, 8, 5120, 0, 13_824, 152_064),
    "llama-3.1-8b": (32, 32, 8, 4096, 0, 14_336, 128_256),
    "granite-4.1-8b": (40, 32, 8, 4096, 0, 12_800, 100_352),
    "qwen3-coder-30b-a3b": (48, 32, 4, 2048, 128, 6144, 151_936),
}


def header(shape: str = "llama-3.1-8b", size: int = 0, **more: Any) -> Header:
    """A header as such a model has it."""
    layers, heads, keys, width, each, wide, vocabulary = SHAPES[shape]
    values: dict[str, Any] = {
        "block_count": layers,
        "embedding_length": width,
        "feed_forward_length": wide,
        "attention.head_count": heads,
        "attention.head_count_kv": keys,
        "context_length": 131_072,
    }
    if each:
        values |= {"attention.key_length": each, "attention.value_length": each}
    values |= {key.replace("__", "."): value for key, value in more.items()}
    metadata: dict[str, Any] = {f"llama.{key}": value for key, value in values.items()}
    metadata |= {
        "general.architecture": "llama",
        "tokenizer.ggml.tokens": Array(vocabulary),
    }
    return Header(Path("/none/model.gguf"), 3, size, metadata, ())


@pytest.mark.parametrize(
    ("shape", "kib"),
    [
        ("qwen2.5-coder-1.5b", 28),
        ("qwen2.5-coder-7b", 56),
        ("qwen2.5-coder-14b", 192),
        ("llama-3.1-8b", 128),
        ("granite-4.1-8b", 160),
        ("qwen3-coder-30b-a3b", 96),
    ],
)
def test_the_cache_of_one_token_is_what_is_published(shape: str, kib: int) -> None:
    assert memory.cache_bytes(header(shape)) == kib * 1024


@pytest.mark.parametrize("shape", SHAPES)
def test_buffers_are_some_hundred_megabytes(shape: str) -> None:
    assert 300e6 <= memory.estimate(header(shape), 8192).compute <= 600e6


def test_an_estimate_adds_up() -> None:
    found = memory.estimate(header(size=4_920_000_000), 8192)

    assert found.weights == 4_920_000_000
    assert found.cache == GIB
    assert found.total == found.weights + found.cache + found.compute


def test_a_tiny_model_takes_little(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.gguf", Tiny())
    found = memory.estimate(gguf.read_header(path), 512)

    assert found.weights == path.stat().st_size
    assert found.total < 30_000_000


def test_layers_that_do_not_attend_have_no_cache() -> None:
    """Hybrid models: every fourth layer, or a list with zeros."""
    interval = header(full_attention_interval=4)
    listed = header(attention__head_count_kv=Array(32, (0, 0, 0, 8) * 8))

    assert memory.cache_bytes(interval) == memory.cache_bytes(listed) == 32 * 1024


def test_a_context_is_never_longer_than_the_model_was_made_for(tmp_path: Path) -> None:
    """Counted as it is loaded."""
    short = header(context_length=4096)

    assert memory.context_tokens(short) == memory.context_tokens(short, 32_768) == 4096
    assert memory.context_tokens(header()) == 8192
    assert memory.context_tokens(header(), 32_768) == 32_768
    assert memory.context_tokens(header(), 1) == memory.LEAST_CONTEXT
    path = write(tmp_path / "tiny.gguf", Tiny())
    for configured in (100, 65_536):
        settings = EngineSettings(context_length=configured, threads=1)
        with Engine(path, settings) as engine:
            expected = memory.context_tokens(gguf.read_header(path), configured)
            assert engine.facts.context_length == expected


def test_a_small_model_has_more_cells_where_there_is_room() -> None:
    small, each = header("qwen2.5-coder-1.5b"), 28 * 1024

    assert memory.cells(header(), 8192) == 8192
    assert memory.cells(small, 8192) == memory.SHARED_CACHE_BYTES // each
    assert memory.cells(small, 512) == 512 * memory.MOST_CONTEXTS
    assert memory.cells(small, 512, spare=100 * each + 1) == 612
    assert memory.cells(small, 512, spare=0) == 512


def test_states_of_recurrent_layers_count(tmp_path: Path) -> None:
    """As llama.cpp says when it makes them: 24 of 32 layers, 8 sequences."""
    keys = {"inner_size": 4096, "state_size": 128, "group_count": 16, "conv_kernel": 4}
    hybrid = header(full_attention_interval=4, **{f"ssm__{key}": n for key, n in keys.items()})
    one = 128 * 4096 + 3 * (4096 + 2 * 16 * 128)

    assert memory.states_bytes(header()) == 0
    assert memory.states_bytes(hybrid) == memory.STATES * 24 * one * 4
    more = memory.estimate(hybrid, 512).cache
    assert more == memory.states_bytes(hybrid) + 512 * memory.cache_bytes(hybrid)


@pytest.mark.parametrize(
    "nonsense",
    [
        {"block_count": 2**40},
        {"block_count": -1},
        {"attention__head_count": 0},
        {"attention__head_count": "many"},
        {"attention__head_count": Array(10_000_000)},
        {"attention__head_count_kv": Array(2, ("a", -1))},
        {"embedding_length": -5},
        {"full_attention_interval": 0},
        {"feed_forward_length": 2**31},
        {"ssm__state_size": 2**30, "ssm__inner_size": -1, "full_attention_interval": 0},
    ],
)
def test_nonsense_in_a_header_is_no_crash(nonsense: dict[str, Any]) -> None:
    found = memory.estimate(header(**nonsense), 8192)

    assert found.cache >= 0
    assert memory.LEAST_COMPUTE <= found.compute <= memory.MOST_COMPUTE


class TestCheck:
    def test_what_fits_is_allowed(self) -> None:
        needed = memory.estimate(header(size=10**9), 4096).total

        assert memory.check_fits(header(size=10**9), 4096, needed).total == needed
        assert memory.check_fits(header(size=10**9), 4096, None).total == needed

    def test_the_message_names_the_numbers_and_a_context_that_fits(self) -> None:
        model = header(size=4_920_000_000)
        with pytest.raises(ModelProblem) as caught:
            memory.check_fits(model, 8192, 6_000_000_000)
        message = str(caught.value)

        assert "model.gguf needs 6.40 GB of memory" in message
        assert "weights 4.92 GB, cache of 8192 tokens 1.07 GB" in message
        assert "6.00 GB may be used" in message
        shorter = memory.longest_context(model, 6_000_000_000)
        assert f"daemon.context_length = {shorter}" in message
        assert memory.estimate(model, shorter).total <= 6_000_000_000
        assert memory.estimate(model, shorter + 256).total > 6_000_000_000
        assert memory.SHORT_CONTEXT <= shorter < 8192

    def test_where_no_context_helps_a_smaller_model_is_the_way(self) -> None:
        with pytest.raises(ModelProblem) as caught:
            memory.check_fits(header(size=4_920_000_000), 8192, 4_000_000_000)

        assert "daemon.context_length" not in str(caught.value)
        assert "smaller quantisation" in caught.value.hint


def test_all_parts_of_a_split_model_count(tmp_path: Path) -> None:
    first = write(tmp_path / "m-00001-of-00002.gguf", Tiny(layers=1))
    second = write(tmp_path / "m-00002-of-00002.gguf", Tiny(layers=1))

    weights = memory.weights_bytes(gguf.read_header(first))
    assert weights == first.stat().st_size + second.stat().st_size


class TestMachine:
    def test_this_one_has_memory(self) -> None:
        free, total = memory.available_bytes(), memory.total_bytes()

        assert free is not None and total is not None
        assert 0 < free <= total

    def test_a_setting_decides(self) -> None:
        assert memory.budget_bytes(6.5) == 6_500_000_000
        free = memory.available_bytes()
        budget = memory.budget_bytes(0)
        assert free is not None and budget is not None
        # Other processes of the machine change it from one look to the next.
        assert 0 <= budget < free + GIB

    def test_it_agrees_with_psutil(self) -> None:
        psutil = pytest.importorskip("psutil")

        assert machine._meminfo("MemTotal") == psutil.virtual_memory().total

    def test_what_a_process_holds(self) -> None:
        ballast = bytearray(b"x" * 64_000_000)

        assert machine.held_by(os.getpid()) > len(ballast)
        assert machine.held_by(0) == machine.held_by(-1) == machine.held_by(1 << 30) == 0

    def test_what_is_no_meminfo(self, tmp_path: Path) -> None:
        for text in ("", "MemTotal", "MemTotal: many kB", "MemTotal:\n"):
            (tmp_path / "meminfo").write_text(text)
            assert machine._meminfo("MemTotal", tmp_path / "meminfo") is None
        assert machine._meminfo("MemTotal", tmp_path / "none") is None

    def group(self, folder: Path, limit: str, used: int, droppable: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {droppable}\n")

    def test_limits_of_all_groups_above_count(self, tmp_path: Path) -> None:
        self.group(tmp_path, "max", 0)
        self.group(tmp_path / "a", "1000", 300, droppable=100)
        self.group(tmp_path / "a" / "b", "5000", 10)
        (tmp_path / "own").write_text("0::/a/b\n")

        found = machine._groups(tmp_path, tmp_path / "own")
        assert sorted(found) == [(1000, 200), (5000, 10)]

    def test_in_a_container_only_the_root_is_seen(self, tmp_path: Path) -> None:
        self.group(tmp_path, "2000", 500)
        (tmp_path / "own").write_text("0::/docker/abcdef\n")

        assert machine._groups(tmp_path, tmp_path / "own") == [(2000, 500)]

    def test_the_older_kind_of_groups(self, tmp_path: Path) -> None:
        folder = tmp_path / "memory" / "job"
        folder.mkdir(parents=True)
        (folder / "memory.limit_in_bytes").write_text("4096\n")
        (folder / "memory.usage_in_bytes").write_text("96\n")
        (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
        (tmp_path / "memory" / "memory.usage_in_bytes").write_text("1\n")
        (tmp_path / "own").write_text("5:cpu,cpuacct:/job\n4:memory:/job\nnonsense\n")

        assert machine._groups(tmp_path, tmp_path / "own") == [(4096, 96)]

    def test_without_groups_there_is_no_limit(self, tmp_path: Path) -> None:
        assert machine._groups(tmp_path, tmp_path / "none") == []
