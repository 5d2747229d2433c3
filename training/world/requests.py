"""The words of a request: one task, many people asking for it."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass
from random import Random

from training.world.constants import HINTS, words_of
from training.world.draft import Draft, Wording
from training.world.names import function_name
from training.world.references import introduced, opened

REGISTERS = ("docstring", "terse", "question", "imperative", "chatty")

_FRAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "np": {
        "docstring": (
            "Return {w}.",
            "Returns {w}.",
            "Compute {w}.",
            "Calculate {w}.",
            "Get {w}.",
            "Find {w}.",
            "{W}.",
            "Computes and returns {w}.",
            "Give back {w}.",
        ),
        "terse": (
            "{w}",
            "{bare}",
            "{bare}, please",
            "python: {w}",
            "get {w}",
            "need {w}",
            "function for {w}",
            "return {w}",
            "code for {w}",
        ),
        "question": (
            "How do I get {w}?",
            "What is the code for {w}?",
            "Can you give me {w}?",
            "How would you compute {w}?",
            "Could you write a function that returns {w}?",
            "How can I find {w} in Python?",
            "What's a good way to get {w}?",
            "Can you write code that returns {w}?",
        ),
        "imperative": (
            "Write a function that returns {w}.",
            "Write a function to find {w}.",
            "Write a python function to find {w}.",
            "Write a function to get {w}.",
            "Create a function that computes {w}.",
            "Implement a function returning {w}.",
            "Define a function that gives {w}.",
            "Please write a function that returns {w}.",
            "Write Python code that calculates {w}.",
            "Write a python function to return {w}.",
            "Make a function which returns {w}.",
        ),
        "chatty": (
            "Hi, I need {w}. Can you write that?",
            "I'm stuck: I want to get {w}. Thanks!",
            "hey, could you help me to get {w}?",
            "For a report I need {w}, please write it.",
            "I am looking for a small function that gives me {w}.",
            "So I have some data and what I want is {w}.",
            "I'd like to have {w}, thanks",
            "Quick one: {w}. Thank you!",
            "we need {w} here, can you add a function for it",
        ),
    },
    "clause": {
        "docstring": (
            "Return whether {w}.",
            "Return True if {w}, otherwise False.",
            "Check whether {w}.",
            "True if {w}, else False.",
            "Tell whether {w}.",
            "Test if {w}.",
        ),
        "terse": (
            "whether {w}",
            "check if {w}",
            "true if {w}",
            "is it true that {w}",
            "test if {w}",
            "bool: {w}",
        ),
        "question": (
            "How do I check whether {w}?",
            "How can I tell if {w}?",
            "Can you check if {w}?",
            "Is there a way to see whether {w}?",
            "How would you test that {w}?",
        ),
        "imperative": (
            "Write a function that checks whether {w}.",
            "Write a function that returns True if {w}.",
            "Write a python function to check whether {w} or not.",
            "Create a function that tells if {w}.",
            "Write a function to check if {w}.",
            "Implement a check that {w}.",
            "Write a function which returns true when {w} and false otherwise.",
        ),
        "chatty": (
            "I need to know whether {w}. Can you write that?",
            "hi, could you write me a check if {w}? thanks",
            "Before going on I have to make sure that {w}, please write a function for it.",
            "I'd like a function that says if {w}.",
        ),
    },
    "verb": {
        "docstring": ("{W}.", "{W}.", "{W} and return the result.", "Return the result: {w}."),
        "terse": (
            "{w}",
            "{w}, please",
            "function to {w}",
            "python: {w}",
            "code to {w}",
            "{w} in python",
        ),
        "question": (
            "How do I {w}?",
            "How can I {w} in Python?",
            "Can you {w}?",
            "What is a good way to {w}?",
            "Could you write a function to {w}?",
            "How would you {w}?",
        ),
        "imperative": (
            "Write a function to {w}.",
            "Write a python function to {w}.",
            "Please write a function to {w}.",
            "Create a function to {w}.",
            "Implement a function to {w}.",
            "Make a function that can {w}.",
            "Write code to {w}.",
        ),
        "chatty": (
            "Hi, I have to {w}. Can you write that?",
            "I need to {w}, thanks!",
            "hey, could you help me to {w}?",
            "I want to {w}, how would the function look?",
            "I'm trying to {w} but can't get it right.",
            "For my script I must {w}.",
        ),
    },
    "sequence": {
        "docstring": ("{W}.", "{W}.", "{W}."),
        "terse": ("{w}", "{w}, please", "python: {w}", "steps: {w}"),
        "question": (
            "Can you do this: {w}?",
            "How do I do the following: {w}?",
            "How would you code this: {w}?",
        ),
        "imperative": (
            "{W}.",
            "Write a function that does this: {w}.",
            "Write a function with these steps: {w}.",
            "Please write a function: {w}.",
            "Implement this: {w}.",
        ),
        "chatty": (
            "Hi, can you write this for me? {W}. Thanks!",
            "I need the following: {w}.",
            "Here is what it should do: {w}.",
            "ok so: {w}. thank you",
        ),
    },
}
_WITH_NAME = (
    "{t} Call it {n}.",
    "{t} Name it `{n}`.",
    "{t} The function should be called {n}.",
    "{t} Name the function {n}.",
    "{n}: {t}",
    "{t} (function name: {n})",
    "{t} Use the name `{n}`.",
)
_WITH_TICKS = (
    "{t} Signature: `{s}`",
    "{t} Use `{s}`",
    "`{s}` {t}",
    "{t} The signature is `{s}`.",
    "{t} Start with `{s}`.",
    "Complete `{s}`: {t}",
    "{t} Use this signature: `{s}`.",
    "Write `{s}`. {t}",
    "In `{s}`: {t}",
    "{t} It must be `{s}`.",
    "Implement `{s}`. {t}",
    "Please fill in `{s}`. {t}",
)
# `f(x)` without `def` counts as a signature only where the sentence says that it is one.
_WITH_CALL = (
    "{t} Signature: `{s}`",
    "{t} The signature is `{s}`.",
    "Write `{s}`. {t}",
    "Implement `{s}`. {t}",
    "{t} Use this signature: `{s}`.",
    "Write a function `{s}`. {t}",
    "Create the function `{s}`: {t}",
    "Define `{s}`. {t}",
    "I need a function `{s}`. {t}",
)
_WITH_LINE = (
    "{t}\n{s}",
    "{s}\n{t}",
    "{t}\n\n{s}",
    "{t} Signature:\n{s}",
    "{t}\nUse this signature:\n{s}",
    "{t} It starts with\n{s}",
    "Complete this function:\n{s}\n{t}",
    "{s}\n\n{t}",
)
_EXAMPLES = (
    "{t}\nExample: {c} returns {r}",
    "{t} For example, {c} gives {r}.",
    "{t} E.g. {c} == {r}",
    "{t}\n{c} -> {r}",
    "{t}\nExample: {c} -> {r}",
    "{t} So {c} should be {r}.",
    "{t}\n>>> {c}\n{r}",
    "{t}\nYour code should pass: assert {c} == {r}",
)
_NUMBER_WORDS = words_of("zero one two three four five six seven eight nine ten")
_SMALL_NUMBER = re.compile(r"(?<![\w'\"`.-])([2-9]|10)(?![\w'\"`.-])")
_HINTED_OUT = {
    "int": "int",
    "str": "str",
    "bool": "bool",
    "list": "list",
    "dict": "dict",
    "float": "float",
}


@dataclass(frozen=True)
class Request:
    """A request before its text is known to fit: names chosen, wording chosen."""

    text: str
    register: str
    form: str
    signature: str | None


def draw_form(rng: Random) -> str:
    """Where the signature is stated: stub, ticks, line, named or none."""
    return rng.choices(("stub", "ticks", "line", "named", "none"), weights=(26, 20, 16, 8, 30))[0]


def draw_signature(rng: Random, draft: Draft, name: str, hints: bool) -> str:
    """A `def` line, with type hints when asked for."""
    if not hints:
        return f"def {name}({', '.join(draft.params)}):"
    shown = [f"{p}: {HINTS[k]}" for p, k in zip(draft.params, draft.kinds, strict=True)]
    out = _HINTED_OUT.get(draft.out, "")
    arrow = f" -> {out}" if out and rng.random() < 0.85 else ""
    return f"def {name}({', '.join(shown)}){arrow}:"


def draw_name(rng: Random, draft: Draft, form: str) -> str:
    """The canonical name when the request does not say one."""
    name = draft.base_name if form == "none" else function_name(rng, draft.base_name)
    # A function called `max` would hide the `max` that its own body calls.
    return name + "_of" if hasattr(builtins, name) or keyword.iskeyword(name) else name


def _sentence(wording: Wording, register: str, rng: Random) -> str:
    frame = rng.choice(_FRAMES[wording.kind][register])
    text = wording.text.rstrip(".")
    if rng.random() < 0.06:
        text = _SMALL_NUMBER.sub(lambda found: _NUMBER_WORDS[int(found[1])], text)
    bare = text[4:] if text.startswith("the ") else text
    if wording.kind == "sequence" and "{w}" in frame and not text.startswith("Given"):
        text = text[0].lower() + text[1:]
    sentence = frame.format(w=text, W=text[0].upper() + text[1:], bare=bare)
    roll = rng.random()
    if register in ("terse", "chatty") and roll < 0.3:
        return sentence[0].lower() + sentence[1:]
    return sentence[:-1] if sentence.endswith(".") and roll > 0.93 else sentence


def _stub(signature: str, text: str, example: tuple[str, str] | None, rng: Random) -> str:
    roll = rng.random()
    if roll < 0.13:
        return f"{signature}\n    # {text}\n"
    if roll < 0.18:
        return f"# {text}\n{signature}\n"
    quote = "'''" if rng.random() < 0.04 else '"""'
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if example:
        call, result = example
        shown = (
            f"\n\n    >>> {call}\n    {result}"
            if rng.random() < 0.75
            else f"\n\n    {call} -> {result}"
        )
        if roll < 0.75:
            return f"{signature}\n    {quote}{text}{shown}\n    {quote}\n"
        return f"{signature}\n    {quote}\n    {text}{shown}\n    {quote}\n"
    if roll > 0.93:
        return f"{signature}\n    {quote}\n    {text}\n    {quote}\n"
    return f"{signature}\n    {quote}{text}{quote}\n"


