"""Tiny Llama models in GGUF, written on the spot: real files for the real engine.

Two kinds of weights:

- random: says nothing sensible, but computes; for identity tests (caches, chunks, cancels).
- a chain: the next token depends on the current one alone, as the test prescribes. Attention and
  feed-forward are zero, so the residual stream is the current token's embedding; the output row
  of its successor is that same embedding.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
LONGEST_RUN = 128
"""Spaces of the longest token; the binding's own detokenizer loses it."""

_WIDTH, _LAYERS, _HEADS = 64, 2, 2


@dataclass(frozen=True)
class Tiny:
    """What to write."""

    chain: Mapping[str, str] | None = None
    """Token text to token text; None: random weights."""
    words: Sequence[str] = ()
    """More tokens, by their text; reachable only as successors in a chain."""
    context: int = 512
    template: str | None = CHATML
    fim: bool = True
    specials: Sequence[str] = ()
    """More control tokens, by their text."""
    add_bos: bool = False
    name: str = "tiny"
    format: tuple[str, int] | None = ("reasoning-then-code", 1)
    layers: int = _LAYERS
    width: int = _WIDTH
    """Of everything; K-quants need rows of 256."""
    seed: int = 0
    suppressed: Sequence[int] = ()
    """Tokens that are never to be generated."""
    split: int = 0
    """Tensors of one file; 0: all in one. The files' names end in -00001-of-0000N."""


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-in for each byte value."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(extra)) for b in range(256)]


def write(path: Path, spec: Tiny | None = None) -> Path:
    """Write the model and return its path."""
    spec = spec or Tiny()
    symbols = byte_symbols()
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *(FIM if spec.fim else ())]
    specials += spec.specials
    space, runs, merges = symbols[32], [], []
    length = 1
    while length < LONGEST_RUN:
        merges.append(f"{space * length} {space * length}")
        length *= 2
        runs.append(space * length)
    words = ["".join(symbols[b] for b in word.encode()) for word in spec.words]
    tokens = [*symbols, *runs, *words, *specials]
    plain = len(tokens) - len(specials)
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=spec.split)
    _metadata(writer, spec, len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.NORMAL] * plain + [gguf.TokenType.CONTROL] * len(specials)
    )
    writer.add_token_merges(merges)
    writer.add_bos_token_id(plain)
    writer.add_eos_token_id(plain)
    writer.add_eot_token_id(plain + 2)
    writer.add_add_bos_token(spec.add_bos)
    if spec.fim:
        for offset, part in enumerate(("pre", "suf", "mid")):
            writer.add_uint32(f"tokenizer.ggml.fim_{part}_token_id", plain + 3 + offset)
    if spec.suppressed:
        writer.add_array("tokenizer.ggml.suppress_tokens", list(spec.suppressed))
    if spec.template:
        writer.add_chat_template(spec.template)
    texts = {text: index for index, text in enumerate(_texts(spec, specials))}
    for name, array in _tensors(spec, len(tokens), texts).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _texts(spec: Tiny, specials: Sequence[str]) -> list[str]:
    runs = [" " * 2**power for power in range(1, LONGEST_RUN.bit_length())]
    single = [chr(b) if b < 128 else f"byte {b}" for b in range(256)]
    return [*single, *runs, *spec.words, *specials]


def _metadata(writer: gguf.GGUFWriter, spec: Tiny, vocabulary: int) -> None:
    writer.add_name(spec.name)
    writer.add_context_length(spec.context)
    writer.add_embedding_length(spec.width)
    writer.add_block_count(spec.layers)
    writer.add_feed_forward_length(spec.width)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(spec.width // _HEADS)
    writer.add_vocab_size(vocabulary)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    if spec.format:
        writer.add_string("assistant.format.name", spec.format[0])
        writer.add_uint32("assistant.format.version", spec.format[1])


def _tensors(spec: Tiny, vocabulary: int, ids: Mapping[str, int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(spec.seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        if spec.chain is not None:
            return np.zeros((rows, columns), np.float32)
        return random.standard_normal((rows, columns), np.float32) / np.float32(columns**0.5)

    ones = np.ones(spec.width, np.float32)
    embedding = random.standard_normal((vocabulary, spec.width), np.float32)
    output = random.standard_normal((vocabulary, spec.width), np.float32)
    if spec.chain is not None:
        output = np.zeros_like(embedding)
        for current, following in spec.chain.items():
            output[ids[following]] += embedding[ids[current]]
    tensors = {
        "token_embd.weight": embedding,
        "output.weight": output,
        "output_norm.weight": ones,
    }
    for layer in range(spec.layers):
        block = f"blk.{layer}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            tensors[f"{block}{name}.weight"] = matrix(spec.width, spec.width)
        tensors[f"{block}ffn_gate.weight"] = matrix(spec.width, spec.width)
        tensors[f"{block}ffn_up.weight"] = matrix(spec.width, spec.width)
        tensors[f"{block}ffn_down.weight"] = matrix(spec.width, spec.width)
        tensors[f"{block}attn_norm.weight"] = ones
        tensors[f"{block}ffn_norm.weight"] = ones
    return tensors


def chain_of(*texts: str) -> dict[str, str]:
    """A chain through `texts`, from the last character of the generation prompt to the end."""
    line = ["\n", *texts, "<|im_end|>"]
    return dict(itertools.pairwise(line))
