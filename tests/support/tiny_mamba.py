"""A tiny Mamba model with random weights: a state that can not be taken back."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from tests.support.tiny_gguf import byte_symbols

_WIDTH, _INNER, _STATE, _RANK, _KERNEL, _LAYERS = 32, 64, 8, 4, 4, 2


def write(path: Path, context: int = 2048) -> Path:
    """Write the model and return its path."""
    symbols = byte_symbols()
    tokens = [*symbols, "<|endoftext|>", symbols[32] * 2]
    writer = gguf.GGUFWriter(path, "mamba")
    writer.add_name("tiny mamba")
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_ssm_conv_kernel(_KERNEL)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_RANK)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL, gguf.TokenType.NORMAL]
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{symbols[32]} {symbols[32]}"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256)
    writer.add_add_bos_token(False)
    for name, array in _tensors(len(tokens)).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(vocabulary: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)

    def matrix(*shape: int) -> np.ndarray:
        return random.standard_normal(shape, np.float32) / np.float32(shape[-1] ** 0.5)

    tensors = {
        "token_embd.weight": random.standard_normal((vocabulary, _WIDTH), np.float32),
        "output.weight": random.standard_normal((vocabulary, _WIDTH), np.float32),
        "output_norm.weight": np.ones(_WIDTH, np.float32),
    }
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        tensors |= {
            f"{block}attn_norm.weight": np.ones(_WIDTH, np.float32),
            f"{block}ssm_in.weight": matrix(2 * _INNER, _WIDTH),
            f"{block}ssm_conv1d.weight": matrix(_INNER, _KERNEL),
            f"{block}ssm_conv1d.bias": np.zeros(_INNER, np.float32),
            f"{block}ssm_x.weight": matrix(_RANK + 2 * _STATE, _INNER),
            f"{block}ssm_dt.weight": matrix(_INNER, _RANK),
            f"{block}ssm_dt.bias": np.zeros(_INNER, np.float32),
            f"{block}ssm_a": -np.exp(matrix(_INNER, _STATE)),
            f"{block}ssm_d": np.ones(_INNER, np.float32),
            f"{block}ssm_out.weight": matrix(_WIDTH, _INNER),
        }
    return tensors
