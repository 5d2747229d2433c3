"""Guessing ahead from the prompt: what it gains on a rewrite and costs on free text."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from tests.bench.serving import copying, sides
from tests.bench.serving.client import Answer, Client
from tests.bench.serving.models import EMBEDDED, Model
from tests.bench.serving.report import Series, paired
from tests.bench.serving.setting import Setting, body, pause

NAME = "lookup"
_FILE = "tools/server/tests/utils.py"
_LINES = 200
_LEAST_GAIN, _LEAST_FREE = 1.5, 0.97
_GREEDY: dict[str, Any] = {"temperature": 0}
_REQUESTS = (
    "Write a function `count_vowels(text)` that counts the vowels in a text",
    "Write a function that returns the largest even number of a list, or None",
    "Write a function `is_palindrome(text)` that ignores case and spaces",
    "Write a function that groups words by their first letter",
    "Write a function `clamp(value, low, high)`",
    "Write a function that merges two sorted lists into one sorted list",
)
Ask = Callable[[Client, bool], Answer]


def run(setting: Setting) -> None:
    """The rewrite on the copying model, free text on the embedded one and at the 1B shape."""
    for model in setting.each("copying"):
        _rewrite(setting, model)
    for model in setting.each("starter"):
        _answers(setting, model)
    for model in setting.each("1b"):
        _noise(setting, model)


def _rewrite(setting: Setting, model: Model) -> None:
    """A file of 200 lines, with a word renamed in some thirty places."""
    lines = 40 if setting.quick else _LINES
    source = (setting.peer.source / _FILE).read_text().splitlines(keepends=True)
    text = "".join(source[:lines])
    old, new = copying.RENAMED
    wanted = re.sub(rf"{old}(?![A-Za-z])", new, text)
    prompts = model.prompts(10)
    head = f"Here are the lines of {_FILE}, each of them as it is in the project:\n```python\n"
    tokens = _count(setting, model, wanted)

    def ask(client: Client, lookup: bool) -> Answer:
        # New words in front, so that the prompt is evaluated each time.
        prompt = f"{prompts.fresh(8)}. Rename{old} to{new}.\n{head}{text}```\n{head}"
        return client.ask(body(prompt, tokens, **_GREEDY, lookup=lookup))

    with sides.ours(model.path, model.threads, 8 * len(text) // 10 + 512) as side:
        plain, guessed = _compare(side.client(), setting.runs, ask)
    gain = _total(plain).median / _total(guessed).median
    same = {answer.text for answer in plain + guessed} == {wanted}
    what = f"ms of a rewrite of {lines} lines, plain and with lookup"
    series = (_total(plain, "plain"), _total(guessed, "lookup"))
    result = f"{gain:.2f} times as fast, {'same' if same else 'ANOTHER'} text"
    setting.add(NAME, model, what, series, result, f"at least {_LEAST_GAIN}, same text",
                gain >= _LEAST_GAIN and same)  # fmt: skip
    setting.add(NAME, model, "the same, ms a token once the prompt is read",
                (Series("plain", _rate(plain).values), Series("lookup", _rate(guessed).values)),
                f"{_rate(plain).median / _rate(guessed).median:.2f} times as fast")  # fmt: skip
    share = [100 * a.accepted / max(1, a.drafted) for a in guessed]
    setting.add(NAME, model, "percent of the guesses that were right",
                [Series("lookup", tuple(share))])  # fmt: skip


def _answers(setting: Setting, model: Model) -> None:
    """Real answers of the embedded model; what they repeat of themselves may be guessed."""
    requests = _REQUESTS[:2] if setting.quick else _REQUESTS
    # An answer takes a tenth of a second: it needs more of them to be told from noise.
    runs = setting.runs * (1 if setting.quick else 5)
    with sides.ours(EMBEDDED, model.threads, 1024) as side:
        client = side.client()
        pairs = []
        for request in requests:

            def ask(client: Client, lookup: bool, request: str = request) -> Answer:
                messages = [{"role": "user", "content": request}]
                sent = {"messages": messages, "max_tokens": 400, "lookup": lookup, **_GREEDY}
                return client.ask(sent, "/v1/chat/completions")

            pairs.append(_compare(client, runs, ask))
    same = all(len({a.text for a in plain + guessed}) == 1 for plain, guessed in pairs)
    _free(setting, model, "answers to requests", pairs, same)


def _noise(setting: Setting, model: Model) -> None:
    """Text of random weights: hardly anything in it was there before."""
    prompts = model.prompts(11)

    def ask(client: Client, lookup: bool) -> Answer:
        return client.ask(body(prompts.fresh(200), 2 * model.tokens, lookup=lookup))

    with sides.ours(model.path, model.threads, 1024) as side:
        pairs = [_compare(side.client(), setting.runs, ask)]
    _free(setting, model, "random text", pairs, same=True)


def _free(
    setting: Setting, model: Model, kind: str, pairs: list[tuple[list[Answer], list[Answer]]],
    same: bool,
) -> None:  # fmt: skip
    gains = [paired(_rate(plain), _rate(guessed), operator.truediv) for plain, guessed in pairs]
    series = [
        Series(f"{name} {number}", _rate(answers).values)
        for number, pair in enumerate(pairs)
        for name, answers in zip(("plain", "lookup"), pair, strict=True)
    ]
    result = f"{min(gains):.3f} at least, {'same' if same else 'ANOTHER'} text"
    met = min(gains) >= _LEAST_FREE and same
    what = f"ms a token, {kind}, plain and with lookup"
    setting.add(NAME, model, what, series, result, f"at least {_LEAST_FREE}, same text", met)


def _compare(client: Client, runs: int, ask: Ask) -> tuple[list[Answer], list[Answer]]:
    """Answers without and with lookup, in turn; the first of each is not counted."""
    plain: list[Answer] = []
    guessed: list[Answer] = []
    ask(client, False)
    for number in range(runs):
        for lookup in (False, True) if number % 2 else (True, False):
            pause()
            (guessed if lookup else plain).append(ask(client, lookup))
    return plain, guessed


def _count(setting: Setting, model: Model, text: str) -> int:
    """Tokens of a text, as the daemon counts them."""
    with sides.ours(model.path, model.threads, 8192) as side:
        return side.client().ask(body(text, 1)).prompt_tokens - model.bos


def _total(answers: list[Answer], name: str = "") -> Series:
    return Series(name, tuple(answer.total_ms for answer in answers))


def _rate(answers: list[Answer]) -> Series:
    return Series("", tuple(answer.token_ms for answer in answers))
