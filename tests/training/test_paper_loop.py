"""The loop closes: the paper's recipe, every stage, with only sizes and places overridden.

A Llama 3.1 of two layers with its real vocabulary, rows in TACO's schema (bad ones among them), a
teacher that answers over HTTP, CodeBERT's shape, tuning, merge, GGUF, `assistant ask`, HumanEval.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import llama3_student, taco_rows, training_runs
from tests.support.teacher_server import GOOD, Reply, TeacherServer

ROWS = 7
BAD = (
    {"input_output": "NaN"},
    {"solutions": "[]"},
    {"input_output": "{"},
    {"question": "x" * 2_000_000},
    {"solutions": json.dumps(["def f(:\n"])},
)
TEACHER = "meta-llama/Llama-3.1-70B-Instruct"


def _rows() -> list[Any]:
    good: list[Any] = [taco_rows.stdin_row(number) for number in range(1, ROWS)]
    bad = [taco_rows.stdin_row(ROWS + i, **changed) for i, changed in enumerate(BAD)]
    return [*good, *bad, b'{"question": "\xff\xfe"']


def _sizes(place: Path, url: str) -> list[str]:
    """What is overridden: where things are, and how large."""
    student, encoder = str(place / "student"), str(place / "codebert")
    values = {
        "threads": 1,
        "student.model": student, "student.weights": "float32",
        "problems.student_tokenizer": student, "problems.encoder_tokenizer": encoder,
        "problems.validation_share": 0.1, "problems.workers": 2,
        "contexts.teacher": url, "contexts.records": str(place / "records.jsonl"),
        "structural.folder": encoder, "structural.centring_programs": 16,
        "adapter.epochs": 45, "adapter.batch_tokens": 512,
        "adapter.max_length": 512, "adapter.clip": 10,
        "adapter.accumulate": 1, "adapter.lr": 0.006, "adapter.evaluate_every": 20,
        "adapter.evaluate_examples": 2, "adapter.sample_every": 0,
        "export.type": "F32", "export.verify_tokens": 300,
        "evaluate.limit": 1, "evaluate.max_new_tokens": 16, "evaluate.workers": 1,
    }  # fmt: skip
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the student, the encoder and the data."""
    shape = llama3_student.Shape(licence="llama3.1")
    llama3_student.write(tmp_path / "student", llama3_student.llama_tokenizer(), shape)
    llama3_student.code_encoder(tmp_path / "codebert")
    taco_rows.write(tmp_path / "data", _rows())
    for name in ("humaneval", "mbpp", "mbpp_plus"):
        if (taco_rows.DATA / name).exists():
            (tmp_path / "data" / name).symlink_to(taco_rows.DATA / name)
    return tmp_path


@contextmanager
def _teacher() -> Iterator[str]:
    with TeacherServer() as server:
        server.behave = lambda number, body: Reply(GOOD, model=body["model"])
        yield server.url


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.timeout(300)
def test_the_papers_recipe_runs_every_stage_at_its_true_schema(place: Path) -> None:
    out = place / "run"
    with _teacher() as url:
        ran = training_runs.train(
            "paper-llama31-8b", "--out", str(out), "--data", str(place / "data"),
            *_sizes(place, url),
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]

    # Bad rows are counted and named, good ones used.
    funnel = json.dumps(_json(out / "problems.funnel.json"))
    assert "18360" in funnel
    problems = (out / "problems.jsonl").read_text().splitlines()
    assert len(problems) == ROWS - 1

    # The student's real vocabulary, the encoder's real pieces, and a loss with a gradient.
    assert _json(out / "student/student.json")["vocabulary"] == 128_256
    steps = [json.loads(one) for one in (out / "adapter/metrics.jsonl").read_text().splitlines()]
    assert len(steps) >= 3
    assert steps[-1]["token_loss"] < steps[0]["token_loss"]
    assert all(step["gradient_structural"] > 0 for step in steps[:5])
    assert steps[0]["beta"] == 0 and steps[-1]["beta"] > 0.3
    adapter = _json(out / "adapter/adapter_config.json")
    assert (adapter["r"], adapter["lora_alpha"], len(adapter["target_modules"])) == (32, 64, 7)

    # The file computes what was trained, carries its name, and says whose child it is.
    assert _json(out / "verify.json")["same_top"] > 0.999
    card = (out / "MODEL_CARD.md").read_text()
    assert "Built with Llama" in card and TEACHER in card

    # HumanEval is judged where its data is, and never made up where it is not.
    scores = _json(out / "evaluation.json")
    there = (taco_rows.DATA / "humaneval").exists()
    assert ("pass@1" in json.dumps(scores)) == there, scores

    # It answers a task that it has learned, through the daemon, as it was taught to.
    asked = next(one for one in map(json.loads, problems) if one["split"] == "train")
    answer = _ask(out / "model.gguf", asked["request"])
    subprocess.run([sys.executable, "-m", "assistant", "stop"], check=True)
    assert answer.returncode == 0, answer.stderr[-2000:]
    assert answer.stdout.strip() == asked["code"].strip()
    assert "Sum the even numbers of nums." in answer.stderr


def _ask(model: Path, request: str) -> subprocess.CompletedProcess[str]:
    """`assistant ask`, by the daemon that it starts."""
    command = [sys.executable, "-m", "assistant", "ask", request, "--model", str(model)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
