"""The logits of every position of a text: what a test of an export compares.

For serving only the last row's logits are computed (`context.py`). Here all are, in a context of
their own, with the cache in float32, so that what differs from another implementation is the
model and not the cache. They come in blocks of rows: a text of 2,048 tokens has a gigabyte of them
with a vocabulary of 128,256.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.engine import adapters as attaching
from assistant.engine import library
from assistant.engine.engine import available_threads
from assistant.errors import EngineProblem, ModelProblem
from assistant.models import loadable

if TYPE_CHECKING:
    import numpy
    import numpy.typing

ROWS = 256
"""Of one block, at most."""
_F32 = 0
_NO_FLASH_ATTENTION = 0

Chosen = Sequence[tuple[Path, float]]
"""Files of adapters, and by how much each counts."""


def all_logits(
    path: Path,
    tokens: Sequence[int],
    *,
    threads: int | None = None,
    exact: bool = True,
    adapters: Chosen = (),
) -> numpy.typing.NDArray[numpy.float32]:
    """Logits of the model in `path` at every one of `tokens`, all in memory: for short texts.

    Args:
        path: a GGUF file.
        tokens: ids, ``(length,)``, taken as they are; no begin token is added.
        threads: CPU threads; None: the cores that this process may use.
        exact: keep keys and values in float32; False: in float16 as in serving.
        adapters: to attach.

    Returns:
        Array of float32, ``(length, vocabulary)``.

    Raises:
        ModelProblem: a file is broken or does not load.
        EngineProblem: no context of this length, or an unknown token.
    """
    import numpy

    blocks = logits_in_blocks(path, tokens, threads=threads, exact=exact, adapters=adapters)
    return numpy.concatenate([block for _, block in blocks])


def logits_in_blocks(
    path: Path,
    tokens: Sequence[int],
    *,
    threads: int | None = None,
    exact: bool = True,
    adapters: Chosen = (),
) -> Iterator[tuple[int, numpy.typing.NDArray[numpy.float32]]]:
    """Logits of the model in `path` at every one of `tokens`, block by block.

    The arguments are those of `all_logits`. The model is freed with the last block, or when the
    iterator is closed.

    Yields:
        The position of the block's first row, and the block: float32, ``(rows, vocabulary)`` with
        at most `ROWS` rows, an array of its own each time.

    Raises:
        ModelProblem: a file is broken or does not load.
        EngineProblem: no context of this length, or an unknown token.
    """
    with Evaluator(path, threads=threads, exact=exact, adapters=adapters) as model:
        yield from model.blocks(tokens)


class Evaluator:
    """A model in memory that gives the logits of one text after another.

    Close it explicitly; it is also a context manager. The arguments and errors are those of
    `all_logits`.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, exact: bool = True, adapters: Chosen = ()
    ) -> None:
        header = loadable.read(path)
        self._lib = lib = library.llama()
        self._threads, self._exact = threads or available_threads(), exact
        library.errors_of_library()
        params = lib.llama_model_default_params()
        self._model = lib.llama_model_load_from_file(os.fsencode(path), params)
        if not self._model:
            raise ModelProblem(f"llama.cpp can not load {path}: {library.errors_of_library()}.")
        try:
            self._adapters = attaching.load(lib, self._model, header, adapters)
        except BaseException:
            self.close()
            raise
        self.vocabulary: int = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(self._model))
        """Number of tokens: the columns of a block."""

    def close(self) -> None:
        """Free the model and its adapters."""
        if self._model:
            self._lib.llama_model_free(self._model)
            self._model = None

    def __enter__(self) -> Evaluator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blocks(
        self, tokens: Sequence[int]
    ) -> Iterator[tuple[int, numpy.typing.NDArray[numpy.float32]]]:
        """As `logits_in_blocks`, of one text; each begins with an empty cache.

        Raises:
            EngineProblem: no context of this length, or an unknown token.
        """
        if not tokens or not all(0 <= token < self.vocabulary for token in tokens):
            raise EngineProblem(
                f"The tokens have to be at least one, all from 0 to {self.vocabulary - 1}."
            )
        context = self._context(len(tokens))
        try:
            attaching.attach(self._lib, context, self._adapters)
            yield from _evaluate(self._lib, context, tokens, self.vocabulary)
        finally:
            self._lib.llama_free(context)

    def _context(self, length: int) -> Any:
        params = self._lib.llama_context_default_params()
        params.n_ctx = max(32, length)
        params.n_batch = params.n_ubatch = min(ROWS, params.n_ctx)
        params.n_outputs_max = params.n_outputs_max_per_seq = params.n_batch
        params.n_threads = params.n_threads_batch = self._threads
        if self._exact:
            # Flash attention would turn keys and values into float16 again.
            params.flash_attn_type = _NO_FLASH_ATTENTION
            params.type_k = params.type_v = _F32
        context = self._lib.llama_init_from_model(self._model, params)
        if not context:
            raise EngineProblem(
                f"No context of {length} tokens could be created: {library.errors_of_library()}."
            )
        return context


def _evaluate(
    lib: Any, context: Any, tokens: Sequence[int], size: int
) -> Iterator[tuple[int, numpy.typing.NDArray[numpy.float32]]]:
    rows = min(ROWS, lib.llama_n_batch(context))
    with _batch(lib, rows) as batch:
        for first in range(0, len(tokens), rows):
            chunk = tokens[first : first + rows]
            batch.n_tokens = len(chunk)
            for row, token in enumerate(chunk):
                batch.token[row], batch.pos[row] = token, first + row
                batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, 0, 1
            if (code := lib.llama_decode(context, batch)) != 0:
                raise EngineProblem(f"llama_decode failed with code {code}.")
            yield first, _rows(lib, context, len(chunk), size)


@contextlib.contextmanager
def _batch(lib: Any, rows: int) -> Iterator[Any]:
    batch = lib.llama_batch_init(rows, 0, 1)
    try:
        yield batch
    finally:
        lib.llama_batch_free(batch)


def _rows(lib: Any, context: Any, count: int, size: int) -> numpy.typing.NDArray[numpy.float32]:
    """A copy of the first rows of the last call."""
    import numpy

    found = numpy.empty((count, size), numpy.float32)
    for row in range(count):
        logits = lib.llama_get_logits_ith(context, row)
        pointer = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float))
        found[row] = numpy.ctypeslib.as_array(pointer, (size,))
    return found
