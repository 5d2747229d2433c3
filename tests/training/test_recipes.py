"""Recipes: each loads, says how it is run, and explains its knobs; a wrong file is told what is."""

from __future__ import annotations

import itertools
import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli.main import build_parser, main
from assistant.errors import UsageProblem
from training import curriculum, recipes
from training.data import sources
from training.data.reference import Preference
from training.export import types
from training.losses.encoders import SOURCES
from training.losses.pooling import Center, Pooling
from training.losses.structural import Arm
from training.plan import resolve
from training.recipes.reading import packaged, read
from training.settings import (
    Adapter,
    Architecture,
    Base,
    Curriculum,
    Encoder,
    Evaluate,
    Export,
    Problems,
    Settings,
    Tokenizer,
)
from training.settings.choices import CHOICES
from training.settings.keys import DEFAULTS, flat, from_toml
from training.teachers.agents import CHAINS
from training.teachers.prompts import SINGLE
from training.teachers.select import WAYS

README = Path(__file__).resolve().parents[2] / "README.md"
PAPER = "paper-llama31-8b"
PROMISED = {
    PAPER, f"{PAPER}-r16", f"{PAPER}-r64", "paper-untrained-direct", "paper-untrained-reasoning",
    "paper-code-only", "paper-no-structural", "paper-placebo", "qwen25-coder-1.5b", "my-code",
    "starter", "nano",
}  # fmt: skip

NANO = Settings(
    threads=1,
    problems=Problems(count=300),
    tokenizer=Tokenizer(vocabulary=512, sample=200),
    model=Architecture(width=64, layers=2, heads=2, kv_heads=1, feed_forward=128, context=1024),
    base=Base(tokens=60_000, batch_tokens=4096, checkpoint_every=4),
    encoder=Encoder(width=32, layers=1, heads=2, steps=10, batch=16, checkpoint_every=4),
    curriculum=Curriculum(measure_every=2),
    adapter=Adapter(rank=8, alpha=16, tokens=40_000, batch_tokens=4096, checkpoint_every=3),
    export=Export(name="nano", verify_tokens=200),
    evaluate=Evaluate(
        heldout=4, validation=2, handwritten=False, mbpp=0, max_new_tokens=64, examples=2, workers=1
    ),
)
STARTER = Settings(
    threads=1,
    install=True,
    problems=Problems(count=60_000),
    tokenizer=Tokenizer(vocabulary=2048, sample=20_000),
    model=Architecture(width=256, layers=6, heads=4, kv_heads=2, feed_forward=704),
    base=Base(tokens=8_500_000, batch_tokens=4096),
    encoder=Encoder(width=128, layers=2, heads=4, steps=400),
    adapter=Adapter(rank=64, alpha=128, tokens=6_000_000, batch_tokens=4096),
    export=Export(type="Q8_0", name="starter"),
    evaluate=Evaluate(heldout=300, validation=100, mbpp=500),
)


def _said(error: UsageProblem) -> str:
    return f"{error.message} {error.hint}"


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_recipe_that_is_promised_is_there():
    assert set(recipes.RECIPES) == PROMISED
    assert all(recipe.summary for recipe in recipes.RECIPES.values())


@pytest.mark.parametrize(("name", "settings"), [("nano", NANO), ("starter", STARTER)])
def test_models_made_before_are_made_as_before(name, settings):
    assert recipes.find(name).settings == settings


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_the_command_in_a_recipes_head_runs_it(name):
    head = packaged()[name].read_text("utf-8").partition("summary = ")[0]
    (command,) = re.findall(r"^#     (assistant train .+)$", head, re.MULTILINE)
    args = build_parser().parse_args(shlex.split(command)[1:])
    assert args.recipe == name
    assert args.out is not None
    resolve(recipes.find(name), args.overrides)


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_a_few_words_are_said_about_each_knob(name):
    lines = packaged()[name].read_text("utf-8").splitlines()
    silent = [
        line
        for before, line in itertools.pairwise(["", *lines])
        if re.match(r"(?!summary|extends)\w+ = ", line)
        and not re.search(r"\S  # ?[\w\"]", line)
        and not before.startswith("# ")
    ]
    assert silent == []
    assert max(map(len, lines)) <= 100


