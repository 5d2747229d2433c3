"""Which of a problem's samples are learned from: an ablation, and never a silent filter.

`passing` asks the same teacher for the code that a sample's reasoning leads to, and runs the
problem's tests on it in the sandbox. What that leaves out is counted in the report: filtering by
execution lowered accuracy in OpenCodeReasoning (arXiv 2504.01943), as problems get lost.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from assistant.errors import TrainingProblem, UsageProblem
from assistant.format.completion import Rationale, code_opening, parse, render
from assistant.outcomes import Outcome
from training.teachers.dialogue import Asking, Dialogue, Notes, ask
from training.teachers.prompts import task_text
from training.teachers.sections import Rejected
from training.world import Problem
from training.world.execution import called_name

_SECONDS = 10.0
"""Processor time of one test of a whole program."""
WAYS = ("all", "first", "passing")

_SYSTEM = """You write Python code from a plan. Follow the plan even where you would do it \
otherwise. Answer with one fenced block of code and nothing else, without a usage example."""


@dataclass(frozen=True)
class Sample:
    """One accepted answer; `code` is what it leads to, None when that was not asked."""

    problem: Problem
    sample: int
    rationale: Rationale
    code: str | None = None


Judge = Callable[[Sequence[tuple[str, str]]], Sequence[Outcome]]
"""The outcomes of `(code, tests)` pairs."""


@dataclass(frozen=True)
class Selection:
    """What is learned from, and what was left out on the way."""

    chosen: tuple[Sample, ...]
    counts: dict[str, int]


def check_way(way: str) -> None:
    """Whether there is such a way.

    Raises:
        UsageProblem: there is none.
    """
    if way not in WAYS:
        raise UsageProblem(f"contexts.select={way}: there are {', '.join(WAYS)}")


def solution(sample: Sample, how: Asking, notes: Notes) -> Dialogue[str]:
    """The code that a sample's reasoning leads to.

    Raises:
        Failed: the teacher wrote none.
    """
    # The reasoning as the student will see it, without the place of the code.
    plan = render(sample.rationale, "").partition(code_opening())[0]
    first = (
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": f"Task:\n{task_text(sample.problem)}\n\nPlan:\n{plan}"},
    )
    # Greedy: the plan is judged, not the luck of the coder.
    greedy = replace(how, sampling=replace(how.sampling, temperature=0.0, top_p=1.0, stop=()))
    return (
        yield from ask(sample.problem.id, "solution", first, sample.sample, greedy, notes, _code)
    )


def _code(text: str) -> str:
    code = parse(text).code
    if not code.strip():
        raise Rejected("there must be one fenced block of code")
    return code


def choose(samples: Sequence[Sample], way: str, judge: Judge | None = None) -> Selection:
    """Choose among samples that are in the order of their problems.

    Args:
        samples: all that were accepted.
        way: one of `WAYS`.
        judge: runs tests; the sandbox when None.

    Raises:
        TrainingProblem: there is no sandbox to run tests in.
    """
    check_way(way)
    if way == "all":
        return Selection(tuple(samples), _counts(samples, samples))
    if way == "first":
        chosen = _first(samples)
        return Selection(chosen, _counts(samples, chosen))
    outcomes = _outcomes(samples, judge or in_sandbox)
    chosen = _first([s for s, o in zip(samples, outcomes, strict=True) if o is Outcome.PASS])
    verdicts = Counter(f"code: {outcome.value}" for outcome in outcomes)
    return Selection(chosen, _counts(samples, chosen) | dict(sorted(verdicts.items())))


def _first(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    kept: dict[str, Sample] = {}
    for sample in samples:
        kept.setdefault(sample.problem.id, sample)
    return tuple(kept.values())


def _counts(samples: Sequence[Sample], chosen: Sequence[Sample]) -> dict[str, int]:
    answered = {sample.problem.id for sample in samples}
    kept = {sample.problem.id for sample in chosen}
    return {
        "samples accepted": len(samples),
        "samples chosen": len(chosen),
        "samples left out": len(samples) - len(chosen),
        "problems with an accepted sample": len(answered),
        "problems left out": len(answered - kept),
    }


def _outcomes(samples: Sequence[Sample], judge: Judge) -> list[Outcome]:
    """One for each sample; NOT_CHECKED without code or without tests to run."""
    ready = [n for n, s in enumerate(samples) if s.code and s.problem.tests]
    programs = [n for n, s in enumerate(samples) if s.code and not s.problem.tests]
    ready += (by_examples := [n for n in programs if samples[n].problem.examples])
    found = judge([_program(samples[n]) for n in ready if samples[n].problem.tests])
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        found = [*found, *pool.map(lambda n: _by_examples(samples[n]), by_examples)]
    if Outcome.SANDBOX_UNAVAILABLE in found:
        raise TrainingProblem(
            "samples can not be chosen by their tests: there is no sandbox to run them in",
            hint="see: assistant doctor; or --set contexts.select=all",
        )
    outcomes = [Outcome.NOT_CHECKED] * len(samples)
    for n, outcome in zip(ready, found, strict=True):
        outcomes[n] = outcome
    return outcomes


def _by_examples(sample: Sample) -> Outcome:
    """Whole programs, which read and print; and calls, whose results are compared."""
    from training.data import verdicts

    return verdicts.judge(sample.code or "", sample.problem, _SECONDS).outcome


def _program(sample: Sample) -> tuple[str, str]:
    problem, code = sample.problem, sample.code or ""
    own = called_name(problem, code)
    alias = f"\n{problem.name} = {own}\n" if own != problem.name else ""
    return code + alias, "\n".join((problem.setup, *problem.tests)).strip()


def in_sandbox(pairs: Sequence[tuple[str, str]]) -> list[Outcome]:
    """Run the pairs in the sandbox."""
    from assistant.checks import Limits, check_many

    return [r.outcome for r in check_many(pairs, limits=Limits(wall_s=10.0, cpu_s=5))]
