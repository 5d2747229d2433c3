"""The stage as a whole, on tiny pretrained students."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET

import pytest
import torch
from safetensors.torch import load_file

from assistant.errors import TrainingProblem, UsageProblem
from tests.training.tuning.support import pretrained, with_
from training import optimizers, problems, student
from training.chain import CHAIN
from training.recipes import find
from training.stages import hash_settings
from training.tuning import examples, memory, records, stage, validation
from training.tuning.machine import Machine
from training.tuning.objective import Objective

OUTPUTS = ("adapter_model.safetensors", "metrics.jsonl", "samples.jsonl")
RICH = {
    "packed": True, "accumulate": 2, "recompute": True, "schedule": "cosine", "dropout": 0.1,
    "evaluate_every": 2, "sample_every": 2, "checkpoint_every": 1, "tokens": 12_000,
    "batch_tokens": 1500, "lr": 0.01,
}  # fmt: skip
OLD_KEYS = [
    "step", "loss", "token_loss", "structural_loss", "alpha", "beta", "scale", "gradient_token",
    "gradient_structural", "gradient_ratio", "programs_with_gradient", "rate", "gradient", "tokens",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _short_samples(monkeypatch):
    monkeypatch.setattr(validation, "_NEW_TOKENS", 6)


def _metrics(job):
    lines = job.path("adapter/metrics.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_pretrained_student_is_tuned_packed_in_bfloat16(nano, tmp_path):
    job = pretrained(nano, tmp_path, "qwen2", adapter=RICH, student={"weights": "bfloat16"})
    stage.make(job)
    rows = _metrics(job)
    assert len(rows) >= 4
    assert all([*row][: len(OLD_KEYS)] == OLD_KEYS for row in rows)
    assert rows[-1]["val_loss"] < rows[1]["val_loss"]
    assert ["val_loss" in row for row in rows[:4]] == [False, True, False, True]
    assert "val_loss" in rows[-1]
    weights = load_file(job.path("adapter/adapter_model.safetensors"))
    assert len(weights) == 2 * 2 * 7
    assert all(weight.dtype == torch.float32 for weight in weights.values())
    assert all(weight.abs().max() > 0 for weight in weights.values())


def test_answers_to_read_are_those_of_greedy_decoding_and_change_nothing(nano, tmp_path):
    kinds = {"with": {}, "without": {"sample_every": 0, "evaluate_examples": 0}}
    jobs = {
        name: pretrained(nano, tmp_path / name, "qwen2", adapter=RICH | {"tokens": 7000} | other)
        for name, other in kinds.items()
    }
    for job in jobs.values():
        stage.make(job)
    files = [job.path("adapter/adapter_model.safetensors") for job in jobs.values()]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not jobs["without"].path(validation.SAMPLES).exists()
    assert all("val_loss" not in row for row in _metrics(jobs["without"]))
    said = [json.loads(s) for s in jobs["with"].path(validation.SAMPLES).read_text().splitlines()]
    assert [one["step"] for one in said] == [2, 2] * (len(said) // 2)
    asked = {p.id: p for p in problems.read(nano / "problems.jsonl", "validation")}
    assert len({one["problem"] for one in said}) == 2
    assert all(asked[one["problem"]].request in one["request"] for one in said)


def test_a_run_that_stops_anywhere_goes_on_to_the_same_bytes(nano, tmp_path, monkeypatch):
    whole = pretrained(nano, tmp_path / "whole", "llama", adapter=RICH)
    stage.make(whole)
    steps = len(_metrics(whole))
    broken = pretrained(nano, tmp_path / "broken", "llama", adapter=RICH)
    real = torch.optim.AdamW.step
    for stop in range((steps - 1) // 2):
        done = iter(range(2))

        def dying(self, *arguments, done=done):
            if next(done, None) is None:
                raise ArithmeticError("power cut")
            return real(self, *arguments)

        monkeypatch.setattr(torch.optim.AdamW, "step", dying)
        with pytest.raises(ArithmeticError):
            stage.make(broken)
        torch.manual_seed(stop)  # another state than the one that was left
    monkeypatch.setattr(torch.optim.AdamW, "step", real)
    stage.make(broken)
    for name in OUTPUTS:
        found, right = (job.path(f"adapter/{name}").read_bytes() for job in (broken, whole))
        assert found == right, name


def test_a_checkpoint_of_other_settings_or_inputs_is_not_gone_on_with(nano, tmp_path, monkeypatch):
    job = pretrained(nano, tmp_path, "llama", adapter={"checkpoint_every": 1})
    stage.make(job)
    again = pretrained(nano, tmp_path, "llama", adapter={"checkpoint_every": 1})
    first = _metrics(job)
    stage.make(dataclasses.replace(again, key="another"))
    assert _metrics(again) == first
    begun = [json.loads(e) for e in job.path("events.jsonl").read_text().splitlines()]
    assert [e["resumed_at"] for e in begun if e["type"] == "stage_started"] == [0, 0]
    # It may have been hours: nothing of it is thrown away.
    kept = torch.load(job.path("checkpoints/adapter.pt.before"), weights_only=True)
    assert (kept["key"], kept["step"]) == (job.key, len(first))
    before = job.path("adapter/metrics.jsonl.before").read_text().splitlines()
    assert [json.loads(line) for line in before] == first


def test_what_changes_no_result_does_not_make_another_run(nano):
    adapter = next(one for one in CHAIN if one.name == "adapter")
    plain, told, other = (
        hash_settings(adapter, with_(find("nano").settings, adapter=changes))
        for changes in ({}, {"checkpoint_every": 7, "trackers": "tensorboard"}, {"lr": 0.5})
    )
    assert plain == told != other


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_changes_nothing(nano, tmp_path, monkeypatch, bad):
    job = pretrained(nano, tmp_path, "llama", adapter={"checkpoint_every": 1})
    real = Objective.backward

    def backward(self, number, parts, totals):
        values = real(self, number, parts, totals)
        if number == 1:
            first = next(p for p in self.base.parameters() if p.grad is not None)
            first.grad.view(-1)[0] = bad
        return values

    monkeypatch.setattr(Objective, "backward", backward)
    with pytest.raises(TrainingProblem, match="step 1: the gradient is"):
        stage.make(job)
    kept = torch.load(job.path("checkpoints/adapter.pt"), weights_only=True)
    assert kept["step"] == 1
    assert all(torch.isfinite(value).all() for value in kept["state"]["adapter"].values())


def test_without_a_bound_the_gradient_is_as_long_as_it_is(nano, tmp_path):
    """0 is none, as in other programs, and not a gradient of length 0."""
    job = pretrained(nano, tmp_path, "llama", adapter={"clip": 0.0})
    stage.make(job)
    learned = load_file(job.path("adapter/adapter_model.safetensors"))
    assert any(value.abs().max() > 0 for name, value in learned.items() if "lora_B" in name)


def test_the_folder_tells_versions_and_shows_the_run(nano, tmp_path):
    job = pretrained(nano, tmp_path, "llama")
    stage.make(job)
    versions = json.loads(job.path("versions.json").read_text())
    assert versions["torch"] == torch.__version__
    assert {"assistant", "git", "python", "transformers", "peft", "accelerate", "device"} <= {
        *versions
    }
    root = ET.fromstring(job.path("adapter/metrics.svg").read_text())
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    rows = _metrics(job)
    assert len(lines) == 5
    assert len(lines[0].attrib["points"].split()) == len(rows)
    described = json.loads(job.path("adapter/adapter_config.json").read_text())
    assert described["base_model_name_or_path"] == student.describe(job).source


def _examples(nano, tmp_path, **changes):
    job = pretrained(nano, tmp_path, "llama", adapter=changes)
    return examples.training(job, student.writer(job), 1024), job


def test_fewer_examples_are_the_first_of_more_whatever_the_seed(nano, tmp_path):
    few, _ = _examples(nano, tmp_path, examples=10)
    more, job = _examples(nano, tmp_path, examples=25)
    other = dataclasses.replace(job, settings=dataclasses.replace(job.settings, seed=9))
    again = examples.training(other, student.writer(other), 1024)
    assert [p.id for p in few.problems] == [p.id for p in more.problems][:10]
    assert [p.id for p in again.problems] == [p.id for p in more.problems]
    assert len(more.documents) == 25
    train = [p.id for p in problems.read(nano / "problems.jsonl", "train")]
    assert {p.id for p in more.problems} < {*train}
    assert [p.id for p in few.problems] != [*reversed(train)][:10]


def test_longer_examples_are_left_out_and_counted(nano, tmp_path):
    whole, _ = _examples(nano, tmp_path, tokens=0, epochs=1)
    lengths = sorted(len(document.tokens) for document in whole.documents)
    assert whole.too_long == 0
    middle = lengths[len(lengths) // 2]
    some, _ = _examples(nano, tmp_path, tokens=0, epochs=1, max_length=middle)
    assert max(len(document.tokens) for document in some.documents) == middle
    assert some.too_long == sum(length > middle for length in lengths) > 0
    with pytest.raises(TrainingProblem, match="longer than 3 tokens"):
        _examples(nano, tmp_path, max_length=3)


def test_code_alone_is_asked_of_the_same_problems(nano, tmp_path):
    reasoning, _ = _examples(nano, tmp_path, examples=5)
    code, job = _examples(nano, tmp_path, examples=5, answer="code")
    assert [p.id for p in code.problems] == [p.id for p in reasoning.problems]
    text = student.tokenizer(job).decode(code.documents[0].tokens.tolist())
    assert code.problems[0].code in text
    assert "## Intent" not in text
    assert "## Intent" in student.tokenizer(job).decode(reasoning.documents[0].tokens.tolist())
    with pytest.raises(UsageProblem, match=r"adapter.answer=poem"):
        _examples(nano, tmp_path, answer="poem")


def test_code_alone_leaves_out_what_is_too_long_with_its_reasoning(nano, tmp_path):
    """Else the control arm would learn more, and longer, problems than the arm that it is for."""
    all_of_them = {"tokens": 0, "epochs": 1}
    whole, _ = _examples(nano, tmp_path / "whole", **all_of_them)
    limit = sorted(len(one.tokens) for one in whole.documents)[len(whole.documents) // 2]
    reasoned, _ = _examples(nano, tmp_path / "reasoned", max_length=limit, **all_of_them)
    code, _ = _examples(nano, tmp_path / "code", answer="code", max_length=limit, **all_of_them)
    assert [one.id for one in code.problems] == [one.id for one in reasoned.problems]
    assert 0 < len(code.problems) < len(whole.problems)


@pytest.mark.parametrize("name", sorted(optimizers.SCHEDULES))
def test_a_learning_rate_rises_then_ends_as_its_name_says(name):
    rate = optimizers.schedule(name)
    values = [rate(step, 200, 0.1) for step in range(200)]
    assert values[:18] == sorted(values[:18])
    assert values[0] < 0.06
    assert max(values) == pytest.approx(1.0 if name != "trapezoid" else 0.91, abs=0.01)
    assert values[-1] == (1.0 if name == "constant" else pytest.approx(0.0, abs=0.01))
    middle = {"cosine": 0.5, "linear": 0.5, "constant": 1.0, "trapezoid": 0.45}[name]
    assert values[110] == pytest.approx(middle, abs=0.02)


def test_a_schedule_that_there_is_not_is_refused():
    with pytest.raises(UsageProblem, match=r"adapter.schedule=sawtooth"):
        optimizers.schedule("sawtooth")


@pytest.mark.parametrize(
    ("named", "said"),
    [("oracle", "knows no tracker oracle"), ("tensorboard,wandb", "is not installed")],
)
def test_a_tracker_that_is_missing_is_named_before_anything_starts(nano, tmp_path, named, said):
    if said == "is not installed" and not _missing(named):
        pytest.skip("both are installed here")
    job = pretrained(nano, tmp_path, "llama", adapter={"trackers": named})
    with pytest.raises(TrainingProblem, match=said):
        stage.make(job)
    assert not job.path("adapter").exists()


def _missing(named):
    try:
        return records.named(named) is None
    except TrainingProblem:
        return True


def test_a_tracker_is_told_every_step(nano, tmp_path, monkeypatch):
    """By a tracker of one's own, registered with accelerate as its documentation says."""
    from accelerate import tracking

    told = []

    class Notebook(tracking.GeneralTracker):
        name = "notebook"
        requires_logging_directory = True

        def __init__(self, run, logging_dir):
            super().__init__()
            self.folder = logging_dir

        @property
        def tracker(self):
            return told

        def store_init_configuration(self, values):
            told.append(("settings", values["adapter.rank"]))

        def log(self, values, step):
            told.append((step, values["loss"]))

        def finish(self):
            told.append(("finish", None))

    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "notebook", Notebook)
    monkeypatch.setattr(records, "get_available_trackers", lambda: ["notebook"])
    job = pretrained(nano, tmp_path, "llama", adapter={"trackers": "notebook"})
    stage.make(job)
    rows = [(row["step"], row["loss"]) for row in _metrics(job)]
    assert told == [("settings", 4), *rows, ("finish", None)]


