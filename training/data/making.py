"""The whole way from a source to problems: the settings choose the steps and their order is fixed.

Cheap steps come first, the one that runs programs last. What a setting switches off, or what can
not be done on this machine, is said and written into the record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

from assistant.errors import UsageProblem
from training.data import decontamination, funnel, lengths, own_code, sources
from training.data.funnel import Step
from training.data.problem import Problem
from training.data.reference import Preference
from training.data.rows import Row
from training.data.text import share
from training.data.verdicts import Verdicts
from training.data.verified import verified
from training.settings import Problems
from training.world.structure import structure_hash

Say = Callable[[str], None]


def steps(settings: Problems, data: Path | None, verdicts: Verdicts | None, say: Say) -> list[Step]:
    """The funnel that the settings describe.

    Args:
        settings: of the problems.
        data: a folder of benchmark data, or None.
        verdicts: what runs the tests; None leaves that step out.
        say: is told what is not done.

    Raises:
        UsageProblem: a setting is out of its range.
        DataProblem: a tokenizer can not be read.
    """
    most = settings.max_characters
    made = [
        Step("with a solution", funnel.each(funnel.has_solution)),
        Step("statement is short enough", funnel.short_statement(most)),
        Step(
            "a solution parses",
            funnel.parsing(preference(settings), settings.candidates, most),
        ),
        Step("needs no picture", funnel.each(funnel.no_picture)),
        Step("examples are cut to size", funnel.few_examples(settings.max_examples)),
        *_length_steps(settings, say),
        Step("no exact duplicate", funnel.exact_duplicates()),
    ]
    if settings.near_duplicates < 1:
        step = funnel.near_duplicates(settings.near_duplicates)
        made.append(Step("no near duplicate", step))
    made += _benchmark_step(settings, data, say)
    if verdicts is not None:
        made.append(Step("a solution passes", verified(verdicts, settings.workers)))
    else:
        say("solutions are not run (problems.verify=false): some may be wrong")
    return made


def preference(settings: Problems) -> Preference:
    """Which solution is learned.

    Raises:
        UsageProblem: the setting is no preference.
    """
    try:
        return Preference(settings.reference)
    except ValueError:
        known = ", ".join(one.value for one in Preference)
        raise UsageProblem(f"problems.reference={settings.reference}: there are {known}.") from None


def _length_steps(settings: Problems, say: Say) -> Iterator[Step]:
    student = lengths.counter(settings.student_tokenizer, say)
    if student is None:
        say("tokens of the student are not counted (problems.student_tokenizer is empty)")
    else:
        count = student
        yield Step(
            f"at most {settings.max_student_tokens:,} tokens of the student",
            funnel.fits(
                lambda row, code: count(request(row)) + count(code),
                settings.max_student_tokens,
                "statement and code: too many tokens",
            ),
        )
    encoder = lengths.counter(settings.encoder_tokenizer, say)
    if encoder is None:
        say("pieces of the encoder are not counted (problems.encoder_tokenizer is empty)")
    elif settings.max_encoder_pieces:
        pieces = encoder
        yield Step(
            f"at most {settings.max_encoder_pieces:,} pieces of the encoder",
            funnel.fits(
                lambda row, code: pieces(code),
                settings.max_encoder_pieces,
                "code: too many pieces",
            ),
        )


def _benchmark_step(settings: Problems, data: Path | None, say: Say) -> Iterator[Step]:
    if not settings.decontaminate:
        say("not compared with the benchmarks (problems.decontaminate=false)")
        return
    folder = data or sources.data_of_environment()
    tasks = list(decontamination.benchmark_tasks(folder, say))
    if tasks:
        find = decontamination.Contamination(tasks).find
        yield Step("repeats no benchmark", funnel.decontaminated(find))


def request(row: Row) -> str:
    """What the user would write: the statement, and what the answer has to look like."""
    return f"{row.statement}\n\n{row.closing}" if row.closing else row.statement


def problem(row: Row, settings: Problems) -> Problem:
    """A row that went through the funnel, as a problem; its first solution is the reference."""
    code = row.solutions[0]
    return Problem(
        id=row.id,
        request=request(row),
        register=row.source,
        signature=row.signature,
        name=row.name,
        code=code,
        tests=row.tests,
        structure=_structure(code),
        construction=None,
        split=split(row, settings),
        form="line" if row.signature else "none",
        setup=row.setup,
        source=row.source,
        examples=row.examples,
        licence=row.licence,
        url=row.url,
    )


def _structure(code: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes in code that is not ours
        return structure_hash(code)


def split(row: Row, settings: Problems) -> str:
    """Which part a row belongs to: by its statement, so that no other row or setting moves it.

    A solution in one's own code holds the helpers of its module that it uses; so there a module is
    on one side as a whole.
    """
    place = share(row.url if row.source == own_code.NAME and row.url else row.statement)
    if place < settings.validation_share:
        return "validation"
    if place < settings.validation_share + settings.heldout_share:
        return "heldout"
    return "train"


def made(
    settings: Problems,
    opened: sources.Source,
    data: Path | None,
    verdicts_file: Path,
    say: Say,
) -> tuple[Generator[Problem, None, None], list[funnel.Count]]:
    """The problems, made as they are asked for, and the funnel's counts, right at the end."""
    with ExitStack() as stack:
        verdicts = None
        if settings.verify:
            verdicts = stack.enter_context(Verdicts(verdicts_file, settings.verify_seconds))
        rows, counts = funnel.run(opened.rows, steps(settings, data, verdicts, say))
        closing = stack.pop_all()

    def problems() -> Generator[Problem, None, None]:
        with closing:
            for row in rows:
                yield problem(row, settings)

    return problems(), counts
