"""The chains of a pretrained student: from a folder to a file that the engine answers from."""

from __future__ import annotations

import json
from dataclasses import replace

import gguf
import pytest
import torch

from assistant import locations, runs
from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, Finished, Limits, Message
from assistant.errors import ExportProblem, UsageProblem
from assistant.format import FORMAT_NAME
from assistant.sandbox import layers
from tests.support import llama3_student as made
from tests.support.benchmark_runs import made_up
from tests.support.student_runs import job, make_adapter, run, settings_of
from training import run as runner
from training import stages
from training.chain import CHAIN, CHAINS, chain
from training.settings import Encoder, Settings, Structural
from training.tokenizer import PATTERN

LLAMA = made.Shape(template=made.LLAMA_TEMPLATE, licence="llama3.1", shards=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return made_up(tmp_path_factory.mktemp("data") / "HumanEval.jsonl", 3)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data):
    """A run of the chain `pretrained` without tuning, up to the card: settings and folder."""
    root = tmp_path_factory.mktemp("pretrained")
    folder = made.write(root / "Llama-3.1-tiny", made.tiny_llama_tokenizer(), LLAMA)
    settings, out = settings_of(folder), root / "run"
    run(settings, out, "student", "problems", "contexts")
    make_adapter(settings, out, use_rslora=True)
    run(settings, out, "gguf", "evaluate", "card", data=data)
    return settings, out


def _names(**changes) -> list[str]:
    return [stage.name for stage in chain(replace(Settings(), **changes))]


def test_the_stages_of_each_chain():
    assert chain(Settings()) is CHAIN
    assert _names(chain="pretrained", structural=Structural(encoder="codebert")) == [
        "student", "problems", "contexts", "adapter", "gguf", "evaluate", "card", "install",
    ]  # fmt: skip
    assert "encoder" in _names(chain="pretrained")
    for arm in ("off", "student-encoder"):
        assert "encoder" not in _names(chain="pretrained", structural=Structural(arm=arm))
    assert _names(chain="untrained") == ["student", "gguf", "evaluate", "card", "install"]
    with pytest.raises(UsageProblem, match="sideways"):
        chain(Settings(chain="sideways"))


@pytest.mark.parametrize("name", CHAINS)
def test_every_stage_reads_what_one_before_it_writes(name):
    there: set[str] = set()
    for stage in chain(Settings(chain=name)):
        assert set(stage.inputs) <= there, stage.name
        there |= set(stage.outputs)


def test_a_stage_of_another_chain_is_not_there(tmp_path):
    with pytest.raises(UsageProblem, match=r"'base'.*student"):
        runner.run("nano", settings_of(tmp_path), tmp_path / "run", only="base")


def test_the_file_answers_and_computes_what_peft_computes(finished):
    settings, out = finished
    report = json.loads((out / "verify.json").read_text())
    assert report["reference"] == "float32"
    assert report["nmse"] < 1e-8
    assert report["same_top"] == 1.0
    with Engine(out / "model.gguf") as engine:
        request = engine.prepare_chat([Message("user", "Add.")], limits=Limits(max_tokens=5))
        end = list(engine.generate(request, CancelToken()))[-1]
        prompt = list(request.tokens)
    assert isinstance(end, Finished)
    tuned = make_adapter(settings, out, use_rslora=True)  # the same one again
    with torch.no_grad():
        expected = tuned(input_ids=torch.tensor([prompt])).logits[0]
    from assistant.engine.logits import all_logits

    found = torch.from_numpy(all_logits(out / "model.gguf", prompt, threads=1))
    assert ((expected - found) ** 2).sum() / (expected**2).sum() < 1e-8


def test_the_file_says_where_it_comes_from(finished):
    _, out = finished
    fields = gguf.GGUFReader(out / "model.gguf").fields
    said = {name: field.contents() for name, field in fields.items()}
    assert said["general.name"] == "Llama-tiny"
    assert said["general.license"] == "llama3.1"
    assert "Built with Llama" in said["general.description"]
    assert said["general.base_model.0.name"] == "Llama-3.1-tiny"
    assert said["assistant.format.name"] == FORMAT_NAME
    assert said["tokenizer.ggml.pre"] == "llama-bpe"
    assert said["tokenizer.ggml.add_bos_token"] is True
    assert said["llama.rope.freq_base"] == 500000.0
    tokens = said["tokenizer.ggml.tokens"]
    assert tokens[said["tokenizer.ggml.eos_token_id"]] == "<|eot_id|>"
    assert tokens[said["tokenizer.ggml.bos_token_id"]] == "<|begin_of_text|>"


def test_the_scores_are_of_the_answers_on_disk(finished):
    _, out = finished
    report = json.loads((out / "evaluation.json").read_text())["sets"]["humaneval"]
    if not layers():
        assert "sandbox" in report["not_run"]
        return
    assert (report["problems"], report["passed"], report["pass@1"]) == (3, 0, 0.0)
    assert report["interval95"][1] == pytest.approx(0.5615, abs=1e-3)
    assert report["published_data"] is False
    assert len((out / report["verdicts"]).read_bytes().splitlines()) == 3


