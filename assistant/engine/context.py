"""The memory of all sequences of a model, and the calls that evaluate tokens in it.

A thin, checked layer over `llama_context`: it knows rows, positions and sequence ids, and nothing
of requests. Never more rows than `rows` go into one call, and never more outputs than `outputs`:
llama.cpp would abort the whole process.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import enum
import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from assistant.engine import library
from assistant.errors import EngineProblem

MAX_ROWS = 512
"""Rows of one decode call; `pace.py` plans less where that would take too long."""
MAX_OUTPUTS = 64
"""Rows of one call whose logits are wanted. Each takes vocabulary x 4 bytes of memory."""

_OK, _NO_SLOT, _ABORTED = 0, 1, 2
_GO, _STOP = 0, ord("x")


class Outcome(enum.Enum):
    """What became of a decode call."""

    OK = "ok"
    FULL = "full"
    """No room; nothing was changed."""
    ABORTED = "aborted"
    """Stopped half-way; what it would have added is not there."""


class Rollback(enum.Enum):
    """What the memory of a model can forget."""

    EXACT = "exact"
    """Any tail of a sequence."""
    WHOLE = "only whole sequences"
    """Recurrent state: a sequence can be copied as it is, or dropped."""


@dataclass(frozen=True, slots=True)
class ContextSize:
    """How large a context is made."""

    cells: int
    """Tokens of all sequences together; those that sequences share count once."""
    sequences: int
    """Sequences, running and kept."""
    threads: int


class Context:
    """A `llama_context` with one memory for all sequences.

    Args:
        lib: the checked library.
        model: a loaded `llama_model *`.
        size: how large.

    Raises:
        EngineProblem: it can not be created, most often for want of memory.
    """

    def __init__(self, lib: Any, model: Any, size: ContextSize) -> None:
        self.rollback = rollback_of(lib, model)
        params = lib.llama_context_default_params()
        params.n_ctx = size.cells
        params.n_batch = params.n_ubatch = min(MAX_ROWS, size.cells)
        params.n_seq_max = size.sequences
        params.n_outputs_max = params.n_outputs_max_per_seq = min(MAX_OUTPUTS, params.n_batch)
        params.n_threads = params.n_threads_batch = size.threads
        # One pool of cells: sequences can share a beginning, and nobody's part lies idle.
        params.kv_unified = True
        # Sliding windows are kept whole, so that they can be rolled back like any other memory.
        params.swa_full = True
        library.errors_of_library()
        self._pointer = lib.llama_init_from_model(model, params)
        if not self._pointer:
            raise EngineProblem(
                f"No context of {size.cells} tokens could be created: "
                f"{library.errors_of_library() or 'probably not enough memory'}.",
                hint="Choose a shorter context or a smaller model.",
            )
        self._lib = lib
        self._memory = lib.llama_get_memory(self._pointer)
        # The library rounds up to 256 and clamps `n_batch`: neither may be exceeded.
        self.cells: int = min(size.cells, lib.llama_n_ctx(self._pointer))
        self.rows: int = min(lib.llama_n_batch(self._pointer), MAX_ROWS)
        self.outputs: int = min(MAX_OUTPUTS, self.rows)
        self.sequences = size.sequences
        self.abortable: bool = not lib.llama_supports_gpu_offload()
        self._batch = _Batch(lib, self.rows, self.outputs)
        self._flag = bytearray(2)
        lib.llama_set_abort_callback(self._pointer, _is_set(), _address(self._flag))

    @property
    def pointer(self) -> Any:
        """The `llama_context *`, for samplers."""
        return self._pointer

    def close(self) -> None:
        """Free it. Explicitly: on some platforms leaving it to the exit aborts."""
        if self._pointer:
            self._lib.llama_free(self._pointer)
            self._pointer = None

    def abort(self) -> None:
        """Stop the running call at the next node of its graph; from any thread."""
        self._flag[0] = _STOP

    def allow(self) -> None:
        """Take an `abort` back, before the next call."""
        self._flag[0] = _GO

    def begin(self) -> _Batch:
        """An empty batch to put rows in, for the next `decode`."""
        self._batch.count = self._batch.outputs = 0
        return self._batch

    def decode(self) -> Outcome:
        """Evaluate the rows of the batch.

        Raises:
            EngineProblem: llama.cpp failed; the rows are not in memory.
        """
        code: int = self._lib.llama_decode(self._pointer, self._batch.native())
        if code == _OK:
            return Outcome.OK
        if code == _NO_SLOT:
            return Outcome.FULL
        if code == _ABORTED:
            return Outcome.ABORTED
        raise EngineProblem(
            f"llama_decode failed with code {code}: "
            f"{library.errors_of_library() or 'no reason given'}."
        )

    def clear(self) -> None:
        """Forget all sequences."""
        self._lib.llama_memory_clear(self._memory, False)

    def share(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` have the cells of `source` from position `start` to `end`, too.

        Where only whole sequences can be copied the range has to be the whole of it.
        """
        if self.rollback is Rollback.WHOLE:
            start = end = -1
        self._lib.llama_memory_seq_cp(self._memory, source, target, start, end)

    def cut(self, sequence: int, length: int) -> bool:
        """Forget what a sequence has from position `length` on; False where that can not be."""
        start = -1 if length == 0 else length
        return bool(self._lib.llama_memory_seq_rm(self._memory, sequence, start, -1))

    def state_size(self, sequence: int) -> int:
        """Bytes of a sequence outside of the context."""
        return int(self._lib.llama_state_seq_get_size(self._pointer, sequence))

    def save(self, sequence: int) -> Any:
        """The keys and values of a sequence, as an array of bytes; empty when that fails."""
        data = np.empty(self.state_size(sequence), np.uint8)
        written = self._lib.llama_state_seq_get_data(
            self._pointer, _as(ctypes.c_uint8, data), len(data), sequence
        )
        return data if written == len(data) else data[:0]

    def restore(self, sequence: int, data: Any) -> bool:
        """Give an empty sequence what was saved; False when there is no room for it."""
        read = self._lib.llama_state_seq_set_data(
            self._pointer, _as(ctypes.c_uint8, data), len(data), sequence
        )
        return bool(read == len(data))


