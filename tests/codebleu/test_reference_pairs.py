"""246 public pairs: every difference from the published vectors has the name of a defect.

The names are those of the specification's list of defects: D2 comments stripped as Java's, D4
the order of a set, D8 an empty reference graph, D9 comments kept where the tokenizer fails, D10
another version of the grammar, D12 strings deleted, D13 tabs rewritten; and of its behaviours 4
(a failed extraction looks like an empty graph) and 5 (a prediction that Python does not parse
gets a score all the same).
"""

from __future__ import annotations

import io
import json
import re
import tokenize
from collections import Counter
from functools import cache

import pytest

from assistant.benchmarks.codebleu import grammar
from tests.support.codebleu import data
from tests.support.codebleu_values import STEPS, under_seed

INSTALLED = "codebleu070.ts0.26.1_py0.25.0"
PARTS = {"syntax": 0, "data flow": 1}
Vector = dict[str, list[float]]

_JAVA = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:\\.|[^\\'])*'|\"(?:\\.|[^\\\"])*\"", re.DOTALL)


def strip_as_java(source: str) -> str:
    """What the original does to Python (D2): floor division is a comment, `#` is none."""
    bare = _JAVA.sub(lambda found: " " if found[0].startswith("/") else found[0], source)
    return "\n".join(line for line in bare.split("\n") if line.strip())


def strips_badly(texts: tuple[str, str]) -> str:
    """Why codebleu's Python stripper gives another tree than ours."""
    for text in texts:
        try:
            list(tokenize.generate_tokens(io.StringIO(text).readline))
        except (tokenize.TokenError, SyntaxError):
            return "D9: not stripped"
    return "D13: tabs rewritten" if "\t" in "".join(texts) else "D12: strings deleted"


def equal(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) < 1e-12


@cache
def pairs() -> dict[str, tuple[str, str]]:
    read = json.loads(data("codebleu_ref/pairs.json").read_text())
    return {row["id"]: (row["ref"], row["hyp"]) for row in read}


@cache
def vector(name: str) -> Vector:
    """By id: syntax and data-flow match."""
    found = data(f"codebleu_ref/scores/{name}.json")
    return {key: values[2:4] for key, values in json.loads(found.read_text()).items()}


@cache
def steps(seed: int) -> dict[str, list[list[float | None]]]:
    """By id: our values from the standard rules to those of codebleu 0.7.0."""
    found = under_seed(seed, list(pairs().values()))
    return dict(zip(pairs(), found, strict=True))


@cache
def as_java(seed: int) -> dict[str, list[list[float | None]]]:
    texts = [(strip_as_java(one), strip_as_java(other)) for one, other in pairs().values()]
    return dict(zip(pairs(), under_seed(seed, texts, "stripped before"), strict=True))


def defects(key: str, part: int, seed: int) -> tuple[set[str], float | None]:
    """The defects that move a pair's value, and the value with all of them."""
    values = [row[part] for row in steps(seed)[key]]
    moved = {
        strips_badly(pairs()[key]) if name == "stripper" else name
        for (name, _), before, after in zip(STEPS, values, values[1:], strict=False)
        if before != after
    }
    return moved, values[-1]


def drifts(key: str, part: int, vectors: tuple[str, str]) -> bool:
    """Whether the vectors of two grammars, all else equal, differ for a pair (D10)."""
    one, other = (vector(name)[key][part] for name in vectors)
    return not equal(one, other)


def explain(name: str, key: str, part: int) -> set[str] | None:
    """Why our standard value is not the published one; None: nothing explains it."""
    family, seed = name.rsplit(".seed", 1)
    target = vector(name)[key][part]
    causes, ours = defects(key, part, int(seed))
    if equal(ours, target):
        return causes
    drift = {"D10: another grammar"}
    if family.startswith("codebleu070"):
        same = drifts(key, part, (name, f"{INSTALLED}.seed{seed}"))
        return causes | drift if same and family != INSTALLED else None
    old = ("original_python_comments.seed0", f"{INSTALLED}.seed0")
    if family == "original_python_comments":
        return causes | drift if drifts(key, part, old) else None
    one, other = pairs()[key]
    java = as_java(int(seed))[key][0][part]
    causes = {cause for cause in causes if not cause.startswith(("D9", "D12", "D13"))}
    if java != ours:
        causes |= {"D2: stripped as Java"}
    if equal(java, target):
        return causes
    # Java's stripping leaves Python's comments and docstrings in: other trees, other drift.
    other_text = {strip_as_java(one), strip_as_java(other)} != {one, other}
    drifted = drifts(key, part, old) or (other_text and java != ours)
    return causes | drift if drifted else None


NAMES = [
    *(f"{INSTALLED}.seed{seed}" for seed in (0, 1)),
    *(f"codebleu070.ts0.25.2_py0.25.0.seed{seed}" for seed in (0, 1)),
    *(f"codebleu070.ts0.23.2_py0.23.6.seed{seed}" for seed in (0, 1)),
    *(f"codebleu070.ts0.22.3_py0.21.0.seed{seed}" for seed in (0, 1)),
    "original_python_comments.seed0",
    *(f"original.seed{seed}" for seed in (0, 1, 2)),
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", NAMES)
def test_each_difference_has_a_name(name: str, part: str, capsys: pytest.CaptureFixture[str]):
    place = PARTS[part]
    published = vector(name)
    counts: Counter[str] = Counter()
    unexplained = []
    for key in pairs():
        if equal(steps(0)[key][0][place], published[key][place]):
            counts["agree"] += 1
            continue
        causes = explain(name, key, place)
        if not causes:
            unexplained.append(key)
        counts[" + ".join(sorted(causes or {"unexplained"}))] += 1
    with capsys.disabled():
        print(f"\n{name}, {part}: " + "; ".join(f"{n} {c}" for c, n in counts.most_common()))  # noqa: T201
    assert unexplained == []
    assert counts.total() == 246


@pytest.mark.parametrize("seed", [0, 1])
def test_codebleu_070_is_reproduced_exactly(seed: int):
    """On the installed grammar: syntax, and data flow under the same hash seed."""
    assert grammar.versions() == {"tree-sitter": "0.26.1", "tree-sitter-python": "0.25.0"}
    for key, expected in vector(f"{INSTALLED}.seed{seed}").items():
        assert steps(seed)[key][-1][:2] == pytest.approx(expected, abs=1e-12), key
