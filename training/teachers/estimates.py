"""What asking will cost: for problems that are there, and for a plan before any is."""

from __future__ import annotations

from collections.abc import Sequence

from training.settings.contexts import Contexts
from training.teachers import batch
from training.teachers.calls import Call, Teacher
from training.teachers.dialogue import Asking, Dialogue, Failed, Notes, rationale
from training.teachers.meter import Forecast, Price, Rates, forecast
from training.teachers.meter import prompt_tokens as tokens_of
from training.teachers.prompts import messages
from training.teachers.records import Records
from training.world import Construction, Problem


def price_of(settings: Contexts) -> Price:
    """What a token costs."""
    return Price(settings.usd_per_million_prompt, settings.usd_per_million_completion)


def estimate(
    settings: Contexts,
    problems: Sequence[Problem],
    how: Asking,
    known: Records | None = None,
    teacher: Teacher | None = None,
) -> Forecast:
    """What asking for `problems` will cost; samples that are on record cost nothing.

    The prompts of an agent that reads others are counted with an expected answer for each.
    """  # fmt: skip
    calls = prompt = 0
    answer = min(settings.expected_tokens, how.sampling.max_tokens)
    for problem in problems:
        for sample in range(settings.samples):
            if known and teacher:
                todo, _ = _replayed(rationale(problem, sample, how, Notes()), known, teacher)
                if todo is None:
                    continue
            for place, turn in enumerate(how.template.turns):
                said = messages(turn, problem, {})
                characters = sum(len(message["content"]) for message in said)
                prompt += tokens_of(characters) + place * answer
                calls += 1
            if settings.select == "passing":
                prompt += tokens_of(len(problem.request)) + answer
                calls += 1
    rates = Rates(
        settings.requests_per_minute, settings.tokens_per_minute, settings.tokens_per_second
    )
    return forecast(calls, prompt, answer, price_of(settings), rates)


ASSUMED_CHARACTERS = 1800
"""Of a request that is not there yet. A guess; the stage counts before it asks."""


def outlook(settings: Contexts, count: int, seed: int = 0) -> Forecast:
    """What the teacher will cost before any problem is there.

    Args:
        settings: of the teacher.
        count: problems, the most that there may be.
        seed: of the run.

    Raises:
        UsageProblem: as `asking.how_of`.
    """
    from training.teachers import asking

    made = Construction("", (), "", (), (), ())
    filler = "x" * ASSUMED_CHARACTERS
    problem = Problem("", filler, "", None, "", filler, (), "", made, "train")
    one = estimate(settings, [problem], asking.how_of(settings, seed))
    rates = Rates(
        settings.requests_per_minute, settings.tokens_per_minute, settings.tokens_per_second
    )
    answer = min(settings.expected_tokens, settings.max_tokens)
    return forecast(count * one.calls, count * one.prompt_tokens, answer, price_of(settings), rates)


def _replayed(
    dialogue: Dialogue[object], records: Records, teacher: Teacher
) -> tuple[Call | None, object | None]:
    try:
        return batch.replay(dialogue, records, teacher)
    except Failed:
        return None, None
