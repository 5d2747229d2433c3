"""How an answer is to be made: the fields that all kinds of requests share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.daemon.fields import Fields, shown
from assistant.daemon.protocol import to_json
from assistant.engine.types import Forced, Limits, Priority, Sampling
from assistant.errors import RequestProblem

MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
MAX_FORCED = 16
MAX_GRAMMAR_BYTES = 64 * 1024
MAX_ALTERNATIVES = 20
MAX_TOKENS = 10_000_000
MAX_LOOKUP_TEXTS = 64
MAX_SOURCE = 4096
MAX_NAME = 256
_LINE_MS = 3_600_000
_ALL_TOKENS = 65_536
# llama-server's name comes first: it wins there as well.
_TOKEN_FIELDS = ("n_predict", "max_completion_tokens", "max_tokens")
_BUDGET_FIELDS = ("reasoning_budget", "reasoning_budget_tokens", "thinking_budget_tokens")


@dataclass(frozen=True, slots=True)
class Controls:
    """What a request says besides its text."""

    sampling: Sampling
    limits: Limits
    stream: bool = False
    progress: bool = False
    usage: bool = False
    """Send what it cost in a chunk of its own, as OpenAI's clients ask for it."""
    model: str = ""
    """The one that the client expects; empty: any."""
    schema: dict[str, Any] | None = None
    """JSON schema that the answer has to follow."""
    split: bool = False
    """Send the reasoning apart from the rest."""
    reasoning_budget: int | None = None
    """Tokens of reasoning; None: no limit."""
    priority: Priority = Priority.INTERACTIVE
    client: str = ""
    """Who asks, as the client says it."""
    document: str = ""
    """A newer inline request of the same client and document takes the place of this one."""
    lookup: tuple[str, ...] | None = None
    """Texts to guess from, beside the prompt; None: do not guess."""

    @property
    def source(self) -> str:
        """Client and document as one text; empty when the request names no document: others of
        the same client are about other places."""
        return f"{self.client}\n{self.document}" if self.document else ""


def read_controls(
    body: Fields, *, chat: bool = False, priority: Priority = Priority.INTERACTIVE
) -> Controls:
    """Read the shared fields.

    Args:
        body: the request.
        chat: it is a chat, whose reasoning is sent apart unless the client says otherwise.
        priority: where the request names none.

    Raises:
        RequestProblem: a field is ill-typed or out of range.
    """
    _one_answer(body)
    _refuse_bias(body)
    grammar, schema = _grammar(body)
    formats = ("auto", "deepseek", "none")
    split = body.choice("reasoning_format", formats, "auto" if chat else "none") != "none"
    limits = Limits(
        max_tokens=_max_tokens(body),
        stop=_stops(body),
        forced=_forced(body),
        grammar=grammar,
        logprobs=_chat_logprobs(body) if chat else _text_logprobs(body),
        ignore_end=body.get("ignore_eos", bool, False),
        line_ms=_line_ms(body),
    )
    client, document = _source(body)
    return Controls(
        _sampling(body),
        limits,
        stream=body.get("stream", bool, False),
        progress=body.get("return_progress", bool, False),
        usage=body.within("stream_options").get("include_usage", bool, False),
        model=body.text("model", longest=MAX_NAME),
        schema=schema,
        split=split,
        reasoning_budget=_reasoning_budget(body),
        priority=_priority(body, priority),
        client=client,
        document=document,
        lookup=_lookup(body),
    )


def _one_answer(body: Fields) -> None:
    for name in ("n", "best_of", "n_cmpl"):
        if (body.integer(name, 1, 1_000_000) or 1) != 1:
            raise RequestProblem(
                f"{name!r} is {body.values[name]}; one answer is given to a request.",
                hint="Send several requests: they are answered side by side.",
            )


def _refuse_bias(body: Fields) -> None:
    """It decides what may be written: ignored it would be missed."""
    if body.values.get("logit_bias") not in (None, False, {}, []):
        raise RequestProblem(
            f"'logit_bias' is {shown(body.values['logit_bias'])}; it is not supported.",
            hint="Send the request without it, or a grammar that says what may be written.",
        )


def _sampling(body: Fields) -> Sampling:
    plain = Sampling()
    top_k = body.integer("top_k", -1, 1_000_000)
    seed = body.integer("seed", -(2**63), 2**64)
    return Sampling(
        temperature=body.number("temperature", plain.temperature, 0.0, 10.0),
        # 0 keeps all candidates, as in llama-server.
        top_k=plain.top_k if top_k is None else max(0, top_k),
        top_p=body.number("top_p", plain.top_p, 0.0, 1.0),
        min_p=body.number("min_p", plain.min_p, 0.0, 1.0),
        # -1 means any, as in llama-server.
        seed=None if seed == -1 else seed,
        repeat_penalty=body.number("repeat_penalty", plain.repeat_penalty, 0.01, 10.0),
        frequency_penalty=body.number("frequency_penalty", plain.frequency_penalty, -10.0, 10.0),
        presence_penalty=body.number("presence_penalty", plain.presence_penalty, -10.0, 10.0),
        penalty_tokens=_penalty_tokens(body),
    )


