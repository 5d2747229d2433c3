"""What `make bench-train` counts and concludes; what it measures is not asserted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from tests.bench.training import gpu, models, ours, report, work
from tests.bench.training.rows import rows
from tests.bench.training.work import SHAPES, Shape

FULL, TINY = SHAPES["full"], SHAPES["tiny"]


def test_the_shape_is_that_of_llama_3_1_8b():
    assert FULL.layers * FULL.layer == 6_979_321_856
    assert FULL.head == 525_336_576
    assert FULL.frozen == 8_030_261_248  # as Meta's card has it
    assert FULL.adapter == 83_886_080


def test_the_counted_weights_are_those_of_a_real_model():
    model = models.llama(TINY, torch.device("cpu"))
    assert sum(p.numel() for p in model.parameters()) == TINY.frozen
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


def test_published_tables_count_32_gflop_a_token_at_2048():
    found = work.published(FULL, [2048])
    assert found.linear + found.head == pytest.approx(30.0e9 * 2048, rel=1e-3)
    assert found.adapter == pytest.approx(0.5e9 * 2048, rel=1e-2)
    assert found.attention == pytest.approx(1.6e9 * 2048, rel=1e-2)
    assert found.total == pytest.approx(32.1e9 * 2048, rel=1e-2)
    # NVIDIA's own: 12,473 tokens/s are 402 TFLOP/s (rank 16, 4,096 tokens).
    nvidia = work.published(replace(FULL, rank=16), [4096]).total / 4096 * 12_473
    assert nvidia == pytest.approx(402e12, rel=0.05)


def test_what_is_needed_leaves_out_what_no_gradient_wants():
    lengths, counted = [1300, 900], 1400
    needed, every = work.needed(FULL, lengths, counted), work.published(FULL, lengths)
    assert needed.head == 4.0 * FULL.head * 1400
    spared = 4096 * 4096 + 2 * 4096 * 1024
    assert every.linear - needed.linear == 2.0 * spared * 2200
    assert (needed.adapter, needed.attention) == (every.adapter, every.attention)


def test_two_documents_attend_less_than_one_of_their_length():
    assert work.published(FULL, [1000, 1000]).attention == (
        work.published(FULL, [2000]).attention / 2
    )


def test_utilisation_and_scaling():
    assert work.utilisation(4e12, 2.0, 8e12) == 0.25
    # 10 s, 6 of them in two layers: 16 layers more take 48 s more.
    assert work.scaled(10.0, 6.0, 2, 18) == 58.0


def test_the_rows_have_the_papers_lengths_and_are_always_the_same():
    made = rows(400, FULL.vocabulary)
    assert made == rows(400, FULL.vocabulary)
    assert rows(3, FULL.vocabulary) == made[:3]
    assert sum(len(row.tokens) for row in made) / 400 == pytest.approx(1300, rel=0.03)
    assert sum(row.given for row in made) / 400 == pytest.approx(500, rel=0.03)
    assert max(len(row.tokens) for row in made) <= 2048
    for row in made:
        start, end = row.code
        assert row.given < start < end < len(row.tokens)
        assert row.counted == len(row.tokens) - row.given


def test_a_reference_of_the_bench_covers_every_token():
    row = rows(1, TINY.vocabulary)[0]
    made = models.reference(row)
    assert set(made.own.tolist()) == set(range(made.tokens))
    assert len(made.pieces) == pytest.approx(1.68 * made.tokens, abs=1)


def _steps(name: str, seconds=(4.0, 5.0, 3.0), **values) -> report.Steps:
    settled = {
        "busy": seconds, "tokens": 4000, "counted": 2500, "peak": 8 * report.GIB,
        "resident": 3 * report.GIB, "trained": 100, "losses": (12.0, 11.0, 10.0, 9.0),
    }  # fmt: skip
    return report.Steps(name, seconds, **(settled | values))


def test_a_rate_is_that_of_the_median_step():
    assert _steps("ours").rate == 1000.0


def test_a_ratio_is_that_of_the_rounds_and_not_of_the_medians():
    ours_, theirs = _steps("ours", (1.0, 4.0, 2.0)), _steps("TRL", (2.0, 4.0, 6.0))
    assert report.speed_ratio(ours_, theirs) == 2.0


@pytest.mark.parametrize(
    ("slower", "peak", "met"),
    [(1.3, 8.0, True), (1.3, 9.0, False), (1.2, 8.0, False), (1.0, 4.0, True), (0.9, 4.0, False)],
)
def test_the_aim_is_speed_in_equal_memory_or_half_of_it_at_equal_speed(slower, peak, met):
    theirs = _steps("TRL", tuple(slower * second for second in (4.0, 5.0, 3.0)))
    reached, text = report.verdict(_steps("ours", peak=int(peak * report.GIB)), theirs)
    assert reached is met
    assert f"{slower:.2f} times" in text


def test_other_work_is_named():
    ours_ = _steps("ours")
    assert report.different(ours_, _steps("TRL", losses=(12.009, 1.0))) == []
    (found,) = report.different(ours_, _steps("TRL", losses=(12.02, 11.0)))
    assert "12.0200" in found
    (found,) = report.different(ours_, _steps("TRL", losses=(float("nan"), 11.0)))
    assert "nan" in found
    (found,) = report.different(ours_, _steps("TRL", counted=2400))
    assert found == "counted: ours 2500, TRL 2400"


def test_the_share_of_l_s_is_computed_for_32_layers_and_says_so():
    found = report.Structural(seconds=2.0, step=18.0, layers=8.0, shape=SHAPES["slice"])
    assert found.share(2) == 0.1
    assert found.share(32) == 2.0 / (18.0 + 8.0 * 15 + 2.0)
    assert "1.4% at 32 layers (computed" in report.structural_lines(found)
    assert report.structural_lines(found).endswith(": met")
    missed = replace(found, seconds=20.0)
    assert report.structural_lines(missed).endswith(": NOT MET")


def test_the_table_has_a_row_a_side():
    lines = report.side_lines(TINY, [40, 30], [_steps("ours"), _steps("TRL")], 1e9).splitlines()
    assert lines[2].startswith("| ours | 1000.0 | 4.0 (4.0, 5.0, 3.0) |")
    assert len({line.count("|") for line in lines}) == 1


def test_without_a_card_its_row_reads_not_run(tmp_path):
    whole = report.write(tmp_path / "bench.json", "processor", {"sides": []})
    assert report.card_line(whole.get("card")) == "8B on one GPU: not run"
    report.write(tmp_path / "bench.json", "card", {"card": "H200"})
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert set(kept) == {"processor", "card"}


@pytest.fixture(scope="module")
def small():
    """Our side at a tiny shape."""
    return ours.build(TINY, rows(3, TINY.vocabulary, 0.05), torch.device("cpu"), 2e-3)


def test_our_side_trains_what_is_counted(small):
    assert sum(p.numel() for p in small.run.trained) == TINY.adapter
    assert int((small.batch.weights > 0).sum()) == sum(
        row.counted for row in rows(3, TINY.vocabulary, 0.05)
    )
    losses = [ours.step(small) for _ in range(4)]
    assert losses[-1] < losses[0]


def test_the_parts_of_a_step_move_the_weights_as_the_step_does():
    one, other = (
        ours.build(TINY, rows(2, TINY.vocabulary, 0.05), torch.device("cpu"), 2e-3)
        for _ in range(2)
    )
    ours.step(one)
    taken = ours.parts(other, torch.device("cpu"))
    assert set(taken) == {
        "layers, forward", "head and token loss", "layers, backward", "optimizer",
    }  # fmt: skip
    for left, right in zip(one.run.trained, other.run.trained, strict=True):
        assert torch.equal(left, right)


def test_both_sides_begin_with_the_same_adapter():
    """Whatever random numbers were drawn before."""
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        made = ours.build(TINY, rows(1, TINY.vocabulary, 0.05), torch.device("cpu"), 2e-3)
        found.append([p.detach().clone() for p in made.run.trained])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert any(p.abs().max() > 0 for p in found[0])


def test_the_card_is_measured_as_the_processor_is():
    """The path of `ARGS=--gpu`, on what there is here."""
    shape = replace(TINY, width=64)
    found = gpu.measured(gpu.Plan(shape, torch.device("cpu"), 2, 1e-3, scale=0.02))
    assert found["asked"]["rows"] == gpu.EXAMPLES[0]
    assert len(found["seconds"]) == 2
    assert 0 < found["structural_share"] < 1
    needed = work.needed(shape, found["lengths"], found["counted"]).total
    second = sorted(found["seconds"])
    assert found["mfu_needed"] == pytest.approx(needed / (sum(second) / 2) / gpu.DATASHEET)
    line = report.card_line(found | {"card": "H200"})
    assert line.startswith("8B on one H200:")


def test_a_shape_knows_its_matrices():
    narrow = Shape(1, width=8, heads=4, kv_heads=1, feed_forward=16, vocabulary=10, rank=2)
    assert narrow.linears()["k_proj"] == (8, 2)
    assert narrow.layer == 8 * 8 * 2 + 8 * 2 * 2 + 3 * 8 * 16
    assert narrow.adapter == 2 * (16 * 2 + 10 * 2 + 24 * 3)
