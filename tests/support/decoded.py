"""A model and a context by llama.cpp's functions alone, for tests of what works on its logits."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assistant.engine import library
from assistant.engine.vocabulary import Vocabulary


class Decoded:
    """A loaded model; `decode` leaves logits at every row."""

    def __init__(self, path: Path, length: int = 256) -> None:
        self.lib = library.llama()
        self._model = self.lib.llama_model_load_from_file(
            os.fsencode(path), self.lib.llama_model_default_params()
        )
        params = self.lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = length
        params.n_outputs_max = params.n_outputs_max_per_seq = length
        params.n_threads = params.n_threads_batch = 1
        self.context: Any = self.lib.llama_init_from_model(self._model, params)
        self.vocabulary = Vocabulary(self.lib, self.lib.llama_model_get_vocab(self._model))
        self._length = length

    def decode(self, tokens: Sequence[int]) -> None:
        """Evaluate `tokens` from an empty memory."""
        lib = self.lib
        lib.llama_memory_clear(lib.llama_get_memory(self.context), True)
        batch = lib.llama_batch_init(self._length, 0, 1)
        batch.n_tokens = len(tokens)
        for row, token in enumerate(tokens):
            batch.token[row], batch.pos[row], batch.logits[row] = token, row, 1
            batch.n_seq_id[row], batch.seq_id[row][0] = 1, 0
        assert lib.llama_decode(self.context, batch) == 0
        lib.llama_batch_free(batch)

    def close(self) -> None:
        self.lib.llama_free(self.context)
        self.lib.llama_model_free(self._model)


@contextmanager
def decoded(path: Path, length: int = 256) -> Iterator[Decoded]:
    """A model for the length of a test."""
    loaded = Decoded(path, length)
    try:
        yield loaded
    finally:
        loaded.close()


@contextmanager
def vocabulary_of(path: Path) -> Iterator[Vocabulary]:
    """The vocabulary of a file, which may have no weights at all."""
    lib = library.llama()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    try:
        yield Vocabulary(lib, lib.llama_model_get_vocab(model))
    finally:
        lib.llama_model_free(model)
