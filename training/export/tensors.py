"""The tensors of a model as llama.cpp has them: names, order of rows, types.

What is particular about `llama`: the rows of the query and key matrices are reordered, because
llama.cpp rotates neighbouring pairs where transformers rotates halves. `qwen2` rotates halves in
both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import gguf
import numpy as np
import torch

from assistant.errors import ExportProblem
from training.export.metadata import kv_heads

_LAYER_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
_WITH_BIAS = ("attn_q", "attn_k", "attn_v", "attn_output")
_OTHER_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}  # fmt: skip


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor.

    Raises:
        ExportProblem: a model of these kinds has no such tensor.
    """
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    layer, _, rest = name.removeprefix("model.layers.").partition(".")
    part, _, kind = rest.rpartition(".")
    found = _LAYER_NAMES.get(part, "")
    wanted = kind == "weight" or (kind == "bias" and found in _WITH_BIAS)
    if name.startswith("model.layers.") and layer.isdigit() and found and wanted:
        return f"blk.{layer}.{found}.{kind}"
    raise ExportProblem(f"no name in llama.cpp for the tensor {name}")


def written(names: Mapping[str, Any], described: Mapping[str, Any]) -> list[str]:
    """Which of a model's tensors go into the file, in their order there.

    A head that is the embedding is left out, and what older checkpoints keep of the rotary
    frequencies is computed anew.
    """
    tied = described.get("tie_word_embeddings", False)
    return [
        name
        for name in sorted(names)
        if not name.endswith(".rotary_emb.inv_freq") and not (tied and name == "lm_head.weight")
    ]


def stored_type(
    shape: tuple[int, ...], wanted: gguf.GGMLQuantizationType
) -> gguf.GGMLQuantizationType:
    """Norms and biases stay float32; a matrix whose rows do not divide into blocks is float16."""
    if len(shape) == 1:
        return gguf.GGMLQuantizationType.F32
    block = gguf.GGML_QUANT_SIZES[wanted][0]
    return gguf.GGMLQuantizationType.F16 if shape[-1] % block else wanted


def announce(
    writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: gguf.GGMLQuantizationType
) -> None:
    """Tell the writer of a tensor whose values come later."""
    dtype: Any = {
        gguf.GGMLQuantizationType.F32: np.float32, gguf.GGMLQuantizationType.F16: np.float16,
    }.get(kind, np.uint8)  # fmt: skip
    stored = shape if dtype is not np.uint8 else gguf.quant_shape_to_byte_shape(shape, kind)
    size = math.prod(stored) * np.dtype(dtype).itemsize
    writer.add_tensor_info(name, stored, np.dtype(dtype), size, raw_dtype=kind)


def values(
    name: str, tensor: torch.Tensor, described: Mapping[str, Any], *, permute: bool = True
) -> np.ndarray:
    """A tensor as it is written before it is made smaller, float32.

    Args:
        name: as transformers has it.
        tensor: of any floating type.
        described: the model's configuration.
        permute: reorder the rows of queries and keys where the model needs it.

    Raises:
        ExportProblem: it has values that are no numbers.
    """
    whole = tensor.float()
    if not torch.isfinite(whole).all():
        raise ExportProblem(f"{name} has values that are no numbers")
    if permute and described["model_type"] == "llama":
        whole = _reordered(name, whole, described)
    return np.ascontiguousarray(whole.numpy(), dtype=np.float32)


def _reordered(name: str, tensor: torch.Tensor, described: Mapping[str, Any]) -> torch.Tensor:
    """Queries and keys, and their biases, as llama.cpp rotates them; others as they are."""
    heads = {
        ".q_proj.": described["num_attention_heads"],
        ".k_proj.": kv_heads(described),
    }
    for part, count in heads.items():
        if part in name:
            rows, *rest = tensor.shape
            halves = tensor.reshape(count, 2, rows // count // 2, *rest)
            return halves.swapaxes(1, 2).reshape(rows, *rest)
    return tensor