def test_commands_in_the_readme_run_a_recipe():
    found = re.findall(r"^(assistant train .+?)(?:  +#.*)?$", README.read_text("utf-8"), re.M)
    for command in found:
        args = build_parser().parse_args(shlex.split(command)[1:])
        resolve(recipes.find(args.recipe), args.overrides)
    assert len(found) > 5


def test_the_paper_is_followed_where_it_speaks():
    settings = recipes.find(PAPER).settings
    assert settings.student.model == "meta-llama/Llama-3.1-8B"
    assert settings.contexts.teacher_model == "meta-llama/Llama-3.1-70B-Instruct"
    assert (settings.problems.source, settings.structural.encoder) == ("taco", "codebert")
    assert (settings.structural.arm, settings.structural.centring) == ("straight-through", "none")
    assert (settings.curriculum.beta_scale, settings.curriculum.alpha_end) == ("raw", 0.5)
    assert settings.evaluate.benchmarks == "humaneval,mbpp,mbpp+"
    ranks = [recipes.find(PAPER + ending).settings.adapter.rank for ending in ("-r16", "", "-r64")]
    assert ranks == [16, 32, 64]


def test_a_baseline_differs_from_the_paper_in_its_own_point_alone():
    def differing(name: str) -> set[str]:
        own, whole = recipes.find(name), recipes.find(PAPER)
        values, before = (resolve(recipe, [])[0] for recipe in (own, whole))
        return {k for (k, a), (_, b) in zip(flat(values), flat(before), strict=True) if a != b}

    assert differing("paper-no-structural") == {"structural.arm", "export.name"}
    assert differing("paper-placebo") == {"structural.arm", "export.name"}
    assert differing("paper-untrained-reasoning") == {"chain", "export.name"}
    assert differing("paper-untrained-direct") == {"chain", "export.name", "evaluate.prompt"}
    assert differing("paper-code-only") == {"structural.arm", "adapter.answer", "export.name"}


def test_a_value_says_which_file_it_is_from(tmp_path):
    path = _written(
        tmp_path,
        f'summary = "x"\nextends = "{PAPER}"\nseed = 3\n[adapter]\nlr = 1\n',
    )
    recipe = recipes.find(str(path))
    settings, origins = resolve(recipe, ["adapter.rank=8", "adapter.rank=4"])
    assert (settings.seed, settings.adapter.lr, settings.adapter.rank) == (3, 1.0, 4)
    assert isinstance(settings.adapter.lr, float)
    assert settings.student.model == "meta-llama/Llama-3.1-8B"
    assert origins["adapter.lr"] == origins["seed"] == f"recipe {path}"
    assert origins["student.model"] == f"recipe {PAPER}"
    assert origins["adapter.rank"] == "--set"
    assert origins["base.tokens"] == "default"
    assert recipe.folder == "mine"


def test_a_file_of_ones_own_runs_by_its_path(tmp_path, monkeypatch, capfd):
    _written(tmp_path, '\ufeffsummary = "of mine"\nextends = "nano"\nthreads = 2\n')
    monkeypatch.chdir(tmp_path)
    assert main(["train", "./mine.toml", "--dry-run"]) == 0
    said = capfd.readouterr().out
    assert "threads = 2  (recipe ./mine.toml)" in said
    assert "adapter.rank = 8  (recipe nano)" in said
    assert str(Path("runs") / "mine") in said
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[adapter]\nranc = 8", ("adapter.ranc", "adapter.rank")),
        ("[adaptor]\nrank = 8", ("adaptor.rank", "adapter.rank")),
        ("sed = 8", ("no such setting: sed", "seed")),
        ("lr = 1.0", ("no such setting: lr", "encoder.lr or adapter.lr")),
        ("[curriculm]", ("curriculm", "curriculum")),
        ("[seed]\nvalue = 1", ("seed.value",)),
        ("adapter = 8", ("adapter is a section", "adapter.rank")),
        ("[adapter.rank]\nvalue = 1", ("adapter.rank = ", "a whole number")),
        ("[adapter]\nrank = true", ("adapter.rank = true", "a whole number")),
        ("[adapter]\nrank = 8.0", ("adapter.rank = 8.0", "a whole number")),
        ('[adapter]\nrank = "8"', ("adapter.rank = '8'", "a whole number")),
        ("[adapter]\nlr = true", ("adapter.lr = true", "a number")),
        ("[adapter]\npacked = 1", ("adapter.packed = 1", "true or false")),
        ("[adapter]\nkind = 5", ("adapter.kind = 5", "a text")),
        ("[adapter]\nrank = [8]", ("adapter.rank = [8]", "a whole number")),
        ("seed = 2026-01-01", ("seed = ", "a whole number")),
        ("[adapter]\nlr = nan", ("adapter.lr = nan", "finite")),
        ("[adapter]\nlr = " + "9" * 400, ("adapter.lr", "a number")),
        ("[adapter]\nrank = -8", ("adapter.rank = -8",)),
        ('[structural]\narm = "straight-trough"', ("straight-trough", "straight-through")),
        ('extends = "paper"', ("extends", "'paper'", PAPER)),
        (f'extends = "{PAPER}-r16"', (f"extends {PAPER}", "one step")),
        ("extends = 5", ("extends", "a text")),
        ("seed = = 5", ("no TOML", "line")),
        ("x = " + "[" * 9000, ("no TOML",)),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_what_would_be_right(tmp_path, text, said):
    path = _written(tmp_path, f'summary = "x"\n{text}\n')
    with pytest.raises(UsageProblem) as caught:
        recipes.find(str(path))
    for part in (str(path), *said):
        assert part in _said(caught.value)


