"""The sets: every arm has settings that exist, a place, and something to stand beside."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from assistant.cli.main import main
from assistant.errors import UsageProblem
from training import recipes
from training.experiments import degrade, sets
from training.experiments.world import WORLD

ALL = list(sets.sets().values())


@pytest.mark.parametrize("chosen", ALL, ids=lambda one: one.name)
def test_arms_have_names_for_folders_and_what_they_are_compared_with(chosen):
    names = [arm.name for arm in chosen.arms]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9_-]+", name) for name in names)
    assert "shared" not in names
    assert {chosen.against(arm) for arm in chosen.arms} <= set(names)
    assert all(arm.asks for arm in chosen.arms)
    assert {arm.reasoning for arm in chosen.arms} <= {"", *degrade.WAYS}
    assert bool(chosen.axis) == any(arm.size is not None for arm in chosen.arms)


@pytest.mark.parametrize("chosen", ALL, ids=lambda one: one.name)
def test_every_arm_has_settings_that_exist_and_that_no_other_arm_has(chosen):
    if any((arm.recipe or chosen.recipe) not in recipes.RECIPES for arm in chosen.arms):
        pytest.skip(f"there is no recipe {chosen.recipe}")

    resolved = {arm.name: sets.settings_of(chosen, arm, 2)[1] for arm in chosen.arms}

    kinds = {(repr(resolved[arm.name]), arm.reasoning) for arm in chosen.arms}
    assert len(kinds) == len(chosen.arms)
    assert all(one.seed == 2 and not one.install for one in resolved.values())


@pytest.mark.parametrize("chosen", WORLD, ids=lambda one: one.name)
def test_sets_for_anywhere_need_nothing_that_is_not_here(chosen):
    assert not chosen.needs
    for arm in chosen.arms:
        _, found = sets.settings_of(chosen, arm, 1)
        assert found.problems.source == "world" and found.contexts.teacher == "program"
        assert found.structural.encoder == "own"
        assert (found.evaluate.mbpp, found.threads) == (0, 1)


def test_settings_for_all_arms_do_not_undo_what_an_arm_is():
    chosen = sets.find("world-arms")
    overrides = ["structural.arm=soft", "adapter.rank=4"]

    _, off = sets.settings_of(chosen, chosen.arm("token-loss"), 1, overrides)

    assert (off.structural.arm, off.adapter.rank) == ("off", 4)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["world"], "'world'"),
        (["nano", "--arm", "harder"], "'harder'"),
        (["nano", "--seeds", "0"], "--seeds"),
        (["nano", "--set", "seed=3"], "--seeds N"),
        (["nano", "--set", "install=true"], "install"),
        (["nano", "--set", "adapter.sieve=3"], "adapter.sieve"),
    ],
)
def test_wrong_usage_names_the_value_and_starts_nothing(arguments, said, tmp_path, capfd):
    out = tmp_path / "set"
    assert main(["experiments", *arguments, "--out", str(out)]) == 2
    assert said in capfd.readouterr().err
    assert not out.exists()


def test_an_unknown_arm_lists_those_that_there_are():
    with pytest.raises(UsageProblem, match="token-loss"):
        sets.find("nano").arm("x")


def test_a_dry_run_says_arms_settings_plan_and_estimates_and_starts_nothing(tmp_path, capfd):
    out = tmp_path / "set"
    assert main(["experiments", "world-arms", "--dry-run", "--seeds", "2", "--out", str(out)]) == 0
    said = capfd.readouterr().out
    for text in ("20 runs", "structural.arm=placebo", "adapter.tokens=300000", "time:", "score"):
        assert text in said
    assert not out.exists()


def test_sets_and_arms_are_listed_without_torch():
    listing = (
        "import sys; from assistant.cli.main import main; main(['experiments']); "
        "main(['experiments', 'world-arms', '--list']); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    for text in ("world-arms", "paper-gain", "policy-gradient", "need a GPU"):
        assert text in done.stdout
    assert done.stdout.splitlines()[-1] == "False"
