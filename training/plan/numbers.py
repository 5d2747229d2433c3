"""A number with its formula, and how sizes are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """One number about a run before it starts."""

    what: str
    value: str
    formula: str


def size(count: float) -> str:
    """Bytes for people: `2 kB`, `640 MB`, `16.1 GB`."""
    if count >= 1e9:
        return f"{count / 1e9:,.1f} GB"
    return f"{count / 1e6:,.0f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} kB"


def scaled(count: float) -> str:
    """A large count for people: `83.9 million`, `7.5 billion`; small ones whole."""
    if count >= 1e9:
        return f"{count / 1e9:,.2f} billion"
    return f"{count / 1e6:,.1f} million" if count >= 1e6 else f"{count:,.0f}"
