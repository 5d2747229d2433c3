"""Write the parts of README.md that the sources know better: the file tree and the settings.

The tree comes from the first line of each file's docstring and the summaries of the recipes, the
settings from the docstrings under the fields of `assistant.config`. `python docs/readme_parts.py`
rewrites what stands between the markers; `--check` says whether it is current (a test does that).
"""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("assistant", "lsp", "tui", "training")
CONFIG = ROOT / "assistant" / "config.py"
ROOT_CLASS = "Settings"


def summary(path: Path) -> str:
    """The first line of the file's docstring; of a recipe the one that the list shows."""
    if path.suffix == ".toml":
        return str(tomllib.loads(path.read_text("utf-8")).get("summary", ""))
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].rstrip(".")


def lines(folder: Path, depth: int = 0) -> list[str]:
    """The tree of one folder: its own line, its files, its folders."""
    inside = "  " * (depth + 1)
    result = [_line("  " * depth + folder.name + "/", summary(folder / "__init__.py"))]
    for path in sorted([*folder.glob("*.py"), *folder.glob("*.toml")]):
        if path.name != "__init__.py":
            result.append(_line(inside + path.name, summary(path)))
    for path in sorted(folder.iterdir()):
        if (path / "__init__.py").is_file():
            result += lines(path, depth + 1)
    return result


def _line(name: str, text: str) -> str:
    return f"{name:<34} {text}".rstrip()


def file_tree() -> str:
    """All rooms, a line a file."""
    tree = "\n".join(line for room in ROOMS for line in lines(ROOT / room))
    return f"```text\n{tree}\n```"


def settings_table() -> str:
    """A row a setting: its key in `config.toml`, its default, what it does."""
    module = ast.parse(CONFIG.read_text("utf-8"))
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    rows = ["| key | default | what it does |", "|---|---|---|"]
    return "\n".join(rows + list(_rows(classes, ROOT_CLASS, "")))


def _rows(classes: dict[str, ast.ClassDef], name: str, prefix: str) -> list[str]:
    rows = []
    body = classes[name].body
    for number, node in enumerate(body):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        key, kind = prefix + node.target.id, ast.unparse(node.annotation)
        if kind in classes:
            rows += _rows(classes, kind, f"{key}.")
        elif node.value is not None:
            default = ast.unparse(node.value).strip("'") or "empty"
            rows.append(f"| `{key}` | {default} | {_described(body[number + 1])} |")
    return rows


def _described(node: ast.stmt) -> str:
    assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return " ".join(str(node.value.value).split())


PARTS = {"file tree": file_tree, "settings": settings_table}


def current(readme: str) -> str:
    """README with its generated parts as they should be."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = readme.partition(begin)
        _, _, after = rest.partition(end)
        readme = f"{before}{begin}\n{make()}\n{end}{after}"
    return readme


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
