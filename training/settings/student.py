"""The pretrained model that is tuned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Student:
    """Which model learns, and how it is loaded. Not looked at by the chain `scratch`."""

    model: str = ""
    """`org/name` on the Hugging Face hub, or a folder with `config.json`, `tokenizer.json` and
    safetensors."""
    revision: str = ""
    """Commit on the hub; empty takes the newest and writes down which one that was."""
    chat: str = "auto"
    """How a request and its answer are marked: `llama3`, `chatml`, `plain` (headings as text, for
    base models, whose special tokens were never trained); `auto` takes what the model's own
    template shows, and `plain` where it has none."""
    weights: str = "bfloat16"
    """How the frozen weights are held: `float32`, `bfloat16`, or `nf4` (four bits, QLoRA: needs a
    CUDA card and bitsandbytes; slower, for small cards)."""
    licence: str = ""
    """The licence of the model, for the card; empty takes what its files say."""
