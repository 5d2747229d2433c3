"""Scores pairs in a process of its own: `python -m tests.support.codebleu_values`.

Reads {"pairs": [[reference, prediction], ...], "rules": name} on stdin and writes what each pair
scores under each of the rules of that name (`RULES`). A process of its own, because its
PYTHONHASHSEED decides what sets give.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys

from assistant.benchmarks.codebleu import CODEBLEU_070, STANDARD, Order, Pair, Rules, Strip
from assistant.benchmarks.codebleu.matching import sample
from tests.support.codebleu import ROOT


def _step(name: str, before: Rules, **changes: object) -> tuple[str, Rules]:
    return name, dataclasses.replace(before, **changes)  # type: ignore[arg-type]


_UNPARSABLE = _step("behaviour 5: unparsable prediction scored", STANDARD, unparsable_is_zero=False)
_EMPTY = _step("D8: empty reference graph", _UNPARSABLE[1], empty_is_undefined=False)
_TOKENS = _step(
    "behaviour 4: failure as empty graph", _EMPTY[1], own_tokens=False, failures_count=False
)
_STRIP = _step("stripper", _TOKENS[1], strip=Strip.TOKENS)
_ORDER = _step("D4: order of a set", _STRIP[1], order=Order.HASH)
STEPS = [_UNPARSABLE, _EMPTY, _TOKENS, _STRIP, _ORDER]
"""From the standard rules to those of codebleu 0.7.0, one defect at a time."""

assert dataclasses.replace(_ORDER[1], name=CODEBLEU_070.name) == CODEBLEU_070
RULES: dict[str, list[Rules]] = {
    "steps": [STANDARD, *(rules for _, rules in STEPS)],
    "codebleu 0.7.0": [CODEBLEU_070],
    # The original strips as Java: here before our rules see the text.
    "stripped before": [dataclasses.replace(CODEBLEU_070, strip=Strip.NONE)],
}

Values = list[list[float | None]]
"""Of one pair, for each of the rules: syntax and data-flow match, data-flow items matched, all."""


def under_seed(seed: int, pairs: list[tuple[str, str]], rules: str = "steps") -> list[Values]:
    """Score pairs in a new process with a hash seed.

    Args:
        seed: PYTHONHASHSEED.
        pairs: references and predictions.
        rules: a name in `RULES`.
    """
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.codebleu_values"],
        input=json.dumps({"pairs": pairs, "rules": rules}),
        env={**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[Values] = json.loads(answer.stdout)
    return found


def _values(pair: Pair, rules: Rules) -> list[float | None]:
    both = sample(pair, rules)
    flow = both.data_flow
    return [both.syntax.value, flow.value, flow.matched, flow.total]


def _main() -> None:
    asked = json.load(sys.stdin)
    pairs = [Pair("", *texts) for texts in asked["pairs"]]
    rules = RULES[asked["rules"]]
    json.dump([[_values(pair, each) for each in rules] for pair in pairs], sys.stdout)


if __name__ == "__main__":
    _main()
