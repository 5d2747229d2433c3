"""`python -m training.gpu_check`: passes on a processor, fails where what it guards is broken."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tests.support.benchmark_runs import ROOT
from training.gpu_check import __main__ as command
from training.gpu_check import losses, whole
from training.gpu_check.telling import Failed, hold
from training.losses import structural, token
from training.tuning import attention

CPU = torch.device("cpu")
_BLOCKED = """
import sys
sys.modules.update(dict.fromkeys(
    "trl datasets gguf platformdirs httpx_sse llama_cpp tree_sitter bitsandbytes pyarrow".split()
))
from training.gpu_check import __main__
"""


def test_every_check_passes_on_a_processor(capsys):
    assert command.main(["--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    marks = [line.split()[0] for line in lines[1:-1]]
    assert len(marks) == len(command.CHECKS)
    assert marks.count("ok") == len(marks) - 1
    assert marks[-1] == "skipped"  # nf4 needs a card
    assert lines[-1] == "all checks passed"


def test_it_needs_nothing_that_a_bare_cuda_machine_lacks():
    done = subprocess.run(
        [sys.executable, "-c", _BLOCKED], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_without_a_card_it_says_so():
    if torch.cuda.is_available():
        pytest.skip("a card is here")
    assert command.main([]) == 1


def test_a_failed_check_is_told_and_ends_with_1(monkeypatch, capsys):
    def fails(_: torch.device) -> str:
        return hold("error", 2.0, 1e-3)

    def breaks(_: torch.device) -> str:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(command, "CHECKS", (("first", fails), ("second", breaks)))
    assert command.main(["--device", "cpu"]) == 1
    out = capsys.readouterr().out
    assert "FAILED   first" in out
    assert "error 2.0e+00 (at most 1e-03)" in out
    assert "no kernel image" in out


def test_no_number_is_a_failure():
    with pytest.raises(Failed, match="nan"):
        hold("error", float("nan"), 1.0)


def test_a_wrong_token_loss_is_found(monkeypatch):
    real = torch.logsumexp
    monkeypatch.setattr(torch, "logsumexp", lambda *a, **k: real(*a, **k) + 0.01)
    with pytest.raises(Failed, match="loss"):
        losses.token_loss_as_plain(CPU)


def test_full_logits_are_found(monkeypatch):
    monkeypatch.setattr(
        losses, "token_loss", lambda *a, chunk, **k: token.token_loss(*a, chunk=10**6, **k)
    )
    with pytest.raises(Failed, match="largest tensor"):
        losses.token_loss_memory(CPU)


def test_a_lost_gradient_of_an_arm_is_found(monkeypatch):
    real = structural.StructuralLoss._mixture
    monkeypatch.setattr(
        structural.StructuralLoss, "_mixture", lambda self, places: real(self, places).detach()
    )
    with pytest.raises((Failed, RuntimeError)):
        losses.arm_gradients(CPU)


def test_a_placebo_with_a_gradient_is_found(monkeypatch):
    real = structural.StructuralLoss.__call__

    def leaking(self, places):
        found = real(self, places)
        return found + 1e-6 * places.values.sum() if self.arm.value == "placebo" else found

    monkeypatch.setattr(structural.StructuralLoss, "__call__", leaking)
    with pytest.raises(Failed, match="gradients differ"):
        losses.placebo_is_token_loss(CPU)


def test_documents_that_see_each_other_are_found(monkeypatch):
    real = attention.attend

    def blind(*given, neighbours=None, **options):
        return real(*given, neighbours=None, **options)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, attention.NAME, blind)
    with pytest.raises(Failed):
        whole.packed_as_separate(CPU)


def test_a_part_that_counts_too_much_is_found(monkeypatch):
    real = whole.Objective.losses

    def own_total(self, hidden, made, weight):
        return real(self, hidden, made, float(made.weights.sum()))

    monkeypatch.setattr(whole.Objective, "losses", own_total)
    with pytest.raises(Failed):
        whole.accumulated_as_one(CPU)


def test_a_lost_random_state_is_found(monkeypatch):
    monkeypatch.setattr(torch, "set_rng_state", lambda _: None)
    with pytest.raises(Failed, match="differ"):
        whole.resumed_as_straight(CPU)
