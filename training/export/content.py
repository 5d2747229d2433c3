"""Everything that goes into a file, before it is known how its matrices are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gguf
import numpy as np

from assistant.errors import ExportProblem
from training.export import families, metadata, specials, vocabulary
from training.export.families import HEAD, Family, Tensor
from training.export.merging import Merged
from training.export.metadata import Labels
from training.export.vocabulary import Vocabulary


@dataclass(frozen=True)
class Content:
    """A model that can be written.

    Attributes:
        merged: its weights and its configuration.
        family: which kind of model it is.
        tensors: what is written of the weights, in the order of the file.
        constants: tensors that no checkpoint has, float32, by llama.cpp's name.
        words: its vocabulary.
        labels: what the file says of itself.
    """

    merged: Merged
    family: Family
    tensors: tuple[Tensor, ...]
    constants: Mapping[str, np.ndarray]
    words: Vocabulary
    labels: Labels

    def describe(self, writer: gguf.GGUFWriter, file_type: gguf.LlamaFileType) -> None:
        """Write everything but the tensors."""
        described, rows = self.merged.described, len(self.words.tokens)
        metadata.add(writer, self.family, described, rows, file_type, self.labels)
        vocabulary.add(writer, self.words, self.labels.chat, described)


def of(merged: Merged, tokenizer: Path, labels: Labels) -> Content:
    """What a file of the model has.

    Args:
        merged: base and adapter.
        tokenizer: the model's `tokenizer.json`.
        labels: what the file says of itself.

    Raises:
        ExportProblem: the model or its tokenizer is of a kind that is not written here, or the
            adapter changes a tensor that no file has.
    """
    family = families.find(merged.described)
    tensors = families.tensors(family, merged.shapes, merged.described)
    _refuse_lost(merged, tensors)
    rows = merged.shapes["model.embed_tokens.weight"][0]
    words = vocabulary.read(tokenizer, rows)
    if words.specials.template is None:  # an adapter's own tokenizer may come without one
        known = specials.template(merged.base.folder)
        words = replace(words, specials=replace(words.specials, template=known))
    constants = families.constants(family, merged.described)
    return Content(merged, family, tuple(tensors), constants, words, labels)


def _refuse_lost(merged: Merged, tensors: Sequence[Tensor]) -> None:
    """Refuse an adapter that changes what is not written: the file would be half of it."""
    lost = merged.adapter.touched - {tensor.source for tensor in tensors}
    if merged.alike:  # the head is written with the embedding
        lost.discard(HEAD)
    if lost:
        raise ExportProblem(
            f"the adapter changes {min(lost)}, which a file of this model does not have",
            hint="is it the adapter of another base, or does config.json say "
            "tie_word_embeddings where the model has both matrices?",
        )