def test_a_recipe_without_a_summary_or_a_file_is_refused(tmp_path):
    with pytest.raises(UsageProblem, match="summary is missing"):
        recipes.find(str(_written(tmp_path, "seed = 1\n")))
    with pytest.raises(UsageProblem, match="nowhere"):
        recipes.find("./nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b'summary = "\xe9"\n')
    with pytest.raises(UsageProblem, match="no TOML"):
        recipes.find(str(tmp_path / "latin.toml"))


def test_a_name_that_is_nearly_right_is_found(capfd):
    assert main(["train", "paper-llama3-8b", "--dry-run"]) == 2
    assert f"did you mean {PAPER}?" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("adapter.ranc=8", "adapter.rank"),
        ("adapter=8", "is a section"),
        ("adapter.lr=nan", "finite"),
        ("adapter.lr=-1", "adapter.lr=-1"),
        ("student.weights=nf8", "nf4"),
        ("adapter.packed=maybe", "true or false"),
        ("adapter.checkpoint_every=0", "more than nothing"),
        ("curriculum.measure_every=0", "more than nothing"),
        ("structural.temperature=0", "more than nothing"),
        ("adapter.rank", "KEY=VALUE"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_named(override, said):
    with pytest.raises(UsageProblem) as caught:
        resolve(recipes.find("nano"), [override])
    assert override in _said(caught.value)
    assert said in _said(caught.value)


VALUES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.integers()),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


@given(st.sampled_from(sorted(DEFAULTS)), VALUES)
def test_a_value_has_its_settings_type_or_is_refused(key, value):
    try:
        found = from_toml(key, value, "f.toml")
    except UsageProblem as problem:
        assert key in problem.message
    else:
        assert type(found) is type(DEFAULTS[key])
        assert found == value


def test_words_that_a_setting_may_have_are_those_that_mean_something():
    meant = {
        "problems.source": sources.NAMES,
        "problems.reference": [one.value for one in Preference],
        "contexts.template": [one.name for one in (*SINGLE, *CHAINS)],
        "contexts.select": WAYS,
        "structural.arm": [one.value for one in Arm],
        "structural.encoder": ["own", *SOURCES],
        "structural.pooling": [one.value for one in Pooling],
        "structural.centring": [one.value for one in Center],
        "curriculum.schedule": list(curriculum.SCHEDULES),
    }
    for key, words in meant.items():
        assert set(CHOICES[key]) == set(words), key
    assert set(CHOICES) <= set(DEFAULTS)
    assert all(DEFAULTS[key] in words for key, words in CHOICES.items())
    assert all(r.settings.export.type in types.TYPES for r in recipes.RECIPES.values())


def test_reading_a_file_again_gives_the_same():
    for name, path in packaged().items():
        assert read(path, name) == recipes.find(name)


def test_recipes_go_into_the_package():
    project = tomllib.loads(README.with_name("pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["training"]
    for path in packaged().values():
        name = f"recipes/{path.name}"
        assert any(fnmatch(name, pattern) for pattern in patterns), name
