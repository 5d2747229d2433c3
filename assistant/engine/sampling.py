"""The choice of the next token, by llama.cpp's own samplers."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any

from assistant.engine.types import Sampling


class Sampler:
    """A chain of samplers for one generation; a context manager that frees it.

    Args:
        lib: the checked library.
        sampling: greedy at temperature 0, otherwise top-k, top-p, temperature, in this order.
    """

    def __init__(self, lib: Any, sampling: Sampling) -> None:
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
        self._lib.llama_sampler_free(self._chain)

    def sample(self, context: Any) -> int:
        """A token from the logits of the last evaluated row of a `llama_context *`."""
        token: int = self._lib.llama_sampler_sample(self._chain, context, -1)
        return token


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
