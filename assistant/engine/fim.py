"""How each family of models wants to be asked to fill in the middle: its tokens and their order.

llama.cpp knows the tokens of most families; those that it does not know, and the order, are told
apart here by the texts of the tokens and, where two families share them, by the model's name.

    Qwen2.5-Coder, Qwen3-Coder   repo R newline, file F newline text, prefix, suffix, middle
    StarCoder2                   repo R, file F newline text, file, prefix F newline ..., suffix,
                                 middle: the name of the open file stands inside of the prefix
    Granite, StarCoder, GLM,     prefix, suffix, middle, each behind its token
    CodeLlama, DeepSeek-Coder
    Mellum, Seed-Coder           suffix, prefix, middle
    Codestral                    suffix, prefix; nothing stands in front of the middle
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

_SUFFIX_FIRST = ("mellum", "seed-coder", "seed_coder", "seed coder", "codestral")
"""Names of the families that were trained with the suffix in front."""
_UNKNOWN_TO_LLAMA = (("<[fim-prefix]>", "<[fim-suffix]>", "<[fim-middle]>"),)
_CODESTRAL = ("[PREFIX]", "[SUFFIX]")
"""Other models of Mistral have these tokens, too, and were never trained on them."""
_REPOSITORY = ("<|repo_name|>", "<repo_name>", "<reponame>")
_FILE = ("<|file_sep|>", "<file_sep>", "<|file_separator|>", "<filename>", "<|filename|>")
_STARCODER2 = "<file_sep>"


class Specials(Protocol):
    """What is asked of a vocabulary here."""

    @property
    def fim(self) -> tuple[int, int, int] | None:
        """The tokens that llama.cpp knows."""

    def special(self, text: str) -> int | None:
        """The special token with this text."""


@dataclass(frozen=True, slots=True)
class FimStyle:
    """The tokens of one model around the parts of a file, and their order."""

    prefix: int
    suffix: int
    middle: int | None
    """None: what follows the prefix is the middle (Codestral)."""
    suffix_first: bool = False
    repository: int | None = None
    """In front of the repository's name."""
    file: int | None = None
    """In front of the name of each file."""
    name_inside: bool = False
    """The name of the file stands behind the prefix's token, not in front of it."""
    repository_end: str = "\n"
    """What follows the repository's name."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens with which a model shows that the middle is over."""
        some = (self.prefix, self.suffix, self.middle, self.repository, self.file)
        return frozenset(token for token in some if token is not None)


def style_of(vocabulary: Specials, name: str = "") -> FimStyle | None:
    """How to ask a model to fill in the middle; None: it can not.

    Args:
        vocabulary: of the model.
        name: `general.name` of its file, or whatever tells the family.
    """
    tokens = _tokens(vocabulary, name.lower())
    if tokens is None:
        return None
    before, after, middle = tokens
    repository, file = _first(vocabulary, _REPOSITORY), _first(vocabulary, _FILE)
    starcoder2 = file is not None and file == vocabulary.special(_STARCODER2)
    family_first = any(part in name.lower() for part in _SUFFIX_FIRST)
    return FimStyle(
        before,
        after,
        middle,
        suffix_first=family_first or before == vocabulary.special("<[fim-prefix]>"),
        repository=repository,
        file=file,
        name_inside=starcoder2,
        repository_end="" if starcoder2 else "\n",
    )


def _tokens(vocabulary: Specials, name: str) -> tuple[int, int, int | None] | None:
    if "codestral" in name and (ids := _all(vocabulary, _CODESTRAL)):
        return ids[0], ids[1], None
    if vocabulary.fim is not None:
        return vocabulary.fim
    for texts in _UNKNOWN_TO_LLAMA:
        if ids := _all(vocabulary, texts):
            return ids[0], ids[1], ids[2]
    return None


def _all(vocabulary: Specials, texts: tuple[str, ...]) -> tuple[int, ...]:
    ids = [vocabulary.special(text) for text in texts]
    return tuple(token for token in ids if token is not None) if None not in ids else ()


def _first(vocabulary: Specials, texts: tuple[str, ...]) -> int | None:
    return next((token for text in texts if (token := vocabulary.special(text)) is not None), None)
