"""The dry run: every number follows from its formula, and the formulas from real models."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import peft
import pytest
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaModel,
)

from assistant.cli.main import main
from assistant.errors import DataProblem, UsageProblem
from training import recipes
from training.losses import token
from training.plan import corpus, estimates, memory, resolve, shapes, speed, stages
from training.plan.costs import WHOLE
from training.settings import Adapter, Settings

PAPER = "paper-llama31-8b"
LLAMA = "meta-llama/Llama-3.1-8B"
SIZES = {
    "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 96, "vocab_size": 128,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    """Models that this machine has downloaded are not looked at."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "no-hub"))


def _settings(name: str, *overrides: str) -> Settings:
    return resolve(recipes.find(name), overrides)[0]


def _values(name: str, stage: str, *overrides: str) -> dict[str, str]:
    found = estimates(_settings(name, *overrides))
    return {one.what: f"{one.value}  = {one.formula}" for one in found[stage]}


def _card(*overrides: str) -> float:
    settings = _settings(PAPER, *overrides)
    ahead = corpus.forecast(settings)
    return sum(held for _, held, _ in memory.parts(settings, shapes.KNOWN[LLAMA], ahead))


@pytest.mark.parametrize(("rank", "millions"), [(16, 41.9), (32, 83.9), (64, 167.8)])
def test_the_adapters_of_the_paper_have_their_size(rank, millions):
    count = shapes.trainable(shapes.KNOWN[LLAMA], Adapter(rank=rank))
    assert count / 1e6 == pytest.approx(millions, abs=0.05)
    ending = {16: "-r16", 32: "", 64: "-r64"}[rank]
    assert f"{count:,} ({millions} million)" in _values(PAPER + ending, "adapter")["trainable"]


def test_known_models_have_the_published_number_of_parameters():
    assert shapes.KNOWN[LLAMA].parameters == 8_030_261_248
    assert shapes.KNOWN["Qwen/Qwen2.5-Coder-1.5B"].parameters == 1_543_714_304


def _models():
    yield LlamaForCausalLM(LlamaConfig(**SIZES))
    yield LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True, head_dim=32))
    yield Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))


@pytest.mark.parametrize("number", range(3))
def test_a_shape_counts_what_the_model_has(tmp_path, number):
    model = list(_models())[number]
    model.config.save_pretrained(tmp_path)
    shape = shapes.read(tmp_path / "config.json")
    assert shape.parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "settings",
    [Adapter(rank=4), Adapter(rank=3, targets="q_proj,v_proj"), Adapter(rank=4, kind="dora")],
)
def test_an_adapter_counts_what_peft_trains(tmp_path, settings):
    model = LlamaForCausalLM(LlamaConfig(**SIZES))
    model.config.save_pretrained(tmp_path)
    shape = shapes.read(tmp_path / "config.json")
    targets = list(shape.matrices) if settings.targets == "all" else settings.targets.split(",")
    config = peft.LoraConfig(
        r=settings.rank, target_modules=targets, use_dora=settings.kind == "dora"
    )
    tuned = peft.get_peft_model(model, config)
    trained = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
    assert shapes.trainable(shape, settings) == trained


def test_a_target_that_is_not_there_is_named():
    with pytest.raises(UsageProblem, match="'w_proj'"):
        shapes.trainable(shapes.KNOWN[LLAMA], Adapter(targets="q_proj,w_proj"))


