"""One character changes at the end of a long context: how much is evaluated again."""

from __future__ import annotations

from tests.bench.serving.report import Series
from tests.bench.serving.setting import Setting, body, in_turn

NAME = "edit"
_MOST = 8


def run(setting: Setting) -> None:
    """Measure at the 1B shape; at others when asked for."""
    length = 500 if setting.quick else 4000
    for model in setting.each(*(("1b", "8b") if setting.chosen else ("1b",))):
        prompts = model.prompts(6)
        tokens: dict[str, list[float]] = {}
        times: dict[str, list[float]] = {}
        with setting.both(model, length + 512, length + 512) as both:
            for side in in_turn(min(3, setting.runs), both):
                client, text = side.client(), prompts.fresh(length - model.bos)
                client.ask(body(text, 1))
                for letter in "xyz":
                    answer = client.ask(body(text[:-1] + letter, 1))
                    tokens.setdefault(side.name, []).append(answer.evaluated)
                    times.setdefault(side.name, []).append(answer.first_ms)
        counted = [Series(side.name, tuple(tokens[side.name])) for side in both]
        most = max(counted[0].values)
        what = f"tokens evaluated after an edit behind {length}"
        setting.add(NAME, model, what, counted, f"{most:.0f}", f"at most {_MOST}", most <= _MOST)
        waited = [Series(side.name, tuple(times[side.name])) for side in both]
        setting.add(NAME, model, "ms to the first token after that edit", waited)
