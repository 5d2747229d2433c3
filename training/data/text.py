"""Statements as sequences of words: what duplicates and contamination are judged by."""

from __future__ import annotations

import hashlib
import re

_WORD = re.compile(r"[a-z0-9]+")
# TeX's dollar signs and backslashes differ between copies of one statement.
_MARKUP = re.compile(r"\\[a-z]+|<[^<>\n]{1,40}>")


def words(text: str) -> list[str]:
    """The words of `text` in lower case, without punctuation and markup."""
    return _WORD.findall(_MARKUP.sub(" ", text.lower()))


def normalised(text: str) -> str:
    """The same for texts that differ in case, spaces, punctuation and markup alone.

    A text without one Latin letter or digit is itself.
    """
    return " ".join(words(text)) or " ".join(text.split())


def hashed(text: str) -> int:
    """64 bits of `text` that no process, machine or version changes."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def share(text: str) -> float:
    """A number in [0, 1) by the normalised text: equal texts get equal numbers."""
    return hashed(normalised(text)) / 2**64
