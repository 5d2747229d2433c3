"""Fine-tuning: both losses reach the adapter, the placebo's does not, and the weights add up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.training.losses.support import save_encoder
from training import batches, contexts, model
from training.adapter import BothLosses, code_places, with_adapter
from training.chain import CHAIN
from training.losses.build import build
from training.losses.structural import Arm
from training.recipes import find
from training.stages import Job

SETTINGS = find("nano").settings
STAGE = next(stage for stage in CHAIN if stage.name == "adapter")
MODEL_ARMS = [
    Arm.SOFT, Arm.STRAIGHT_THROUGH, Arm.UNANCHORED, Arm.POLICY_GRADIENT, Arm.PROJECTION,
    Arm.STUDENT_ENCODER,
]  # fmt: skip


@pytest.fixture(scope="module")
def batch(nano, some_problems, writer):
    known = dict(contexts.read(nano / "contexts.jsonl"))
    documents = [writer.reasoning(p, known[p.id]) for p in some_problems[:6]]
    return batches.collate(documents, prompt_weight=0.0)


def _losses(nano: Path, arm: Arm, steps: int = 3, structural=None, **changes):
    tuned = with_adapter(model.load(nano / "base"), SETTINGS.adapter, seed=1)
    torch.manual_seed(2)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:  # at its start B is zero and A has no gradient
            torch.nn.init.normal_(parameter, std=0.02)
    settings = dataclasses.replace(
        SETTINGS,
        structural=dataclasses.replace(SETTINGS.structural, arm=arm.value, **(structural or {})),
        curriculum=dataclasses.replace(SETTINGS.curriculum, warmup=0.0, **changes),
    )
    made, aligner = build(Job(STAGE, "nano", settings, nano, None, ""), tuned)
    return tuned, made, BothLosses(tuned, made, aligner, settings, steps)


def _gradients(tuned) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in tuned.named_parameters() if p.grad is not None}


def _structure(tuned, structural, both, batch) -> torch.Tensor:
    hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
    return structural(both.losses(hidden, batch)[1])


@pytest.mark.parametrize("arm", MODEL_ARMS)
def test_the_structural_loss_reaches_every_part_of_the_adapter(nano, batch, arm):
    tuned, structural, both = _losses(nano, arm)
    _structure(tuned, structural, both, batch).mean().backward()
    gradients = _gradients(tuned)
    assert gradients
    assert all("lora_" in name for name in gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())


@pytest.mark.parametrize("centring", ["none", "mean", "whitening"])
def test_an_encoder_with_another_tokenizer_does_too(nano, batch, tmp_path, centring):
    """CodeBERT's architecture from a folder: other pieces, windows, the matrix between them."""
    folder = str(save_encoder(tmp_path))
    chosen = {"encoder": "codebert", "folder": folder, "centring": centring, "window": 20}
    tuned, structural, both = _losses(nano, Arm.STRAIGHT_THROUGH, structural=chosen)
    hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
    _, places = both.losses(hidden, batch)
    assert max(len(reference.pieces) for reference in places.references) > 20
    assert any(len(r.pieces) != r.tokens for r in places.references)
    structural(places).mean().backward()
    gradients = _gradients(tuned)
    assert gradients
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())
    assert list((nano / "alignment").glob("matrix-*.safetensors"))


def test_the_structural_loss_is_that_of_the_places_that_predict_the_code(nano, batch):
    tuned, structural, both = _losses(nano, Arm.STRAIGHT_THROUGH)
    with torch.no_grad():
        found = _structure(tuned, structural, both, batch)
        alone = [
            _structure(
                tuned, structural, both,
                batches.Batch(batch.tokens[row : row + 1], batch.weights[row : row + 1], [span]),
            )
            for row, span in enumerate(batch.code)
        ]  # fmt: skip
    assert found.tolist() == pytest.approx(torch.cat(alone).tolist(), rel=2e-2)


@pytest.mark.parametrize("arm", [Arm.SOFT, Arm.PROJECTION])
def test_a_step_along_the_structural_loss_lowers_it(nano, batch, arm):
    tuned, structural, both = _losses(nano, arm)
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=0.5)
    first = _structure(tuned, structural, both, batch).mean()
    first.backward()
    optimizer.step()
    assert _structure(tuned, structural, both, batch).mean().item() < first.item()


def _step_gradients(nano, batch, arm, number=2, **changes):
    tuned, _, both = _losses(nano, arm, **changes)
    values = both.backward(batch, number)
    return _gradients(tuned), values


def test_the_placebo_changes_the_number_and_not_the_gradient(nano, batch):
    placebo, values = _step_gradients(nano, batch, Arm.PLACEBO, alpha_end=0.5)
    real, _ = _step_gradients(nano, batch, Arm.STRAIGHT_THROUGH, alpha_end=0.5)
    tuned, _, both = _losses(nano, Arm.OFF)
    hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
    (0.5 * both.losses(hidden, batch)[0]).backward()
    token_alone = _gradients(tuned)
    assert values["structural_loss"] > 0
    assert values["gradient_structural"] == values["gradient_ratio"] == 0.0
    assert all(torch.equal(placebo[name], token_alone[name]) for name in token_alone)
    assert not all(torch.equal(real[name], token_alone[name]) for name in token_alone)


def test_the_loss_is_the_weighted_sum_that_is_logged(nano, batch):
    _, values = _step_gradients(nano, batch, Arm.STRAIGHT_THROUGH, alpha_end=0.3)
    assert (values["alpha"], values["beta"]) == pytest.approx((0.3, 0.7))
    parts = 0.3 * values["token_loss"] + 0.7 * values["scale"] * values["structural_loss"]
    assert values["loss"] == pytest.approx(parts, rel=1e-5)
    ratio = values["gradient_structural"] / values["gradient_token"]
    assert values["gradient_ratio"] == pytest.approx(ratio)


def test_the_scale_of_a_step_holds_the_ratio_that_the_step_before_it_measured(nano, batch):
    _, _, both = _losses(nano, Arm.STRAIGHT_THROUGH, beta_ratio=0.2, measure_every=1)
    before = both.backward(batch, 0)
    after = both.backward(batch, 1)
    assert before["scale"] == 1.0
    held = after["scale"] * before["gradient_structural"]
    assert held == pytest.approx(0.2 * before["gradient_token"])


def test_code_places_predict_the_code(batch):
    places = code_places(batch)
    for row, (start, end) in enumerate(batch.code):
        assert places[row].nonzero().squeeze(1).tolist() == list(range(start - 1, end - 1))
