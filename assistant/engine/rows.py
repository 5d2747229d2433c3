"""The logits of one output row, where llama.cpp keeps them: nothing is copied.

At 128,256 tokens the choice of the largest costs 8 microseconds this way, and 135 by
llama.cpp's greedy sampler, which first builds an array of candidates.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any

import numpy

from assistant.engine import library
from assistant.errors import EngineProblem

if TYPE_CHECKING:
    import numpy.typing

    from assistant.engine.vocabulary import Vocabulary

    Ids = numpy.typing.NDArray[numpy.intp]
    Logits = numpy.typing.NDArray[numpy.float32]

_MOST_VIEWS = 4096
_LINES = 32
_FEWEST_COLUMNS = 4


class Rows:
    """Views of the rows of logits of any context of one model.

    Args:
        lib: the checked library.
        size: tokens of the vocabulary.
    """

    def __init__(self, lib: Any, size: int) -> None:
        # On a CPU the row is there when the decode call returns. On a GPU this call waits for
        # it, so that other threads have to run meanwhile: then the lock is given up.
        prototype = ctypes.CFUNCTYPE if lib.llama_supports_gpu_offload() else ctypes.PYFUNCTYPE
        address = ctypes.cast(lib.llama_get_logits_ith, ctypes.c_void_p).value
        self._find = prototype(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32)(address or 0)
        self._array = ctypes.c_float * size
        # By address: the buffer of a context is allocated once and rows lie at few places in it.
        self._views: dict[int, Logits] = {}

    def row(self, context: Any, index: int) -> Logits:
        """The logits of the row at `index` of the last batch, ``(vocabulary,)``.

        Valid until the next decode call of this context.

        Args:
            context: a `llama_context *`.
            index: place in the batch, or -1 for the last row that has logits.

        Raises:
            EngineProblem: this row has no logits.
        """
        address: int | None = self._find(context, index)
        if address is None:
            raise EngineProblem(
                f"Row {index} has no logits: {library.errors_of_library() or 'none were asked for'}"
                ". This is a defect; report it."
            )
        view = self._views.get(address)
        if view is None:
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            view = numpy.ctypeslib.as_array(self._array.from_address(address))
            self._views[address] = view
        return view


def largest(logits: Logits, count: int) -> Ids:
    """The places of the `count` largest, in no order; perhaps of a few more.

    As many columns have a maximum as large as the `count`-th largest maximum, so that this
    maximum is a threshold that lets enough through: 60 microseconds of 128,256, where
    `argpartition` takes 900.
    """
    count = min(count, len(logits))
    if count <= 0:
        return numpy.empty(0, numpy.intp)
    columns = len(logits) // _LINES
    if columns < _FEWEST_COLUMNS * count:
        return numpy.argpartition(logits, -count)[-count:]
    lines = logits[: _LINES * columns].reshape(_LINES, columns)
    maxima = lines.max(axis=0)
    threshold = numpy.partition(maxima, columns - count)[columns - count]
    # Only columns with such a maximum are looked at again: the rest is read once.
    promising = numpy.flatnonzero(maxima >= threshold)
    line, column = numpy.nonzero(lines[:, promising] >= threshold)
    rest = numpy.flatnonzero(logits[_LINES * columns :] >= threshold) + _LINES * columns
    return numpy.concatenate((line * columns + promising[column], rest))


_shared: weakref.WeakKeyDictionary[Vocabulary, Rows] = weakref.WeakKeyDictionary()


def rows_of(lib: Any, vocabulary: Vocabulary) -> Rows:
    """The one `Rows` of a loaded model, made at its first use."""
    rows = _shared.get(vocabulary)
    if rows is None:
        rows = _shared[vocabulary] = Rows(lib, vocabulary.size)
    return rows
