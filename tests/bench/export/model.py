"""A base with random weights and an adapter of it, written piece by piece.

Every weight is one of the 65,536 quantiles of a normal distribution, picked by 16 random bits: as
quick as random bits are. A tensor's values depend on its name, the seed and nothing else.
"""

from __future__ import annotations

import functools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.bench.training.work import Shape

SHARD_BYTES = 5_000_000_000
"""As Meta's own: four files for 8B."""
ALPHA = 64.0
_PIECE = 1 << 24
_EMBEDDING_DEVIATION = 0.02
_SECOND_DEVIATION = 3e-4
"""Of B; the change of a weight is then about 3e-4, as tuning makes it."""
_ROPE = {
    "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3",
}  # fmt: skip


@dataclass(frozen=True)
class Tensor:
    """A tensor to write; `deviation` 0 means ones."""

    name: str
    shape: tuple[int, ...]
    deviation: float

    @property
    def size(self) -> int:
        """Values."""
        return int(np.prod(self.shape, dtype=np.int64))


def tensors(shape: Shape) -> list[Tensor]:
    """The base's, in the order of its files."""
    rows = (shape.vocabulary, shape.width)
    found = [Tensor("model.embed_tokens.weight", rows, _EMBEDDING_DEVIATION)]
    for layer in range(shape.layers):
        for name, (inputs, outputs) in shape.linears().items():
            found.append(Tensor(linear(layer, name), (outputs, inputs), inputs**-0.5))
        for name in ("input_layernorm", "post_attention_layernorm"):
            found.append(Tensor(f"model.layers.{layer}.{name}.weight", (shape.width,), 0.0))
    found.append(Tensor("model.norm.weight", (shape.width,), 0.0))
    return [*found, Tensor("lm_head.weight", rows, _EMBEDDING_DEVIATION)]


def linear(layer: int, name: str) -> str:
    """The name of a layer's matrix."""
    block = "self_attn" if name in ("q_proj", "k_proj", "v_proj", "o_proj") else "mlp"
    return f"model.layers.{layer}.{block}.{name}.weight"


def write_base(
    folder: Path, shape: Shape, tokenizer: Mapping[str, Any], template: str,
    silent: np.ndarray | None = None, shard_bytes: int = SHARD_BYTES,
) -> None:  # fmt: skip
    """Write the base as a folder of the hub has it.

    Args:
        folder: is made.
        shape: of the model.
        tokenizer: the content of its tokenizer.json.
        template: its chat template.
        silent: which rows of the head are zero, ``(rows,)`` of bool: such tokens are as good as
            never generated, so that the model ends no answer by itself.
        shard_bytes: size of one file, about.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = _shards(tensors(shape), shard_bytes)
    where = {}
    for number, part in enumerate(plan, 1):
        file = f"model-{number:05}-of-{len(plan):05}.safetensors"
        _write(folder / file, part, "BF16", 2, lambda one: _pieces(one, silent))
        where |= dict.fromkeys((one.name for one in part), file)
    size = sum(2 * one.size for one in tensors(shape))
    index = {"metadata": {"total_size": size}, "weight_map": where}
    _json(folder / "model.safetensors.index.json", index)
    _json(folder / "tokenizer.json", dict(tokenizer))
    _json(folder / "tokenizer_config.json", _tokenizer_settings(template))
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Random weights\n")
    # Last: who finds it finds everything.
    _json(folder / "config.json", config(shape))


def write_adapter(folder: Path, shape: Shape, base: Path, *, rslora: bool = True) -> None:
    """Write an adapter as peft saves one, in float32.

    Args:
        folder: is made.
        shape: of the model.
        base: the folder of the base.
        rslora: the kind of its scaling; see `scale`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = [one for layer in range(shape.layers) for one in _adapter_tensors(shape, layer)]
    _write(folder / "adapter_model.safetensors", found, "F32", 4, lambda one: [_values(one)])
    described = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base),
        "r": shape.rank, "lora_alpha": ALPHA, "use_rslora": rslora, "lora_dropout": 0.0,
        "target_modules": list(shape.linears()), "bias": "none", "fan_in_fan_out": False,
        "use_dora": False, "modules_to_save": None, "init_lora_weights": True,
        "inference_mode": True,
    }  # fmt: skip
    _json(folder / "adapter_config.json", described)


