"""Two ways to change a program: rename it, which keeps what it does, or mutate it.

The encoder is trained to tell one from the other: renamed programs are the same, mutated ones
are not, however few characters changed.
"""

from __future__ import annotations

import ast
import builtins
import random

_NAMES = """
a b c d e f g h i j k m n p q r s t u v w x y z value values item items data result total
text word words number numbers left right low high first second acc out current left_part
entry entries key keys pair pairs size length index count best seen parts line rows table
""".split()  # noqa: SIM905 - words read better than a list of literals

_SWAPS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Add, ast.Sub),
    ast.Div: (ast.Mult, ast.FloorDiv),
    ast.FloorDiv: (ast.Mod, ast.Div),
    ast.Mod: (ast.FloorDiv, ast.Mult),
    ast.Pow: (ast.Mult,),
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.And: (ast.Or,),
    ast.Or: (ast.And,),
}

_CALLS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "sum": "len",
    "len": "sum", "upper": "lower", "lower": "upper", "startswith": "endswith",
    "endswith": "startswith", "append": "extend", "lstrip": "rstrip", "rstrip": "lstrip",
    "set": "list", "list": "set", "int": "str", "str": "int", "abs": "len", "strip": "title",
}  # fmt: skip


def renamed(code: str, rng: random.Random) -> str:
    """The same program with other names for everything that it binds itself."""
    tree = ast.parse(code)
    bound = sorted(_bound_names(tree))
    fresh = [name for name in _NAMES if name not in bound]
    rng.shuffle(fresh)
    fresh += [f"name{number}" for number in range(max(0, len(bound) - len(fresh)))]
    table = dict(zip(bound, fresh, strict=False))
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = table.get(node.id, node.id)
        elif isinstance(node, ast.arg):
            node.arg = table.get(node.arg, node.arg)
        elif isinstance(node, ast.FunctionDef):
            node.name = table.get(node.name, node.name)
    return ast.unparse(tree)


def mutated(code: str, rng: random.Random) -> str | None:
    """The program with one place changed so that it does something else; None without such."""
    tree = ast.parse(code)
    places = _places(tree)
    if not places:
        return None
    _change(rng.choice(places), rng)
    return ast.unparse(tree)


def _bound_names(tree: ast.AST) -> set[str]:
    names = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    names |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    names |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    return names - set(dir(builtins))


def _places(tree: ast.AST) -> list[ast.AST]:
    """Nodes that `_change` knows how to change."""
    found = []
    for node in ast.walk(tree):
        swappable = (
            (isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _SWAPS)
            or (isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPS)
            or isinstance(node, ast.BoolOp)
            or (isinstance(node, ast.Constant) and isinstance(node.value, bool | int))
            or (isinstance(node, ast.Name) and node.id in _CALLS)
            or (isinstance(node, ast.Attribute) and node.attr in _CALLS)
            or (isinstance(node, ast.If | ast.IfExp))
        )
        if swappable:
            found.append(node)
    return found


def _change(node: ast.AST, rng: random.Random) -> None:
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            node.op = rng.choice(_SWAPS[type(node.op)])()  # type: ignore[assignment]
        case ast.Compare():
            node.ops[0] = rng.choice(_SWAPS[type(node.ops[0])])()  # type: ignore[call-overload]
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value)):
            node.value = value + rng.choice((-1, 1, 2))
        case ast.Name():
            node.id = _CALLS[node.id]
        case ast.Attribute():
            node.attr = _CALLS[node.attr]
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
