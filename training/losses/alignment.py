"""Between two tokenizers: which student token owns which encoder piece, what a token looks like.

The student (Llama, 128,256 tokens) and the encoder (RoBERTa's 50,265 pieces) cut the same code
at different places. Both are byte-level, so every token and piece stands for known bytes:

    own(j)  the student token that holds most bytes of piece j
    M[v]    mean of the encoder's embeddings of the pieces of student token v

Counted in UTF-8 bytes and not in characters, since either may cut within a character. Where
student and encoder share a tokenizer, own(j) = j and M is the encoder's embedding table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
import torch
from safetensors.torch import load_file, save_file

from assistant.errors import TrainingProblem
from training import files

_ROWS = 8192
"""Rows of the matrix that are made together."""


def _alphabet() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for, as GPT-2 has it."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in set(shown)]
    pairs = [(chr(byte), byte) for byte in shown]
    return dict(pairs + [(chr(256 + i), byte) for i, byte in enumerate(hidden)])


_BYTE_OF = _alphabet()
_CHARACTER_OF = {byte: character for character, byte in _BYTE_OF.items()}


class ByteTokenizer:
    """A byte-level tokenizer, and the bytes of each of its tokens.

    Args:
        tokenizer: is copied; special tokens in a text count as ordinary text here.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_str(tokenizer.to_str())
        # "<mask>" in a program is six characters of that program.
        self._tokenizer.encode_special_tokens = True
        self._known: dict[int, bytes] = {}
        self._added = {
            i: token.content for i, token in self._tokenizer.get_added_tokens_decoder().items()
        }

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything that decides how it cuts."""
        return hashlib.sha256(self._tokenizer.to_str().encode()).hexdigest()

    @property
    def size(self) -> int:
        """Number of tokens, added ones included."""
        size: int = self._tokenizer.get_vocab_size()
        return size

    def bytes_of(self, token: int) -> bytes:
        """What the token stands for; nothing where the vocabulary has a gap.

        Raises:
            TrainingProblem: the tokenizer is not byte-level.
        """
        found = self._known.get(token)
        if found is None:
            found = self._known[token] = self._bytes_of(token)
        return found

    def _bytes_of(self, token: int) -> bytes:
        if token in self._added:
            return self._added[token].encode()
        text = self._tokenizer.id_to_token(token)
        if text is None:
            return b""
        try:
            return bytes(_BYTE_OF[character] for character in text)
        except KeyError as error:
            raise TrainingProblem(
                f"token {token} ({text!r}) has a character that stands for no byte: the tokenizer "
                "is not byte-level, as those of Llama 3, Qwen2 and RoBERTa are",
                hint="take a model with such a tokenizer, or --set structural.arm=off",
            ) from error

    def encode(self, data: bytes) -> list[int]:
        """The tokens of some bytes; single bytes where they are no text (half a character)."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            known: Any = self._tokenizer.token_to_id
            return [known(_CHARACTER_OF[byte]) for byte in data]
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


@dataclass(frozen=True)
class Reference:
    """One program as the encoder reads it.

    Attributes:
        pieces: the encoder's, int64, shape ``(pieces,)``.
        own: for each piece the program's student token that owns it, int64, same shape.
        tokens: how many student tokens the program has.
    """

    pieces: torch.Tensor
    own: torch.Tensor
    tokens: int


def owners(tokens: Sequence[int], pieces: Sequence[int]) -> np.ndarray:
    """For each piece the token that holds most of it, the first one when several hold as much.

    Args:
        tokens: sizes in bytes, in order.
        pieces: sizes in bytes of another cut of the same bytes.

    Returns:
        int64, shape ``(pieces,)``.
    """
    ends = np.cumsum(tokens)
    piece_ends = np.cumsum(pieces)
    starts = piece_ends - np.asarray(pieces)
    first = np.searchsorted(ends, starts, side="right")
    last = np.searchsorted(ends, piece_ends, side="left")
    own: np.ndarray = np.minimum(first, len(ends) - 1).astype(np.int64)
    for j in np.flatnonzero(last > first):
        edges = np.clip(ends[first[j] : last[j] + 1], starts[j], piece_ends[j])
        own[j] = first[j] + int(np.argmax(np.diff(edges, prepend=starts[j])))
    return own


