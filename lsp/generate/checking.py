"""What is checked before code is offered: the document as it would be, with the code in it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.generation import AnswerOptions, Judge
from assistant.outcomes import Outcome
from lsp.generate.jobs import PYTHON, Job
from lsp.generate.plans import plan_for
from lsp.python.names import has_star_import, names_in
from lsp.python.reply import Refused


def judge_for(job: Job, begun: Callable[[], object]) -> Judge:
    """The check of an answer to `job`; it calls `begun`, in its own thread, when it begins."""

    def judge(code: str, stop: threading.Event) -> CheckResult:
        begun()
        return check_code(job, code, stop)

    return judge


def check_code(job: Job, code: str, stop: threading.Event) -> CheckResult:
    """The verdict on the document with the code in it; what does not fit in is an error."""
    try:
        plan_for(job, code)
    except Refused as refused:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(refused))
    from assistant.judging import judge

    return judge(code, job.task, options_for(job), stop)


def options_for(job: Job) -> AnswerOptions:
    """What the usual checks are told of the place of the code."""
    source = job.document.text.value
    if job.document.language != PYTHON:
        return AnswerOptions()
    return AnswerOptions(verify=not has_star_import(source), known_names=names_in(source))
