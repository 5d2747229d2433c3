"""Students of true shape and small size, written on the spot with random weights.

- Llama 3.1 with the real vocabulary of 128,256 tokens, read from a file that comes with llama.cpp;
- Llama 3 and Qwen2 with a vocabulary of a few hundred tokens, for what does not need the real one;
- CodeBERT's shape (RoBERTa) with the real GPT-2 vocabulary in RoBERTa's numbering.

The vocabulary files are looked for in the folder ASSISTANT_TEST_VOCAB, or in the source of
llama.cpp that ASSISTANT_LLAMA_SOURCE names; `vocabulary` says what is missing.
"""

from __future__ import annotations

import functools
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from safetensors.torch import save_file
from tokenizers import decoders, models, pre_tokenizers, trainers

from assistant.models import gguf

LLAMA_VOCABULARY, GPT2_VOCABULARY = "ggml-vocab-llama-bpe.gguf", "ggml-vocab-gpt-2.gguf"
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA_SPECIALS = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>",
    "<|eot_id|>",
)  # fmt: skip
QWEN_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QWEN_MARKS = ("<tool_call>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
"""Added tokens that are not special, as in Qwen2.5's vocabulary."""
LLAMA_TEMPLATE = (
    "{{- bos_token }}{%- for message in messages %}{{- '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
)
QWEN_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + "
    "'<|im_end|>' + '\n' }}{%- endfor %}"
)
_ROPE = {
    "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3",
}  # fmt: skip
_SAMPLE = (
    "def add(a, b):\n    return a + b\n## Intent\nAdd two numbers.\n## Steps\n1. Add.\n"
    "for item in items:\n    total += item * 100\nprint(f'{total:,}')\n"
    "<tool <tool <fim 12 123 123 234 345 456 456 567\n"
)


@dataclass(frozen=True)
class Shape:
    """A student to write."""

    kind: str = "llama"
    """`llama` or `qwen2`."""
    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed: int = 128
    context: int = 131072
    tied: bool = False
    form: str = "new"
    """Rotary positions: `new` (rope_parameters) or `old` (rope_theta and rope_scaling)."""
    rows: int = 0
    """Of the embedding; 0: as many as tokens."""
    template: str | None = None
    """The model's own chat template; None: a base model."""
    shards: int = 1
    dtype: torch.dtype = torch.bfloat16
    seed: int = 0
    licence: str = ""
    """For the front matter of README.md; empty: no such file."""


QWEN = Shape(kind="qwen2", tied=True, context=32768, template=QWEN_TEMPLATE)


def vocabulary(name: str) -> Path:
    """A vocabulary file; the test is skipped with the reason where there is none."""
    for variable, below in (("ASSISTANT_TEST_VOCAB", ""), ("ASSISTANT_LLAMA_SOURCE", "models")):
        value = os.environ.get(variable, "")
        place = Path(value) / below
        if value and place.is_file():
            place = place.parent
        if value and (place / name).is_file():
            return place / name
    pytest.skip(
        f"{name} is not here: set ASSISTANT_TEST_VOCAB to a folder with it, or "
        "ASSISTANT_LLAMA_SOURCE to the source of llama.cpp"
    )


def write(folder: Path, tokenizer: Mapping[str, Any], shape: Shape | None = None) -> Path:
    """A student with random weights, as transformers saves one.

    Args:
        folder: is made.
        tokenizer: the content of its tokenizer.json.
        shape: of the model.
    """
    shape = shape or Shape()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {one["content"]: one["id"] for one in tokenizer["added_tokens"]}
    last = max(max(tokenizer["model"]["vocab"].values()), *numbers.values())
    shape = replace(shape, rows=shape.rows or last + 1)
    _write_json(folder / "tokenizer.json", dict(tokenizer))
    _write_json(folder / "config.json", config(shape, numbers))
    settings = {"chat_template": shape.template} if shape.template else {}
    _write_json(folder / "tokenizer_config.json", settings)
    if shape.licence:
        text = f"---\nlibrary_name: transformers\nlicense: {shape.licence}\n---\n# A model\n"
        (folder / "README.md").write_text(text, encoding="utf-8")
    _write_weights(folder, shape)
    return folder


