"""What the checks compute with: random weights, the same ones on every device."""

from __future__ import annotations

from typing import Any

import peft
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM, RobertaConfig, RobertaModel

from training.losses.encoders import RobertaEncoder

VOCABULARY, WIDTH, PIECES = 512, 64, 300
TARGETS = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


def config(attention: str) -> LlamaConfig:
    """Two layers, as Llama has them."""
    chosen: dict[str, Any] = {"attn_implementation": attention}
    return LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=96, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
        initializer_range=0.1, bos_token_id=0, eos_token_id=1, **chosen,
    )  # fmt: skip


def tiny(device: torch.device, attention: str = "sdpa") -> peft.PeftModel:
    """With an adapter that does something, in float32."""
    torch.manual_seed(0)
    lora = peft.LoraConfig(r=4, target_modules=list(TARGETS), init_lora_weights=False)
    return peft.get_peft_model(LlamaForCausalLM(config(attention)), lora).to(device)


def small_encoder(device: torch.device, dtype: torch.dtype) -> RobertaEncoder:
    """CodeBERT's kind, for 36 pieces at most."""
    shape = RobertaConfig(
        vocab_size=PIECES, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=40, type_vocab_size=1, pad_token_id=1,
        bos_token_id=0, eos_token_id=2, initializer_range=0.3,
    )  # fmt: skip
    torch.manual_seed(1)
    model = RobertaModel(shape, add_pooling_layer=False)
    return RobertaEncoder(model, (0,), 2).to(device=device, dtype=dtype)


def gradient(tuned: nn.Module) -> torch.Tensor:
    """All that is trained, in one row."""
    return torch.cat([p.grad.flatten() for p in tuned.parameters() if p.grad is not None])
