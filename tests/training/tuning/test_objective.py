"""Both losses reach the adapter, the placebo's does not, and the weights add up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.training.losses.support import save_encoder
from tests.training.tuning.support import NANO, STAGE, awaken, gradients, with_
from training import contexts, model
from training.losses.build import build
from training.losses.structural import Arm
from training.stages import Job
from training.tuning import batch as batches
from training.tuning.lora import with_adapter
from training.tuning.machine import Machine
from training.tuning.objective import Objective, Totals

MODEL_ARMS = [
    Arm.SOFT, Arm.STRAIGHT_THROUGH, Arm.UNANCHORED, Arm.POLICY_GRADIENT, Arm.PROJECTION,
    Arm.STUDENT_ENCODER,
]  # fmt: skip


@pytest.fixture(scope="module")
def documents(nano, some_problems, writer):
    known = dict(contexts.read(nano / "contexts.jsonl"))
    return [writer.reasoning(p, known[p.id]) for p in some_problems[:6]]


@pytest.fixture(scope="module")
def batch(documents):
    return batches.make(documents, prompt_weight=0.0, packed=False)


@pytest.fixture(scope="module")
def totals(documents):
    return Totals.of(documents, prompt_weight=0.0)


def _losses(nano: Path, arm: Arm, structural=None, **changes):
    tuned = with_adapter(model.load(nano / "base"), NANO.adapter, seed=1)
    awaken(tuned)
    settings = with_(
        NANO,
        structural={"arm": arm.value, **(structural or {})},
        curriculum={"warmup": 0.0, **changes},
    )
    made, aligner = build(Job(STAGE, "nano", settings, nano, None, ""), tuned)
    machine = Machine(torch.device("cpu"))
    return tuned, made, Objective(tuned, made, aligner, settings, 3, machine)


def _structure(structural, both, batch, totals) -> torch.Tensor:
    return structural(both.losses(both.hidden(batch), batch, totals.weight)[1])


@pytest.mark.parametrize("arm", MODEL_ARMS)
def test_the_structural_loss_reaches_every_part_of_the_adapter(nano, batch, totals, arm):
    tuned, structural, both = _losses(nano, arm)
    _structure(structural, both, batch, totals).mean().backward()
    found = gradients(tuned)
    assert found
    assert all("lora_" in name for name in found)
    assert all(gradient.abs().max() > 0 for gradient in found.values())


@pytest.mark.parametrize("centring", ["none", "mean", "whitening"])
def test_an_encoder_with_another_tokenizer_does_too(nano, batch, totals, tmp_path, centring):
    """CodeBERT's architecture from a folder: other pieces, windows, the matrix between them."""
    folder = str(save_encoder(tmp_path))
    chosen = {"encoder": "codebert", "folder": folder, "centring": centring, "window": 20}
    tuned, structural, both = _losses(nano, Arm.STRAIGHT_THROUGH, structural=chosen)
    _, places = both.losses(both.hidden(batch), batch, totals.weight)
    assert max(len(reference.pieces) for reference in places.references) > 20
    assert any(len(r.pieces) != r.tokens for r in places.references)
    structural(places).mean().backward()
    found = gradients(tuned)
    assert found
    assert all(gradient.abs().max() > 0 for gradient in found.values())
    assert list((nano / "alignment").glob("matrix-*.safetensors"))


def test_the_structural_loss_is_that_of_the_places_that_predict_the_code(nano, documents, totals):
    _, structural, both = _losses(nano, Arm.STRAIGHT_THROUGH)
    with torch.no_grad():
        together = batches.make(documents, 0.0, packed=False)
        found = _structure(structural, both, together, totals)
        alone = [
            _structure(structural, both, batches.make([one], 0.0, packed=False), totals)
            for one in documents
        ]
    assert found.tolist() == pytest.approx(torch.cat(alone).tolist(), rel=2e-2)


