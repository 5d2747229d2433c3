"""Synthetic examples with the paper's lengths: prompt, reasoning, code; 1,300 tokens on average."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROMPT, REASONING, CODE = 500, 450, 350
"""Mean tokens of the parts. The real ones are known when a teacher has written them."""
PIECES_A_TOKEN = 1.68
"""CodeBERT's pieces for one Llama token of Python, measured on the standard library."""


@dataclass(frozen=True)
class Row:
    """One example.

    Attributes:
        tokens: random ones; what a step costs does not depend on them.
        given: how many at the start are the prompt: their loss does not count.
        code: where the code is, as (start, end).
    """

    tokens: list[int]
    given: int
    code: tuple[int, int]

    @property
    def counted(self) -> int:
        """Tokens whose loss counts."""
        return len(self.tokens) - self.given


def rows(count: int, vocabulary: int, scale: float = 1.0, seed: int = 0) -> list[Row]:
    """The first examples of an endless row that depends on the seed alone.

    Args:
        count: how many.
        vocabulary: of the model.
        scale: of the lengths; below 1 for tests.
        seed: of lengths and tokens.
    """
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        sizes = [
            max(2, round(mean * scale * rng.uniform(0.6, 1.4)))
            for mean in (PROMPT, REASONING, CODE)
        ]
        before = sizes[0] + sizes[1]
        # The fence, its line break and the end token follow the code.
        total = before + sizes[2] + 3
        tokens = [rng.randrange(vocabulary) for _ in range(total)]
        made.append(Row(tokens, sizes[0], (before, before + sizes[2])))
    return made


def pieces_of(row: Row) -> int:
    """How many of the encoder's pieces the row's code has."""
    start, end = row.code
    return round((end - start) * PIECES_A_TOKEN)
