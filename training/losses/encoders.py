"""What turns a program into one vector: frozen, in eval mode, float32.

    codebert, codebert-python, graphcodebert, unixcoder   of the RoBERTa family, by transformers
    random        codebert's shape with random weights: is it the knowledge or just any encoder?
    own           the small one that the stage `encoder` makes (training/code_encoder.py)
    student       the model itself with its adapter off, up to a quarter of its layers

All take embeddings and not tokens, so that the structural loss can give them mixtures.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import peft
import tokenizers
import torch
from torch import nn
from transformers import AutoTokenizer, RobertaConfig, RobertaModel

from assistant.errors import TrainingProblem, UsageProblem
from training.code_encoder import CodeEncoder
from training.losses.alignment import ByteTokenizer
from training.losses.pooling import Pooling, pool


class Encoder(Protocol):
    """Programs to vectors."""

    table: torch.Tensor
    """Embeddings of its pieces, shape ``(pieces, width)``."""
    max_pieces: int
    """Longest program, special tokens not counted."""

    def __call__(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a row, shape ``(rows, width)``.

        Args:
            embeddings: of the program's pieces alone, shape ``(rows, length, width)``.
            mask: bool, shape ``(rows, length)``; False is padding, on the right.
        """
        ...


@dataclass(frozen=True)
class Source:
    """Where an encoder of the RoBERTa family comes from.

    Attributes:
        repository: on the Hugging Face hub.
        revision: commit; "main" where none is pinned, which a run should do in its settings.
        opening: special tokens in front of a program.
    """

    repository: str
    revision: str
    opening: tuple[str, ...] = ("<s>",)


SOURCES = {
    "codebert": Source("microsoft/codebert-base", "3b0952feddeffad0063f274080e3c23d75e7eb39"),
    "codebert-python": Source(
        "neulab/codebert-python", "c4ff459e2a91d002d9bb4ab8cc2b7ee7125ef213"
    ),
    "graphcodebert": Source("microsoft/graphcodebert-base", "main"),
    "unixcoder": Source(
        "microsoft/unixcoder-base", "5604afdc964f6c53782a6813140ade5216b99006",
        ("<s>", "<encoder-only>", "</s>"),
    ),
    "random": Source("microsoft/codebert-base", "3b0952feddeffad0063f274080e3c23d75e7eb39"),
}  # fmt: skip