def config(shape: Shape, numbers: Mapping[str, int]) -> dict[str, Any]:
    """config.json, as the hub has it for the two kinds."""
    qwen = shape.kind == "qwen2"
    theta = 1000000.0 if qwen else 500000.0
    scaling = {"rope_type": "default"} if qwen else _ROPE
    end = numbers["<|endoftext|>" if qwen else "<|end_of_text|>"]
    instruct_end = numbers["<|im_end|>" if qwen else "<|eot_id|>"]
    described = {
        "architectures": ["Qwen2ForCausalLM" if qwen else "LlamaForCausalLM"],
        "model_type": shape.kind, "vocab_size": shape.rows, "hidden_size": shape.width,
        "intermediate_size": shape.feed, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
        "max_position_embeddings": shape.context, "rms_norm_eps": 1e-05, "hidden_act": "silu",
        "tie_word_embeddings": shape.tied, "attention_bias": False, "mlp_bias": False,
        "bos_token_id": numbers["<|endoftext|>" if qwen else "<|begin_of_text|>"],
        "eos_token_id": [end, instruct_end] if shape.template and not qwen else end,
    }  # fmt: skip
    if qwen:
        described |= {"use_sliding_window": False}
        del described["attention_bias"], described["mlp_bias"]
    if shape.form == "new":
        return described | {"rope_parameters": {**scaling, "rope_theta": theta}}
    return described | {"rope_theta": theta, "rope_scaling": None if qwen else scaling}


def tensors(shape: Shape) -> dict[str, torch.Tensor]:
    """Random weights, large enough that the model has opinions."""
    chance = torch.Generator().manual_seed(shape.seed)

    def drawn(*size: int, spread: float) -> torch.Tensor:
        return (torch.randn(size, generator=chance) * spread).to(shape.dtype)

    head = shape.width // shape.heads
    sizes = {
        "self_attn.q_proj": (shape.heads * head, shape.width),
        "self_attn.k_proj": (shape.kv_heads * head, shape.width),
        "self_attn.v_proj": (shape.kv_heads * head, shape.width),
        "self_attn.o_proj": (shape.width, shape.heads * head),
        "mlp.gate_proj": (shape.feed, shape.width), "mlp.up_proj": (shape.feed, shape.width),
        "mlp.down_proj": (shape.width, shape.feed),
    }  # fmt: skip
    found = {"model.embed_tokens.weight": drawn(shape.rows, shape.width, spread=1.0)}
    for layer in range(shape.layers):
        before = f"model.layers.{layer}"
        for name, size in sizes.items():
            found[f"{before}.{name}.weight"] = drawn(*size, spread=size[1] ** -0.5)
            if shape.kind == "qwen2" and name[-6:] in ("q_proj", "k_proj", "v_proj"):
                found[f"{before}.{name}.bias"] = drawn(size[0], spread=0.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            found[f"{before}.{name}.weight"] = 1 + drawn(shape.width, spread=0.1)
    found["model.norm.weight"] = 1 + drawn(shape.width, spread=0.1)
    if not shape.tied:
        found["lm_head.weight"] = drawn(shape.rows, shape.width, spread=0.3)
    return found


def _write_weights(folder: Path, shape: Shape) -> None:
    found = tensors(shape)
    if shape.shards == 1:
        save_file(found, folder / "model.safetensors", {"format": "pt"})
        return
    where = {}
    for number in range(shape.shards):
        file = f"model-{number + 1:05}-of-{shape.shards:05}.safetensors"
        part = dict(list(found.items())[number :: shape.shards])
        save_file(part, folder / file, {"format": "pt"})
        where |= dict.fromkeys(part, file)
    size = sum(one.numel() * one.element_size() for one in found.values())
    _write_json(
        folder / "model.safetensors.index.json",
        {"metadata": {"total_size": size}, "weight_map": where},
    )


@functools.cache
def llama_tokenizer() -> dict[str, Any]:
    """Llama 3's real tokenizer.json, from llama.cpp's vocabulary file."""
    return llama_tokenizer_of(vocabulary(LLAMA_VOCABULARY))


def llama_tokenizer_of(path: Path) -> dict[str, Any]:
    """The same, from the file `path`."""
    tokens, merges, kinds = _read_vocabulary(path)
    normal = {token: number for number, token in enumerate(tokens) if kinds[number] == 1}
    special = {token: number for number, token in enumerate(tokens) if kinds[number] == 3}
    return _described(LLAMA_PATTERN, normal, merges, special, begin="<|begin_of_text|>")


@functools.cache
def tiny_llama_tokenizer() -> dict[str, Any]:
    """Llama 3's way to split, with a few hundred tokens."""
    normal, merges = _trained(LLAMA_PATTERN)
    special = {token: len(normal) + number for number, token in enumerate(LLAMA_SPECIALS)}
    return _described(LLAMA_PATTERN, normal, merges, special, begin="<|begin_of_text|>")


@functools.cache
def tiny_qwen_tokenizer() -> dict[str, Any]:
    """Qwen2's way to split and its kinds of added tokens, with a few hundred tokens."""
    normal, merges = _trained(QWEN_PATTERN)
    added = (*QWEN_SPECIALS, *QWEN_MARKS)
    special = {token: len(normal) + number for number, token in enumerate(added)}
    made = _described(QWEN_PATTERN, normal, merges, special)
    for one in made["added_tokens"]:
        one["special"] = one["content"] in QWEN_SPECIALS
    return made | {"normalizer": {"type": "NFC"}}


def _trained(pattern: str) -> tuple[dict[str, int], list[str]]:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    made.train_from_iterator([_SAMPLE] * 3, trainer)
    model = json.loads(made.to_str())["model"]
    merges = [one if isinstance(one, str) else " ".join(one) for one in model["merges"]]
    return model["vocab"], merges


def _described(
    pattern: str, normal: dict[str, int], merges: list[str], special: dict[str, int],
    begin: str = "",
) -> dict[str, Any]:  # fmt: skip
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    first = {"SpecialToken": {"id": begin, "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    template = {
        "type": "TemplateProcessing", "single": [first, one],
        "pair": [first, one, first, two],
        "special_tokens": {begin: {"id": begin, "ids": [special.get(begin)], "tokens": [begin]}},
    }  # fmt: skip
    split = {
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "single_word": False, "lstrip": False,
             "rstrip": False, "normalized": False, "special": True}
            for token, number in special.items()
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence", "pretokenizers": [split, {**level, "use_regex": False}],
        },
        "post_processor": template if begin else {**level, "use_regex": True},
        "decoder": {**level, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": bool(begin), "vocab": normal, "merges": merges,
        },
    }  # fmt: skip


