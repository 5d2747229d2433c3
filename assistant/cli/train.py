"""`assistant train`: run a recipe's stages, one of them, or say what they would do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, UsageProblem

if TYPE_CHECKING:
    from training.settings import Curriculum

_EPILOG = """\
a recipe is a TOML file of settings: one that comes with the package, or your own (./mine.toml, with
extends = "NAME" for what it does not say). What a run does and costs: --dry-run.

examples:
  assistant train --list
  assistant train paper-llama31-8b --dry-run
  assistant train paper-llama31-8b --out runs/paper-llama31-8b
  assistant train my-code --set problems.folder=. --out runs/my-code
  assistant train ./mine.toml --resume
  assistant train starter --set curriculum.schedule=cosine --plot-curriculum weights.svg
  assistant train starter --out runs/starter --stage evaluate --data ../shared/data
  assistant train nano --set base.tokens=100000 --out /tmp/nano
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="make a model: run the stages of a recipe",
        description="Make a model: run the stages of a recipe, as files in one folder.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "recipe", nargs="?", metavar="RECIPE",
        help="its name (see --list), or the path of a .toml file",
    )  # fmt: skip
    parser.add_argument(
        "--list", action="store_true", help="list the recipes by chain, with each chain's stages"
    )
    parser.add_argument("--stage", metavar="S", help="run this stage alone")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE",
        help="change one setting; may be given more than once",
    )  # fmt: skip
    parser.add_argument(
        "--out", metavar="DIR", type=Path, help="the run's folder (default: runs/RECIPE)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with what the folder holds")
    parser.add_argument(
        "--data", metavar="PATH", type=Path,
        help="a folder with benchmark data for the evaluation (default: ASSISTANT_DATA)",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true",
        help="print settings with their origin, plan and estimates; start nothing",
    )  # fmt: skip
    parser.add_argument(
        "--plot-curriculum", metavar="FILE.svg", type=Path,
        help="draw the weights of both losses over the run; start nothing",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Run the command; the exit code."""
    try:
        # Recipes, settings and plans need no torch; a stage imports it when it runs.
        from training import plan, recipes
    except ImportError as error:
        raise _not_installed(error) from error
    if args.list:
        return _list()
    if args.recipe is None:
        raise UsageProblem("a recipe is needed", hint="assistant train --list")
    recipe = recipes.find(args.recipe)
    settings, origins = plan.resolve(recipe, args.overrides)
    out = args.out or Path("runs") / recipe.folder
    if args.dry_run:
        print(plan.describe(recipe, settings, origins, out, args.stage))
        return 0
    if args.plot_curriculum is not None:
        return _plot(settings.curriculum, args.plot_curriculum)
    from training import run as runner

    try:
        runner.run(recipe.name, settings, out, only=args.stage, resume=args.resume, data=args.data)
    except ModuleNotFoundError as error:
        raise _not_installed(error) from error
    return 0


def _plot(settings: Curriculum, file: Path) -> int:
    from training import curriculum_plot

    text = curriculum_plot.svg(settings)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageProblem(
            f"--plot-curriculum {file}: {error.strerror}",
            hint="name a file in a folder that exists",
        ) from error
    print(f"wrote {file}")
    return 0


_CHAINS = {
    "pretrained": "a pretrained model is tuned",
    "untrained": "a pretrained model is judged as it is",
    "scratch": "a small model is made from nothing and tuned",
}


def _list() -> int:
    from training.plan import stages
    from training.recipes import RECIPES
    from training.settings import Settings

    width = max(map(len, RECIPES))
    for chain, title in _CHAINS.items():
        print(f"{title} (chain {chain})")
        for recipe in RECIPES.values():
            if recipe.settings.chain == chain:
                print(f"  {recipe.name:{width}}  {recipe.summary}")
        names = " -> ".join(stage.name for stage in stages(Settings(chain=chain)))
        print(f"  stages: {names}\n")
    print("assistant train RECIPE --dry-run says what one does and costs; ./mine.toml is one, too.")
    return 0


def _not_installed(error: ImportError) -> AssistantError:
    return AssistantError(
        f"training needs {error.name}, which is not installed",
        hint="pip install 'assistant[train,local]'",
    )