def scale(rank: int, *, rslora: bool) -> float:
    """What the product of both matrices is multiplied by."""
    return ALPHA / (rank**0.5 if rslora else rank)


def adapter_names(layer: int, name: str) -> tuple[str, str]:
    """A and B of a matrix, as peft names them."""
    stem = "base_model.model." + linear(layer, name).removesuffix(".weight")
    return f"{stem}.lora_A.weight", f"{stem}.lora_B.weight"


def config(shape: Shape) -> dict[str, Any]:
    """config.json of Llama-3.1-8B, in the form that was published."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
        "vocab_size": shape.vocabulary, "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "hidden_act": "silu",
        "rope_theta": 500000.0, "rope_scaling": _ROPE, "tie_word_embeddings": False,
        "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0,
        "initializer_range": 0.02, "use_cache": True, "pretraining_tp": 1,
        "bos_token_id": 128000, "eos_token_id": [128001, 128009],
    }  # fmt: skip


def _tokenizer_settings(template: str) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin_of_text|>",
        "eos_token": "<|eot_id|>", "model_max_length": 131072,
        "clean_up_tokenization_spaces": True, "chat_template": template,
        "model_input_names": ["input_ids", "attention_mask"],
    }  # fmt: skip


def _adapter_tensors(shape: Shape, layer: int) -> Iterator[Tensor]:
    for name, (inputs, outputs) in shape.linears().items():
        first, second = adapter_names(layer, name)
        yield Tensor(first, (shape.rank, inputs), inputs**-0.5)
        yield Tensor(second, (outputs, shape.rank), _SECOND_DEVIATION)


def _shards(wanted: Iterable[Tensor], limit: int) -> list[list[Tensor]]:
    plan: list[list[Tensor]] = [[]]
    room = limit
    for tensor in wanted:
        if plan[-1] and 2 * tensor.size > room:
            plan.append([])
            room = limit
        plan[-1].append(tensor)
        room -= 2 * tensor.size
    return plan


def _write(path: Path, part: list[Tensor], kind: str, width: int, pieces: Any) -> None:
    """One file of safetensors: the length of the header, the header, the values."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for one in part:
        end = place + width * one.size
        header[one.name] = {"dtype": kind, "shape": one.shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for one in part:
            written = sum(file.write(memoryview(piece).cast("B")) for piece in pieces(one))
            assert written == width * one.size, one.name


def _pieces(tensor: Tensor, silent: np.ndarray | None) -> Iterator[np.ndarray]:
    """The bits of a tensor in bfloat16, rows by rows, uint16."""
    if not tensor.deviation:
        yield np.full(tensor.shape, 0x3F80, np.uint16)
        return
    random = _random(tensor.name)
    table = _quantiles(tensor.deviation)
    rows, columns = tensor.shape
    step = max(1, _PIECE // columns)
    for start in range(0, rows, step):
        count = min(step, rows - start)
        made = table[random.integers(0, 1 << 16, (count, columns), np.uint16)]
        if silent is not None and tensor.name == "lm_head.weight":
            made[silent[start : start + count]] = 0
        yield made


@functools.cache
def _quantiles(deviation: float) -> np.ndarray:
    """The normal distribution's 65,536 quantiles as bits of bfloat16."""
    share = (torch.arange(1 << 16, dtype=torch.float64) + 0.5) / (1 << 16)
    values = (torch.special.ndtri(share) * deviation).to(torch.bfloat16)
    found: np.ndarray = values.view(torch.int16).numpy().view(np.uint16)
    return found


def _values(tensor: Tensor) -> np.ndarray:
    """A tensor of the adapter, float32."""
    drawn = _random(tensor.name).standard_normal(tensor.shape, np.float32)
    return drawn * np.float32(tensor.deviation)


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng([0, zlib.crc32(name.encode())])


def _json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
