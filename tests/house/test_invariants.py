"""The invariants of ARCHITECTURE.md, each with a test that fails when it is broken."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("assistant", "lsp", "tui", "training")

OWNERS = {
    "llama_cpp": ("assistant/engine/",),
    "pygls": ("lsp/",),
    "lsprotocol": ("lsp/",),
    "textual": ("tui/",),
    "torch": ("training/",),
    "transformers": ("training/",),
    "peft": ("training/",),
    "datasets": ("training/",),
}


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported_names(path: Path) -> set[str]:
    """Every module that a file imports, at whatever depth of the code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        elif (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "import_module"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            names.add(str(node.args[0].value))
    return names


def test_each_library_is_known_in_one_room() -> None:
    """Invariant 1, lazy imports included."""
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources()
        for name in imported_names(path)
        if (owners := OWNERS.get(name.split(".")[0]))
        and not path.relative_to(ROOT).as_posix().startswith(owners)
    ]
    assert offences == []


def test_the_core_reaches_the_other_rooms_from_the_command_line_only() -> None:
    """Invariant 2: the core knows no protocol, no widget and no tensor."""
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / "assistant").rglob("*.py")
        for name in imported_names(path)
        if name.split(".")[0] in {"lsp", "tui", "training"}
        and not path.is_relative_to(ROOT / "assistant" / "cli")
    ]
    assert offences == []


def test_the_headings_of_the_format_are_written_down_once() -> None:
    """Invariant 3: one module owns the format; the splitter builds its table from the sections."""
    literal = re.compile(r"## (Intent|Steps|Formulas|Edge cases)\\?n?\b")
    owners = {"assistant/format/completion.py"}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if any(
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and literal.search(node.value)
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
        )
    }
    assert found <= owners


@pytest.mark.parametrize("room", ["lsp", "tui"])
def test_editors_and_terminal_never_load_a_model(room: str) -> None:
    """Invariant 4: they reach the engine through the client alone."""
    forbidden = ("assistant.engine", "assistant.daemon.server", "llama_cpp")
    offences = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / room).rglob("*.py")
        for name in imported_names(path)
        if name.startswith(forbidden)
    ]
    assert offences == []


HEAVY = ("torch", "transformers", "textual", "pygls", "lsprotocol", "llama_cpp", "uvicorn", "httpx")


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"]])
def test_help_answers_without_the_heavy_libraries(arguments: list[str]) -> None:
    """Contract, section 4."""
    program = (
        "import sys\n"
        "from assistant.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stderr.strip() == "[]"
    assert "usage" in result.stdout.lower()


def test_no_source_file_outgrows_its_reader() -> None:
    """Past 400 lines there is a seam to find."""
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in sources()
        if (count := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert long == {}


def test_every_folder_says_what_lives_there() -> None:
    """Each package's `__init__.py` has a docstring."""
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in sources()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ]
    assert silent == []


def test_nothing_phones_home() -> None:
    """Invariant 8: the only addresses in the code are of this machine, or in documentation."""
    address = re.compile(r"https?://(?!localhost|127\.0\.0\.1|\{|%s|\[)([\w.-]+\.\w+)")
    allowed = {"arxiv.org", "github.com", "huggingface.co", "daemon", "peps.python.org"}
    allowed |= {"www.w3.org"}  # the name of SVG, which nothing fetches
    offences = []
    for path in sources():
        tree = ast.parse(path.read_text("utf-8"))
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
            ):
                offences += [
                    f"{path.relative_to(ROOT)}: {host}"
                    for host in address.findall(node.value)
                    if host not in allowed
                ]
    assert offences == []
