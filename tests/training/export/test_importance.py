"""Which columns matter: the mean square of what they are multiplied with, as hooks see it."""

from __future__ import annotations

import pytest
import torch

from assistant.errors import ExportProblem
from tests.support import llama3_student as made
from training import student
from training.export import importance, merging


@pytest.fixture
def folder(tmp_path):
    return made.write(tmp_path / "student", made.tiny_qwen_tokenizer(), made.QWEN)


def test_mean_squares_by_column(folder):
    rows = [[1, 2, 3, 4, 5], [6, 7, 8]]
    net = student.read(folder, "float32").eval()
    seen = {}
    parts = {"blk.0.attn_v.weight": net.model.layers[0].self_attn.v_proj,
             "blk.1.ffn_down.weight": net.model.layers[1].mlp.down_proj}  # fmt: skip
    for name, part in parts.items():
        seen[name] = []
        part.register_forward_pre_hook(lambda _, given, n=name: seen[n].append(given[0][0]))
    with torch.no_grad():
        for row in rows:
            net(input_ids=torch.tensor([row]))
    found = importance.of_text(merging.opened(folder), rows)
    assert len(found) == 2 * 7
    assert found["blk.0.attn_q.weight"].shape == (64,)
    assert found["blk.1.ffn_down.weight"].shape == (128,)
    for name, inputs in seen.items():
        expected = torch.cat(inputs).square().mean(dim=0)
        torch.testing.assert_close(torch.from_numpy(found[name]), expected)


def test_no_text_is_refused(folder):
    with pytest.raises(ExportProblem, match="no text"):
        importance.of_text(merging.opened(folder), [[]])
