"""What a file is called in its project."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.checks.projects import Module, interpreter_of, module_of, project_at


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("app/core", "src/lib", "back/end"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("app", "app/core", "src/lib"):
        (tmp_path / folder / "__init__.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "name", "folders"),
    [
        ("app/core/cart.py", "app.core.cart", [".", "src"]),
        ("app/core/__init__.py", "app.core", [".", "src"]),
        ("src/lib/cart.py", "lib.cart", ["src", "."]),
        ("back/end/cart.py", "cart", ["back/end", ".", "src"]),
        ("back/end/a-script.py", "answer", ["back/end", ".", "src"]),
        ("cart.py", "cart", [".", "src"]),
        ("../outside.py", "outside", [".", "src"]),
        (None, "answer", [".", "src"]),
    ],
)
def test_a_file_has_the_name_that_an_import_gives_it(root: Path, path, name: str, folders):
    file = root / path if path is not None else None
    found = module_of(file, root)

    assert found.name == name
    assert found.folders == tuple(str((root / folder).resolve()) for folder in folders)


def test_outside_of_any_project_only_the_file_counts(root: Path):
    file = root / "app" / "core" / "cart.py"
    assert module_of(file, None) == Module("cart", (), str(file.resolve()))
    assert module_of(None, None) == Module("answer")


def test_a_package_does_not_reach_above_the_project(root: Path):
    assert module_of(root / "app" / "core" / "cart.py", root / "app").name == "core.cart"


def test_the_python_of_the_environment_is_taken_unless_another_is_named(root: Path):
    assert interpreter_of(root) is None
    python = root / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()

    assert project_at(root).interpreter == python
    assert project_at(root, Path("/usr/bin/python3")).interpreter == Path("/usr/bin/python3")
