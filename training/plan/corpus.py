"""How many problems, examples and tokens there will be, before any of them is there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from training.data import own_code, sources, taco
from training.data.rows import Row
from training.plan.numbers import Estimate
from training.settings import Problems, Settings
from training.teachers.meter import CHARACTERS_A_TOKEN
from training.world.structure import HELDOUT_PERCENT, VALIDATION_PERCENT

ASSUMED_FUNCTIONS = 1000
"""Of a folder of code that is not named yet."""
_TYPICAL = {
    "world": (40, 60), "taco": (500, 350), "code_contests": (500, 350), "mbpp": (50, 60),
    "code_search_net": (60, 150), "own_code": (60, 150),
}  # fmt: skip
"""Tokens of a statement and of its code, about: assumptions, none of them measured."""


@dataclass(frozen=True)
class Corpus:
    """A forecast.

    Attributes:
        problems: what the stage `problems` leaves.
        asked: those that the teacher writes for: of training and validation.
        examples: what an epoch of tuning sees.
        tokens: of one example, about.
        lines: all of it with its formulas.
    """

    problems: int
    asked: int
    examples: int
    tokens: int
    lines: tuple[Estimate, ...]

    @property
    def problem_lines(self) -> tuple[Estimate, ...]:
        """What is said about the stage `problems`."""
        return self.lines[:-2]

    @property
    def example_lines(self) -> tuple[Estimate, ...]:
        """What is said about the examples of tuning."""
        return self.lines[-2:]


def forecast(settings: Settings) -> Corpus:
    """What a run will have to learn from. Of the data only one's own folder is looked at."""
    problems, statement, code, lines = _problems(settings.problems)
    if settings.problems.source == "world":
        validation, heldout = VALIDATION_PERCENT / 100, HELDOUT_PERCENT / 100
    else:
        validation, heldout = settings.problems.validation_share, settings.problems.heldout_share
    trained = round(problems * max(0.0, 1 - validation - heldout))
    examples, how = _examples(settings, trained)
    tokens, of = _tokens(settings, statement, code)
    lines += [
        Estimate("examples", f"{examples:,}", how),
        Estimate("tokens of an example", f"{tokens:,}", of),
    ]
    # Of the world the most: how its structures fall is not known before.
    asked = problems if settings.problems.source == "world" else round(problems * (1 - heldout))
    return Corpus(problems, asked, examples, tokens, tuple(lines))


def budget(settings: Settings, corpus: Corpus) -> tuple[int, int, str]:
    """Tokens and steps of tuning, and the formula of the tokens."""
    adapter = settings.adapter
    tokens = round(adapter.epochs * corpus.examples * corpus.tokens)
    formula = f"{adapter.epochs:g} epochs x {corpus.examples:,} x {corpus.tokens:,}"
    if adapter.epochs and not adapter.packed:
        formula += "; padding comes on top"
    if adapter.tokens and (not adapter.epochs or adapter.tokens < tokens):
        tokens, formula = adapter.tokens, "adapter.tokens"
    return tokens, math.ceil(tokens / max(adapter.batch_tokens * adapter.accumulate, 1)), formula


def _problems(settings: Problems) -> tuple[int, int, int, list[Estimate]]:
    """Problems, tokens of a statement, tokens of its code, and what to say about them."""
    statement, code = _TYPICAL.get(settings.source, _TYPICAL["taco"])
    if settings.source == "world":
        made = [Estimate("problems", f"{settings.count:,}", "problems.count")]
        return settings.count, statement, code, made
    if settings.source == own_code.NAME:
        return _own(settings)
    rows = sources.DATA_SETS[settings.source].about
    lines = [Estimate("rows", f"{rows:,}", "the training split, by the data set's own card")]
    if settings.limit:
        rows = min(rows, settings.limit)
        lines.append(Estimate("rows read", f"{rows:,}", "problems.limit"))
    kept, formula = rows, "all rows: how many pass the funnel is not known"
    if settings.source == taco.NAME:
        whole = sources.DATA_SETS[taco.NAME].about
        kept = round(rows * taco.PAPER / whole)
        formula = (
            f"assumption: the paper's share, {taco.PAPER:,} of {whole:,}; its rule is not "
            "published, the stage counts ours"
        )
    lines.append(Estimate("problems", f"{kept:,}", formula))
    return kept, statement, code, lines


def _own(settings: Problems) -> tuple[int, int, int, list[Estimate]]:
    """The functions of the folder, counted, with their mean length."""
    statement, code = _TYPICAL[own_code.NAME]
    place = Path(settings.folder).expanduser()
    if not settings.folder or not place.is_dir():
        why = "assumption, as problems.folder names no folder: --set problems.folder=PATH counts"
        lines = [Estimate("problems", f"{ASSUMED_FUNCTIONS:,}", why)]
        return ASSUMED_FUNCTIONS, statement, code, lines
    files = own_code.python_files(place)
    found = [row for row in own_code.read(place, files) if isinstance(row, Row)]
    if settings.limit:
        found = found[: settings.limit]
    why = f"functions with a docstring or tests in {place}; the funnel may leave some out"
    if found:
        characters = sum(len(row.statement) for row in found) / len(found)
        statement = round(characters / CHARACTERS_A_TOKEN)
        characters = sum(len(row.solutions[0]) for row in found) / len(found)
        code = round(characters / CHARACTERS_A_TOKEN)
    return len(found), statement, code, [Estimate("problems", f"{len(found):,}", why)]


def _examples(settings: Settings, trained: int) -> tuple[int, str]:
    samples = 1
    if settings.contexts.teacher != "program" and settings.contexts.select == "all":
        samples = settings.contexts.samples
    examples, formula = trained * samples, "problems without those of validation and held out"
    if samples > 1:
        formula += f", x {samples} samples"
    if settings.contexts.select == "passing":
        formula += "; those without a passing sample come off"
    if settings.adapter.examples and settings.adapter.examples < examples:
        return settings.adapter.examples, "adapter.examples"
    return examples, formula


def _tokens(settings: Settings, statement: int, code: int) -> tuple[int, str]:
    """Tokens of an example, about, and the formula."""
    reasoning = min(settings.contexts.expected_tokens, settings.contexts.max_tokens)
    if settings.contexts.teacher == "program":
        reasoning = 60
    if settings.adapter.answer == "code":
        reasoning = 0
    whole = statement + reasoning + code
    formula = f"assumption: statement {statement:,} + reasoning {reasoning:,} + code {code:,}"
    if whole > settings.adapter.max_length:
        return settings.adapter.max_length, f"adapter.max_length; {formula} is more"
    return whole, formula