def _penalty_tokens(body: Fields) -> int:
    """-1 means all of the context, as in llama-server."""
    given = body.integer("repeat_last_n", -1, _ALL_TOKENS)
    if given is None:
        return Sampling().penalty_tokens
    return _ALL_TOKENS if given == -1 else given


def _max_tokens(body: Fields) -> int | None:
    """None: as many as fit; 0: the prompt alone is evaluated and kept."""
    given = [body.integer(name, -1, MAX_TOKENS) for name in _TOKEN_FIELDS]
    count = next((value for value in given if value is not None), -1)
    return None if count == -1 else count


def _stops(body: Fields) -> tuple[str, ...]:
    stops = body.values.get("stop")
    if stops is None:
        return ()
    stops = [stops] if isinstance(stops, str) else stops
    good = isinstance(stops, list) and all(isinstance(stop, str) and stop for stop in stops)
    if not good or len(stops) > MAX_STOPS or max(map(len, stops), default=0) > MAX_STOP_CHARACTERS:
        raise RequestProblem(
            f"'stop' has to be a text or at most {MAX_STOPS} texts of 1 to "
            f"{MAX_STOP_CHARACTERS} characters."
        )
    return tuple(stops)


def _forced(body: Fields) -> tuple[Forced, ...]:
    entries: list[Any] = body.get("forced", list, [])
    if len(entries) > MAX_FORCED:
        raise RequestProblem(f"'forced' has {len(entries)} entries; at most {MAX_FORCED}.")
    found = []
    for entry in entries:
        after = entry.get("after") if isinstance(entry, dict) else None
        text = entry.get("text") if isinstance(entry, dict) else None
        if not (isinstance(after, str) and after and isinstance(text, str) and text):
            raise RequestProblem("An entry of 'forced' needs the texts 'after' and 'text'.")
        found.append(Forced(after, text))
    return tuple(found)


def _grammar(body: Fields) -> tuple[str | None, dict[str, Any] | None]:
    """A grammar, or a schema to make one from."""
    grammar = body.text("grammar")
    schema = body.get("json_schema", dict)
    wanted = body.within("response_format")
    kind = wanted.choice("type", ("text", "json_object", "json_schema"), "text")
    if kind == "json_object":
        schema = wanted.get("schema", dict, {"type": "object"})
    elif kind == "json_schema":
        schema = wanted.within("json_schema").get("schema", dict)
        if schema is None:
            raise RequestProblem("'response_format' of type json_schema needs a 'schema'.")
    if grammar and schema is not None:
        raise RequestProblem("Only one of 'grammar' and a JSON schema can be followed.")
    size = len(grammar.encode("utf-8", "replace")) or (len(_dumped(schema)) if schema else 0)
    if size > MAX_GRAMMAR_BYTES:
        raise RequestProblem(
            f"The {'grammar' if grammar else 'JSON schema'} has {size} bytes; at most "
            f"{MAX_GRAMMAR_BYTES} are taken."
        )
    return grammar or None, {"type": "object"} if schema == {} else schema


def _dumped(schema: dict[str, Any]) -> str:
    try:
        return to_json(schema)
    except RecursionError as error:
        raise RequestProblem("The JSON schema is nested too deeply.") from error


def _chat_logprobs(body: Fields) -> int | None:
    alternatives = body.integer("top_logprobs", 0, MAX_ALTERNATIVES)
    if not body.get("logprobs", bool, False):
        return body.integer("n_probs", 0, MAX_ALTERNATIVES) or None
    return alternatives or 0


def _text_logprobs(body: Fields) -> int | None:
    count = body.integer("logprobs", 0, MAX_ALTERNATIVES)
    return count if count is not None else body.integer("n_probs", 0, MAX_ALTERNATIVES) or None


def _line_ms(body: Fields) -> int | None:
    given = body.integer("t_max_predict_ms", -1, 2**53)
    return min(given, _LINE_MS) if given is not None and given > 0 else None


def _reasoning_budget(body: Fields) -> int | None:
    given = [body.integer(name, -1, MAX_TOKENS) for name in _BUDGET_FIELDS]
    count = next((value for value in given if value is not None), -1)
    return None if count == -1 else count


def _priority(body: Fields, default: Priority) -> Priority:
    names = [priority.name.lower() for priority in Priority]
    return Priority[body.choice("priority", names, default.name.lower()).upper()]


def _source(body: Fields) -> tuple[str, str]:
    """Client and document; `user` is OpenAI's word for the first."""
    source = body.values.get("source")
    if isinstance(source, str):
        source = {"document": source}
    given = Fields({"source": source}).within("source")
    client = given.text("client", longest=MAX_SOURCE) or body.text("user", longest=MAX_SOURCE)
    return client, given.text("document", longest=MAX_SOURCE)


def _lookup(body: Fields) -> tuple[str, ...] | None:
    given = body.values.get("lookup")
    if given is None or isinstance(given, bool):
        return () if given else None
    good = isinstance(given, list) and all(isinstance(text, str) for text in given)
    if not good or len(given) > MAX_LOOKUP_TEXTS:
        raise RequestProblem(
            f"'lookup' has to be true, false or at most {MAX_LOOKUP_TEXTS} texts, "
            f"not {shown(given)}."
        )
    return tuple(given)
