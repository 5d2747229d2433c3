"""Teachers: a program for the world made here, an endpoint for anything else."""

from __future__ import annotations

from assistant.errors import UsageProblem
from training.teachers.program import ProgramTeacher
from training.teachers.protocol import Teacher

__all__ = ["ProgramTeacher", "Teacher", "teacher"]


def teacher(which: str, model: str = "") -> Teacher:
    """The teacher that a recipe names.

    Args:
        which: `program`, or the URL of an OpenAI-compatible endpoint.
        model: the model to ask for at the endpoint.

    Raises:
        UsageProblem: `which` is neither.
    """
    if which == "program":
        return ProgramTeacher()
    if which.startswith(("http://", "https://")):
        from training.teachers.endpoint import EndpointTeacher, Settings

        return EndpointTeacher(Settings(url=which, model=model))
    raise UsageProblem(
        f"there is no teacher {which!r}",
        hint="use `program`, or the URL of an endpoint such as http://localhost:8000/v1",
    )
