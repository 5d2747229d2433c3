"""Text to tokens and back, exactly.

The binding's own `detokenize` drops every token longer than 32 bytes (a 40-space indentation
vanishes) and llama.cpp's `llama_detokenize` "cleans" spaces; both are wrong for code. Here each
token is asked for its bytes, with a buffer that grows, and the bytes are decoded as they come.
"""

from __future__ import annotations

import codecs
import ctypes
import functools
import re
from collections.abc import Iterable, Sequence
from typing import Any

from assistant.errors import RequestProblem
from assistant.format import dialects

_CONTROL = 1 << 3
_USER_DEFINED = 1 << 4
_LSTRIP = 1 << 7
_RSTRIP = 1 << 8
_NO_TOKEN = -1
_REMEMBERED = 128
"""Texts of which the tokens are kept: parts of the files that somebody types in."""

# An added token that is text like any other: white space, one character, or a tag of HTML.
_HARMLESS = re.compile(
    r"\s*|.|</?(?:a|b|i|s|u|p|h[1-6]|em|strong|code|pre|li|ol|ul|br|hr|img|sub|sup|table|caption"
    r"|t[rdh]|thead|tbody|tfoot|blockquote|div|span|dl|dt|dd|mark|kbd|del|ins)>",
)


class Vocabulary:
    """The vocabulary of a loaded model. Reading it is safe from several threads.

    Args:
        lib: the checked library (`library.llama()`).
        pointer: `llama_vocab *` of a model that stays loaded as long as this object is used.
    """

    def __init__(self, lib: Any, pointer: Any) -> None:
        self._lib = lib
        self._pointer = pointer
        self._pieces: dict[int, bytes] = {}
        self._ends: dict[int, bool] = {}
        self._remembered = functools.lru_cache(_REMEMBERED)(self._continue)
        self.size: int = lib.llama_vocab_n_tokens(pointer)

    def tokenize(self, text: str, *, parse_special: bool = False) -> list[int]:
        """Tokens of `text`, without a begin token.

        Args:
            parse_special: turn the texts of control tokens into them. Only for text that we
                wrote: in a user's file `<|im_end|>` has to stay text.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        while True:
            buffer = (ctypes.c_int32 * room)()
            count: int = self._lib.llama_tokenize(
                self._pointer, data, len(data), buffer, room, False, parse_special
            )
            if count >= 0:
                return buffer[:count]
            if -count <= room:
                raise RequestProblem(f"A text of {len(data)} bytes can not be tokenised.")
            room = -count

    def continue_tokens(self, text: str) -> Sequence[int]:
        """Tokens of `text` where it goes on behind other text; remembered for a while.

        Vocabularies of SentencePiece put a space in front of whatever they are given.
        """
        return self._remembered(text)

    def _continue(self, text: str) -> tuple[int, ...]:
        if not self._adds_space:
            return tuple(self.tokenize(text))
        line = self.tokenize("\n")
        tokens = self.tokenize("\n" + text)
        return tuple(tokens[len(line) :] if tokens[: len(line)] == line else self.tokenize(text))

    @functools.cached_property
    def _adds_space(self) -> bool:
        return self.piece(self.tokenize("x")[0]).startswith(b" ")

    def piece(self, token: int) -> bytes:
        """The bytes of one token as they appear in text.

        Empty for control tokens, but for those that mark a model's thinking: what reads the
        answer has to see where it ends.
        """
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._piece(token, special=token in self.marks)
        return known

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, control tokens left out."""
        return b"".join(self.piece(token) for token in tokens).decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        """True for every token that ends a generation (end of text, of turn, of message)."""
        known = self._ends.get(token)
        if known is None:
            known = self._ends[token] = bool(self._lib.llama_vocab_is_eog(self._pointer, token))
        return known

    def end_with(self, tokens: Iterable[int]) -> None:
        """These end a generation, too, although llama.cpp does not know it."""
        self._ends.update(dict.fromkeys(tokens, True))

    @functools.cached_property
    def suppressed(self) -> tuple[int, ...]:
        """Tokens that the makers of the model say are never to be generated (Gemma has some)."""
        count = ctypes.c_int32(0)
        found = self._lib.llama_vocab_get_suppress_tokens(self._pointer, ctypes.byref(count))
        return tuple(found[: count.value]) if count.value else ()

    @functools.cached_property
    def begin(self) -> int | None:
        """The token that every sequence has to begin with, for models that want one."""
        if not self._lib.llama_vocab_get_add_bos(self._pointer):
            return None
        token: int = self._lib.llama_vocab_bos(self._pointer)
        return None if token == _NO_TOKEN else token

    @functools.cached_property
    def bos_text(self) -> str:
        """`bos_token` as chat templates know it."""
        return self._special_text(self._lib.llama_vocab_bos(self._pointer))

    @functools.cached_property
    def eos_text(self) -> str:
        """`eos_token` as chat templates know it."""
        return self._special_text(self._lib.llama_vocab_eos(self._pointer))

    @functools.cached_property
    def fim(self) -> tuple[int, int, int] | None:
        """The (prefix, suffix, middle) tokens, or None: the model can not fill in the middle."""
        lib = self._lib
        ids = (
            lib.llama_vocab_fim_pre(self._pointer),
            lib.llama_vocab_fim_suf(self._pointer),
            lib.llama_vocab_fim_mid(self._pointer),
        )
        return None if _NO_TOKEN in ids else ids

    def special(self, text: str) -> int | None:
        """The token that stands for `text` and for nothing that a user writes, if there is one."""
        tokens = self.tokenize(text, parse_special=True)
        if len(tokens) != 1:
            return None
        attributes = self._lib.llama_vocab_get_attr(self._pointer, tokens[0])
        return tokens[0] if attributes & (_CONTROL | _USER_DEFINED) else None

    @functools.cached_property
    def specials(self) -> dict[str, int]:
        """Text to id of the tokens that may mean something to the model beside their text.

        Those that some vocabularies add for white space, letters and HTML (Gemma's `\\n\\n` and
        `<h1>`, DeepSeek's `ö`) are ordinary text: the tokeniser finds them in every text, as it
        did when the model was made.
        """
        found = {}
        for token in range(self.size):
            attributes = self._lib.llama_vocab_get_attr(self._pointer, token)
            if not attributes & (_CONTROL | _USER_DEFINED):
                continue
            text = self._special_text(token)
            if attributes & _CONTROL or not _HARMLESS.fullmatch(text):
                found[text] = token
        found.pop("", None)
        return found

    @functools.cached_property
    def marks(self) -> frozenset[int]:
        """The special tokens that mark thinking and channels (`assistant.format.dialects`)."""
        return frozenset(self.specials[text] for text in dialects.marks_of(self.specials))

    @functools.cached_property
    def special_pattern(self) -> re.Pattern[str]:
        """Matches any special token's text, the longest first; never matches if there is none."""
        texts = sorted(self.specials, key=len, reverse=True)
        return re.compile("|".join(map(re.escape, texts)) or r"(?!)")

    @functools.cached_property
    def special_starts(self) -> frozenset[str]:
        """Every text that a special token's text begins with, but the whole."""
        return frozenset(text[:end] for text in self.specials for end in range(1, len(text)))

    @functools.cached_property
    def special_ends(self) -> frozenset[str]:
        """Every text that a special token's text ends in, but the whole."""
        return frozenset(text[start:] for text in self.specials for start in range(1, len(text)))

    def strips(self, token: int) -> tuple[bool, bool]:
        """Whether white space to the (left, right) of a special token belongs to it."""
        attributes = self._lib.llama_vocab_get_attr(self._pointer, token)
        return bool(attributes & _LSTRIP), bool(attributes & _RSTRIP)

    def is_added(self, token: int) -> bool:
        """True for special tokens that llama.cpp finds in any text, also in a user's."""
        return token in self._added

    @functools.cached_property
    def _added(self) -> frozenset[int]:
        attribute = self._lib.llama_vocab_get_attr
        found = self.specials.values()
        return frozenset(t for t in found if attribute(self._pointer, t) & _USER_DEFINED)

    def _special_text(self, token: int) -> str:
        if token == _NO_TOKEN:
            return ""
        return self._piece(token, special=True).decode("utf-8", "replace")

    def _piece(self, token: int, *, special: bool) -> bytes:
        room = 64
        while True:
            buffer = ctypes.create_string_buffer(room)
            size: int = self._lib.llama_token_to_piece(
                self._pointer, token, buffer, room, 0, special
            )
            if size >= 0:
                return buffer.raw[:size]
            room = -size


class TextDecoder:
    """Bytes of tokens to text: a character that is cut between tokens waits for its rest.

    A character that never gets its rest is left out; bytes that can not be one become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes) -> str:
        """The characters that are complete now."""
        return self._decoder.decode(data)

    @property
    def pending(self) -> bool:
        """True in the middle of a character."""
        return bool(self._decoder.getstate()[0])
