"""L_s of whole programs: the cosine distance of an answer's code from the reference.

The run's own encoder, pooling, centring and windows; but of programs as they were written, where
the loss in training sees mixtures at the places of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import tokenizers
import torch

from training import code_encoder, problems
from training.losses.alignment import ByteTokenizer
from training.losses.encoders import Encoder, OwnEncoder, roberta
from training.losses.pooling import Center, Centring, Pooling, distance, fit
from training.losses.structural import named
from training.losses.windows import spans
from training.stages import Job


@torch.no_grad()
def distances(job: Job, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
    """The distance of each pair of generated and reference code; None without generated code."""
    torch.set_num_threads(job.settings.threads)
    encoder, tokens = _encoder(job)
    centring = _centring(job, encoder, tokens)
    known: dict[str, torch.Tensor] = {}

    def vector(code: str) -> torch.Tensor:
        if code not in known:
            known[code] = centring(_vector(encoder, tokens.encode(code.encode())))
        return known[code]

    return [
        distance(vector(code)[None], vector(reference)[None]).item() if code.strip() else None
        for code, reference in pairs
    ]


def _vector(encoder: Encoder, pieces: Sequence[int]) -> torch.Tensor:
    """One program's vector, shape ``(width,)``: the mean of its windows', by their pieces."""
    parts = []
    for start, end in spans(len(pieces), encoder.max_pieces):
        embedded = encoder.table[torch.tensor(pieces[start:end])][None]
        mask = torch.ones((1, end - start), dtype=torch.bool)
        parts.append(encoder(embedded, mask)[0] * ((end - start) / len(pieces)))
    return torch.stack(parts).sum(0)


def _encoder(job: Job) -> tuple[Encoder, ByteTokenizer]:
    settings = job.settings.structural
    pooling = named(Pooling, settings.pooling, "structural.pooling")
    if settings.encoder == "own":
        student = tokenizers.Tokenizer.from_file(str(job.path("tokenizer.json")))
        return OwnEncoder(code_encoder.load_frozen(job.path("encoder")), pooling), ByteTokenizer(
            student
        )
    return roberta(
        settings.encoder, settings.folder, settings.revision, pooling, settings.layer,
        job.settings.seed,
    )  # fmt: skip


def _centring(job: Job, encoder: Encoder, tokens: ByteTokenizer) -> Centring:
    settings = job.settings.structural
    kind = named(Center, settings.centring, "structural.centring")
    if kind is Center.NONE:
        return Centring()
    if kind is Center.MEAN and isinstance(encoder, OwnEncoder):
        return Centring(encoder.encoder.mean)
    train = problems.read(job.path("problems.jsonl"), "train")
    codes = islice((problem.code for problem in train), settings.centring_programs)
    return fit(torch.stack([_vector(encoder, tokens.encode(c.encode())) for c in codes]), kind)
