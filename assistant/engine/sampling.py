"""The choice of the next token, by llama.cpp's own samplers."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any

from assistant.engine.types import Prepared, Sampling
from assistant.engine.vocabulary import Vocabulary


class Sampler:
    """A chain of samplers for one generation; a context manager that frees it.

    Args:
        lib: the checked library.
        vocabulary: of the model.
        request: greedy at temperature 0, otherwise top-k, top-p, temperature, in this order.
    """

    def __init__(self, lib: Any, vocabulary: Vocabulary, request: Prepared) -> None:
        sampling = request.sampling
        self.margin = float("inf")
        self._lib = lib
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for sampler in _samplers(lib, sampling):
            lib.llama_sampler_chain_add(self._chain, sampler)

    def __enter__(self) -> Sampler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free it."""
        if self._chain:
            self._lib.llama_sampler_free(self._chain)
            self._chain = None

    def pick(self, context: Any, row: int) -> int:
        """A token from the logits of a row of a `llama_context *`."""
        token: int = self._lib.llama_sampler_sample(self._chain, context, row)
        return token

    def accept(self, token: int) -> None:
        """The token was taken."""

    def unhealed(self, piece: bytes) -> bytes:
        """The part of a piece that is not in the prompt already."""
        return piece


def _samplers(lib: Any, sampling: Sampling) -> list[Any]:
    if sampling.temperature <= 0:
        return [lib.llama_sampler_init_greedy()]
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed & 0xFFFFFFFF
    return [
        lib.llama_sampler_init_top_k(sampling.top_k),
        lib.llama_sampler_init_top_p(sampling.top_p, 1),
        lib.llama_sampler_init_temp(sampling.temperature),
        lib.llama_sampler_init_dist(seed),
    ]
