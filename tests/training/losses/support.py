"""Two tokenizers, a small encoder of the RoBERTa family, and the places of a batch."""

from __future__ import annotations

from pathlib import Path

import tokenizers
import torch
from tokenizers import decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

from training.losses.alignment import Aligner, ByteTokenizer, Reference
from training.losses.encoders import RobertaEncoder
from training.losses.pooling import Centring, Pooling
from training.losses.structural import Arm, Places, StructuralLoss

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
PROGRAMS = (
    "def area(width, height):\n    return width * height\n",
    "def π(größe):\n    return '日本語' + größe\n",
    "for number in range(10):\n        print(number, end=' ')\n",
)


def byte_level(vocabulary: int, split: bool, texts: tuple[str, ...] = PROGRAMS):
    """A byte-level BPE tokenizer; without `split` its tokens run across words."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator(list(texts), trainer)
    return ByteTokenizer(tokenizer)


def aligner() -> Aligner:
    """Tokens that run across words, pieces that do not."""
    return Aligner(byte_level(340, split=False), byte_level(300, split=True))


def roberta(pieces: int, pooling=Pooling.PIECES, layer: int = 0, places: int = 40):
    """Random weights in float64."""
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=pieces, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=places + 4, type_vocab_size=1,
        pad_token_id=1, bos_token_id=0, eos_token_id=2, initializer_range=0.3,
    )  # fmt: skip
    return RobertaEncoder(
        RobertaModel(config, add_pooling_layer=False).double(), (0,), 2, pooling, layer
    )


def references(made: Aligner, programs=PROGRAMS) -> tuple[list[Reference], torch.Tensor]:
    """The programs, and their student tokens one behind the other."""
    tokens = [made.student.encode(program.encode()) for program in programs]
    targets = torch.tensor([token for program in tokens for token in program])
    return [made.reference(program) for program in tokens], targets


def loss_of(made: Aligner, arm: Arm, **settings) -> StructuralLoss:
    """L_s with a small random encoder and a mean that is not 0."""
    encoder = settings.pop("encoder", None) or roberta(made.encoder.size)
    matrix = made.matrix(encoder.table.detach(), made.student.size)
    mean = torch.linspace(-0.2, 0.2, matrix.shape[1], dtype=torch.float64)
    settings.setdefault("centring", Centring(mean))
    return StructuralLoss(encoder, matrix, arm, **settings)


def places_of(logits: torch.Tensor, targets, known, k: int = 0, ends=None) -> Places:
    """What L_s sees of logits, shape ``(places, vocabulary)``."""
    values, tokens = torch.topk(logits, k or logits.shape[1], dim=-1)
    return Places(values, tokens, targets, known, ends)


def save_encoder(folder: Path) -> Path:
    """Write what a download of CodeBERT has: configuration, weights, tokenizer; all of it tiny."""
    pieces = byte_level(300, split=True)
    roberta(pieces.size).model.float().save_pretrained(folder)
    tokenizer = tokenizers.Tokenizer.from_str(pieces._tokenizer.to_str())
    kinds = ("bos_token", "pad_token", "eos_token", "unk_token", "mask_token")
    named = dict(zip(kinds, SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named).save_pretrained(folder)
    return folder