@pytest.mark.parametrize("arm", [Arm.SOFT, Arm.PROJECTION])
def test_a_step_along_the_structural_loss_lowers_it(nano, batch, totals, arm):
    tuned, structural, both = _losses(nano, arm)
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=0.5)
    first = _structure(structural, both, batch, totals).mean()
    first.backward()
    optimizer.step()
    assert _structure(structural, both, batch, totals).mean().item() < first.item()


def _step_gradients(nano, batch, totals, arm, number=2, **changes):
    tuned, _, both = _losses(nano, arm, **changes)
    values = both.backward(number, [(batch, True)], totals)
    return gradients(tuned), values


def test_the_placebo_changes_the_number_and_not_the_gradient(nano, batch, totals):
    placebo, values = _step_gradients(nano, batch, totals, Arm.PLACEBO, alpha_end=0.5)
    real, _ = _step_gradients(nano, batch, totals, Arm.STRAIGHT_THROUGH, alpha_end=0.5)
    tuned, _, both = _losses(nano, Arm.OFF)
    (0.5 * both.losses(both.hidden(batch), batch, totals.weight)[0]).backward()
    token_alone = gradients(tuned)
    assert values["structural_loss"] > 0
    assert values["gradient_structural"] == values["gradient_ratio"] == 0.0
    assert all(torch.equal(placebo[name], token_alone[name]) for name in token_alone)
    assert not all(torch.equal(real[name], token_alone[name]) for name in token_alone)


def test_the_loss_is_the_weighted_sum_that_is_logged(nano, batch, totals):
    _, values = _step_gradients(nano, batch, totals, Arm.STRAIGHT_THROUGH, alpha_end=0.3)
    assert (values["alpha"], values["beta"]) == pytest.approx((0.3, 0.7))
    parts = 0.3 * values["token_loss"] + 0.7 * values["scale"] * values["structural_loss"]
    assert values["loss"] == pytest.approx(parts, rel=1e-5)
    ratio = values["gradient_structural"] / values["gradient_token"]
    assert values["gradient_ratio"] == pytest.approx(ratio)


def test_the_scale_of_a_step_holds_the_ratio_that_the_step_before_it_measured(nano, batch, totals):
    _, _, both = _losses(nano, Arm.STRAIGHT_THROUGH, beta_ratio=0.2, measure_every=1)
    before = both.backward(0, [(batch, True)], totals)
    after = both.backward(1, [(batch, True)], totals)
    assert before["scale"] == 1.0
    held = after["scale"] * before["gradient_structural"]
    assert held == pytest.approx(0.2 * before["gradient_token"])


def test_the_arm_off_needs_no_encoder(nano, batch, totals, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes((nano / "tokenizer.json").read_bytes())
    tuned = with_adapter(model.load(nano / "base"), NANO.adapter, seed=1)
    settings = with_(NANO, structural={"arm": "off", "encoder": "codebert"})
    made, aligner = build(Job(STAGE, "nano", settings, tmp_path, None, ""), tuned)
    both = Objective(tuned, made, aligner, settings, 3, Machine(torch.device("cpu")))
    values = both.backward(2, [(batch, True)], totals)
    assert (values["alpha"], values["beta"], values["structural_loss"]) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("packed", [False, True])
def test_the_places_of_the_code_predict_it(documents, packed):
    batch = batches.make(documents, 0.0, packed)
    of_code = [document.tokens[slice(*document.code)].tolist() for document in documents]
    assert batch.programs == of_code
    assert [batch.targets[row, start:end].tolist() for row, start, end in batch.code] == of_code
    assert batch.targets[batch.emit].tolist() == [token for program in of_code for token in program]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("prompt_weight", [0.0, 0.25])
def test_the_weight_of_a_step_is_that_of_its_documents(documents, packed, prompt_weight):
    mixed = [*documents, dataclasses.replace(documents[0], given=0, code=None)]
    batch = batches.make(mixed, prompt_weight, packed)
    totals = Totals.of(mixed, prompt_weight)
    assert batch.weights.sum().item() == pytest.approx(totals.weight)
    assert totals.programs == len(documents)
