"""Documents packed into a row, or a step computed in parts, give what each alone gives."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.training.tuning.support import (
    apart,
    documents,
    gradients,
    objective,
    pretrained,
    step,
    with_,
)
from training.losses.structural import Arm
from training.tuning import attention, batch, tuned
from training.tuning.attention import Neighbours, attend
from training.tuning.objective import Totals

PROMPT = 0.25
LOSSES = ("loss", "token_loss", "structural_loss", "programs_with_gradient")


@pytest.fixture(scope="module")
def chosen(nano, writer):
    return documents(nano, writer, 6)


@pytest.fixture(scope="module")
def jobs(nano, tmp_path_factory):
    """A tiny student of each kind, on disk."""
    out = tmp_path_factory.mktemp("students")
    return {kind: pretrained(nano, out / kind, kind) for kind in ("llama", "qwen2")}


def _packed(chosen):
    return batch.make(chosen, PROMPT, packed=True)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_packed_is_separate(jobs, chosen, kind):
    model, made = objective(jobs[kind])
    totals = Totals.of(chosen, PROMPT)
    right, separate = step(model, made, [batch.make([d], PROMPT, False) for d in chosen], totals)
    values, together = step(model, made, [_packed(chosen)], totals)
    padded_values, padded = step(model, made, [batch.make(chosen, PROMPT, False)], totals)
    for name in LOSSES:
        assert values[name] == pytest.approx(right[name], rel=1e-5, abs=1e-7), name
        assert padded_values[name] == pytest.approx(right[name], rel=1e-5, abs=1e-7), name
    assert right["structural_loss"] > 0
    assert apart(separate, together) < 1e-5
    assert apart(separate, padded) < 1e-5


def _differs(jobs, chosen, spoiled) -> float:
    """How far the gradients are from those of the documents alone when the row is spoiled."""
    model, made = objective(jobs["llama"], Arm.OFF)
    totals = Totals.of(chosen, PROMPT)
    _, separate = step(model, made, [batch.make([d], PROMPT, False) for d in chosen], totals)
    _, together = step(model, made, [spoiled(_packed(chosen))], totals)
    return apart(separate, together)


def test_documents_that_see_their_neighbours_would_be_noticed(jobs, chosen):
    def one_document(row):
        return dataclasses.replace(row, neighbours=Neighbours.of([row.inputs.shape[1]]))

    assert _differs(jobs, chosen, one_document) > 1e-3


def test_positions_that_do_not_begin_anew_would_be_noticed(nano, tmp_path, chosen):
    """Shifted together they change nothing: rotary positions are relative. Scrambled they do."""
    job = pretrained(nano, tmp_path, "llama")

    def twice_as_far(row):
        return dataclasses.replace(row, positions=row.positions * 2)

    assert _differs({"llama": job}, chosen, twice_as_far) > 1e-3


def test_positions_begin_anew_with_each_document(chosen):
    row = _packed(chosen)
    lengths = [len(document.tokens) - 1 for document in chosen]
    starts = [position for position in row.positions[0].tolist() if position == 0]
    assert len(starts) == len(chosen)
    assert row.neighbours.lengths == tuple(lengths)
    assert row.neighbours.edges.tolist()[-1] == sum(lengths) == row.inputs.shape[1]
    assert row.positions.max().item() == max(lengths) - 1


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("arm", [Arm.STRAIGHT_THROUGH, Arm.PROJECTION])
def test_accumulated_is_one_batch(jobs, chosen, packed, arm):
    model, made = objective(jobs["llama"], arm)
    totals = Totals.of(chosen, PROMPT)
    right, whole = step(model, made, [batch.make(chosen, PROMPT, packed)], totals)
    # Of one, two and three documents: their weights differ.
    cut = [chosen[:1], chosen[1:3], chosen[3:]]
    parts = [batch.make(part, PROMPT, packed) for part in cut]
    values, summed = step(model, made, parts, totals)
    for name in (*LOSSES, "gradient_token", "gradient_structural"):
        assert values[name] == pytest.approx(right[name], rel=1e-5, abs=1e-7), name
    assert apart(whole, summed) < 1e-5


@pytest.mark.parametrize("arm", [Arm.STRAIGHT_THROUGH, Arm.STUDENT_ENCODER])
@pytest.mark.parametrize("packed", [False, True])
def test_recomputing_activations_changes_nothing(jobs, chosen, packed, arm):
    model, made = objective(jobs["llama"], arm)
    totals = Totals.of(chosen, PROMPT)
    row = batch.make(chosen, PROMPT, packed)
    right, kept = step(model, made, [row], totals)
    tuned.recompute(model.get_base_model())
    counted = []
    layer = model.get_base_model().model.layers[0].mlp
    layer.register_forward_pre_hook(lambda *_: counted.append(torch.is_grad_enabled()))
    values, again = step(model, made, [row], totals)
    # Once on the way, once again on the way back; the student as an encoder is never repeated.
    encoded = 2 if arm is Arm.STUDENT_ENCODER else 0
    assert len(counted) == 2 + encoded
    assert values == pytest.approx(right)
    assert apart(kept, again) < 1e-6


def _reference(query, key, value, lengths, scaling):
    """By the full matrix and a mask."""
    group = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(group, 1) for part in (key, value))
    of = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    seen = (of[:, None] == of[None]) & torch.ones(len(of), len(of)).tril().bool()
    scores = (query @ key.transpose(-1, -2) * scaling).masked_fill(~seen, float("-inf"))
    return (torch.softmax(scores, -1) @ value).transpose(1, 2)


@pytest.mark.parametrize("short", [0, 1024])
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
def test_attention_is_that_of_a_mask(monkeypatch, short, kv_heads):
    monkeypatch.setattr(attention, "_SHORT", short)
    torch.manual_seed(0)
    lengths = [3, 1, 7, 5]
    tensors = [
        torch.randn(1, heads, sum(lengths), 8, dtype=torch.float64, requires_grad=True)
        for heads in (4, kv_heads, kv_heads)
    ]
    found, _ = attend(None, *tensors, None, 0.3, neighbours=Neighbours.of(lengths))
    right = _reference(*tensors, lengths, 0.3)
    torch.testing.assert_close(found, right)
    way = torch.randn_like(right)
    for one, other in zip(
        torch.autograd.grad(found, tensors, way), torch.autograd.grad(right, tensors, way),
        strict=True,
    ):  # fmt: skip
        torch.testing.assert_close(one, other)


def test_kinds_of_attention_that_are_not_computed_are_refused():
    row = torch.zeros(1, 2, 6, 4)
    whole = Neighbours.of([6])
    attend(None, row, row, row, None, 1.0, neighbours=whole, sliding_window=6, softcap=None)
    with pytest.raises(Exception, match=r"last 5 tokens.*a document has 6"):
        attend(None, row, row, row, None, 1.0, neighbours=whole, sliding_window=5)
    with pytest.raises(Exception, match="softcap"):
        attend(None, row, row, row, None, 1.0, neighbours=whole, softcap=30.0)


def test_the_scratch_student_packs_too(nano, chosen):
    from tests.training.tuning.support import NANO, STAGE
    from training.stages import Job

    settings = with_(NANO, adapter={"packed": True})
    model, made = objective(Job(STAGE, "nano", settings, nano, None, ""))
    totals = Totals.of(chosen, PROMPT)
    _, separate = step(model, made, [batch.make([d], PROMPT, False) for d in chosen], totals)
    _, together = step(model, made, [_packed(chosen)], totals)
    assert apart(separate, together) < 1e-5
    assert gradients(model)
