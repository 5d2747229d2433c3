"""tokenizer.json files of the kinds that are exported, real and made.

Real ones come from the vocabularies in llama.cpp's source (`llama3_student.vocabulary` says where
from); they have its tokens and merges, and what they lack (how texts are split, what is put around
them) is added as the models' own files have it. Made ones have a few hundred tokens.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import gguf
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from tests.support import gguf_content
from tests.support.llama3_student import LLAMA_PATTERN, QWEN_PATTERN, vocabulary

TEKKEN_PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SAMPLE = (
    "def add(a, b):\n    return a + b\n\n\nclass Total:\n    count = 100\n" + " " * 40 + "deep\n"
    "for item in items:\n    total += item * 12\nprint(f'{total:,}', 'caf\u00e9', \"it's\")\n"
)
_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
SPACE = "\u2581"
Steps = Sequence[Mapping[str, Any]]


def split(pattern: str) -> Steps:
    """The steps of models that split by a pattern of their own."""
    first = {
        "type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False,
    }  # fmt: skip
    return (first, {**_LEVEL, "use_regex": False})


DIGITS: Steps = ({"type": "Digits", "individual_digits": True}, {**_LEVEL, "use_regex": True})
"""Of SmolLM, StarCoder and Granite."""
GPT2: Steps = ({**_LEVEL, "use_regex": True},)
LLAMA, QWEN, TEKKEN = split(LLAMA_PATTERN), split(QWEN_PATTERN), split(TEKKEN_PATTERN)


def made(
    steps: Steps, specials: Sequence[str], *, begin: str = "", whole: bool = False, size: int = 400
) -> dict[str, Any]:
    """A tokenizer.json with a vocabulary learned from a few lines.

    Args:
        steps: how texts are split.
        specials: tokens behind the others.
        begin: the one in front of every text; empty: none.
        whole: words of the vocabulary are taken as they are (ignore_merges).
        size: tokens without the specials.
    """
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    learner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    learner.train_from_iterator([_SAMPLE] * 3, trainer)
    model = json.loads(learner.to_str())["model"]
    added = {text: len(model["vocab"]) + number for number, text in enumerate(specials)}
    return described(steps, model["vocab"], model["merges"], added, begin=begin, whole=whole)


@functools.cache
def real(name: str, begin: str = "") -> dict[str, Any]:
    """A tokenizer.json with the vocabulary of llama.cpp's file `ggml-vocab-NAME.gguf`."""
    steps = {"llama-bpe": LLAMA, "qwen2": QWEN, "refact": DIGITS}[name]
    tokens, kinds, found = _content(name)
    control = {text: n for n, text in enumerate(tokens) if kinds[n] == gguf.TokenType.CONTROL}
    normal = {text: n for n, text in enumerate(tokens) if kinds[n] == gguf.TokenType.NORMAL}
    if name == "refact":
        # In Granite's file they are tokens of the vocabulary, and marked as special besides.
        normal = control | normal
    merges = found["tokenizer.ggml.merges"]
    return described(steps, normal, merges, control, begin=begin, whole=name == "llama-bpe")


def described(
    steps: Steps, vocabulary: Mapping[str, int], merges: Sequence[Any],
    specials: Mapping[str, int], *, begin: str = "", whole: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The content of a tokenizer.json of byte-level BPE."""
    after: dict[str, Any] = {**_LEVEL, "use_regex": True}
    if begin:
        after = _in_front(begin, specials[begin])
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added(specials),
        "normalizer": None, "post_processor": after, "decoder": {**_LEVEL, "use_regex": True},
        "pre_tokenizer": steps[0] if len(steps) == 1 else {
            "type": "Sequence", "pretokenizers": list(steps),
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": whole, "vocab": dict(vocabulary), "merges": list(merges),
        },
    }  # fmt: skip


def added(specials: Mapping[str, int]) -> list[dict[str, Any]]:
    """Special tokens, as tokenizer.json lists them."""
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [
        {"id": number, "content": text, **plain, "special": True}
        for text, number in sorted(specials.items(), key=lambda one: one[1])
    ]


def _in_front(begin: str, number: int) -> dict[str, Any]:
    first = {"SpecialToken": {"id": begin, "type_id": 0}}
    one, two = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "type": "TemplateProcessing", "single": [first, one], "pair": [first, one, first, two],
        "special_tokens": {begin: {"id": begin, "ids": [number], "tokens": [begin]}},
    }  # fmt: skip


@functools.cache
def pieces() -> dict[str, Any]:
    """SentencePiece's kind, as transformers makes it for Llama 2 and Mistral 7B."""
    tokens, _, found = _content("llama-spm")
    numbers = {text: number for number, text in enumerate(tokens)}
    specials = {text: numbers[text] for text in ("<unk>", "<s>", "</s>")}
    space = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added(specials),
        "normalizer": {
            "type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, space],
        },
        "pre_tokenizer": None, "post_processor": _in_front("<s>", 1),
        "decoder": {
            "type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True,
            "ignore_merges": False, "vocab": numbers,
            "merges": _merges(numbers, found["tokenizer.ggml.scores"]),
        },
    }  # fmt: skip


def _merges(numbers: Mapping[str, int], scores: Sequence[float]) -> list[list[str]]:
    """Every way to join two pieces to a third, the best score first, then the longest."""
    found = []
    for token, number in numbers.items():
        for place in range(1, len(token)):
            left, right = token[:place], token[place:]
            if left in numbers and right in numbers:
                found.append((scores[number], len(left), len(right), left, right))
    found.sort(key=lambda one: one[:3], reverse=True)
    return [[left, right] for *_, left, right in found]


def pieces_model() -> bytes:
    """The same vocabulary as a `tokenizer.model`, which is a message of protocol buffers."""
    tokens, kinds, found = _content("llama-spm")
    scores = found["tokenizer.ggml.scores"]
    parts = []
    for text, score, kind in zip(tokens, scores, kinds, strict=True):
        body = (
            _field(1, text.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
        )
        parts.append(_field(1, body))
    # Of the learner: that it is BPE (2) and has bytes as tokens (field 35).
    parts.append(_field(2, b"\x18\x02" + b"\x98\x02\x01"))
    parts.append(_field(3, _field(1, b"identity") + b"\x18\x01" + b"\x20\x00" + b"\x28\x01"))
    return b"".join(parts)


def _field(number: int, body: bytes) -> bytes:
    """One field with a length, of a message."""
    size, length = len(body), bytearray()
    while size >= 0x80:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + body


def _content(name: str) -> tuple[list[str], list[int], dict[str, Any]]:
    """Tokens, kinds and all the rest of a vocabulary file."""
    found = gguf_content.read(vocabulary(f"ggml-vocab-{name}.gguf")).keys
    return found["tokenizer.ggml.tokens"], found["tokenizer.ggml.token_type"], found
