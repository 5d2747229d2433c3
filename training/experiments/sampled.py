"""Step `samples`: several answers to each question, drawn, and how near each is to the reference.

For the correlation of L_s with passing tests: greedy answers are one to a question, and the same
question's right and wrong answers are what has to be told apart.
"""

from __future__ import annotations

import json

from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, Forced, Limits, Message, Sampling, Text
from assistant.format import code_opening
from assistant.tasks import find_signature
from training import files, question_sets
from training.experiments import nearness, score
from training.stages import Job
from training.world import Problem

SAMPLES = "samples.jsonl"


def make(job: Job, *, count: int, temperature: float) -> None:
    """Write `samples.jsonl`: `count` answers to each question, with outcome, scores and L_s."""
    lines: list[str] = []
    limit = job.settings.evaluate.max_new_tokens
    with score.engine(job) as model:

        def draw(number: int, question: Problem) -> str:
            return _drawn(model, question, number % count, temperature, limit)

        for name, questions in question_sets.all_sets(job):
            several = [question for question in questions for _ in range(count)]
            found, _ = score.judged(job, several, score.answered(job, name, several, draw))
            pairs = [(one.code, asked.code) for one, asked in zip(found, several, strict=True)]
            near = nearness.distances(job, pairs)
            for number, (one, l_s) in enumerate(zip(found, near, strict=True)):
                place = {"set": name, "sample": number % count}
                lines.append(json.dumps(place | vars(one) | {"l_s": l_s}))
    files.write_lines(job.path(SAMPLES), lines)


def _drawn(model: Engine, question: Problem, sample: int, temperature: float, limit: int) -> str:
    """One answer; its seed follows from question and number, whatever was asked before."""
    seed = int(files.digest_of({"id": question.id, "sample": sample})[:8], 16)
    signature = find_signature(question.request)
    forced = (Forced(code_opening(), f"{signature}\n"),) if signature else ()
    request = model.prepare_chat(
        [Message("user", question.request)],
        Sampling(temperature=temperature, top_k=0, top_p=1.0, seed=seed),
        Limits(max_tokens=limit, forced=forced),
    )
    outputs = model.generate(request, CancelToken())
    return "".join(output.text for output in outputs if isinstance(output, Text))
