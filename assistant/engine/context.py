"""The memory of one token sequence: evaluation in chunks, prefix reuse, abort.

Never more rows than `n_batch` go into one `llama_decode`: more would abort the whole process.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from collections.abc import Iterator, Sequence
from typing import Any

from assistant.engine import library
from assistant.engine.types import CancelToken
from assistant.errors import EngineProblem

MAX_ROWS = 512
"""Rows of one decode call on a GPU; also the most that is lost by a cancel there."""
CPU_ROWS = 128
"""Rows of one decode call on a CPU: progress more often, at nearly the same speed."""

_OK, _NO_SLOT, _ABORTED = 0, 1, 2
_SEQUENCE = 0


class Context:
    """A `llama_context` with one sequence, and the tokens that its memory holds.

    Args:
        lib: the checked library.
        model: a loaded `llama_model *`.
        length: tokens that fit, already limited to what the model was trained for.
        threads: CPU threads.

    Raises:
        EngineProblem: it can not be created, most often for want of memory.
    """

    def __init__(self, lib: Any, model: Any, length: int, threads: int) -> None:
        rows = MAX_ROWS if lib.llama_supports_gpu_offload() else CPU_ROWS
        params = lib.llama_context_default_params()
        params.n_ctx = length
        params.n_batch = params.n_ubatch = min(rows, length)
        params.n_threads = params.n_threads_batch = threads
        library.errors_of_library()
        self._pointer = lib.llama_init_from_model(model, params)
        if not self._pointer:
            raise EngineProblem(
                f"No context of {length} tokens could be created: "
                f"{library.errors_of_library() or 'probably not enough memory'}.",
                hint="Choose a shorter context or a smaller model.",
            )
        self._lib = lib
        self._memory = lib.llama_get_memory(self._pointer)
        # The library rounds up to 256, beyond what the model was trained for, and clamps
        # `n_batch`: neither may be exceeded.
        self.length: int = min(length, lib.llama_n_ctx(self._pointer))
        self.rows: int = min(lib.llama_n_batch(self._pointer), rows)
        self._batch = lib.llama_batch_init(self.rows, 0, 1)
        self._tokens: list[int] = []

    @property
    def pointer(self) -> Any:
        """The `llama_context *`, for samplers."""
        return self._pointer

    @property
    def tokens(self) -> tuple[int, ...]:
        """What the memory holds, in order."""
        return tuple(self._tokens)

    @property
    def room(self) -> int:
        """How many more tokens fit."""
        return self.length - len(self._tokens)

    def close(self) -> None:
        """Free it. Explicitly: on some platforms leaving it to the exit aborts."""
        if self._pointer:
            self._lib.llama_batch_free(self._batch)
            self._lib.llama_free(self._pointer)
            self._pointer = None

    def keep_prefix(self, prompt: Sequence[int]) -> int:
        """Forget all but the longest common prefix with `prompt`; return its length.

        At least the last token of the prompt is left to evaluate, as its logits are needed.
        Recurrent and hybrid models can not forget a part: they start from nothing.
        """
        limit = min(len(self._tokens), len(prompt) - 1)
        common = 0
        while common < limit and self._tokens[common] == prompt[common]:
            common += 1
        return self.truncate(common)

    def truncate(self, length: int) -> int:
        """Forget all tokens from position `length` on; return how many are left (or 0)."""
        if length < len(self._tokens):
            if not self._lib.llama_memory_seq_rm(self._memory, _SEQUENCE, length, -1):
                self._lib.llama_memory_clear(self._memory, True)
                length = 0
            del self._tokens[length:]
        return len(self._tokens)

    def evaluate(self, tokens: Sequence[int], cancel: CancelToken) -> Iterator[int]:
        """Evaluate `tokens` behind those in memory; yield the count done after each chunk.

        Logits are kept for the last token only. When cancelled it ends early, with the memory
        consistent: what was evaluated stays and is reused.

        Raises:
            EngineProblem: llama.cpp failed; the memory is emptied.
        """
        self._lib.llama_set_abort_callback(self._pointer, _is_set(), _address(cancel))
        done = 0
        while done < len(tokens) and not cancel.cancelled:
            chunk = tokens[done : done + self.rows]
            self._fill(chunk, wants_logits=done + len(chunk) == len(tokens))
            code: int = self._lib.llama_decode(self._pointer, self._batch)
            if code == _ABORTED:
                # A batch is computed as a whole (n_ubatch is n_batch): nothing of it stays.
                return
            if code != _OK:
                self._fail(code)
            self._tokens += chunk
            done += len(chunk)
            yield done

    def _fill(self, chunk: Sequence[int], *, wants_logits: bool) -> None:
        batch, first = self._batch, len(self._tokens)
        if not 0 < len(chunk) <= self.rows or first + len(chunk) > self.length:
            raise EngineProblem(
                f"{len(chunk)} rows at position {first} do not fit "
                f"(at most {self.rows} rows, context {self.length}). This is a defect; report it."
            )
        batch.n_tokens = len(chunk)
        for row, token in enumerate(chunk):
            batch.token[row] = token
            batch.pos[row] = first + row
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = _SEQUENCE
            batch.logits[row] = 0
        batch.logits[len(chunk) - 1] = wants_logits

    def _fail(self, code: int) -> None:
        self._lib.llama_memory_clear(self._memory, True)
        self._tokens.clear()
        cause = "the context is full" if code == _NO_SLOT else library.errors_of_library()
        raise EngineProblem(f"llama_decode failed with code {code}: {cause or 'no reason given'}.")


def _address(cancel: CancelToken) -> ctypes.c_void_p:
    flag = (ctypes.c_char * len(cancel.flag)).from_buffer(cancel.flag)
    return ctypes.c_void_p(ctypes.addressof(flag))


@functools.cache
def _is_set() -> Any:
    """`strlen` as the abort callback: true when the flag, a C string, is not empty.

    A Python function would take the global lock at every node of the compute graph.
    """
    lib = library.llama()
    libc = ctypes.CDLL(ctypes.util.find_library("c") or None)
    return ctypes.cast(libc.strlen, lib.ggml_abort_callback)