def code_encoder(folder: Path, *, width: int = 32, layers: int = 2) -> Path:
    """A folder of CodeBERT's shape: RoBERTa with 50,265 pieces, tiny and random.

    RoBERTa numbers GPT-2's pieces anew, with `<s> <pad> </s> <unk>` before them, three unused and
    `<mask>` behind; its own order is not known here, and GPT-2's stands for it.
    """
    from transformers import RobertaConfig, RobertaModel

    tokens, merges, _ = _read_vocabulary(vocabulary(GPT2_VOCABULARY))
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}
    pieces = {token: 4 + number for number, token in enumerate(tokens)}
    pieces |= {f"madeupword{number:04}": 4 + len(tokens) + number for number in range(3)}
    special["<mask>"] = 50264
    assert len(pieces) + len(special) == 50265
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    made = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "single_word": False, "lstrip": token == "<mask>",
             "rstrip": False, "normalized": False, "special": True}
            for token, number in sorted(special.items(), key=lambda one: one[1])
        ],
        "normalizer": None,
        "pre_tokenizer": {**level, "use_regex": True},
        "post_processor": {
            "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0],
            "trim_offsets": True, "add_prefix_space": False,
        },
        "decoder": {**level, "use_regex": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": pieces | special, "merges": merges,
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "tokenizer.json", made)
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, "bos_token": "<s>",
         "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "</s>", "cls_token": "<s>",
         "pad_token": "<pad>", "mask_token": "<mask>"},
    )  # fmt: skip
    torch.manual_seed(0)
    shape = RobertaConfig(
        vocab_size=len(pieces) + len(special), hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=2, intermediate_size=2 * width, max_position_embeddings=514,
        type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    RobertaModel(shape, add_pooling_layer=False).save_pretrained(folder)
    return folder


def _read_vocabulary(path: Path) -> tuple[list[str], list[str], tuple[int, ...]]:
    """Tokens, merges and kinds of a vocabulary file."""
    header = gguf.read_header(path)
    data = path.read_bytes()
    kinds = header.metadata["tokenizer.ggml.token_type"]
    numbers = struct.unpack_from(f"<{kinds.length}i", data, kinds.start)
    texts = [_texts(data, header.metadata[f"tokenizer.ggml.{n}"]) for n in ("tokens", "merges")]
    return texts[0], texts[1], numbers


def _texts(data: bytes, array: Any) -> list[str]:
    place, found = array.start, []
    for _ in range(array.length):
        end = place + 8 + struct.unpack_from("<Q", data, place)[0]
        found.append(data[place + 8 : end].decode())
        place = end
    return found


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
