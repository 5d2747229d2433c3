"""A tokenizer.json in llama.cpp's words: tokens by number, their kinds, merges, special numbers.

Two kinds: byte-level BPE whose way to split texts llama.cpp knows by name (`splitting`), and
SentencePiece's BPE with scores (`pieces`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf

from assistant.errors import ExportProblem
from training.chat import Chat
from training.documents import Special, is_control
from training.export import pieces, specials, splitting
from training.export.specials import Specials

_FILL = (
    ("fim_pre", Special.FIM_PREFIX), ("fim_suf", Special.FIM_SUFFIX),
    ("fim_mid", Special.FIM_MIDDLE),
)  # fmt: skip
_PADDING = "<|finetune_right_pad_id|>"
_ADDED_SCORE, _UNUSED_SCORE = -1000.0, -10000.0
"""Of tokens that are never joined, as llama.cpp's converter writes them."""


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of a model.

    Attributes:
        pre: llama.cpp's name of how texts are split; `default` for SentencePiece's kind.
        tokens: their texts, by number.
        kinds: what each is: normal, control, user-defined, unused, byte, unknown.
        merges: pairs that are joined, the first first; empty for SentencePiece's kind.
        scores: by number, for SentencePiece's kind; else empty.
        space_in_front: of texts, for SentencePiece's kind.
        numbers: of the tokens, by text.
        specials: the special tokens and the template of the model as it comes.
    """

    pre: str
    tokens: list[str]
    kinds: list[gguf.TokenType]
    merges: list[str]
    scores: list[float]
    space_in_front: bool
    numbers: Mapping[str, int]
    specials: Specials


def read(tokenizer: Path, rows: int) -> Vocabulary:
    """The vocabulary in a `tokenizer.json`.

    Args:
        tokenizer: the file; what lies beside it tells special tokens and template.
        rows: of the embedding; numbers without a token become unused ones.

    Raises:
        ExportProblem: llama.cpp does not know such a tokenizer, or it has more tokens than rows.
    """
    described = _described(tokenizer)
    scored = pieces.is_one(described)
    pre = "default" if scored else splitting.name(described)
    added = {one["content"]: one for one in described.get("added_tokens", ())}
    numbers = _numbers(described)
    by_number = {number: token for token, number in numbers.items()}
    if (last := max(by_number)) >= rows:
        raise ExportProblem(
            f"the tokenizer has a token {by_number[last]!r} of number {last}, and the embedding "
            f"only {rows} rows",
            hint="enlarge the model's embedding (resize_token_embeddings), or take the tokenizer "
            "that belongs to it",
        )
    kinds = _kinds(by_number, added, described["model"], rows, scored=scored)
    tokens = _texts(by_number, kinds)
    merges = [_merge(merge) for merge in described["model"]["merges"]]
    return Vocabulary(
        pre,
        tokens,
        kinds,
        merges=[] if scored else merges,
        scores=_scores(tokens, kinds, described["model"]["vocab"], merges) if scored else [],
        space_in_front=scored and pieces.has_space_in_front(described),
        numbers=numbers,
        specials=specials.read(tokenizer.parent, described),
    )


def _described(tokenizer: Path) -> dict[str, Any]:
    try:
        found = json.loads(tokenizer.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ExportProblem(
            f"{tokenizer} is missing",
            hint="transformers makes one of an older form: "
            "AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
        ) from error
    except (OSError, ValueError) as error:
        raise ExportProblem(f"{tokenizer} can not be read: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("model"), dict):
        raise ExportProblem(f"{tokenizer} is no tokenizer of the `tokenizers` library")
    return found


def _numbers(described: Mapping[str, Any]) -> dict[str, int]:
    """Of all tokens, added ones among them.

    Raises:
        ExportProblem: a text has two numbers, or a number two texts.
    """
    found: dict[str, int] = dict(described["model"]["vocab"])
    for one in described.get("added_tokens", ()):
        if found.setdefault(one["content"], one["id"]) != one["id"]:
            raise ExportProblem(
                f"the tokenizer has the token {one['content']!r} twice, with the numbers "
                f"{found[one['content']]} and {one['id']}",
                hint="take the added one out of tokenizer.json, or rename it",
            )
    twins = [number for number, count in Counter(found.values()).items() if count > 1]
    if twins:
        both = [text for text, number in found.items() if number == twins[0]]
        raise ExportProblem(f"the tokenizer has the number {twins[0]} twice, for {both}")
    return found


def _kinds(
    by_number: Mapping[int, str], added: Mapping[str, Any], model: Mapping[str, Any], rows: int,
    *, scored: bool,
) -> list[gguf.TokenType]:  # fmt: skip
    """What each token is."""
    found = []
    for number in range(rows):
        token = by_number.get(number)
        kind = gguf.TokenType.NORMAL
        if token is None:
            kind = gguf.TokenType.UNUSED
        elif token in added:
            control = is_control(token, added[token]["special"])
            kind = gguf.TokenType.CONTROL if control else gguf.TokenType.USER_DEFINED
        elif scored and pieces.is_byte(token):
            kind = gguf.TokenType.BYTE
        elif scored and token == model.get("unk_token"):
            kind = gguf.TokenType.UNKNOWN
        found.append(kind)
    return found


def _texts(by_number: Mapping[int, str], kinds: list[gguf.TokenType]) -> list[str]:
    """The tokens as they are written.

    Raises:
        ExportProblem: two are the same.
    """
    found: list[str] = []
    seen = set(by_number.values())
    for number, kind in enumerate(kinds):
        if kind is gguf.TokenType.UNUSED:
            text = f"[PAD{number}]"
            while text in seen:
                text = f"[{text}]"
        else:
            text = by_number[number]
        if kind is gguf.TokenType.USER_DEFINED:
            # llama.cpp looks for these in the text as it was written.
            text = text.replace(pieces.SPACE, " ")
        found.append(text)
    twins = [text for text, count in Counter(found).items() if count > 1]
    if twins:
        # llama.cpp stops the whole process at them.
        raise ExportProblem(
            f"the tokenizer has two tokens {twins[0]!r}, which llama.cpp can not tell apart",
            hint="rename the added one in tokenizer.json",
        )
    return found


def _scores(
    tokens: list[str], kinds: list[gguf.TokenType], vocabulary: Mapping[str, int],
    merges: list[str],
) -> list[float]:  # fmt: skip
    texts = {
        token: number
        for token, number in vocabulary.items()
        if kinds[number] is gguf.TokenType.NORMAL
    }
    ranked = pieces.scores(texts, merges)
    others = {
        gguf.TokenType.CONTROL: _ADDED_SCORE,
        gguf.TokenType.USER_DEFINED: _ADDED_SCORE,
        gguf.TokenType.UNUSED: _UNUSED_SCORE,
    }
    return [
        ranked[token] if kind is gguf.TokenType.NORMAL else others.get(kind, 0.0)
        for token, kind in zip(tokens, kinds, strict=True)
    ]


def _merge(merge: str | list[str]) -> str:
    """Pairs are one text, or two in newer files; a space inside of one is written as its byte."""
    if isinstance(merge, str):
        return merge
    return " ".join(part.replace(" ", "\u0120") for part in merge)


def add(
    writer: gguf.GGUFWriter, words: Vocabulary, chat: Chat | None, described: Mapping[str, Any]
) -> None:
    """Write the vocabulary, its special numbers and the chat template.

    Args:
        writer: of the file.
        words: what to write.
        chat: whose template it is; its `end` ends an answer. None: the model's own template and
            special tokens.
        described: the model's configuration.

    Raises:
        ExportProblem: the tokenizer puts something around texts that llama.cpp can not.
    """
    writer.add_tokenizer_model("llama" if words.scores else "gpt2")
    writer.add_tokenizer_pre(words.pre)
    writer.add_token_list(words.tokens)
    writer.add_token_types(words.kinds)
    if words.scores:
        writer.add_token_scores(words.scores)
        writer.add_add_space_prefix(words.space_in_front)
    else:
        writer.add_token_merges(words.merges)
    if all(token.value in words.numbers for _, token in _FILL):
        for key, token in _FILL:
            writer.add_uint32(f"tokenizer.ggml.{key}_token_id", words.numbers[token.value])
    if chat is None:
        _add_own(writer, words, described)
    else:
        _add_chat(writer, words, chat, described)


def _add_own(writer: gguf.GGUFWriter, words: Vocabulary, described: Mapping[str, Any]) -> None:
    """The special tokens and the template of the model as it comes."""
    found = words.specials
    for role, number in found.in_all(described).items():
        if number < len(words.tokens):
            getattr(writer, f"add_{role}_token_id")(number)
    # Without them llama.cpp guesses by the name of the way to split.
    writer.add_add_bos_token(found.begins)
    writer.add_add_eos_token(found.ends)
    if found.template is not None:
        writer.add_chat_template(found.template)


def _add_chat(
    writer: gguf.GGUFWriter, words: Vocabulary, chat: Chat, described: Mapping[str, Any]
) -> None:
    end = words.numbers[chat.end]
    begin = words.numbers[chat.opening[0]] if chat.opening else described.get("bos_token_id")
    padding = described.get("pad_token_id")
    writer.add_bos_token_id(begin if isinstance(begin, int) else end)
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    if not isinstance(padding, int) or not 0 <= padding < len(words.tokens):
        padding = words.numbers.get(_PADDING, end)
    writer.add_pad_token_id(padding)
    # The template begins with it, too: the engine adds it where it is not there.
    writer.add_add_bos_token(bool(chat.opening))
    writer.add_chat_template(chat.template)
