"""A broken model file is told from a good one without llama.cpp, and says what is wrong."""

from __future__ import annotations

import random
import struct
import tracemalloc
from pathlib import Path

import gguf as reference
import pytest

from assistant.errors import ModelProblem
from assistant.models import gguf
from tests.support.tiny_gguf import CHATML, Tiny, write


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound model file."""
    return write(tmp_path_factory.mktemp("gguf") / "good.gguf", Tiny(layers=1))


def refusal(path: Path) -> str:
    with pytest.raises(ModelProblem) as caught:
        gguf.read_header(path)
    return str(caught.value)


def test_a_sound_file_is_read_as_the_reference_reads_it(good: Path) -> None:
    header, other = gguf.read_header(good), reference.GGUFReader(good)

    assert header.architecture == "llama"
    assert header.context_length == 512
    assert header.text("tokenizer.chat_template") == CHATML
    assert header.vocabulary_size == len(other.fields["tokenizer.ggml.tokens"].data)
    expected = [(t.name, t.data_offset, t.n_bytes) for t in other.tensors]
    assert [(t.name, t.start, t.size) for t in header.tensors] == expected
    assert header.parameters == sum(int(t.n_elements) for t in other.tensors)
    assert header.tensor_types == ("F32",)


def test_block_sizes_are_those_of_the_reference() -> None:
    assert {int(kind): size for kind, size in reference.GGML_QUANT_SIZES.items()} == gguf.BLOCKS


@pytest.mark.parametrize("text", [struct.pack("<I", 8), struct.pack("<IIQ", 9, 8, 600)])
def test_a_length_with_a_wrong_bit_takes_no_memory(tmp_path: Path, text: bytes) -> None:
    """The file is as long as it says; nobody has so long a text."""
    path, length = tmp_path / "huge.gguf", 3 << 30
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k")
        file.write(text + struct.pack("<Q", length))
        file.truncate(length + (1 << 20))  # without blocks on the disk
    tracemalloc.start()
    try:
        assert f"{length} bytes" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_missing_file(tmp_path: Path) -> None:
    message = refusal(tmp_path / "none.gguf")

    assert f"There is no model file {tmp_path / 'none.gguf'}" in message
    assert "assistant models list" in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"# Notes\n\nThis is no model at all, only words.\n", "a text file"),
        ("Größe: 3\n".encode() * 10, "a text file"),
        (b"hi", "a text file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(100), "begins with b'PK"),
        (b"GGUF\x03\x00", "cut off after 6 bytes"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(100), "big-endian"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(100), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0) + bytes(100), "claims 1152921504606846976"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62), "a name has"),
        (
            b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"k", 9, 8, 2**40),
            "the array 'k' claims 1099511627776 values",
        ),
    ],
)
def test_what_is_no_model_is_told_apart(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    assert reason in refusal(path)


def test_a_folder_is_told(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_file_cut_off_anywhere_is_told(good: Path, tmp_path: Path) -> None:
    """At every byte of the header's beginning, and at many places behind."""
    data = good.read_bytes()
    places = [*range(1, 60), *random.Random(0).sample(range(60, len(data) - 64), 150)]
    path = tmp_path / "cut.gguf"
    for place in places:
        path.write_bytes(data[:place])
        message = refusal(path)
        assert "cut off" in message or place < 4, (place, message)


def test_a_header_with_wrong_bytes_never_crashes(good: Path, tmp_path: Path) -> None:
    """It is read, or refused with a reason; no other exception, no endless loop."""
    data = bytearray(good.read_bytes())
    header_end = min(tensor.start for tensor in gguf.read_header(good).tensors)
    chance = random.Random(0)
    path = tmp_path / "flipped.gguf"
    refused = 0
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(header_end)] = chance.randrange(256)
        path.write_bytes(changed)
        try:
            gguf.read_header(path)
        except ModelProblem:
            refused += 1
    assert refused > 30
