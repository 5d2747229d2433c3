"""Stage `evaluate`: the GGUF model answers, greedily, and the code that it writes is run.

Either public benchmarks (`evaluate.benchmarks`, see `training.scoring`), or as in serving: the
same prompt, and the signature continued when the request gives one. Sets:

    heldout      structures of code that do not occur in training
    validation   new problems of the other structures
    handwritten  requests in words that no template made
    mbpp         the test split of MBPP, when its data is there

pass@1 is the share of problems whose code passes all tests, with Wilson's 95% interval. Nothing
here was used to choose anything in training.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from assistant.checks import Limits as CheckLimits
from assistant.checks import check_many
from assistant.engine.engine import Engine
from assistant.engine.types import (
    CancelToken,
    EngineSettings,
    Forced,
    Limits,
    Message,
    Text,
)
from assistant.events import Outcome
from assistant.format import code_opening, parse
from assistant.tasks import find_signature
from training import files, question_sets, scoring
from training.answers import Answer
from training.settings import Evaluate
from training.stages import Job
from training.world import Problem
from training.world.execution import called_name

_CHECK = CheckLimits(wall_s=10.0, cpu_s=5)


def make(job: Job) -> None:
    """Write `evaluation.json`."""
    settings = job.settings.evaluate
    benchmarks = scoring.named(settings.benchmarks)
    report: dict[str, Any] = {"decoding": "greedy", "sets": {}}
    # From scratch on the processor, so that the numbers do not depend on the machine's cards.
    layers = 0 if job.settings.chain == "scratch" else -1
    engine_settings = EngineSettings(threads=job.settings.threads, gpu_layers=layers)
    with Engine(job.path("model.gguf"), engine_settings) as engine:
        for benchmark in benchmarks:
            report["sets"][benchmark.name] = scoring.score(job, engine, benchmark)
        for name, questions in () if benchmarks else question_sets.all_sets(job):
            report["sets"][name] = (
                _one_set(job, engine, name, questions)
                if questions
                else {"not_run": "no problem of this set has tests"}
            )
    files.write_json(job.path("evaluation.json"), report)


def _one_set(job: Job, engine: Engine, name: str, questions: list[Problem]) -> dict[str, Any]:
    settings = job.settings.evaluate
    progress = job.progress(len(questions), f"{name} answers")
    texts = []
    for question in questions:
        texts.append(ask(engine, question, settings.max_new_tokens))
        progress.advance(1)
    answers = judge(questions, texts, settings.workers)
    summary = summarise(answers)
    progress.close(f"pass@1 {summary['pass@1']:.1%}")
    return summary | {"examples": chosen(answers, settings)}


def ask(engine: Engine, question: Problem, max_new_tokens: int) -> str:
    """The model's whole answer, decoded greedily, as `assistant ask` would get it."""
    signature = find_signature(question.request)
    forced = (Forced(code_opening(), f"{signature}\n"),) if signature else ()
    limits = Limits(max_tokens=max_new_tokens, forced=forced)
    request = engine.prepare_chat([Message("user", question.request)], limits=limits)
    outputs = engine.generate(request, CancelToken())
    return "".join(output.text for output in outputs if isinstance(output, Text))


def judge(questions: Sequence[Problem], texts: Sequence[str], workers: int) -> list[Answer]:
    """Run the code of each answer against its question's tests."""
    parsed = [parse(text) for text in texts]
    pairs = (_program(p.code, q) for p, q in zip(parsed, questions, strict=True))
    results = check_many(pairs, limits=_CHECK, workers=workers)
    return [
        Answer(q.id, q.request, text, p.complete, _kind(p.code, r.outcome), r.detail)
        for q, text, p, r in zip(questions, texts, parsed, results, strict=True)
    ]


def _program(code: str, question: Problem) -> tuple[str, str]:
    """Code and tests as they are run.

    A request that names no function is answered rightly under any name: then the answer's
    function gets the name that the tests use as well.
    """
    own = called_name(question, code)
    alias = f"\n{question.name} = {own}\n" if own != question.name else ""
    return code + alias, "\n".join((question.setup, *question.tests)).strip()


def _kind(code: str, outcome: Outcome) -> str:
    return "no code" if not code.strip() else outcome.value


def summarise(answers: Sequence[Answer]) -> dict[str, Any]:
    """pass@1 with its interval, and how often each outcome occurred."""
    passed = sum(answer.outcome == Outcome.PASS.value for answer in answers)
    low, high = wilson(passed, len(answers))
    outcomes = Counter(answer.outcome for answer in answers)
    return {
        "problems": len(answers),
        "passed": passed,
        "pass@1": passed / max(len(answers), 1),
        "interval95": [low, high],
        "outcomes": dict(sorted(outcomes.items())),
        "format_not_followed": sum(not answer.complete for answer in answers),
    }


def wilson(passed: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share; (0, 1) without any trial.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927), 209-212.
    """
    if total == 0:
        return 0.0, 1.0
    share = passed / total
    spread = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / spread
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / spread
    return max(0.0, middle - half), min(1.0, middle + half)


def chosen(answers: Sequence[Answer], settings: Evaluate) -> dict[str, Any]:
    """Answers in full: the first ones, and the first that failed. Not the best ones."""
    failed = (answer for answer in answers if answer.outcome != Outcome.PASS.value)
    return {
        "first": [asdict(answer) for answer in answers[: settings.examples]],
        "first_failed": [asdict(answer) for answer in islice(failed, settings.examples)],
    }