def compose(
    rng: Random,
    draft: Draft,
    name: str,
    form: str,
    signature: str,
    example: tuple[str, str] | None,
) -> Request:
    """Write the request.

    Args:
        example: a call and its result as text, to be shown, or None.
    """
    visible = form in ("stub", "ticks", "line")
    opening, refs = introduced(rng, draft.kinds, draft.params, visible)
    said = draft.word(rng, refs)
    if form == "stub":
        register = "docstring" if rng.random() < 0.85 else rng.choice(REGISTERS[1:4])
        text = opened(opening, _sentence(said, register, rng), rng)
        stub = _stub(signature, text, example, rng).rstrip("\n")
        return Request(
            f"Implement this function:\n```python\n{stub}\n```", register, form, signature
        )
    register = rng.choices(REGISTERS, weights=(18, 18, 17, 32, 15))[0]
    text = opened(opening, _sentence(said, register, rng), rng)
    if form != "line" and text[-1] not in ".?!":
        text += rng.choice((".", ".", ";")) if form == "named" else rng.choice((".", ",", ""))
    if form == "named":
        text = rng.choice(_WITH_NAME).format(t=text, n=name)
    elif form == "ticks":
        if rng.random() < 0.75:
            text = rng.choice(_WITH_TICKS).format(t=text, s=signature)
        else:
            text = rng.choice(_WITH_CALL).format(t=text, s=signature[4:-1])
    elif form == "line":
        text = rng.choice(_WITH_LINE).format(t=text, s=signature)
    if example:
        register = "examples"
        text = rng.choice(_EXAMPLES).format(t=text, c=example[0], r=example[1])
    return Request(text, register, form, signature if visible else None)
