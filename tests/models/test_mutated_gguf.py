"""Damaged model files, loaded as the daemon loads them: one clear error each, and nothing dies."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.mutated_gguf import Entry, File, Loader, mutated, take_apart
from tests.support.tiny_gguf import Tiny, write

COUNT = 10_000 if os.environ.get("ASSISTANT_SOAK") else 300


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[File]:
    """Sound models of several kinds."""
    folder = tmp_path_factory.mktemp("bases")
    specs = [Tiny(layers=1, add_bos=True), Tiny(layers=3, fim=False, template=None)]
    paths = [write(folder / f"{number}.gguf", spec) for number, spec in enumerate(specs)]
    made = [take_apart(path.read_bytes()) for path in paths]
    return [*made, sentencepiece(made[0])]


def sentencepiece(file: File) -> File:
    """The same model with a vocabulary of the other kind: scores, and tokens for bytes."""
    entries = {entry.key: entry for entry in file.entries}
    tokens = entries[b"tokenizer.ggml.tokens"]
    count = struct.unpack_from("<Q", tokens.value, 4)[0]
    texts = [b"<0x%02X>" % n if n < 256 else b"token %d" % n for n in range(count)]
    named = struct.pack("<IQ", 8, count) + b"".join(struct.pack("<Q", len(t)) + t for t in texts)
    types = struct.pack(f"<IQ{count}i", 5, count, *[6] * 256, *[1] * (count - 256))
    scores = struct.pack(f"<IQ{count}f", 6, count, *range(count))
    model = struct.pack("<Q", 5) + b"llama"
    del entries[b"tokenizer.ggml.merges"]
    kept = {
        b"tokenizer.ggml.tokens": replace(tokens, value=named),
        b"tokenizer.ggml.token_type": Entry(b"tokenizer.ggml.token_type", 9, types),
        b"tokenizer.ggml.scores": Entry(b"tokenizer.ggml.scores", 9, scores),
        b"tokenizer.ggml.model": Entry(b"tokenizer.ggml.model", 8, model),
    }
    return replace(file, entries=tuple((entries | kept).values()))


@pytest.mark.timeout(1800)
def test_damaged_headers_end_no_process(
    bases: list[File], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """`ASSISTANT_SOAK=1` tries 10,000 (three minutes)."""
    loader = Loader()
    counts: dict[str, int] = {}
    wrong = []
    path = tmp_path / "m.gguf"
    for number in range(COUNT):
        path.write_bytes(mutated(bases[number % len(bases)], number))
        answer = loader.load(path)
        kind = answer.partition(":")[0]
        counts[kind] = counts.get(kind, 0) + 1
        # Failed: by an error of ours, such as that the model calculates no numbers.
        if kind not in ("loaded", "refused", "failed"):
            wrong.append((number, answer))
    loader.close()
    record_property("damaged headers", counts)
    assert not wrong
    assert counts["refused"] > COUNT / 2
    assert counts["loaded"] > COUNT / 20
