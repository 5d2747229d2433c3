"""What both sides start from: a Llama with random weights, an adapter, an encoder."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, RobertaConfig, RobertaModel

from tests.bench.training.rows import Row, pieces_of
from tests.bench.training.work import Shape
from training.losses.alignment import Reference
from training.losses.encoders import RobertaEncoder
from training.losses.structural import Arm, StructuralLoss

BEGIN_OF_TEXT, END_OF_TURN = 128_000, 128_009
"""Llama-3.1's."""


def llama(shape: Shape, device: torch.device, attention: str | None = None) -> LlamaForCausalLM:
    """Random weights in bfloat16 that depend on shape, kind of device and nothing else.

    Args:
        shape: of the model.
        device: where it is made; the weights are never anywhere else.
        attention: transformers' name of an implementation; None is its default.
    """
    options = {} if attention is None else {"attn_implementation": attention}
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        intermediate_size=shape.feed_forward, max_position_embeddings=131_072,
        rms_norm_eps=1e-5, tie_word_embeddings=False, use_cache=False,
        rope_parameters={
            "rope_type": "llama3", "rope_theta": 500_000.0, "factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        bos_token_id=min(BEGIN_OF_TEXT, shape.vocabulary - 2),
        eos_token_id=min(END_OF_TURN, shape.vocabulary - 1), **options,
    )  # fmt: skip
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            return LlamaForCausalLM(config)
    finally:
        torch.set_default_dtype(before)


def set_adapter(named: Iterable[tuple[str, nn.Parameter]]) -> None:
    """Give A of every matrix the values that peft's rule gives, but by the matrix's name.

    So both sides begin with the same adapter, whatever random numbers they drew before.
    """
    for name, parameter in named:
        if "lora_A" in name and parameter.requires_grad:
            generator = torch.Generator().manual_seed(zlib.crc32(_matrix(name).encode()))
            bound = 1.0 / math.sqrt(parameter.shape[1])
            values = torch.rand(parameter.shape, generator=generator) * 2.0 - 1.0
            with torch.no_grad():
                parameter.copy_(values * bound)


def _matrix(name: str) -> str:
    """`layers.0.self_attn.q_proj` of a longer name."""
    return name[name.index("layers.") : name.index(".lora_A")]


def codebert(device: torch.device, *, small: bool = False) -> RobertaEncoder:
    """CodeBERT's shape with random weights, or a small one for tests."""
    config = RobertaConfig(
        vocab_size=50_265, hidden_size=32 if small else 768,
        num_hidden_layers=1 if small else 12, num_attention_heads=2 if small else 12,
        intermediate_size=64 if small else 3072, max_position_embeddings=514,
        type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    torch.manual_seed(1)
    model = RobertaModel(config, add_pooling_layer=False)
    return RobertaEncoder(model, (0,), 2).to(device=device, dtype=torch.float32)


def structural(encoder: RobertaEncoder, vocabulary: int) -> StructuralLoss:
    """L_s as the recipe has it, with a random matrix between the vocabularies."""
    torch.manual_seed(2)
    width = encoder.table.shape[1]
    matrix = torch.randn(vocabulary, width, device=encoder.table.device) * 0.02
    return StructuralLoss(encoder, matrix, Arm.STRAIGHT_THROUGH)


def reference(row: Row) -> Reference:
    """The row's code as the encoder would read it: random pieces, as many as Python has."""
    tokens = row.code[1] - row.code[0]
    count = pieces_of(row)
    generator = torch.Generator().manual_seed(tokens)
    pieces = torch.randint(5, 50_265, (count,), generator=generator)
    return Reference(pieces, torch.arange(count) * tokens // count, tokens)
