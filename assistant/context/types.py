"""Pieces of context, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that is sent along."""

    name: str
    """The file's path in its project."""
    text: str = field(repr=False)
    why: str
    """Why it is sent: `imported here`, `open beside`, `named in the request`."""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Offer:
    """What might be sent, before anybody has counted."""

    name: str
    why: str
    texts: tuple[str, ...] = field(repr=False)
    """The same in several lengths, the fullest first; the first one that fits is sent."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file or part that is not sent."""

    name: str
    reason: str
    """`ignored by .gitignore`, `may hold secrets`, `no room`."""
    why: str = ""
    """Why it would have been sent."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is for a place or a request, the most important last; and what may not be read."""

    offers: tuple[Offer, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """What is sent beside the request, the most important last."""

    pieces: tuple[Piece, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    budget: int = 0
    """Tokens that the pieces may take."""
    counted_by: str = ""
    """Who counted: the model's own tokenizer, or an estimate."""

    @property
    def tokens(self) -> int:
        """What the pieces take."""
        return sum(piece.tokens for piece in self.pieces)
