"""Fine-tuning: both losses reach the adapter, the placebo's does not, and the weights add up."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from training import batches, code_encoder, contexts, model
from training.adapter import BothLosses, code_places, with_adapter
from training.losses.structural import Form, StructuralLoss
from training.recipes import find

SETTINGS = find("nano").settings.adapter


@pytest.fixture(scope="module")
def batch(nano, some_problems, writer):
    known = dict(contexts.read(nano / "contexts.jsonl"))
    documents = [writer.reasoning(p, known[p.id]) for p in some_problems[:6]]
    return batches.collate(documents, prompt_weight=0.0)


def _losses(nano, form: Form, steps: int = 3, **changes) -> tuple[torch.nn.Module, BothLosses]:
    tuned = with_adapter(model.load(nano / "base"), SETTINGS, seed=1)
    torch.manual_seed(2)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:  # at its start B is zero and A has no gradient
            torch.nn.init.normal_(parameter, std=0.02)
    structural = StructuralLoss(code_encoder.load_frozen(nano / "encoder"), form)
    settings = dataclasses.replace(SETTINGS, curriculum_warmup=0.0, **changes)
    return tuned, BothLosses(tuned, structural, settings, steps)


def _gradients(tuned) -> dict[str, torch.Tensor]:
    return {n: p.grad.clone() for n, p in tuned.named_parameters() if p.grad is not None}


def test_the_structural_loss_reaches_every_part_of_the_adapter(nano, batch):
    tuned, both = _losses(nano, Form.STRAIGHT_THROUGH)
    hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
    loss, _ = both._structure(hidden, batch)
    loss.backward()
    gradients = _gradients(tuned)
    assert gradients
    assert all("lora_" in name for name in gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients.values())


def test_the_structural_loss_is_that_of_the_places_that_predict_the_code(nano, batch):
    tuned, both = _losses(nano, Form.STRAIGHT_THROUGH)
    llama = tuned.get_base_model()
    with torch.no_grad():
        hidden = model.hidden_states(llama.model, batch.tokens[:, :-1])
        logits = model.head(llama.lm_head.weight, hidden)
        found, _ = both._structure(hidden, batch)
        alone = [
            both._structural(
                logits[row : row + 1, start - 1 : end - 1],
                batch.tokens[row : row + 1, start:end],
                torch.ones(1, end - start, dtype=torch.bool),
            )
            for row, (start, end) in enumerate(batch.code)
        ]
    assert found.item() == pytest.approx(torch.cat(alone).mean().item(), rel=1e-3)


def test_a_step_along_the_structural_loss_lowers_it(nano, batch):
    tuned, both = _losses(nano, Form.SOFT)
    optimizer = torch.optim.SGD([p for p in tuned.parameters() if p.requires_grad], lr=1.0)

    def loss():
        hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
        return both._structure(hidden, batch)[0]

    first = loss()
    first.backward()
    optimizer.step()
    assert loss().item() < first.item()


def _step_gradients(nano, batch, form, **changes):
    tuned, both = _losses(nano, form, **changes)
    loss, values = both(batch, 2)
    loss.backward()
    return _gradients(tuned), values


def test_the_placebo_changes_the_number_and_not_the_gradient(nano, batch):
    placebo, values = _step_gradients(nano, batch, Form.PLACEBO, alpha_end=0.5)
    real, _ = _step_gradients(nano, batch, Form.STRAIGHT_THROUGH, alpha_end=0.5)
    tuned, both = _losses(nano, Form.NONE)
    hidden = model.hidden_states(tuned.get_base_model().model, batch.tokens[:, :-1])
    (0.5 * both._token(hidden, batch)).backward()
    token_alone = _gradients(tuned)
    assert values["structural_loss"] > 0
    assert values["gradient_structural"] == 0.0
    assert all(torch.equal(placebo[name], token_alone[name]) for name in token_alone)
    assert not all(torch.equal(real[name], token_alone[name]) for name in token_alone)


def test_the_loss_is_the_weighted_sum_that_is_logged(nano, batch):
    _, values = _step_gradients(nano, batch, Form.STRAIGHT_THROUGH, alpha_end=0.3)
    assert (values["alpha"], values["beta"]) == pytest.approx((0.3, 0.7))
    parts = 0.3 * values["token_loss"] + 0.7 * values["scale"] * values["structural_loss"]
    assert values["loss"] == pytest.approx(parts, rel=1e-5)


def test_the_scale_holds_the_gradients_in_the_ratio_that_was_asked(nano, batch):
    _, both = _losses(nano, Form.STRAIGHT_THROUGH, beta_ratio=0.2)
    both(batch, 0)
    now = both.measured.now
    assert now["scale"] * now["gradient_structural"] == pytest.approx(0.2 * now["gradient_token"])


def test_code_places_are_the_code(batch):
    rows, places, mask = code_places(batch, max_tokens=1000)
    for row, span in enumerate(batch.code):
        assert places[row][mask[row]].tolist() == list(range(*span))
    assert torch.equal(rows[:, 0], torch.arange(len(batch.code)))
    _, _, cut = code_places(batch, max_tokens=5)
    assert cut.shape[1] == 5