def test_constants_are_those_of_the_code_that_needs_torch():
    assert memory.LOGIT_CHUNK == token.CHUNK
    with torch.device("meta"):
        config = RobertaConfig(vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
        encoder = RobertaModel(config, add_pooling_layer=False)
    assert sum(p.numel() for p in encoder.parameters()) == memory.ENCODER_WEIGHTS


@pytest.mark.parametrize(("width", "between", "layers"), [(256, 896, 4), (512, 896, 2)])
def test_activations_are_what_torch_keeps(width, between, layers):
    sizes = {"hidden_size": width, "intermediate_size": between, "num_hidden_layers": layers}
    config = LlamaConfig(**SIZES | sizes)
    adapter = Adapter(rank=8, batch_tokens=256, recompute=False)
    model = LlamaForCausalLM(config).to(torch.bfloat16)
    tuned = peft.get_peft_model(model, peft.LoraConfig(r=8, target_modules="all-linear"))
    weights = {p.untyped_storage().data_ptr() for p in tuned.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            kept[place] = tensor
        return tensor

    tokens = torch.zeros((1, adapter.batch_tokens), dtype=torch.int64)
    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", torch.bfloat16):
        tuned.get_base_model().model(tokens)
    measured = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    settings = replace(_settings(PAPER), adapter=adapter)
    shape = _shape(config)
    ((_, forecast, _),) = [
        part
        for part in memory.parts(settings, shape, corpus.forecast(settings))
        if part[0] == "activations"
    ]
    assert forecast == pytest.approx(measured, rel=0.05)


def _shape(config: LlamaConfig) -> shapes.Shape:
    return shapes.Shape(
        config.hidden_size, config.num_hidden_layers, config.num_attention_heads,
        config.num_key_value_heads, config.intermediate_size, config.vocab_size,
        config.hidden_size // config.num_attention_heads, tied=False,
    )  # fmt: skip


def test_the_published_speed_is_reached_where_it_was_published():
    settings = _settings(PAPER)
    flops, _ = speed.flops_a_token(shapes.KNOWN[LLAMA], settings, 2048)
    assert flops / 1e9 == pytest.approx(32.1, abs=0.1)
    assert speed.H200.flops / flops == pytest.approx(12_500, rel=0.005)
    again = replace(settings, adapter=replace(settings.adapter, recompute=True))
    more, _ = speed.flops_a_token(shapes.KNOWN[LLAMA], again, 2048)
    assert more / flops == pytest.approx(46.1 / 32.1, abs=0.01)


def test_memory_follows_what_is_set():
    whole = _card()
    assert 60e9 < whole < 80e9
    assert _card("adapter.recompute=true") < whole - 40e9
    assert _card("student.weights=nf4") < whole - 9e9
    assert _card("structural.arm=off") < whole - 0.8e9
    assert _card("adapter.batch_tokens=15360") > whole + 40e9
    assert _card("adapter.rank=64") == pytest.approx(whole + 16 * 83_886_080)


def test_a_consumer_card_suffices_for_the_consumer_recipes():
    for name in ("qwen25-coder-1.5b", "my-code"):
        settings = _settings(name)
        shape = shapes.KNOWN[settings.student.model]
        held = memory.parts(settings, shape, corpus.forecast(settings))
        assert sum(part for _, part, _ in held) < 8e9, name


def test_tokens_and_steps_of_the_paper_are_forecast_from_its_own_count():
    said = _values(PAPER, "problems")
    assert said["rows"].startswith("25,443  = ")
    assert said["problems"].startswith("18,360  = assumption")
    tuned = _values(PAPER, "adapter")
    assert tuned["tokens"].startswith("75,")  # 3 x 18,360 x 0.98 x 1,400 = 75.6 million
    assert tuned["GPU hours on one H200"].startswith("1.7 (1 h 42 min)  = ")
    assert "published" in tuned["speed on one H200"]
    limited = _values(PAPER, "problems", "problems.limit=1000")
    assert limited["rows read"].startswith("1,000  = ")
    assert limited["problems"].startswith("722  = assumption")


def test_the_budget_that_ends_first_counts():
    ahead = corpus.forecast(_settings(PAPER))
    assert corpus.budget(_settings(PAPER, "adapter.tokens=1000"), ahead)[0] == 1000
    large = _settings(PAPER, "adapter.tokens=1000000000")
    assert corpus.budget(large, ahead)[0] == 3 * ahead.examples * ahead.tokens
    both = _settings(PAPER, "adapter.tokens=1000", "adapter.epochs=0")
    assert corpus.budget(both, ahead)[0] == 1000


def test_ones_own_functions_are_counted(tmp_path):
    described = 'def f{}(x):\n    """Add one."""\n    y = x + 1\n    return y\n\n\n'
    (tmp_path / "a.py").write_text(described.format(1) + described.format(2), encoding="utf-8")
    (tmp_path / "b.py").write_text("def g(x):\n    y = x\n    return y\n", encoding="utf-8")
    said = _values("my-code", "problems", f"problems.folder={tmp_path}")
    assert said["problems"].startswith("2  = functions with a docstring")
    assert _values("my-code", "problems")["problems"].startswith("1,000  = assumption")


def test_the_shape_of_a_folder_is_its_configs(tmp_path):
    LlamaConfig(**SIZES).save_pretrained(tmp_path)
    said = _values(PAPER, "student", f"student.model={tmp_path}")
    assert said["parameters"].endswith(f"by {tmp_path / 'config.json'}")
    assert "table" in _values(PAPER, "student")["parameters"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hidden_size": "wide"}', '{"hidden_size": 0}'])
def test_a_config_that_describes_no_llama_is_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataProblem, match=r"config\.json"):
        shapes.read(tmp_path / "config.json")


def test_a_model_that_nothing_here_knows_is_said_to_be_unknown():
    found = estimates(_settings(PAPER, "student.model=nobody/knows-it"))
    (line,) = found["student"]
    assert line.value == "not known"
    assert "nobody/knows-it" in line.formula
    assert WHOLE not in found


def test_a_baseline_without_training_costs_none():
    found = estimates(_settings("paper-untrained-direct"))
    assert set(found) == {"student", "gguf", "evaluate", WHOLE}
    said = {one.what: one for one in found["evaluate"]}["answers"]
    assert said.value == "at most 1,042"  # 164 + 500 + 378
    fewer = _values("paper-untrained-direct", "evaluate", "evaluate.limit=10")
    assert fewer["answers"].startswith("at most 30 ")


def test_the_teacher_is_told_with_money_when_its_price_is_known():
    said = _values(PAPER, "contexts", "contexts.usd_per_million_completion=2", "contexts.samples=2")
    assert said["teacher, calls"].startswith("36,720  = ")
    assert said["teacher, money"].startswith("40.39 USD  = ")
    assert said["teacher, time"].startswith("1 h 56 min  = ")


@pytest.mark.parametrize("name", sorted(recipes.RECIPES))
def test_every_number_has_its_formula_and_belongs_to_a_stage(name):
    settings = _settings(name)
    found = estimates(settings)
    assert all(one.what and one.value and one.formula for part in found.values() for one in part)
    if settings.chain == "scratch":
        assert set(found) - {WHOLE} <= {stage.name for stage in stages(settings)}


def test_one_stage_is_told_alone(capfd):
    assert main(["train", "nano", "--dry-run", "--stage", "base"]) == 0
    said = capfd.readouterr().out
    assert "base: reads" in said
    assert "encoder: reads" not in said
    assert WHOLE not in said
    assert main(["train", "nano", "--dry-run", "--stage", "cook"]) == 2
    assert "'cook'" in capfd.readouterr().err


DRY_RUNS = """
import json, socket, sys
def refuse(*_, **__):
    raise AssertionError("a dry run asks nobody")
socket.socket.connect = socket.getaddrinfo = refuse
from assistant.cli.main import main
from training.recipes import RECIPES
for name in RECIPES:
    assert main(["train", name, "--dry-run"]) == 0, name
assert main(["train", "--list"]) == 0
heavy = {"torch", "transformers", "peft", "datasets", "llama_cpp"} & set(sys.modules)
print(json.dumps(sorted(heavy)))
"""


def test_dry_runs_need_no_torch_and_no_network_and_read_the_hubs_cache(tmp_path):
    commit = recipes.find(PAPER).settings.student.revision
    repository = tmp_path / "hub" / "models--meta-llama--Llama-3.1-8B"
    LlamaConfig(**SIZES).save_pretrained(repository / "snapshots" / commit)
    place = repository / "snapshots" / commit / "config.json"
    done = subprocess.run(
        [sys.executable, "-c", DRY_RUNS],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        env={"PATH": "", "HF_HOME": str(tmp_path), "PYTHONPATH": str(_root()), "HOME": "/none"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []
    assert str(place) in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub"]


def _root() -> Path:
    return Path(__file__).resolve().parents[2]
