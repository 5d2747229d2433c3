"""L_s, the structural loss: cosine distance between embeddings of generated and reference code.

Decoding the answer to text and embedding that text has no gradient, and a loss without one
changes nothing. So the generated code reaches the frozen encoder as a mixture of the encoder's
own token embeddings, and the gradient flows through the mixture into the model:

    p_t   softmax(logits_t / temperature) over the code's places t, the top k renormalised
    q_t   soft: p_t        straight-through: onehot(argmax p_t) + p_t - stopgrad(p_t)
    e_t   E[y_t] + ( sum_v q_t(v) E[v] - E[y_t] )     y_t is the reference's token
    L_s   1 - cos( pool(enc(e)) - mu, pool(enc(E[y])) - mu )

The formula is anchored at the reference: where q is one-hot at y, L_s is 0 exactly and the
encoder sees its true input. Model and encoder share a tokenizer here, so E is the encoder's
embedding table; with CodeBERT it is the mean of its pieces' embeddings.

`placebo` is the control arm: decoded text, and a gradient of exactly 0.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import torch
from torch.nn import functional

from training.code_encoder import CodeEncoder


class Form(enum.Enum):
    """How the model's choice at each place becomes an embedding."""

    STRAIGHT_THROUGH = "straight-through"
    SOFT = "soft"
    PLACEBO = "placebo"
    NONE = "none"


@dataclass(frozen=True)
class StructuralLoss:
    """L_s with its settings; call it with logits and reference tokens.

    Attributes:
        encoder: frozen; its embedding table has a row for each of the model's tokens.
        form: how choices become embeddings.
        top_k: tokens that take part in the soft choice; 0 takes all.
        temperature: of the soft choice.
    """

    encoder: CodeEncoder
    form: Form = Form.STRAIGHT_THROUGH
    top_k: int = 64
    temperature: float = 1.0

    def __call__(
        self, logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """The loss of each program, shape ``(rows,)``.

        Args:
            logits: float32, shape ``(rows, length, vocabulary)``; those that predict `targets`.
            targets: int64, shape ``(rows, length)``: the tokens of the reference code.
            mask: bool, shape ``(rows, length)``: False where a shorter program is padded.
        """
        if self.form is Form.PLACEBO:
            with torch.no_grad():
                return self._distance(self._literal(logits.argmax(-1)), targets, mask)
        anchor = self._literal(targets)
        choice = self._mixture(logits)
        return self._distance(anchor + (choice - anchor), targets, mask)

    def choices(
        self, choice: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """The loss for given distributions `choice`, shape ``(rows, length, vocabulary)``."""
        anchor = self._literal(targets)
        return self._distance(anchor + (choice @ self.encoder.table - anchor), targets, mask)

    def _literal(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.encoder.table[tokens]

    def _mixture(self, logits: torch.Tensor) -> torch.Tensor:
        """sum_v q_t(v) E[v]; only the top k rows are looked up."""
        k = self.top_k or logits.shape[-1]
        values, tokens = torch.topk(logits / self.temperature, min(k, logits.shape[-1]), dim=-1)
        shares = torch.softmax(values, dim=-1)
        if self.form is Form.STRAIGHT_THROUGH:
            # The value is the most likely token's embedding, the gradient that of the mixture.
            chosen = functional.one_hot(values.argmax(-1), shares.shape[-1]).to(shares.dtype)
            shares = chosen + (shares - shares.detach())
        return torch.einsum("rlk,rlkd->rld", shares, self._literal(tokens))

    def _distance(
        self, embeddings: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        with torch.no_grad():
            reference = self.encoder(self._literal(targets), mask)
        generated = self.encoder(embeddings, mask)
        return 1.0 - functional.cosine_similarity(
            generated - self.encoder.mean, reference - self.encoder.mean, dim=-1
        )
