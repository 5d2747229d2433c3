"""Base and adapter as one model, in float32, never more of it in memory than is asked for.

In float32 because bfloat16 would round most of a small change away.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from assistant.errors import ExportProblem
from training.export import adapter as adapters
from training.export import checkpoint, families
from training.export.adapter import EMBEDDING, HEAD, Adapter, Change
from training.export.checkpoint import Weights

_BOTH = frozenset((EMBEDDING, HEAD))


@dataclass(frozen=True)
class Merged:
    """A model with its adapter.

    Attributes:
        base: the weights of the base.
        config: the base's config.json.
        adapter: what is done to the weights; by default nothing.
    """

    base: Weights
    config: Mapping[str, Any]
    adapter: Adapter = field(default_factory=Adapter)

    @cached_property
    def described(self) -> dict[str, Any]:
        """The model's config.json: the base's, with what the adapter makes of its embeddings."""
        found = dict(self.config)
        if self._untied:
            found["tie_word_embeddings"] = False
        if EMBEDDING in self.adapter.saved:
            found["vocab_size"] = self.adapter.saved[EMBEDDING].shape[0]
        return found

    @cached_property
    def _untied(self) -> bool:
        """The head was the embedding, and the adapter has changed one of them.

        A change of the embedding alone leaves the head as it was in training: PEFT wraps one
        module. Written as one matrix, it would be another model than the one that was trained.
        """
        return self._tied and bool(self.adapter.touched & _BOTH) and not self.alike

    @property
    def _tied(self) -> bool:
        """Whether the base's head is its embedding.

        Of a kind that is not exported, only what its configuration says; `families.find` refuses
        it later, with the reason.
        """
        family = families.KNOWN.get(str(self.config.get("model_type")))
        if family is None:
            return bool(self.config.get("tie_word_embeddings"))
        return families.tied(family, self.config)

    @cached_property
    def alike(self) -> bool:
        """Head and embedding are one matrix, and one they stay: one change is that of both."""
        if not self._tied:
            return False
        if self.adapter.config.get("ensure_weight_tying"):
            return True
        saved = self.adapter.saved
        whole = set(saved) >= _BOTH and not _BOTH & set(self.adapter.changes)
        return whole and _same(saved[EMBEDDING], saved[HEAD])

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of all tensors, by name."""
        found = self.base.shapes()
        if self._untied:
            found[HEAD] = found[EMBEDDING]
        saved = {name: tuple(tensor.shape) for name, tensor in self.adapter.saved.items()}
        found |= {name: shape for name, shape in saved.items() if name in found}
        return dict(sorted(found.items()))

    def rows(self, name: str, start: int, stop: int) -> torch.Tensor:
        """Rows of a tensor from `start` on, before `stop`, in float32.

        Args:
            name: as transformers has it; of a tensor of one dimension the values are the rows.
            start: the first.
            stop: behind the last.
        """
        return changed(self._source(name, start, stop), self._change(name), start, stop)

    def tensor(self, name: str) -> torch.Tensor:
        """One tensor whole, in float32."""
        return self.rows(name, 0, self.shapes[name][0])

    def _source(self, name: str, start: int, stop: int) -> torch.Tensor:
        name = self._shared(name)
        if name in self.adapter.saved:
            return self.adapter.saved[name][start:stop]
        # A head that was the embedding is read where it lies.
        place = name if name in self.base.places else EMBEDDING
        return self.base.rows(place, start, stop)

    def _change(self, name: str) -> Change | None:
        return self.adapter.changes.get(self._shared(name))

    def _shared(self, name: str) -> str:
        """With `ensure_weight_tying` what was done to one of both was done to both.

        To a model that has both PEFT does nothing of that kind.
        """
        if name in _BOTH and self.alike:
            return next((one for one in (EMBEDDING, HEAD) if one in self.adapter.touched), name)
        return name


def opened(base: Path, adapter: Path | None = None) -> Merged:
    """The model in the folder `base`, with the adapter in the folder `adapter`.

    Raises:
        ExportProblem: a file is missing or broken, or the adapter does not fit.
    """
    path = base / "config.json"
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportProblem(
            f"{path} can not be read: {error}",
            hint="a model is a folder as transformers saves it: config.json, tokenizer.json, "
            "*.safetensors",
        ) from error
    weights = checkpoint.opened(base)
    found = Adapter() if adapter is None else adapters.read(adapter, weights.shapes())
    return Merged(weights, described, found)


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same values, of whatever types; compared by blocks."""
    if one.shape != other.shape:
        return False
    pairs = zip(adapters.blocks(one), adapters.blocks(other), strict=True)
    return all(torch.equal(first.float(), second.float()) for first, second in pairs)


def changed(
    weight: torch.Tensor, change: Change | None, start: int = 0, stop: int | None = None
) -> torch.Tensor:
    """Rows of a tensor with what its change does to them, in float32.

    Args:
        weight: the rows from `start` on, before `stop`.
        change: of the whole tensor, or None.
        start: the first row.
        stop: behind the last; None: all that follow.
    """
    whole = weight.float()
    if change is None:
        return whole
    # (rows, rank) @ (rank, inputs), added without a second matrix of that size
    whole = torch.addmm(
        whole, change.second[start:stop].float(), change.first.float(), alpha=change.scale
    )
    if change.magnitude is None:
        return whole
    norms: torch.Tensor = torch.linalg.vector_norm(whole, dim=1)
    return (change.magnitude[start:stop].float() / norms)[:, None] * whole
