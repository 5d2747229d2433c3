"""A GGUF as the teacher: the daemon answers, no model is loaded here."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from assistant.client.stop import stop
from assistant.errors import ModelProblem
from tests.support.teacher_server import GOOD, a_problem
from tests.support.tiny_gguf import Tiny, write
from training.teachers import asking, local
from training.teachers.records import rows


@pytest.fixture
def model(tmp_path, _own_home):
    """Writes the four sections, then begins the code that nobody asked for."""
    words = (GOOD, "## Code", "endless")
    chain = {"\n": GOOD, GOOD: "## Code", "## Code": "endless", "endless": "endless"}
    yield write(tmp_path / "teacher.gguf", Tiny(chain=chain, words=words, context=4096))
    asyncio.run(stop())


def test_the_daemon_answers(ask, model, tmp_path):
    more = {"teacher": f"local:{model}", "temperature": 0.0, "max_tokens": 50, "concurrency": 8}
    found = ask([a_problem(1), a_problem(2)], **more)
    assert [s.rationale.intent for s in found.samples] == ["Sum the even numbers of nums."] * 2
    recorded = list(rows(tmp_path / "records.jsonl"))
    assert {row["model"] for row in recorded} == {"teacher.gguf"}
    assert {len(row["revision"]) for row in recorded} == {16}
    assert all(row["usage"][0] > 10 and row["usage"][1] > 0 for row in recorded)


def test_other_weights_under_the_same_name_are_another_teacher(tmp_path):
    path = write(tmp_path / "m.gguf", Tiny(seed=1))
    first = local.teacher(str(path))
    write(path, Tiny(seed=2))
    assert local.teacher(str(path)).revision != first.revision


def test_a_missing_model_is_said(ask):
    with pytest.raises(ModelProblem):
        ask(teacher="local:/nowhere/model.gguf")


def test_asking_needs_no_torch_and_no_engine():
    program = (
        "import sys, training.contexts, training.teachers.asking;"
        "sys.exit(bool({'torch', 'transformers', 'llama_cpp'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_model_of_ours_is_stopped_before_its_code():
    how = asking.how_of(asking.Contexts(teacher="local:x"), 0)
    assert how.sampling.stop == ("## Code",)
