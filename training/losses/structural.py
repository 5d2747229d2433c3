"""L_s, the structural loss: cosine distance between embeddings of generated and reference code.

Decoding the answer to text and embedding that text has no gradient, and a loss without one
changes nothing. So the generated code reaches the frozen encoder as a mixture of embeddings, and
the gradient flows through the mixture into the model:

    s_j   the encoder's pieces of the reference code        t = own(j): the token of piece j
    M[v]  how the encoder would embed student token v       y_t: the reference's token
    p_t   softmax(logits_t / temperature), the top k renormalised
    q_t   soft: p_t        straight-through: onehot(argmax p_t) + p_t - stopgrad(p_t)
    e_j   E[s_j] + ( sum_v q_t(v) M[v] - M[y_t] )
    L_s   1 - cos( c(pool(enc(e))), c(pool(enc(E[s]))) )      c centres

The formula is anchored at the reference: where q is one-hot at y, L_s is 0 exactly and the
encoder sees its true input. With a shared tokenizer own(j) = j and M = E.

`placebo` is the control arm: the literal reading, decoded text, and a gradient of exactly 0.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch.nn import functional

from assistant.errors import UsageProblem
from training.losses.alignment import Reference
from training.losses.encoders import Encoder
from training.losses.policy import Sampler, draw, score_function
from training.losses.pooling import Centring, distance
from training.losses.projection import Projection
from training.losses.windows import Windows, windows


class Arm(enum.Enum):
    """What L_s is, and how its gradient reaches the model."""

    OFF = "off"
    PLACEBO = "placebo"
    SOFT = "soft"
    STRAIGHT_THROUGH = "straight-through"
    UNANCHORED = "unanchored"
    POLICY_GRADIENT = "policy-gradient"
    PROJECTION = "projection"
    STUDENT_ENCODER = "student-encoder"


_Kind = TypeVar("_Kind", bound=enum.Enum)


def named(kind: type[_Kind], text: str, setting: str) -> _Kind:
    """The member of an enumeration that a setting names.

    Raises:
        UsageProblem: there is none; the message lists them.
    """
    try:
        return kind(text)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise UsageProblem(f"{setting}={text}: there is no such choice; known: {known}") from None


@dataclass(frozen=True)
class Places:
    """What L_s sees of a batch: the places that predict code, program after program.

    Attributes:
        values: the highest logits, falling; shape ``(places, k)``.
        tokens: whose they are, int64, shape ``(places, k)``.
        targets: the reference's tokens, int64, shape ``(places,)``.
        references: the programs, whose tokens add up to the places.
        ends: the state at the end of each program's reasoning, shape ``(programs, width)``; only
            the arm `projection` needs it.
    """

    values: torch.Tensor
    tokens: torch.Tensor
    targets: torch.Tensor
    references: Sequence[Reference]
    ends: torch.Tensor | None = None

    def share_wrong(self) -> float:
        """Share of programs with a token whose reference is not the most likely one.

        The others have no straight-through gradient.
        """
        wrong = self.tokens[:, 0] != self.targets
        parts = torch.split(wrong, [reference.tokens for reference in self.references])
        return sum(bool(part.any()) for part in parts) / len(parts)


@dataclass(frozen=True)
class StructuralLoss:
    """L_s with its settings; call it with the places of a batch.

    Attributes:
        encoder: frozen.
        matrix: M, shape ``(vocabulary, width)``.
        arm: which L_s.
        temperature: of the soft choice.
        centring: c.
        window: largest number of pieces that the encoder sees at once; 0 is as many as it can.
        sampler: draws tokens for the policy gradient.
        projection: head of the arm `projection`; its weights are trained.
    """

    encoder: Encoder
    matrix: torch.Tensor
    arm: Arm = Arm.STRAIGHT_THROUGH
    temperature: float = 1.0
    centring: Centring = field(default_factory=Centring)
    window: int = 0
    sampler: Sampler = draw
    projection: Projection | None = None

    def __call__(self, places: Places) -> torch.Tensor:
        """The loss of each program, shape ``(programs,)``."""
        if self.arm is Arm.OFF:
            return self.matrix.new_zeros(len(places.references))
        if self.arm is Arm.PLACEBO:
            return self._literal(places, places.tokens[:, 0])
        if self.arm is Arm.PROJECTION:
            return self._projected(places)
        if self.arm is Arm.POLICY_GRADIENT:
            return self._drawn(places)
        if self.arm is Arm.UNANCHORED:
            return self._unanchored(places)
        return self._anchored(places, self._mixture(places))

    def _mixture(self, places: Places) -> torch.Tensor:
        """sum_v q_t(v) M[v], shape ``(places, width)``; only the top k rows are looked up."""
        shares = self._logs(places).exp()
        if self.arm is not Arm.SOFT:
            # The value is the most likely token's embedding, the gradient that of the mixture.
            first = torch.zeros_like(shares[0])
            first[0] = 1.0
            shares = first + (shares - shares.detach())
        return torch.einsum("nk,nkd->nd", shares, self.matrix[places.tokens].to(shares.dtype))

    def _logs(self, places: Places) -> torch.Tensor:
        """log p_t of the top k, in float32 or better; shape ``(places, k)``."""
        exact = places.values.to(torch.promote_types(places.values.dtype, torch.float32))
        return torch.log_softmax(exact / self.temperature, dim=-1)

    def _anchored(self, places: Places, chosen: torch.Tensor) -> torch.Tensor:
        """Distance of the reference with `chosen`, ``(places, width)``, in its tokens' stead."""
        cut = windows(places.references, self._limit(), chosen)
        moved = chosen - self.matrix[places.targets].to(chosen.dtype)  # (places, width)
        literal = self.encoder.table[cut.pieces].to(chosen.dtype)  # (windows, length, width)
        with torch.no_grad():
            reference = self._vectors(literal, cut)
        # A lookup whose backward adds in a fixed order, unlike that of an index.
        generated = self._vectors(literal + functional.embedding(cut.own, moved), cut)
        return distance(generated, reference)

    def _unanchored(self, places: Places) -> torch.Tensor:
        """The mixtures alone, at the student's places; not 0 at the reference."""
        chosen = self._mixture(places)
        cut = windows(places.references, self._limit(), chosen, literal=True)
        generated = self._vectors(functional.embedding(cut.own, chosen), cut)
        return distance(generated, self.reference_vectors(places.references))

    def _projected(self, places: Places) -> torch.Tensor:
        if self.projection is None or places.ends is None:
            raise UsageProblem("the arm projection needs a head and the states that it projects")
        vectors = self.projection(places.ends)
        return distance(vectors, self.reference_vectors(places.references))

    @torch.no_grad()
    def _literal(self, places: Places, tokens: torch.Tensor) -> torch.Tensor:
        """Distance of given tokens, shape ``(places,)``; no gradient."""
        return self._anchored(places, self.matrix[tokens].to(self._logs(places).dtype))

    def _drawn(self, places: Places) -> torch.Tensor:
        logs = self._logs(places)
        columns = self.sampler(logs.detach())[:, None]  # (places, 1)
        of_draw = logs.gather(1, columns).squeeze(1)
        sizes = [reference.tokens for reference in places.references]
        summed = torch.stack([part.sum() for part in torch.split(of_draw, sizes)])
        distances = self._literal(places, places.tokens.gather(1, columns).squeeze(1))
        return score_function(summed, distances, self._literal(places, places.tokens[:, 0]))

    @torch.no_grad()
    def reference_vectors(self, references: Sequence[Reference]) -> torch.Tensor:
        """Centred vectors of programs as they are, shape ``(programs, width)``; no gradient."""
        cut = windows(references, self._limit(), self.encoder.table)
        return self._vectors(self.encoder.table[cut.pieces], cut)

    def _vectors(self, embeddings: torch.Tensor, cut: Windows) -> torch.Tensor:
        """Centred vectors of the programs, shape ``(programs, width)``."""
        vectors = self.encoder(embeddings, cut.mask)
        return self.centring(cut.shares.to(vectors.dtype) @ vectors)

    def _limit(self) -> int:
        return min(self.window or self.encoder.max_pieces, self.encoder.max_pieces)
