"""The code encoder: a small bidirectional transformer that turns a program into one vector.

It stands where the paper has CodeBERT, which can not be had offline: pretrained (stage
`encoder`), then frozen. It takes embeddings, not tokens, so that the structural loss can give it
mixtures. Pooled over the places of the program, in float32.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional


class CodeEncoder(nn.Module):
    """Programs to vectors.

    Args:
        vocabulary: tokens of the tokenizer that it shares with the model.
        width: of embeddings and vectors.
        layers: of self-attention and feed-forward.
        heads: of attention.
        max_tokens: longest program.
    """

    mean: torch.Tensor
    """Mean vector over many programs: vectors are compared as differences from it."""

    def __init__(
        self, vocabulary: int, width: int, layers: int, heads: int, max_tokens: int
    ) -> None:
        super().__init__()
        self.shape = {
            "vocabulary": vocabulary, "width": width, "layers": layers, "heads": heads,
            "max_tokens": max_tokens,
        }  # fmt: skip
        self.max_tokens = max_tokens
        self.table = nn.Parameter(torch.randn(vocabulary, width) * 0.5)
        self.places = nn.Parameter(torch.randn(max_tokens, width) * 0.1)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a program.

        Args:
            embeddings: float32, shape ``(rows, length, width)``.
            mask: bool, shape ``(rows, length)``; False is padding.

        Returns:
            Shape ``(rows, width)``.
        """
        state = embeddings + self.places[: embeddings.shape[1]]
        for layer in self.layers:
            state = layer(state, mask)
        kept = self.norm(state) * mask.unsqueeze(-1)
        vectors: torch.Tensor = kept.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        return vectors

    def embed(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One vector a program that is given as tokens; its difference from the mean."""
        vectors: torch.Tensor = self(self.table[tokens], mask)
        return vectors - self.mean


class _Layer(nn.Module):
    """Self-attention, then feed-forward, each on normed input and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)

    def forward(self, state: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        rows, length, width = state.shape
        mixed = self.mix(self.norm1(state)).view(rows, length, 3, self.heads, -1)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        scores = scores.masked_fill(~mask[:, None, None, :], -1e9)
        heard = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(rows, length, width)
        state = state + self.out(heard)
        changed: torch.Tensor = state + self.down(functional.gelu(self.up(self.norm2(state))))
        return changed


def pad(programs: list[list[int]], max_tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and mask of some programs, right-padded; longer ones are cut at `max_tokens`."""
    length = min(max(map(len, programs)), max_tokens)
    tokens = torch.zeros((len(programs), length), dtype=torch.int64)
    mask = torch.zeros((len(programs), length), dtype=torch.bool)
    for row, program in enumerate(programs):
        cut = program[:length]
        tokens[row, : len(cut)] = torch.tensor(cut)
        mask[row, : len(cut)] = True
    return tokens, mask


def load_frozen(folder: Path) -> CodeEncoder:
    """The encoder that the stage wrote; nothing in it takes a gradient."""
    encoder = CodeEncoder(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
    encoder.load_state_dict(load_file(folder / "model.safetensors"))
    return encoder.eval().requires_grad_(False)
