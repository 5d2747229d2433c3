"""What is checked before code is offered: the whole file as it would be, where it lies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome
from assistant.tasks import TaskKind
from lsp.generate.jobs import Job
from lsp.generate.plans import Plan, plan_for
from lsp.python.blocks import qualified_name
from lsp.python.reply import Refused

if TYPE_CHECKING:
    from assistant.generation import Judge


def judge_for(job: Job, begun: Callable[[], object]) -> Judge:
    """The check of an answer to `job`; it calls `begun`, in its own thread, when it begins."""

    def judge(code: str, stop: threading.Event) -> CheckResult:
        begun()
        return check_code(job, code, stop)

    return judge


def check_code(job: Job, code: str, stop: threading.Event) -> CheckResult:
    """The verdict on the file with the code in it; what does not fit in is an error."""
    try:
        plan = plan_for(job, code)
    except Refused as refused:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(refused))
    if job.kind is TaskKind.TESTS:
        return _check_tests(job, plan, stop)
    from assistant.checks.inplace import check_in_place

    return check_in_place(
        plan.before.value,
        plan.after.value,
        path=job.place.path,
        function=qualified_name(plan.after, plan.after.line_of(plan.start)),
        project=job.place.project,
        language=job.document.language.lower(),
        stop=stop,
    )


def _check_tests(job: Job, plan: Plan, stop: threading.Event) -> CheckResult:
    from assistant.checks.written import check_tests

    text = job.document.text
    return check_tests(
        plan.after.value,
        text.value,
        name=plan.path.name if plan.path is not None else "the tests",
        before=plan.before.value,
        path=job.place.path,
        tests_path=plan.path,
        function=qualified_name(text, text.line_of(job.region.start)),
        project=job.place.project,
        stop=stop,
    )
