"""Stage `gguf`: the merged model as one file that llama.cpp runs, then a comparison of both.

Written through the `gguf` package alone. What is particular about Llama: the rows of the query
and key matrices are reordered, because llama.cpp rotates neighbouring pairs where transformers
rotates halves. Nothing in the file depends on when or where it was made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

from assistant.errors import ExportProblem
from assistant.format import FORMAT_NAME, FORMAT_VERSION
from assistant.format.completion import METADATA_NAME_KEY, METADATA_VERSION_KEY
from training import files, verify
from training.documents import CHAT_TEMPLATE, Special
from training.stages import Job
from training.tokenizer import PRE_TOKENIZER

_TYPES = {
    "F32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
    "F16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "Q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
}

_LAYER_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
_OTHER_NAMES = {
    "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}  # fmt: skip


def make(job: Job) -> None:
    """Write `model.gguf` and `verify.json`."""
    settings = job.settings.export
    target = job.path("model.gguf")
    with files.replacing(target) as partial:
        write(job.path("merged"), job.path("tokenizer.json"), partial, settings.type,
              settings.name)  # fmt: skip
    report = verify.compare(job)
    files.write_json(job.path("verify.json"), report)


def write(
    merged: Path, tokenizer: Path, target: Path, type_name: str, name: str, *, permute: bool = True
) -> None:
    """Write the model in folder `merged` to the file `target`.

    Args:
        merged: has `model.safetensors` and `config.json`.
        tokenizer: a `tokenizer.json` made here.
        target: the GGUF file.
        type_name: how matrices are stored: F32, F16 or Q8_0.
        name: the model's name.
        permute: reorder the rows of queries and keys; False makes a file that is wrong, for
            testing that the comparison finds it.

    Raises:
        ExportProblem: the type is unknown, or the weights have values that are no numbers.
    """
    if type_name not in _TYPES:
        raise ExportProblem(
            f"GGUF type {type_name!r} is not written here; there are: {', '.join(_TYPES)}",
            hint="--set export.type=Q8_0",
        )
    config = json.loads((merged / "config.json").read_text(encoding="utf-8"))
    weights = load_file(merged / "model.safetensors")
    matrix_type, file_type = _TYPES[type_name]
    writer = gguf.GGUFWriter(target, "llama")
    _describe(writer, config, file_type, name)
    _vocabulary(writer, json.loads(tokenizer.read_text(encoding="utf-8")), config["vocab_size"])
    for source in sorted(weights):
        tensor = weights[source].float()
        if not torch.isfinite(tensor).all():
            raise ExportProblem(f"{source} in {merged} has values that are no numbers")
        if permute:
            tensor = _reordered(source, tensor, config)
        _add(writer, gguf_name(source), tensor.numpy(), matrix_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    """llama.cpp's name of a tensor.

    Raises:
        ExportProblem: a Llama has no such tensor.
    """
    if name in _OTHER_NAMES:
        return _OTHER_NAMES[name]
    parts = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
    if name.startswith("model.layers.") and len(parts) == 2 and parts[1] in _LAYER_NAMES:
        return f"blk.{parts[0]}.{_LAYER_NAMES[parts[1]]}.weight"
    raise ExportProblem(f"no name in llama.cpp for the tensor {name}")


def _reordered(name: str, tensor: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Queries and keys with their rows as llama.cpp rotates them; others as they are."""
    heads = {
        "q_proj.weight": config["num_attention_heads"],
        "k_proj.weight": config["num_key_value_heads"],
    }
    for ending, count in heads.items():
        if name.endswith(ending):
            rows, columns = tensor.shape
            halves = tensor.reshape(count, 2, rows // count // 2, columns)
            return halves.swapaxes(1, 2).reshape(rows, columns)
    return tensor


def _add(
    writer: gguf.GGUFWriter, name: str, values: np.ndarray, kind: gguf.GGMLQuantizationType
) -> None:
    """Norms stay float32; a matrix whose rows do not divide into blocks becomes float16."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    block = gguf.GGML_QUANT_SIZES[kind][0]
    if values.ndim == 1:
        kind = gguf.GGMLQuantizationType.F32
    elif values.shape[-1] % block:
        kind = gguf.GGMLQuantizationType.F16
    writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def _describe(
    writer: gguf.GGUFWriter, config: dict[str, Any], file_type: gguf.LlamaFileType, name: str
) -> None:
    head = config["head_dim"]
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_license("apache-2.0")
    writer.add_description(
        "Trained from scratch by `assistant train`; reasoning written by a program. "
        "No other model's weights or outputs are in it."
    )
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_rope_dimension_count(head)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_string(METADATA_NAME_KEY, FORMAT_NAME)
    writer.add_uint32(METADATA_VERSION_KEY, FORMAT_VERSION)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: dict[str, Any], size: int) -> None:
    """The tokenizer in llama.cpp's words: tokens by number, merges in order, special numbers."""
    numbers: dict[str, int] = tokenizer["model"]["vocab"]
    special = {special.value for special in Special}
    tokens = sorted(numbers, key=numbers.__getitem__)
    kinds = [gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens]
    padding = range(len(tokens), size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list(tokens + [f"[PAD{number}]" for number in padding])
    writer.add_token_types(kinds + [gguf.TokenType.UNUSED for _ in padding])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    writer.add_bos_token_id(Special.END.id)
    writer.add_eos_token_id(Special.END_OF_TURN.id)
    writer.add_eot_token_id(Special.END_OF_TURN.id)
    writer.add_pad_token_id(Special.END.id)
    writer.add_add_bos_token(False)
    for key, token in (
        ("fim_pre", Special.FIM_PREFIX), ("fim_suf", Special.FIM_SUFFIX),
        ("fim_mid", Special.FIM_MIDDLE),
    ):  # fmt: skip
        writer.add_uint32(f"tokenizer.ggml.{key}_token_id", token.id)
    writer.add_chat_template(CHAT_TEMPLATE)
