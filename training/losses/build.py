"""L_s as the settings of a run ask for it: encoder, matrix, centring, head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import peft
import torch
from torch import nn

from training import code_encoder, problems, student
from training.losses.alignment import Aligner, ByteTokenizer, Reference, stored_matrix
from training.losses.encoders import Encoder, OwnEncoder, StudentEncoder, roberta
from training.losses.pooling import Center, Centring, Pooling, fit
from training.losses.projection import Projection
from training.losses.structural import Arm, StructuralLoss, named
from training.settings import Structural
from training.stages import Job

_ROWS = 32
"""Programs whose vectors are made together."""


def build(
    job: Job, tuned: peft.PeftModel, device: torch.device | str = "cpu"
) -> tuple[StructuralLoss, Aligner]:
    """L_s of a run, and the aligner that makes its references.

    Args:
        job: the stage; its folder has the student's tokenizer, `problems.jsonl`, and `encoder/`
            where the project's own encoder compares.
        tuned: the model with its adapter, on its device.
        device: that one.

    Raises:
        UsageProblem: a setting names something that is not there.
        TrainingProblem: the encoder can not be had, or a tokenizer can not be aligned.
    """
    settings = job.settings.structural
    arm = named(Arm, settings.arm, "structural.arm")
    cuts = ByteTokenizer(student.tokenizer(job))
    if arm is Arm.OFF:
        return _nothing(device), Aligner(cuts, cuts)
    encoder, pieces = _encoder(job, tuned, arm, cuts)
    if isinstance(encoder, nn.Module):  # else it is a part of the model
        encoder.to(device)
    aligner = Aligner(cuts, pieces)
    base: Any = tuned.get_base_model()
    vocabulary = len(base.lm_head.weight)
    key = {"encoder": settings.encoder, "revision": settings.revision}
    matrix = stored_matrix(job.path("alignment"), aligner, encoder.table, vocabulary, key)
    loss = StructuralLoss(
        encoder, matrix, arm, settings.temperature, window=settings.window,
        projection=_projection(tuned, encoder, job.settings.seed, arm, device),
    )  # fmt: skip
    return replace(loss, centring=_centring(job, settings, loss, aligner)), aligner


def _nothing(device: torch.device | str) -> StructuralLoss:
    """L_s of the arm `off`, which is 0 and looks at no encoder; so none is loaded."""
    return StructuralLoss(cast(Encoder, None), torch.zeros((1, 1), device=device), Arm.OFF)


def _encoder(
    job: Job, tuned: peft.PeftModel, arm: Arm, cuts: ByteTokenizer
) -> tuple[Encoder, ByteTokenizer]:
    settings = job.settings.structural
    pooling = named(Pooling, settings.pooling, "structural.pooling")
    if arm is Arm.STUDENT_ENCODER:
        return StudentEncoder(tuned, settings.layer), cuts
    if settings.encoder == "own":
        return OwnEncoder(code_encoder.load_frozen(job.path("encoder")), pooling), cuts
    return roberta(
        settings.encoder, settings.folder, settings.revision, pooling, settings.layer,
        job.settings.seed,
    )  # fmt: skip


def _projection(
    tuned: peft.PeftModel, encoder: Encoder, seed: int, arm: Arm, device: torch.device | str
) -> Projection | None:
    if arm is not Arm.PROJECTION:
        return None
    torch.manual_seed(seed)
    base: Any = tuned.get_base_model()
    return Projection(base.config.hidden_size, encoder.table.shape[1]).to(device)


def _centring(job: Job, settings: Structural, loss: StructuralLoss, aligner: Aligner) -> Centring:
    """Fitted on the first training programs; the own encoder brings its mean with it."""
    kind = named(Center, settings.centring, "structural.centring")
    if kind is Center.NONE:
        return Centring()
    if kind is Center.MEAN and isinstance(loss.encoder, OwnEncoder):
        return Centring(loss.encoder.encoder.mean)
    train = problems.read(job.path("problems.jsonl"), "train")
    sources = islice((problem.code for problem in train), settings.centring_programs)
    references = (aligner.reference(aligner.student.encode(code.encode())) for code in sources)
    return fit(vectors(loss, references), kind)


@torch.no_grad()
def vectors(loss: StructuralLoss, references: Iterator[Reference]) -> torch.Tensor:
    """The encoder's vectors of many programs, not centred; shape ``(programs, width)``."""
    plain = replace(loss, centring=Centring())
    found = []
    while batch := list(islice(references, _ROWS)):
        found.append(plain.reference_vectors(batch))
    return torch.cat(found)
