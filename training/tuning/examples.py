"""Which documents are learned, and which the validation loss is taken of.

reasoning   request -> the teacher's reasoning, then the code; one for each of its samples
code        request -> the code alone, of the same problems: the control arm
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from assistant.errors import TrainingProblem, UsageProblem
from assistant.format import Rationale
from training import contexts, problems
from training.documents import Document, Writer
from training.settings import Adapter
from training.stages import Job
from training.world import Problem

_SHUFFLE = "the same examples for every seed"

Answers = Callable[[Writer, Problem, Sequence[Rationale]], list[Document]]


@dataclass(frozen=True)
class Examples:
    """Documents, and what was left out.

    Attributes:
        documents: in their order.
        problems: of each document.
        too_long: how many documents were longer than allowed.
    """

    documents: list[Document]
    problems: list[Problem]
    too_long: int


@dataclass(frozen=True)
class Budget:
    """When there are enough documents; 0 is no limit.

    Attributes:
        examples: so many.
        tokens: of all of them.
    """

    examples: int = 0
    tokens: int = 0

    @staticmethod
    def of(settings: Adapter) -> Budget:
        """That of the settings; a budget in epochs takes all documents."""
        if settings.examples:
            return Budget(examples=settings.examples)
        return Budget() if settings.epochs else Budget(tokens=settings.tokens)

    def spent(self, examples: int, tokens: int) -> bool:
        """Whether so many are enough."""
        return 0 < self.examples <= examples or 0 < self.tokens <= tokens


def _with_reasoning(writer: Writer, problem: Problem, known: Sequence[Rationale]) -> list[Document]:
    return [writer.reasoning(problem, rationale) for rationale in known]


def _code_alone(writer: Writer, problem: Problem, known: Sequence[Rationale]) -> list[Document]:
    return [writer.direct(problem)] if known else []


ANSWERS: dict[str, Answers] = {"reasoning": _with_reasoning, "code": _code_alone}


def training(job: Job, writer: Writer, longest: int) -> Examples:
    """The examples that are learned from.

    With `adapter.examples` the first so many of a shuffle that is the same for every seed, so that
    arms and seeds see the same ones. Without it later problems come first, as many as the budget
    of tokens takes: few of them were seen in making a base model when there are enough.

    Args:
        job: of the stage.
        writer: makes documents of problems.
        longest: tokens of the longest document that the model takes.

    Raises:
        TrainingProblem: there is no example.
    """
    settings = job.settings.adapter
    chosen = list(problems.read(job.path("problems.jsonl"), "train"))
    chosen.reverse()
    if settings.examples:
        random.Random(_SHUFFLE).shuffle(chosen)
    found = _made(job, writer, chosen, _limit(settings, longest), Budget.of(settings))
    if not found.documents:
        raise TrainingProblem(
            f"no problem of {len(chosen):,} became an example: {found.too_long:,} documents are "
            f"longer than {_limit(settings, longest):,} tokens, the others have no reasoning",
            hint="look at contexts.jsonl, or raise adapter.max_length",
        )
    return found


def validation(job: Job, writer: Writer, longest: int) -> Examples:
    """The first `evaluate_examples` of the problems that are not trained on."""
    settings = job.settings.adapter
    if not settings.evaluate_examples:
        return Examples([], [], 0)
    chosen = problems.read(job.path("problems.jsonl"), "validation")
    budget = Budget(examples=settings.evaluate_examples)
    return _made(job, writer, chosen, _limit(settings, longest), budget)


def _limit(settings: Adapter, longest: int) -> int:
    return min(settings.max_length, longest)


def _fits(documents: Sequence[Document], limit: int) -> bool:
    return any(len(document.tokens) <= limit for document in documents)


def _made(
    job: Job, writer: Writer, chosen: Iterable[Problem], limit: int, budget: Budget
) -> Examples:
    answer = job.settings.adapter.answer
    if answer not in ANSWERS:
        raise UsageProblem(
            f"adapter.answer={answer}: there is no such answer",
            hint=f"one of: {', '.join(ANSWERS)}",
        )
    known = contexts.by_problem(job.path("contexts.jsonl"))
    documents: list[Document] = []
    of: list[Problem] = []
    tokens = too_long = 0
    for problem in chosen:
        if budget.spent(len(documents), tokens):
            break
        rationales = known.get(problem.id, ())
        made = ANSWERS[answer](writer, problem, rationales)
        if answer == "code" and not _fits(_with_reasoning(writer, problem, rationales), limit):
            made = []  # the control arm learns the problems that fit with their reasoning
        fitting = [document for document in made if len(document.tokens) <= limit]
        too_long += len(made) - len(fitting)
        documents += fitting
        of += [problem] * len(fitting)
        tokens += sum(len(document.tokens) for document in fitting)
    most = budget.examples or len(documents)
    return Examples(documents[:most], of[:most], too_long)