class _Batch:
    """The rows of one call, in arrays that llama.cpp reads in place."""

    def __init__(self, lib: Any, rows: int, most_outputs: int) -> None:
        self.rows = rows
        self.most_outputs = most_outputs
        self.count = 0
        self.outputs = 0
        self.tokens = np.zeros(rows, np.int32)
        self.positions = np.zeros(rows, np.int32)
        self.sequences = np.zeros(rows, np.int32)
        self.wanted = np.zeros(rows, np.int8)
        self._ones = np.ones(rows, np.int32)
        self._pointers = self.sequences.ctypes.data + 4 * np.arange(rows, dtype=np.uintp)
        self._struct = lib.llama_batch(
            n_tokens=0,
            token=_as(lib.llama_token, self.tokens),
            embd=None,
            pos=_as(lib.llama_pos, self.positions),
            n_seq_id=_as(ctypes.c_int32, self._ones),
            seq_id=ctypes.cast(
                self._pointers.ctypes.data, ctypes.POINTER(ctypes.POINTER(lib.llama_seq_id))
            ),
            logits=_as(ctypes.c_int8, self.wanted),
        )

    def add(self, sequence: int, position: int, tokens: list[int], outputs: int) -> int:
        """Append rows of one sequence; logits are wanted for the last `outputs` of them.

        Returns:
            The row of the first token.
        """
        first, count = self.count, len(tokens)
        end = first + count
        if not 0 < count <= self.rows - first:
            raise EngineProblem(
                f"{count} rows do not fit behind {first} of {self.rows}. This is a defect; "
                "report it."
            )
        self.outputs += outputs
        if self.outputs > self.most_outputs:
            raise EngineProblem(
                f"{self.outputs} rows of a call shall have logits; {self.most_outputs} can. This "
                "is a defect; report it."
            )
        if count == 1:
            self.tokens[first] = tokens[0]
            self.positions[first] = position
            self.sequences[first] = sequence
            self.wanted[first] = outputs
        else:
            self.tokens[first:end] = tokens
            self.positions[first:end] = np.arange(position, position + count)
            self.sequences[first:end] = sequence
            self.wanted[first:end] = 0
            self.wanted[end - outputs : end] = 1
        self.count = end
        return first

    def native(self) -> Any:
        """The `llama_batch`."""
        self._struct.n_tokens = self.count
        return self._struct


def rollback_of(lib: Any, model: Any) -> Rollback:
    """What the memory of a loaded model can forget."""
    if lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model):
        return Rollback.WHOLE
    return Rollback.EXACT


def _as(kind: Any, array: Any) -> Any:
    return ctypes.cast(array.ctypes.data, ctypes.POINTER(kind))


def _address(flag: bytearray) -> ctypes.c_void_p:
    return ctypes.c_void_p(ctypes.addressof((ctypes.c_char * len(flag)).from_buffer(flag)))


@functools.cache
def _is_set() -> Any:
    """`strlen` as the abort callback: true when the flag, a C string, is not empty.

    A Python function would take the global lock at every node of the compute graph.
    """
    lib = library.llama()
    libc = ctypes.CDLL(ctypes.util.find_library("c") or None)
    return ctypes.cast(libc.strlen, lib.ggml_abort_callback)