def test_the_card_names_base_licence_and_notice(finished):
    _, out = finished
    card = (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.startswith("# Model card: Llama-tiny\n")
    for words in (
        "Llama-3.1-tiny, a folder", "licence: llama3.1", "## Built with Llama",
        "Llama 3.1 is licensed under the Llama 3.1 Community License", "rank 8",
        "--set chain=pretrained", "| problems made | 24 |", "A program wrote the reasoning",
        "torch in float32",
    ):  # fmt: skip
        assert words in card, words


def test_a_changed_student_starts_the_stages_behind_again(finished, tmp_path):
    settings, out = finished
    by_name = {stage.name: stage for stage in chain(settings)}
    assert stages.is_done(by_name["gguf"], settings, out)
    folder = tmp_path / "Llama-3.1-tiny"
    made.write(folder, made.tiny_llama_tokenizer(), replace(LLAMA, seed=1))
    for path in (p for p in out.rglob("*") if p.is_file()):
        (tmp_path / "run" / path.relative_to(out)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / path.relative_to(out)).write_bytes(path.read_bytes())
    run(settings_of(folder), tmp_path / "run", "student")
    assert not stages.is_done(by_name["gguf"], settings, tmp_path / "run")
    assert stages.is_done(by_name["problems"], settings, tmp_path / "run")


def test_installing_gives_the_user_a_model_by_its_name(finished, _own_home, capfd):
    settings, out = finished
    run(replace(settings, install=True), out, "install")
    place = locations.models_dir() / "Llama-tiny.gguf"
    assert place.read_bytes() == (out / "model.gguf").read_bytes()
    assert place.with_suffix(".md").is_file()
    assert "assistant models use Llama-tiny" in capfd.readouterr().err


def test_the_baseline_is_the_student_as_it_is(tmp_path, data):
    folder = made.write(
        tmp_path / "Qwen-tiny", made.tiny_qwen_tokenizer(), replace(made.QWEN, licence="apache-2.0")
    )
    settings = settings_of(folder, chain="untrained")
    settings = replace(settings, evaluate=replace(settings.evaluate, limit=1))
    runner.run("nano", settings, tmp_path / "run", data=data)
    card = (tmp_path / "run" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "as it is" in card
    assert "Built with Llama" not in card
    with Engine(tmp_path / "run" / "model.gguf") as engine:
        assert engine.facts.format_name is None
    asked = json.loads((tmp_path / "run" / "evaluation" / "humaneval" / "run.json").read_bytes())
    assert asked["prompt"] == "four-sections-1"
    # Going on looks at the student again, and finds that nothing has changed.
    runner.run("nano", settings, tmp_path / "run", data=data, resume=True)
    events = [event for _, event in runs.read(tmp_path / "run")][-7:]
    assert [e.stage for e in events if isinstance(e, runs.StageFinished)] == ["student"]
    skipped = [e.stage for e in events if isinstance(e, runs.StageSkipped)]
    assert skipped == ["gguf", "evaluate", "card", "install"]


def test_a_student_with_a_file_missing_is_not_exported(tmp_path):
    shape = replace(LLAMA, shards=2)
    folder = made.write(tmp_path / "Llama-3.1-tiny", made.tiny_llama_tokenizer(), shape)
    settings, out = settings_of(folder), tmp_path / "run"
    run(settings, out, "student", "problems", "contexts")
    make_adapter(settings, out)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ExportProblem, match=r"model-00002-of-00002\.safetensors is missing"):
        run(settings, out, "gguf")
    assert not (out / "model.gguf").exists()


def test_the_own_encoder_learns_with_the_student_s_tokenizer(tmp_path):
    folder = made.write(tmp_path / "s", made.tiny_llama_tokenizer(), made.Shape(layers=1))
    small = Encoder(width=16, layers=1, heads=2, steps=2, batch=4, checkpoint_every=1)
    settings = settings_of(folder, encoder=small, structural=Structural())
    run(settings, tmp_path / "run", "student", "problems", "encoder")
    shape = json.loads((tmp_path / "run" / "encoder" / "config.json").read_text())
    assert shape["vocabulary"] == max(made.tiny_llama_tokenizer()["model"]["vocab"].values()) + 6


@pytest.mark.timeout(120)
def test_the_real_vocabulary_of_llama_3_1(tmp_path):
    """128,256 tokens: student, adapter, file, the engine's answer and its tokens."""
    described = made.llama_tokenizer()
    folder = made.write(
        tmp_path / "Llama-3.1-two-layers", described,
        made.Shape(width=32, feed=64, template=made.LLAMA_TEMPLATE, form="old", shards=2),
    )  # fmt: skip
    assert json.loads((folder / "config.json").read_text())["vocab_size"] == 128256
    settings, out = settings_of(folder), tmp_path / "run"
    run(settings, out, "student", "problems", "contexts")
    make_adapter(settings, out)
    run(settings, out, "gguf")
    report = json.loads((out / "verify.json").read_text())
    assert report["nmse"] < 1e-8
    from training import student

    writer = student.writer(job(settings, out))
    with Engine(out / "model.gguf") as engine:
        assert engine.vocabulary.size == 128256
        for text in ("Add 12345.", "x <|eot_id|> y", " " * 40 + "deep\u00a0\u65e5\u672c\u8a9e\r\n"):
            served = engine.prepare_chat([Message("user", text)]).tokens
            assert list(served) == writer.prompt(text)
    assert described["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] != PATTERN
