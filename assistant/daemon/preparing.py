"""From a request that was read to one that the engine can serve. Called in threads of their own:
a long source file takes milliseconds to render and tokenise, and a schema to turn into a grammar.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from assistant.daemon.controls import Controls
from assistant.daemon.requests import ChatRequest, FillRequest, TextRequest
from assistant.engine.engine import Engine
from assistant.engine.schema import from_json_schema
from assistant.engine.types import Budget, Limits, Prepared
from assistant.format.completion import CODE_HEADING, FORMAT_NAME, code_opening
from assistant.format.dialects import THINK_TAGS, open_thinking

MAX_LOOKUP_TOKENS = 65_536


def prepare(engine: Engine, asked: ChatRequest | TextRequest | FillRequest) -> Prepared:
    """Tokenise a request and check that it fits.

    Raises:
        ModelProblem: the model can not do what is asked.
        RequestProblem: it is too long, or its grammar or schema can not be followed.
    """
    controls = asked.controls
    sampling, limits = controls.sampling, _limits(controls)
    match asked:
        case ChatRequest(messages=messages):
            prepared = engine.prepare_chat(messages, sampling, limits)
        case TextRequest(prompt=prompt):
            prepared = engine.prepare_raw(prompt, sampling, limits)
        case FillRequest(prefix=prefix, suffix=suffix):
            prepared = engine.prepare_fill(prefix, suffix, sampling, limits, **_known(asked))
    if controls.reasoning_budget is not None:
        budget = _budget(engine, prepared, controls.reasoning_budget)
        prepared = replace(prepared, limits=replace(limits, budget=budget))
    if controls.lookup is not None:
        prepared = replace(prepared, lookup=_lookup(engine, controls.lookup))
    return prepared


def writes_sections(engine: Engine) -> bool:
    """Whether the model was trained on the completion format."""
    return engine.facts.format_name == FORMAT_NAME


def _known(asked: FillRequest) -> dict[str, Any]:
    """What is known of the place beyond the text around it."""
    given = {
        "typed": asked.typed,
        "file_name": asked.file_name,
        "repository": asked.repository,
        "extra": asked.extra,
    }
    return {name: value for name, value in given.items() if value}


def _limits(controls: Controls) -> Limits:
    if controls.schema is None:
        return controls.limits
    return replace(controls.limits, grammar=from_json_schema(controls.schema))


def _budget(engine: Engine, prepared: Prepared, tokens: int) -> Budget | None:
    """The end of reasoning in the model's own words; None: this answer will have none."""
    if writes_sections(engine):
        until = f"## {CODE_HEADING}\n"
        text, opening = f"\n{code_opening()}", ""
    else:
        tags = dict(THINK_TAGS)
        open_tag = prepared.thinking or open_thinking(prepared.before)
        tag = open_tag or next((tag for tag in tags if tag in engine.vocabulary.specials), "")
        if not tag:
            return None
        until = tags[tag]
        # A model that knows the tag need not think: it does once it has said it.
        text, opening = f"\n{until}\n\n", "" if open_tag else tag
    return None if until in prepared.before else Budget(tokens, until, text, opening)


def _lookup(engine: Engine, texts: Sequence[str]) -> tuple[int, ...]:
    tokens: list[int] = []
    for text in texts:
        tokens += engine.vocabulary.tokenize(text)
    return tuple(tokens[:MAX_LOOKUP_TOKENS])
