"""The real Llama-3 vocabulary, and texts of a known number of tokens in any vocabulary."""

from __future__ import annotations

import functools
import random
import re
from dataclasses import dataclass
from pathlib import Path

import gguf

_NORMAL = int(gguf.TokenType.NORMAL)
_WORD = re.compile("Ġ[a-z]{3,7}")


@dataclass(frozen=True)
class Vocabulary:
    """A vocabulary of the `gpt2` kind, as a GGUF file holds it."""

    tokens: tuple[str, ...]
    """In the printable alphabet that GPT-2 uses for bytes."""
    kinds: tuple[int, ...]
    merges: tuple[str, ...]
    pre: str
    bos: int

    def texts(self) -> list[str | None]:
        """Each token as text; None for what is not text by itself: special, or half a character."""
        byte = {symbol: value for value, symbol in enumerate(_byte_symbols())}
        return [
            _decoded(token, byte) if kind == _NORMAL else None
            for token, kind in zip(self.tokens, self.kinds, strict=True)
        ]

    def words(self) -> list[str]:
        """Words that are one token each, with the space in front of them."""
        normal = (
            token
            for token, kind in zip(self.tokens, self.kinds, strict=True)
            if kind == _NORMAL and _WORD.fullmatch(token)
        )
        return [" " + token[1:] for token in normal]


@functools.cache
def read(path: Path) -> Vocabulary:
    """The vocabulary of a GGUF file."""
    fields = gguf.GGUFReader(path).fields

    def value(name: str) -> object:
        return fields[f"tokenizer.ggml.{name}"].contents()

    return Vocabulary(
        tokens=tuple(value("tokens")),
        kinds=tuple(value("token_type")),
        merges=tuple(value("merges")),
        pre=str(value("pre")),
        bos=int(value("bos_token_id")),
    )


def describe(writer: gguf.GGUFWriter, vocabulary: Vocabulary, end: int, template: str) -> None:
    """Add the vocabulary to a file's metadata, with the end of a turn and the chat template."""
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.kinds))
    writer.add_token_merges(list(vocabulary.merges))
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(end)
    writer.add_chat_template(template)


class Prompts:
    """Prompts that were never sent before, of an exact number of tokens.

    Each is made of random words that are one token each. One that was sent before would be found
    in the cache of the server that is measured.
    """

    def __init__(self, words: list[str], seed: int) -> None:
        self._words = words
        self._random = random.Random(seed)

    def fresh(self, tokens: int) -> str:
        """A new text of so many tokens."""
        return "".join(self._random.choices(self._words, k=tokens))


def _byte_symbols() -> list[str]:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    extra = iter(range(256, 512))
    return [chr(value) if value in plain else chr(next(extra)) for value in range(256)]


def _decoded(token: str, byte: dict[str, int]) -> str | None:
    try:
        return bytes(byte[symbol] for symbol in token).decode()
    except (KeyError, UnicodeDecodeError):
        return None
