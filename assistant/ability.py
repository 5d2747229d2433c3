"""What a model can not do at all, told before it is asked: a guess would only look like an answer.

How sure an answer is, is another question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assistant.context.budget import SMALLEST_LENGTH
from assistant.errors import ModelProblem
from assistant.format import FORMAT_NAME
from assistant.tasks import TaskKind

if TYPE_CHECKING:
    from assistant.client import ModelInfo

_LEARNED = (TaskKind.ASK, TaskKind.IMPLEMENT)


def require_able(kind: TaskKind, info: ModelInfo) -> None:
    """Refuse a task that a small model made here has never seen.

    A large one has learned such tasks before it was tuned.

    Raises:
        ModelProblem: the model writes small functions and nothing else.
    """
    small = 0 < (info.context_length or 0) < SMALLEST_LENGTH
    if kind in _LEARNED or info.format_name != FORMAT_NAME or not small:
        return
    raise ModelProblem(
        f"The model {info.id} writes small functions; it has not learned to do this "
        f"({kind.value}).",
        hint="Choose a larger one: assistant models list, then assistant models use NAME.",
    )
