"""Which Python the tests run in when they need pytest, and what is said when there is none."""

from __future__ import annotations

import sys
from pathlib import Path

from assistant.sandbox import Project


def with_pytest(project: Project | None) -> Path | None:
    """The interpreter for tests that need pytest: the project's, else ours; None without pytest.

    Nothing is run to find out: pytest is looked for where packages are installed.
    """
    chosen = project.interpreter if project is not None else None
    interpreter = (chosen or Path(sys.executable)).absolute()
    return interpreter if _has_pytest(interpreter) else None


def _has_pytest(interpreter: Path) -> bool:
    prefix = interpreter.parent.parent
    folders = ("lib*/python*/site-packages", "lib/python*/dist-packages", "Lib/site-packages")
    return any(any(prefix.glob(f"{folder}/pytest/__init__.py")) for folder in folders)


def missing(need: str, project: Project | None) -> str:
    """Why tests that need pytest were not run, and the next command."""
    interpreter = (project.interpreter if project is not None else None) or Path(sys.executable)
    return (
        f"the tests need pytest ({need}), which is not installed for {interpreter}; "
        f"install it with: {interpreter} -m pip install pytest"
    )
