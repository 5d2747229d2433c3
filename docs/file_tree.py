"""Write the file tree of README.md from the first line of each file's docstring.

`python docs/file_tree.py` rewrites the part between the markers; `--check` says whether it is
current (a test does that).
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("assistant", "lsp", "tui", "training")
BEGIN, END = "<!-- file tree: begin -->", "<!-- file tree: end -->"


def summary(path: Path) -> str:
    """The first line of the file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def lines(folder: Path, depth: int = 0) -> list[str]:
    """The tree of one folder: its own line, its files, its folders."""
    inside = "  " * (depth + 1)
    result = [_line("  " * depth + folder.name + "/", summary(folder / "__init__.py"))]
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            result.append(_line(inside + path.name, summary(path)))
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            result += lines(path, depth + 1)
    return result


def _line(name: str, text: str) -> str:
    return f"{name:<34} {text}".rstrip()


def section() -> str:
    """The whole section, markers included."""
    tree = "\n".join(line for room in ROOMS for line in lines(ROOT / room))
    return f"{BEGIN}\n```text\n{tree}\n```\n{END}"


def current(readme: str) -> str:
    """README with the section as it should be."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{section()}{after}"


def main(arguments: list[str]) -> int:
    """Rewrite README.md, or with `--check` say whether it is current."""
    path = ROOT / "README.md"
    old = path.read_text("utf-8")
    new = current(old)
    if "--check" in arguments:
        return int(old != new)
    path.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
