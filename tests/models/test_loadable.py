"""What llama.cpp would not survive is refused before it sees the file, with the reason."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.models import architectures, loadable, store
from tests.support.llama_server import needs_source, source, vocabularies
from tests.support.mutated_gguf import Entry, File, take_apart
from tests.support.tiny_gguf import Tiny, write


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> File:
    """A sound model, taken apart."""
    path = write(tmp_path_factory.mktemp("sound") / "m.gguf", Tiny(layers=2))
    loadable.read(path)
    return take_apart(path.read_bytes())


def with_entry(file: File, key: str, kind: int, value: bytes) -> File:
    kept = [entry for entry in file.entries if entry.key != key.encode()]
    return replace(file, entries=(*kept, Entry(key.encode(), kind, value)))


def without(file: File, key: str) -> File:
    return replace(file, entries=tuple(e for e in file.entries if e.key != key.encode()))


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def texts(*values: str) -> bytes:
    return struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values))


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def f32(value: float) -> bytes:
    return struct.pack("<f", value)


def refusal(path: Path, file: File) -> str:
    path.write_bytes(file.to_bytes())
    with pytest.raises(ModelProblem) as caught:
        Engine(path, EngineSettings(threads=1))
    return str(caught.value)


ENTRIES = [
    ("general.architecture", 8, text("bert"), "turns text into vectors"),
    ("general.architecture", 8, text("t5"), "has an encoder"),
    ("general.architecture", 8, text("llama9"), "unknown model architecture 'llama9'"),
    ("general.architecture", 4, u32(1), "does not say what architecture"),
    ("general.alignment", 4, u32(3), "not a power of two"),
    ("llama.context_length", 4, u32(0), "context_length is 0"),
    ("llama.block_count", 4, u32(0), "block_count is 0"),
    ("llama.block_count", 4, u32(513), "block_count is 513"),
    ("llama.block_count", 4, u32(3), "'blk.2.attn_norm.weight' is missing"),
    ("llama.block_count", 8, text("2"), "block_count is '2'"),
    ("llama.embedding_length", 4, u32(32), "metadata say (32, "),
    ("llama.attention.head_count", 4, u32(0), "head_count is 0"),
    ("llama.attention.head_count", 4, u32(3), "3 heads have a width of 21"),
    ("llama.attention.head_count", 9, struct.pack("<IQI", 4, 1, 2), "(2,) for 2 layers"),
    ("llama.attention.head_count_kv", 4, u32(0), "2 heads for 0 of keys"),
    ("llama.attention.key_length", 4, u32(7), "a width of 7"),
    ("llama.feed_forward_length", 4, u32(65), "ffn_gate.weight' has the shape (64, 64)"),
    ("llama.attention.layer_norm_rms_epsilon", 6, f32(-1), "epsilon is -1.0"),
    ("llama.attention.layer_norm_rms_epsilon", 6, f32(float("nan")), "epsilon is nan"),
    ("llama.rope.freq_base", 6, f32(float("inf")), "freq_base is inf"),
    ("llama.rope.freq_base", 6, f32(0), "freq_base is 0.0"),
    ("llama.rope.scaling.type", 8, text("cubic"), "scaling.type is 'cubic'"),
    ("llama.expert_count", 4, u32(1025), "expert_count is 1025"),
    ("llama.expert_count", 4, u32(8), "8 experts and uses none"),
    ("llama.expert_used_count", 4, u32(2), "expert_used_count is"),
    ("llama.rope.dimension_sections", 9, struct.pack("<IQ4I", 4, 4, 0, 0, 0, 9), "sections is (0,"),
    ("tokenizer.ggml.model", 8, text("none"), "tokenizer is 'none'"),
    ("tokenizer.ggml.model", 8, text("llama"), "no token stands for the byte"),
    ("tokenizer.ggml.tokens", 9, texts("a", "b", "a"), "it has 3 tokens and"),
    ("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 0), "no tokens"),
    ("tokenizer.ggml.tokens", 4, u32(1), "tokens is of the wrong type"),
    ("tokenizer.ggml.token_type", 9, struct.pack("<IQI", 4, 1, 1), "of the wrong type"),
    ("tokenizer.ggml.merges", 4, u32(1), "merges is of the wrong type"),
    ("tokenizer.ggml.bos_token_id", 4, u32(100_000), "bos_token_id is 100000"),
    ("tokenizer.ggml.fim_mid_token_id", 8, text("x"), "fim_mid_token_id is 'x'"),
    ("split.count", 2, struct.pack("<H", 2), "one of 2 parts"),
]


@pytest.mark.parametrize(("key", "kind", "value", "reason"), ENTRIES)
def test_a_contradiction_in_the_metadata_is_told(
    sound: File, tmp_path: Path, key: str, kind: int, value: bytes, reason: str
) -> None:
    assert reason in refusal(tmp_path / "m.gguf", with_entry(sound, key, kind, value))


@pytest.mark.parametrize(
    "key",
    [
        "general.architecture",
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.attention.head_count",
        "tokenizer.ggml.model",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
    ],
)
def test_what_is_missing_is_told(sound: File, tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path / "m.gguf", without(sound, key))

    assert re.search("missing|no tokens|tokenizer is None|does not say", message)


def tokens_of(file: File) -> list[str]:
    value = next(e.value for e in file.entries if e.key == b"tokenizer.ggml.tokens")
    found, place = [], 12
    while place < len(value):
        size = struct.unpack_from("<Q", value, place)[0]
        found.append(value[place + 8 : place + 8 + size].decode())
        place += 8 + size
    return found


def test_a_token_that_occurs_twice_is_named(sound: File, tmp_path: Path) -> None:
    """llama.cpp ends the process."""
    known = tokens_of(sound)
    known[7] = known[3]
    file = with_entry(sound, "tokenizer.ggml.tokens", 9, texts(*known))

    assert f"the token {known[3]!r} occurs twice" in refusal(tmp_path / "m.gguf", file)


@pytest.mark.timeout(60)
def test_in_a_large_vocabulary_too(tmp_path: Path) -> None:
    """Within a moment; looking each token up in a list took minutes."""
    words = [f"word{number}" for number in range(100_000)]
    whole = take_apart(write(tmp_path / "large.gguf", Tiny(layers=1, words=words)).read_bytes())
    found = next(e for e in whole.entries if e.key == b"tokenizer.ggml.tokens")
    twice = replace(found, value=found.value.replace(b"word99999", b"word99998"))
    entries = tuple(twice if entry is found else entry for entry in whole.entries)

    assert "'word99998' occurs twice" in refusal(
        tmp_path / "m.gguf", replace(whole, entries=entries)
    )


def test_a_token_without_text_takes_the_name_that_llama_cpp_gives_it(
    sound: File, tmp_path: Path
) -> None:
    known = tokens_of(sound)
    known[7], known[8] = "", "[EMPTY_7]"
    file = with_entry(sound, "tokenizer.ggml.tokens", 9, texts(*known))

    assert "'[EMPTY_7]' occurs twice" in refusal(tmp_path / "m.gguf", file)


def test_a_byte_that_does_not_say_which_is_named(sound: File, tmp_path: Path) -> None:
    count = len(tokens_of(sound))
    types = struct.pack(f"<IQ{count}i", 5, count, *[1] * 9, 6, *[1] * (count - 10))
    file = with_entry(sound, "tokenizer.ggml.token_type", 9, types)

    assert "does not say which" in refusal(tmp_path / "m.gguf", file)


def changed(file: File, tensor: str, **edits: object) -> File:
    infos = [replace(i, **edits) if i.name == tensor.encode() else i for i in file.infos]
    return replace(file, infos=tuple(infos))


@pytest.mark.parametrize(
    ("name", "edits", "reason"),
    [
        # Integers are multiplied as if they were weights: memory that is not there is read.
        ("blk.0.attn_q.weight", {"kind": 26}, "is of type number 26"),
        ("output_norm.weight", {"kind": 30}, "cut|begins|type BF16"),
        ("blk.1.attn_k.weight", {"shape": (32, 128)}, "shape"),
        ("output.weight", {"name": b"token_embd.weigh"}, None),
        ("token_embd.weight", {"name": b"x"}, "'token_embd.weight' is missing"),
        ("blk.1.attn_output.weight", {"name": b"x"}, "'blk.1.attn_output.weight' is missing"),
        ("blk.1.attn_v.weight", {"offset": 0}, "begins at 0, where the one before ends"),
        ("blk.1.attn_v.weight", {"name": b"a" * 64}, "a name has 64 bytes"),
    ],
)
def test_a_contradiction_in_the_weights_is_told(
    sound: File, tmp_path: Path, name: str, edits: dict[str, object], reason: str | None
) -> None:
    file = changed(sound, name, **edits)
    if reason is None:
        # Without an output of its own a model uses the embedding, but this tensor is unknown.
        reason = "llama.cpp can not load"
    assert re.search(reason, refusal(tmp_path / "m.gguf", file))


def parts(folder: Path, file: File, **edits: int) -> Path:
    """The model in two files."""
    half = len(file.infos) // 2
    place = file.infos[half].offset
    moved = tuple(replace(i, offset=i.offset - place) for i in file.infos[half:])
    sides = ((file.infos[:half], file.data[:place]), (moved, file.data[place:]))
    for number, (infos, data) in enumerate(sides):
        part = replace(file, infos=infos, data=data)
        numbers = {"split.no": number, "split.count": 2, "split.tensors.count": len(file.infos)}
        for key, value in {**numbers, **(edits if number else {})}.items():
            kind = 5 if key.endswith("tensors.count") else 2
            part = with_entry(part, key, kind, struct.pack("<i" if kind == 5 else "<H", value))
        (folder / f"m-0000{number + 1}-of-00002.gguf").write_bytes(part.to_bytes())
    return folder / "m-00001-of-00002.gguf"


def test_a_model_in_two_files_is_loaded(sound: File, tmp_path: Path) -> None:
    with Engine(parts(tmp_path, sound), EngineSettings(threads=1)) as engine:
        assert engine.facts.chat


def test_parts_that_do_not_belong_together_are_told(sound: File, tmp_path: Path) -> None:
    first = parts(tmp_path, sound, **{"split.no": 0})
    with pytest.raises(ModelProblem, match="says that it is part 0"):
        loadable.read(first)
    first.with_name("m-00002-of-00002.gguf").unlink()
    with pytest.raises(ModelProblem, match="no model file"):
        loadable.read(first)


def test_the_embedded_model_passes() -> None:
    loadable.read(store.resolve(""))


@needs_source
def test_every_architecture_of_llama_cpp_is_known() -> None:
    folder = source()
    assert folder is not None
    code = (folder / "src" / "llama-arch.cpp").read_text()
    table = code.split("LLM_ARCH_NAMES = {")[1].split("};")[0]
    names = set(re.findall(r'LLM_ARCH_\w+,\s+"([^"(]+)"', table))

    assert names == architectures.DECODERS | set(architectures.OTHERS)
    assert not architectures.DECODERS & set(architectures.OTHERS)


@needs_source
@pytest.mark.parametrize("path", [pytest.param(p, id=p.stem) for p in vocabularies()])
def test_the_vocabularies_of_well_known_models_pass(path: Path) -> None:
    """They hold no weights: that, or that they write no text, is what is left to refuse."""
    with pytest.raises(ModelProblem, match=r"is missing|writes none"):
        loadable.read(path)
