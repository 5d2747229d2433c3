"""A tokenizer.json in llama.cpp's words: tokens by number, their kinds, merges, special numbers.

Only byte-level BPE whose way to split texts llama.cpp knows by name; the name is found by the
pattern itself. (llama.cpp's own converter looks at how a sample is split, with the begin token in
it, and took one model for another by that.)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from assistant.errors import ExportProblem
from training.chat import Chat
from training.documents import Special, is_control
from training.tokenizer import PATTERN, PRE_TOKENIZER

LLAMA_PATTERN = PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
"""Llama 3 keeps up to three digits together."""
_NAMES = {PATTERN: PRE_TOKENIZER, LLAMA_PATTERN: "llama-bpe"}
_FILL = (
    ("fim_pre", Special.FIM_PREFIX), ("fim_suf", Special.FIM_SUFFIX),
    ("fim_mid", Special.FIM_MIDDLE),
)  # fmt: skip
_PADDING = "<|finetune_right_pad_id|>"


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model.

    Attributes:
        pre: llama.cpp's name of how texts are split.
        tokens: their texts, by number.
        kinds: what each is: normal, control, user-defined, unused.
        merges: pairs that are joined, the first first.
        numbers: of the tokens, by text.
    """

    pre: str
    tokens: list[str]
    kinds: list[gguf.TokenType]
    merges: list[str]
    numbers: Mapping[str, int]


def read(tokenizer: Path, rows: int) -> Vocabulary:
    """The vocabulary in a `tokenizer.json`.

    Args:
        tokenizer: the file.
        rows: of the embedding; numbers without a token become unused ones.

    Raises:
        ExportProblem: llama.cpp does not know such a tokenizer, or it has more tokens than rows.
    """
    described = json.loads(tokenizer.read_text(encoding="utf-8"))
    pre = pre_tokenizer_name(described)
    numbers: dict[str, int] = dict(described["model"]["vocab"])
    control = {}
    for added in described.get("added_tokens", ()):
        numbers[added["content"]] = added["id"]
        control[added["id"]] = is_control(added["content"], added["special"])
    by_number = {number: token for token, number in numbers.items()}
    if (last := max(by_number)) >= rows:
        raise ExportProblem(
            f"the tokenizer has a token {by_number[last]!r} of number {last}, and the embedding "
            f"only {rows} rows",
            hint="enlarge the model's embedding (resize_token_embeddings), or take the tokenizer "
            "that belongs to it",
        )
    normal, user = gguf.TokenType.NORMAL, gguf.TokenType.USER_DEFINED
    kinds = []
    for number in range(rows):
        kind = normal if number in by_number else gguf.TokenType.UNUSED
        if number in control:
            kind = gguf.TokenType.CONTROL if control[number] else user
        kinds.append(kind)
    tokens = [by_number.get(number, f"[PAD{number}]") for number in range(rows)]
    merges = [_merge(merge) for merge in described["model"]["merges"]]
    return Vocabulary(pre, tokens, kinds, merges, numbers)


def _merge(merge: str | list[str]) -> str:
    """Pairs are one text, or two in newer files; a space inside of one is written as its byte."""
    if isinstance(merge, str):
        return merge
    return " ".join(part.replace(" ", "\u0120") for part in merge)


def pre_tokenizer_name(described: Mapping[str, Any]) -> str:
    """llama.cpp's name of how a tokenizer splits texts before it merges.

    Args:
        described: the content of a `tokenizer.json`.

    Raises:
        ExportProblem: it has none for it.
    """
    model, before = described.get("model") or {}, described.get("pre_tokenizer") or {}
    steps = before.get("pretokenizers") or [before]
    patterns = [one["pattern"].get("Regex") for one in steps if one.get("type") == "Split"]
    levels = [one for one in steps if one.get("type") == "ByteLevel"]
    found = f"{model.get('type')}, {' then '.join(str(one.get('type')) for one in steps)}"
    known = {"Split", "ByteLevel"}
    plain = all(one.get("type") in known for one in steps) and len(steps) == 2
    if model.get("type") != "BPE" or not plain or not levels or len(patterns) != 1:
        raise ExportProblem(
            f"the tokenizer is no byte-level BPE of the kinds that are exported here ({found})",
            hint="Llama 3 and Qwen2 models have one",
        )
    name = _NAMES.get(patterns[0])
    if name is None or levels[0].get("use_regex") or levels[0].get("add_prefix_space"):
        raise ExportProblem(
            f"the tokenizer splits texts in a way that has no name here: {patterns[0]!r}",
            hint="Llama 3 and Qwen2 models have one that is known",
        )
    if name == "llama-bpe" and not model.get("ignore_merges"):
        raise ExportProblem(
            "the tokenizer merges every word step by step, where llama.cpp takes whole words of "
            "Llama 3's vocabulary as they are (ignore_merges)",
            hint="the model's tokenizer.json is an old one: fetch its present release",
        )
    return name


def add(
    writer: gguf.GGUFWriter, words: Vocabulary, chat: Chat, described: Mapping[str, Any]
) -> None:
    """Write the vocabulary, its special numbers and the chat template.

    Args:
        writer: of the file.
        words: what to write.
        chat: whose template it is; its `end` ends an answer.
        described: the model's configuration.
    """
    end = words.numbers[chat.end]
    begin = words.numbers[chat.opening[0]] if chat.opening else described.get("bos_token_id")
    padding = described.get("pad_token_id")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    writer.add_token_merges(words.merges)
    writer.add_bos_token_id(begin if isinstance(begin, int) else end)
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    if not isinstance(padding, int) or not 0 <= padding < len(words.tokens):
        padding = words.numbers.get(_PADDING, end)
    writer.add_pad_token_id(padding)
    # The template begins with it, too: the engine adds it where it is not there.
    writer.add_add_bos_token(bool(chat.opening))
    if all(token.value in words.numbers for _, token in _FILL):
        for key, token in _FILL:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", words.numbers[token.value])
    writer.add_chat_template(chat.template)
