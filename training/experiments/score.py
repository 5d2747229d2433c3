"""Step `score`: the model's answer to every question, with its outcome and structural scores.

The stage `evaluate` keeps figures and a few examples; to compare arms problem by problem each
answer is needed. Same questions, same way of asking and judging: its own functions do it.
`evaluation.answers.jsonl` has a line for each; answers are kept as they come, so that a killed
step goes on behind the last of them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from assistant.benchmarks import codebleu
from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from assistant.errors import TrainingProblem
from assistant.format import parse
from assistant.outcomes import Outcome
from training import contexts, evaluate, files, question_sets
from training.experiments import benchmarked
from training.experiments.judged import Judged
from training.stages import Job
from training.world import Problem

ANSWERS, SCORES = "evaluation.answers.jsonl", "evaluation.scores.json"
_NO_VERDICT = frozenset(
    {Outcome.SANDBOX_UNAVAILABLE.value, Outcome.NOT_CHECKED.value, Outcome.PARSED.value}
)


def make(job: Job) -> None:
    """Write the answers and the figures of each set of questions.

    Raises:
        TrainingProblem: nothing could be judged.
    """
    found = benchmarked.all_of(job) if benchmarked.names(job.settings) else _own_questions(job)
    if not found:
        raise TrainingProblem("there are no questions to answer", hint="--set evaluate.heldout=150")
    lines = (
        json.dumps({"set": name} | vars(one)) for name, (rows, _) in found.items() for one in rows
    )
    files.write_lines(job.path(ANSWERS), lines)
    report = {name: figures for name, (_, figures) in found.items()}
    files.write_json(job.path(SCORES), {"decoding": "greedy", "sets": report})


def _own_questions(job: Job) -> dict[str, tuple[list[Judged], dict[str, Any]]]:
    found = {}
    with engine(job) as model:

        def ask(_: int, question: Problem) -> str:
            return evaluate.ask(model, question, job.settings.evaluate.max_new_tokens)

        for name, questions in question_sets.all_sets(job):
            rows, scores = judged(job, questions, answered(job, name, questions, ask))
            found[name] = rows, summary(rows, scores)
    return found


def engine(job: Job) -> Engine:
    """The model of the run, loaded as the stage `evaluate` does."""
    layers = 0 if job.settings.chain == "scratch" else -1
    settings = EngineSettings(threads=job.settings.threads, gpu_layers=layers)
    return Engine(job.path("model.gguf"), settings)


def answered(
    job: Job, name: str, questions: Sequence[Problem], ask: Callable[[int, Problem], str]
) -> list[str]:
    """What the model says to each question; what is known from an earlier try is not asked.

    Args:
        job: the step; its answers lie in a folder of its name until all are judged.
        name: of the set of questions.
        questions: in a fixed order.
        ask: takes the number of a question and the question.
    """
    path = job.path(f"{job.stage.name}/{name}.jsonl")
    texts = [json.loads(line) for line in contexts.keep_whole_lines(path, _head(job))]
    progress = job.progress(len(questions), f"{name} answers", len(texts))
    with path.open("a", encoding="utf-8", newline="\n") as file:
        for number in range(len(texts), len(questions)):
            texts.append(ask(number, questions[number]))
            file.write(json.dumps(texts[-1]) + "\n")
            file.flush()
            progress.advance(1)
    progress.close()
    return texts


def _head(job: Job) -> str:
    return json.dumps({"key": job.key})


def judged(
    job: Job, questions: Sequence[Problem], texts: Sequence[str]
) -> tuple[list[Judged], codebleu.Scores]:
    """Run the answers against the tests, and hold their code against the references."""
    answers = evaluate.judge(questions, texts, job.settings.evaluate.workers)
    codes = [parse(text).code for text in texts]
    pairs = [
        # Several answers may belong to one question: the number keeps them apart.
        codebleu.Pair(f"{number:06}", question.code, code)
        for number, (question, code) in enumerate(zip(questions, codes, strict=True))
    ]
    scores = codebleu.score(pairs, text_rule="the answer's code block as it is")
    syntax, data_flow = dict(scores.syntax.values), dict(scores.data_flow.values)
    found = [
        Judged(
            question.id, answer.outcome, verdict(answer.outcome), answer.complete,
            syntax[pair.id], data_flow[pair.id], code,
        )
        for question, answer, code, pair in zip(questions, answers, codes, pairs, strict=True)
    ]  # fmt: skip
    return found, scores


def verdict(outcome: str) -> bool | None:
    """Whether the tests were passed; None where nothing was found out."""
    return None if outcome in _NO_VERDICT else outcome == Outcome.PASS.value


def summary(found: Sequence[Judged], scores: codebleu.Scores) -> dict[str, Any]:
    """The figures of one set of questions, and what unrelated programs score."""
    known = [one.passed for one in found if one.passed is not None]
    made = scores.provenance
    return {
        "problems": len(found),
        "judged": len(known),
        "passed": sum(known),
        "outcomes": dict(sorted(Counter(one.outcome for one in found).items())),
        "format_not_followed": sum(not one.complete for one in found),
        "syntax": {"mean": scores.syntax.mean, "floor": scores.syntax.floor.mean},
        "data_flow": {"mean": scores.data_flow.mean, "floor": scores.data_flow.floor.mean},
        "structure": f"{made.implementation}, rules {made.rules}, {made.grammar}",
    }
