"""The logits of every position of a text: what a test of an export compares.

For serving only the last row's logits are computed (`context.py`). Here all are, in a context of
their own, with the cache in float32, so that what differs from another implementation is the
model and not the cache.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.engine import library
from assistant.engine.engine import available_threads
from assistant.errors import EngineProblem, ModelProblem
from assistant.models import loadable

if TYPE_CHECKING:
    import numpy
    import numpy.typing

_ROWS = 256
_F32 = 0
_NO_FLASH_ATTENTION = 0


def all_logits(
    path: Path, tokens: Sequence[int], *, threads: int | None = None, exact: bool = True
) -> numpy.typing.NDArray[numpy.float32]:
    """Logits of the model in `path` at every one of `tokens`.

    Args:
        path: a GGUF file.
        tokens: ids, ``(length,)``, taken as they are; no begin token is added.
        threads: CPU threads; None: the cores that this process may use.
        exact: keep keys and values in float32; False: in float16 as in serving.

    Returns:
        Array of float32, ``(length, vocabulary)``.

    Raises:
        ModelProblem: the file is broken or does not load.
        EngineProblem: no context of this length, or an unknown token.
    """
    loadable.read(path)
    lib = library.llama()
    library.errors_of_library()
    params = lib.llama_model_default_params()
    model = lib.llama_model_load_from_file(os.fsencode(path), params)
    if not model:
        raise ModelProblem(f"llama.cpp can not load {path}: {library.errors_of_library()}.")
    try:
        size = lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model))
        if not tokens or not all(0 <= token < size for token in tokens):
            raise EngineProblem(f"The tokens have to be at least one, all from 0 to {size - 1}.")
        context = _context(lib, model, len(tokens), threads or available_threads(), exact=exact)
        try:
            return _evaluate(lib, context, tokens, size)
        finally:
            lib.llama_free(context)
    finally:
        lib.llama_model_free(model)


def _context(lib: Any, model: Any, length: int, threads: int, *, exact: bool) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx = max(32, length)
    params.n_batch = params.n_ubatch = min(_ROWS, params.n_ctx)
    params.n_outputs_max = params.n_outputs_max_per_seq = params.n_batch
    params.n_threads = params.n_threads_batch = threads
    if exact:
        # Flash attention would turn keys and values into float16 again.
        params.flash_attn_type = _NO_FLASH_ATTENTION
        params.type_k = params.type_v = _F32
    context = lib.llama_init_from_model(model, params)
    if not context:
        raise EngineProblem(
            f"No context of {length} tokens could be created: {library.errors_of_library()}."
        )
    return context


def _evaluate(
    lib: Any, context: Any, tokens: Sequence[int], size: int
) -> numpy.typing.NDArray[numpy.float32]:
    import numpy

    rows = min(_ROWS, lib.llama_n_batch(context))
    found = numpy.empty((len(tokens), size), numpy.float32)
    batch = lib.llama_batch_init(rows, 0, 1)
    try:
        for first in range(0, len(tokens), rows):
            chunk = tokens[first : first + rows]
            batch.n_tokens = len(chunk)
            for row, token in enumerate(chunk):
                batch.token[row], batch.pos[row] = token, first + row
                batch.n_seq_id[row], batch.seq_id[row][0], batch.logits[row] = 1, 0, 1
            if (code := lib.llama_decode(context, batch)) != 0:
                raise EngineProblem(f"llama_decode failed with code {code}.")
            for row in range(len(chunk)):
                logits = lib.llama_get_logits_ith(context, row)
                pointer = ctypes.cast(logits, ctypes.POINTER(ctypes.c_float))
                found[first + row] = numpy.ctypeslib.as_array(pointer, (size,))
    finally:
        lib.llama_batch_free(batch)
    return found
