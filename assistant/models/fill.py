"""Whether a model can fill in between two texts: has it the tokens for that?

llama.cpp takes them from the metadata, or finds them in the vocabulary by their usual texts. So
does this, without llama.cpp; and it knows the families that llama.cpp does not.
"""

from __future__ import annotations

import mmap
import struct

from assistant.models.gguf import Header

_KEYS = {
    "prefix": ("fim_pre_token_id", "prefix_token_id"),
    "suffix": ("fim_suf_token_id", "suffix_token_id"),
    "middle": ("fim_mid_token_id", "middle_token_id"),
}
_TEXTS = {
    "prefix": (
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
        "<|code_prefix|>", "<|prefix|>", "<[fim-prefix]>",
    ),
    "suffix": (
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
        "<|code_suffix|>", "<|suffix|>", "<[fim-suffix]>",
    ),
    "middle": (
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
        "<|code_middle|>", "<|middle|>", "<[fim-middle]>",
    ),
}  # fmt: skip
_CODESTRAL = ("[PREFIX]", "[SUFFIX]")
"""Nothing stands in front of its middle (`assistant/engine/fim.py`)."""


def missing(header: Header) -> tuple[str, ...]:
    """Which of `prefix`, `suffix` and `middle` the model has no token for; () when it can fill in.

    Args:
        header: of the model; its file is read again when the metadata does not name the tokens.
    """
    name = header.text("general.name") or header.path.stem
    if "codestral" in name.lower() and all(_in_vocabulary(header, (one,)) for one in _CODESTRAL):
        return ()
    unnamed = tuple(
        part
        for part, keys in _KEYS.items()
        if all(header.integer(f"tokenizer.ggml.{key}") is None for key in keys)
    )
    return tuple(part for part in unnamed if not _in_vocabulary(header, _TEXTS[part]))


def _in_vocabulary(header: Header, texts: tuple[str, ...]) -> bool:
    """Whether the header holds one of these texts as a string of its own, length and all."""
    end = min((tensor.start for tensor in header.tensors), default=header.file_size)
    try:
        with (
            header.path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return any(_as_string(text, data, end) for text in texts)
    except (OSError, ValueError):
        return False


def _as_string(text: str, data: mmap.mmap, end: int) -> bool:
    raw = text.encode()
    return data.find(struct.pack("<Q", len(raw)) + raw, 0, end) >= 0