def test_without_memory_it_says_what_to_set_and_keeps_the_checkpoint(nano, tmp_path, monkeypatch):
    settings = {"checkpoint_every": 1, "batch_tokens": 5000, "max_length": 900, "accumulate": 3}
    job = pretrained(nano, tmp_path, "llama", adapter=settings | {"tokens": 40_000})
    real = torch.optim.AdamW.step
    done = iter(range(1))

    def starving(self, *arguments):
        if next(done, None) is None:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes")
        return real(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", starving)
    with pytest.raises(TrainingProblem, match=r"adapter.batch_tokens=5000.*GiB") as caught:
        stage.make(job)
    wanted = ["batch_tokens=2500", "accumulate=6", "recompute=true", "max_length=450", "nf4"]
    places = [caught.value.hint.index(setting) for setting in wanted]
    assert places == sorted(places)
    assert "checkpoint is kept" in caught.value.message
    assert (tmp_path / "checkpoints" / "adapter.pt").exists()


@pytest.mark.parametrize(
    "error", [torch.cuda.OutOfMemoryError("CUDA out of memory"), MemoryError()]
)
def test_other_words_for_it_are_known(nano, tmp_path, error):
    job = pretrained(nano, tmp_path, "llama", adapter={"recompute": True, "batch_tokens": 2048})
    with (
        pytest.raises(TrainingProblem, match="not enough memory on cpu") as caught,
        memory.advised(job, Machine(torch.device("cpu"))),
    ):
        raise error
    assert "recompute" not in caught.value.hint
    assert "kept" not in caught.value.message


def test_another_error_is_not_taken_for_one_of_memory(nano, tmp_path):
    job = pretrained(nano, tmp_path, "llama")
    with (
        pytest.raises(RuntimeError, match="shapes"),
        memory.advised(job, Machine(torch.device("cpu"))),
    ):
        raise RuntimeError("shapes do not match")


def test_idle_processes_repeat_a_part_only_where_all_must_take_part():
    cards = [Machine(torch.device("cpu"), index, 3) for index in range(3)]
    assert [c.share("abcd") for c in cards] == [
        [("a", True), ("d", True)], [("b", True)], [("c", True)],
    ]  # fmt: skip
    sharded = [dataclasses.replace(card, sharded=True) for card in cards]
    assert [c.share("abcd") for c in sharded] == [
        [("a", True), ("d", True)], [("b", True), ("a", False)], [("c", True), ("a", False)],
    ]  # fmt: skip
