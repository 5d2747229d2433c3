"""Whether the vocabulary in a GGUF file is one that llama.cpp can work with.

It ends the process when two tokens have the same text, when a byte has no token, or when a token
that stands for a byte does not say which.
"""

from __future__ import annotations

import mmap
import re
import struct
from typing import Any

from assistant.models.gguf import Array, Header, impossible

_PREFIX = "tokenizer.ggml."
# "bert" and "t5" belong to encoders; "none" has no texts at all.
_KINDS = frozenset({"llama", "gpt2", "gemma4", "rwkv", "plamo2"})
_WITH_BYTES = frozenset({"llama", "plamo2"})
_BYTE = 6
_BYTE_TEXT = re.compile(rb"<0x[0-9A-Fa-f]{2}>")
_STRING, _INT32, _FLOAT32 = 8, 5, 6
_NONE = 2**32 - 1
# The others are only looked at in models that this engine does not serve.
_IDS = ("bos", "eos", "eot", "eom", "fim_pre", "fim_suf", "fim_mid", "fim_rep", "fim_sep")


def check(header: Header) -> None:
    """Check the vocabulary.

    Raises:
        ModelProblem: a part is missing, contradicts another, or is out of range.
    """
    kind = header.metadata.get(f"{_PREFIX}model")
    if kind not in _KINDS:
        raise impossible(header.path, f"its tokenizer is {kind!r:.60}, which writes no text")
    tokens = _array(header, "tokens", _STRING)
    if tokens is None or not tokens.length:
        raise impossible(header.path, "it has no tokens")
    types = _array(header, "token_type", _INT32)
    scores = _array(header, "scores", _FLOAT32, _INT32)
    for name, array in (("token_type", types), ("scores", scores)):
        if array is not None and array.length != tokens.length:
            raise impossible(
                header.path, f"it has {tokens.length} tokens and {array.length} of {_PREFIX}{name}"
            )
    if kind == "gpt2" and header.metadata.get(f"{_PREFIX}pre") != "kimi-k2":
        merges = _array(header, "merges", _STRING)
        if merges is None:
            raise impossible(header.path, f"{_PREFIX}merges is missing")
    _check_ids(header, tokens.length)
    with header.path.open("rb") as file, _mapped(file) as data:
        texts = _strings(data, tokens)
        _check_texts(header, kind, texts, _numbers(data, types))


def _check_ids(header: Header, count: int) -> None:
    for name in _IDS:
        key = f"{_PREFIX}{name}_token_id"
        value = header.metadata.get(key)
        if value is None:
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or (not 0 <= value < count and value not in (_NONE, -1)):
            raise impossible(header.path, f"{key} is {value!r:.60}; there are {count} tokens")


def _check_texts(header: Header, kind: Any, texts: list[bytes], types: tuple[int, ...]) -> None:
    named = [text or b"[EMPTY_%d]" % index for index, text in enumerate(texts)]
    known: set[bytes] = set()
    for name in named:
        if name in known:
            raise impossible(header.path, f"the token {_readable(name)} occurs twice")
        known.add(name)
    for index, token_type in enumerate(types):
        if token_type == _BYTE and not _BYTE_TEXT.fullmatch(texts[index]):
            text = _readable(texts[index])
            raise impossible(
                header.path, f"the token {text} is to be a byte and does not say which"
            )
    if kind in _WITH_BYTES:
        for value in range(256):
            if b"<0x%02X>" % value not in known and bytes((value,)) not in known:
                raise impossible(header.path, f"no token stands for the byte {value}")


def _readable(text: bytes) -> str:
    return repr(text[:40].decode("utf-8", "replace"))


def _array(header: Header, name: str, *types: int) -> Array | None:
    value = header.metadata.get(_PREFIX + name)
    if value is None:
        return None
    if not isinstance(value, Array) or value.type not in types:
        raise impossible(header.path, f"{_PREFIX}{name} is of the wrong type")
    return value


def _mapped(file: Any) -> mmap.mmap:
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _strings(data: mmap.mmap, array: Array) -> list[bytes]:
    """All strings of an array; `read_header` has seen that they lie in the file."""
    place, found, size_at = array.start, [], struct.Struct("<Q").unpack_from
    for _ in range(array.length):
        end = place + 8 + size_at(data, place)[0]
        found.append(data[place + 8 : end])
        place = end
    return found


def _numbers(data: mmap.mmap, array: Array | None) -> tuple[int, ...]:
    if array is None:
        return ()
    return struct.unpack_from(f"<{array.length}i", data, array.start)
