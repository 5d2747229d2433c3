"""The teacher that knows how a problem was made."""

from __future__ import annotations

from assistant.errors import DataProblem
from assistant.format.completion import Rationale
from training.world.problem import Problem


class ProgramTeacher:
    """Writes the reasoning from a problem's construction.

    The intent says the request again in the world's canonical words; the steps name each building
    block with its variables and constants in the order in which the code uses them. So the
    reasoning does the work of understanding, and the code is nearly a transcript of it.
    """

    name = "program"

    def context(self, problem: Problem) -> Rationale:
        """The reasoning for one problem of this world.

        Raises:
            DataProblem: the problem has no construction (it is not of this world).
        """
        made = problem.construction
        if made is None or not made.steps:
            raise DataProblem(
                f"problem {problem.id} carries no construction to explain",
                hint="contexts.teacher=program explains problems of the made world alone; name "
                "an endpoint, `batch` or `local:MODEL`",
            )
        return Rationale(
            f"{problem.name}: {made.goal}.", made.steps, made.formulas, made.edge_cases
        )