class RobertaEncoder(nn.Module):
    """CodeBERT and its relatives.

    Args:
        model: without a pooler.
        opening: ids of the special tokens in front of a program.
        closing: id of the one behind it.
        pooling: which states are averaged.
        layer: after which layer, counted from 1; 0 is the last.
    """

    table: torch.Tensor

    def __init__(
        self,
        model: RobertaModel,
        opening: tuple[int, ...],
        closing: int,
        pooling: Pooling = Pooling.PIECES,
        layer: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= layer <= model.config.num_hidden_layers:
            raise UsageProblem(
                f"structural.layer={layer}: the encoder has {model.config.num_hidden_layers}",
                hint="0 takes the last layer",
            )
        model.train(False)
        self.model = model.requires_grad_(False)
        self.opening, self.closing = opening, closing
        self.pooling, self.layer = pooling, layer
        self.table = model.embeddings.word_embeddings.weight
        # RoBERTa counts positions from behind the padding token's.
        padding: Any = model.config.pad_token_id
        self.first = padding + 1
        room = model.config.max_position_embeddings - self.first
        self.max_pieces = room - len(opening) - 1

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a row, shape ``(rows, width)``; see `Encoder`."""
        rows, length, width = embeddings.shape
        before = len(self.opening)
        opening = self.table[list(self.opening)].expand(rows, before, width)
        inner = embeddings.to(self.table.dtype).masked_fill(~mask.unsqueeze(-1), 0.0)
        whole = torch.cat([opening, inner, inner.new_zeros((rows, 1, width))], 1)
        ends = before + mask.sum(1)  # (rows,): the closing token is right behind the program
        places = torch.arange(before + length + 1, device=mask.device)
        closing = (places == ends[:, None]).unsqueeze(-1)  # (rows, before + length + 1, 1)
        whole = torch.where(closing, self.table[self.closing], whole)
        attended = places <= ends[:, None]
        with torch.autocast(embeddings.device.type, enabled=False):
            out = self.model(
                inputs_embeds=whole,
                attention_mask=attended.long(),
                position_ids=(self.first + places).expand(rows, -1),
                output_hidden_states=self.layer > 0,
            )
        state = out.hidden_states[self.layer] if self.layer else out.last_hidden_state
        return pool(state, mask, attended, before, self.pooling)


class OwnEncoder(nn.Module):
    """The project's small encoder, as the protocol has it."""

    table: torch.Tensor

    def __init__(self, encoder: CodeEncoder, pooling: Pooling = Pooling.PIECES) -> None:
        super().__init__()
        if pooling is Pooling.CLS:
            raise UsageProblem(
                "structural.pooling=cls: the own encoder has no special tokens",
                hint="--set structural.pooling=pieces",
            )
        self.encoder = encoder.eval().requires_grad_(False)
        self.table = encoder.table
        self.max_pieces = encoder.max_tokens

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a row, shape ``(rows, width)``; see `Encoder`."""
        vectors: torch.Tensor = self.encoder(embeddings, mask)
        return vectors


class StudentEncoder:
    """The student as its own encoder: the base model's first layers, its adapter switched off.

    Not a module: its layers are the model's, and are to be saved, moved and trained there.

    Args:
        tuned: the model with its adapter.
        layers: how many of its layers; 0 is a quarter of them.
        max_pieces: longest program.
    """

    def __init__(self, tuned: peft.PeftModel, layers: int = 0, max_pieces: int = 510) -> None:
        self._tuned = tuned
        inner: Any = tuned.get_base_model().model
        # A view of the model that ends early: the same layers, in a list of its own.
        self._first = copy.copy(inner)
        self._first._modules = dict(inner._modules)
        self._first.layers = inner.layers[: layers or max(1, len(inner.layers) // 4)]
        self.table = inner.embed_tokens.weight
        self.max_pieces = max_pieces

    def __call__(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a row, shape ``(rows, width)``; see `Encoder`."""
        with (
            _evaluated(self._first),
            self._tuned.disable_adapter(),
            torch.autocast(embeddings.device.type, enabled=False),
        ):
            # Padding is on the right and nothing looks ahead, so no mask is needed.
            state = self._first(
                inputs_embeds=embeddings.to(self.table.dtype), use_cache=False
            ).last_hidden_state
        return pool(state, mask, mask, 0, Pooling.PIECES)


@contextmanager
def _evaluated(module: nn.Module) -> Iterator[None]:
    """Without dropout, and without recomputation: that would run with the adapter on again."""
    before = module.training
    module.train(False)
    try:
        yield
    finally:
        module.train(before)


def roberta(
    name: str, folder: str, revision: str, pooling: Pooling, layer: int, seed: int
) -> tuple[RobertaEncoder, ByteTokenizer]:
    """An encoder of the RoBERTa family with its tokenizer.

    Args:
        name: of `SOURCES`.
        folder: where model and tokenizer lie; empty is the hub or its cache.
        revision: on the hub; empty is the pinned one.
        pooling: which states are averaged.
        layer: after which layer; 0 is the last.
        seed: of the weights of `random`.

    Raises:
        UsageProblem: there is no encoder of that name.
        TrainingProblem: it can not be had; the message says why.
    """
    if name not in SOURCES:
        known = ", ".join(["own", "student", *SOURCES])
        raise UsageProblem(f"structural.encoder={name}: there is no such encoder; known: {known}")
    source = SOURCES[name]
    place = folder or source.repository
    options: dict[str, Any] = {} if folder else {"revision": revision or source.revision}
    try:
        loaded = AutoTokenizer.from_pretrained(place, **options)
        if name == "random":
            torch.manual_seed(seed)
            config = RobertaConfig.from_pretrained(place, **options)
            model = RobertaModel(config, add_pooling_layer=False)
        else:
            model = RobertaModel.from_pretrained(place, add_pooling_layer=False, **options)
    except (OSError, ValueError) as error:
        raise TrainingProblem(
            f"the encoder {name} can not be loaded from {place}: {str(error).splitlines()[0]}",
            hint="without a network give a folder that holds it: --set structural.folder=DIR",
        ) from error
    tokenizer: tokenizers.Tokenizer = loaded.backend_tokenizer
    opening = tuple(_special(tokenizer, token, place) for token in source.opening)
    closing = _special(tokenizer, "</s>", place)
    encoder = RobertaEncoder(model, opening, closing, pooling, layer)
    return encoder.to(dtype=torch.float32), ByteTokenizer(tokenizer)


def _special(tokenizer: tokenizers.Tokenizer, token: str, place: str) -> int:
    number: int | None = tokenizer.token_to_id(token)
    if number is None:
        raise TrainingProblem(
            f"the tokenizer in {place} has no token {token}: it is not of the RoBERTa family"
        )
    return number
