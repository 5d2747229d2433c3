"""Programs whose text is the attack, or that shadow what a program relies on."""

from tests.hostile.program import Hostile

_GOOD = "def f(x):\n    return x + 1\n"


def _text(
    name: str, source: str, *allowed: str, intent: str, landlock: tuple[str, ...] = ()
) -> Hostile:
    return Hostile(
        name=f"text: {name}",
        kind="text",
        intent=intent,
        source=source,
        bubblewrap=allowed,
        landlock=landlock,
    )


PROGRAMS = (
    _text(
        "byte order mark",
        "\ufeff" + _GOOD,
        *("pass", "error SyntaxError"),
        intent="a mark that some editors leave at the start",
    ),
    _text(
        "NUL",
        _GOOD + "\0",
        *("error SyntaxError", "error ValueError"),
        intent="ends a text in C before its end",
    ),
    _text(
        "open string",
        _GOOD + 'note = """',
        "error SyntaxError",
        intent="swallows whatever is appended",
    ),
    _text(
        "backslash at the end",
        _GOOD + "y = 1 + \\",
        "error SyntaxError",
        intent="joins whatever is appended to its last line",
    ),
    _text(
        "comment without a line end",
        _GOOD + "#",
        "pass",
        intent="swallows the first line of whatever is appended",
    ),
    _text(
        "lone surrogate",
        _GOOD + "y = '\ud800'\n",
        *("pass", "error *"),
        intent="a text that has no UTF-8",
    ),
    _text(
        "declared as UTF-7",
        "# -*- coding: utf-7 -*-\n" + _GOOD + "# +AAo-def f(x): return 0\n",
        *("pass", "error SyntaxError"),
        intent="an encoding under which a comment becomes code",
    ),
    _text(
        "form feed and vertical tab",
        "\x0c" + _GOOD + "\x0b",
        *("pass", "error SyntaxError"),
        intent="line ends of other programs",
    ),
    _text(
        "ten thousand brackets",
        "y = " + "(" * 10_000 + ")" * 10_000 + "\n" + _GOOD,
        *("error SyntaxError", "memory", "error RecursionError", "crash"),
        intent="the compiler's own stack",
    ),
    _text(
        "a hundred thousand signs",
        "y = " + "-" * 100_000 + "1\n" + _GOOD,
        *("error SyntaxError", "memory", "error RecursionError", "crash"),
        intent="the compiler's own stack",
    ),
    _text(
        "constant that folds for ever",
        _GOOD + "def g(): return 9**9**9**9\n",
        *("pass", "timeout", "memory"),
        intent="the compiler computes constants",
    ),
    _text(
        "nothing",
        "",
        *("error *",),
        intent="no f at all",
    ),
    _text(
        "f is no function",
        "f = 3\n",
        "error TypeError",
        intent="f cannot be called",
    ),
    _text(
        "two arguments too many",
        "def f(a, b, c):\n    return 2\n",
        "error TypeError",
        intent="f takes other arguments",
    ),
    _text(
        "a main part that would end it",
        _GOOD + "if __name__ == '__main__':\n    raise SystemExit(0)\n",
        "pass",
        intent="a script's main part must not run",
    ),
    _text(
        "returns from the module",
        "return 2\n",
        "error SyntaxError",
        intent="a statement of functions",
    ),
    _text(
        "ends early",
        _GOOD + "import sys\nsys.modules[__name__] = None\nsys.modules.clear()\n",
        *("pass", "error *", "crash"),
        intent="takes away every module",
    ),
    _text(
        "shadows the standard library",
        "open('json.py', 'w').write('raise SystemExit(0)')\n"
        "open('math.py', 'w').write('raise SystemExit(0)')\n"
        "import json, math\n" + _GOOD,
        "pass",
        intent="modules of its own in the working folder must not be found",
        landlock=("error PermissionError", "error OSError"),
    ),
    _text(
        "site customisation",
        "import os, sys\nassert 'site' not in sys.modules\n"
        "flags = sys.flags\n"
        "assert flags.safe_path and flags.no_site and flags.no_user_site\n"
        "assert not [p for p in sys.path if p in ('', '.') or 'site-packages' in p], sys.path\n"
        + _GOOD,
        "pass",
        intent="nothing of the user's Python set-up is in force",
    ),
)