@dataclass(frozen=True)
class Aligner:
    """Both tokenizers.

    Attributes:
        student: the model's.
        encoder: the encoder's; one that cuts alike makes the identity.
    """

    student: ByteTokenizer
    encoder: ByteTokenizer

    @cached_property
    def shared(self) -> bool:
        """Whether both are the same."""
        return self.student.digest == self.encoder.digest

    def reference(self, tokens: Sequence[int]) -> Reference:
        """A program that is given as student tokens.

        Raises:
            TrainingProblem: the encoder's tokenizer changes the text.
        """
        if self.shared:
            return Reference(torch.tensor(list(tokens)), torch.arange(len(tokens)), len(tokens))
        parts = [self.student.bytes_of(token) for token in tokens]
        whole = b"".join(parts)
        pieces = self.encoder.encode(whole)
        cuts = [self.encoder.bytes_of(piece) for piece in pieces]
        if b"".join(cuts) != whole:
            raise TrainingProblem(
                f"the encoder's tokenizer changes the text of {whole[:40]!r}: it normalises, so "
                "its pieces can not be aligned",
                hint="choose an encoder of the RoBERTa family: --set structural.encoder=codebert",
            )
        own = owners([len(part) for part in parts], [len(cut) for cut in cuts])
        return Reference(torch.tensor(pieces), torch.from_numpy(own), len(tokens))

    def matrix(self, table: torch.Tensor, vocabulary: int) -> torch.Tensor:
        """M: each student token as the encoder would embed it.

        Args:
            table: the encoder's embeddings, shape ``(pieces, width)``.
            vocabulary: rows of the student's head; may be more than its tokenizer has, and the
                rest are rows of zeros.

        Returns:
            As `table`, shape ``(vocabulary, width)``.
        """
        if self.shared:
            spare = vocabulary - len(table)  # rows of the head that no token has
            if spare <= 0:
                return table[:vocabulary]
            return torch.cat([table, table.new_zeros((spare, table.shape[1]))])
        made = table.new_zeros((vocabulary, table.shape[1]))
        for start in range(0, min(vocabulary, self.student.size), _ROWS):
            end = min(start + _ROWS, vocabulary, self.student.size)
            cut = [self.encoder.encode(self.student.bytes_of(v)) for v in range(start, end)]
            counts = torch.tensor([len(pieces) for pieces in cut])
            rows = torch.repeat_interleave(torch.arange(start, end), counts)
            flat = torch.tensor([piece for pieces in cut for piece in pieces], dtype=torch.int64)
            made.index_add_(0, rows, table[flat])
            made[start:end] /= counts.clamp(min=1)[:, None].to(table.dtype)
        return made

    def key(self, table: torch.Tensor, vocabulary: int, settings: Any) -> str:
        """What a stored matrix depends on: both tokenizers, the table's values, settings."""
        values = table.detach().cpu().contiguous().float().numpy().tobytes()
        return files.digest_of(
            {
                "version": 1, "student": self.student.digest, "encoder": self.encoder.digest,
                "table": hashlib.sha256(values).hexdigest(), "vocabulary": vocabulary,
                "settings": files.digest_of(settings),
            }
        )  # fmt: skip


def stored_matrix(
    folder: Path, aligner: Aligner, table: torch.Tensor, vocabulary: int, settings: Any
) -> torch.Tensor:
    """M from `folder`, made and written there when it is not, under a key of all it depends on."""
    if aligner.shared:
        return aligner.matrix(table, vocabulary)
    # Made on the processor, whatever the device of the table: the same bytes everywhere.
    path = folder / f"matrix-{aligner.key(table, vocabulary, settings)[:32]}.safetensors"
    if not path.exists():
        made = aligner.matrix(table.detach().cpu(), vocabulary)
        with files.replacing(path) as partial:
            save_file({"matrix": made.contiguous()}, partial)
    return load_file(path)["matrix"].to(table.device)
