"""`assistant train`: run a recipe's stages, one of them, or say what they would do."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.errors import AssistantError, UsageProblem

if TYPE_CHECKING:
    from training.settings import Curriculum

_EPILOG = """\
examples:
  assistant train --list
  assistant train starter --dry-run
  assistant train starter --set curriculum.schedule=cosine --plot-curriculum weights.svg
  assistant train starter --out runs/starter
  assistant train starter --out runs/starter --resume
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
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="its name; see --list")
    parser.add_argument("--list", action="store_true", help="list the recipes and their stages")
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
    out = args.out or Path("runs") / recipe.name
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


def _list() -> int:
    from training.chain import CHAINS, chain
    from training.recipes import RECIPES
    from training.settings import Settings

    for recipe in RECIPES.values():
        print(f"{recipe.name:10} {recipe.summary}")
    for name in CHAINS:
        stages = chain(replace(Settings(), chain=name))
        print(f"stages ({name}):", " -> ".join(s.name for s in stages), file=sys.stderr)
    return 0


def _not_installed(error: ImportError) -> AssistantError:
    return AssistantError(
        f"training needs {error.name}, which is not installed",
        hint="pip install 'assistant[train,local]'",
    )
