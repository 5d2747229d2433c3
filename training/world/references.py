"""How a request speaks of the arguments: "nums", "the list nums", "a list of integers"."""

from __future__ import annotations

from random import Random

from training.world.names import SAME

_ANONYMOUS: dict[str, tuple[str, ...]] = {
    "ints": (
        "a list of integers",
        "a list of numbers",
        "a list",
        "an array of numbers",
        "a given list",
        "a list of ints",
        "the list",
        "the given list",
    ),
    "words": (
        "a list of strings",
        "a list of words",
        "a list",
        "a given list of strings",
        "the list of words",
    ),
    "text": ("a string", "a text", "a given string", "the string", "a sentence", "some text"),
    "word": ("a string", "a word", "a given string", "the string"),
    "n": ("n", "a number", "a given number", "an integer n", "an integer"),
    "scores": (
        "a dictionary",
        "a dict",
        "a given dictionary",
        "a dict of numbers",
        "a dictionary with integer values",
    ),
    "names": ("a dictionary", "a dict", "a dict of strings"),
    "rows": ("a list of lists", "a nested list", "a matrix", "a list of lists of numbers"),
    "records": ("a list of tuples", "a list of (name, number) tuples", "a list of pairs"),
    "letter": ("a letter", "a given character", "a character"),
}
_NAMED: dict[str, tuple[str, ...]] = {
    "ints": ("the list {p}", "list {p}", "the numbers {p}", "the given list {p}"),
    "words": ("the list {p}", "the words {p}", "the list of strings {p}"),
    "text": ("the string {p}", "the text {p}", "string {p}"),
    "word": ("the string {p}", "the word {p}"),
    "n": ("the number {p}", "the integer {p}"),
    "scores": ("the dictionary {p}", "the dict {p}"),
    "names": ("the dictionary {p}", "the dict {p}"),
    "rows": ("the nested list {p}", "the list of lists {p}", "the matrix {p}"),
    "records": ("the list of tuples {p}", "the pairs {p}"),
    "letter": ("the letter {p}", "the character {p}"),
}
_ORDINALS = ("first", "second", "third")


def references(
    rng: Random, kinds: tuple[str, ...], params: tuple[str, ...], visible: bool
) -> tuple[str, ...]:
    """A phrase for every parameter.

    Args:
        visible: the request states the parameter names, so that it may use them.
    """
    result = []
    groups = [SAME.get(kind, kind) for kind in kinds]
    quoted = rng.random() < 0.35
    for index, (group, param) in enumerate(zip(groups, params, strict=True)):
        shown = f"`{param}`" if quoted else param
        alone = groups.count(group) == 1
        if visible and (not alone or rng.random() < 0.72):
            text = shown if rng.random() < 0.6 else rng.choice(_NAMED[group]).format(p=shown)
        elif alone:
            text = rng.choice(_ANONYMOUS[group])
            if group == "n":
                # "n" is how people say it when there is one number, and k or m for the next.
                text = text if visible is False else rng.choice(("the number", "the given number"))
        else:
            number = groups[:index].count(group)
            noun = {
                "ints": "list",
                "words": "list",
                "rows": "matrix",
                "n": "number",
                "scores": "dictionary",
                "names": "dictionary",
                "records": "list",
                "letter": "letter",
            }.get(group, "string")
            text = f"the {_ORDINALS[number]} {noun}"
        result.append(text)
    return tuple(result)


_IT = {
    "ints": ("it", "the list", "it"),
    "words": ("it", "the list"),
    "rows": ("it",),
    "text": ("it", "the string"),
    "word": ("it", "the string"),
    "scores": ("it", "the dict"),
    "names": ("it",),
    "records": ("it", "the list"),
}
_OPENINGS = (
    "Given {r}, {s}",
    "Given {r}, {s}",
    "I have {r}. {S}",
    "For {r}: {s}",
    "There is {r}. {S}",
    "You get {r}. {S}",
    "Input is {r}. {S}",
    "With {r}: {s}",
)


def introduced(
    rng: Random, kinds: tuple[str, ...], params: tuple[str, ...], visible: bool
) -> tuple[str, tuple[str, ...]]:
    """An opening that introduces the only argument, or "", and the phrases for all arguments.

    "Given a list of numbers `xs`, return the largest of the numbers in it."
    """
    group = SAME.get(kinds[0], kinds[0])
    if len(kinds) > 1 or group not in _IT or rng.random() > 0.13:
        return "", references(rng, kinds, params, visible)
    noun = rng.choice(
        [a for a in _ANONYMOUS[group] if a.startswith(("a ", "an ")) and "given" not in a]
    )
    if visible and rng.random() < 0.6:
        noun += " " + rng.choice(("{p}", "`{p}`", "called {p}")).format(p=params[0])
    return noun, (rng.choice(_IT[group]),)


def opened(noun: str, sentence: str, rng: Random) -> str:
    """The sentence after its opening; unchanged without one."""
    if not noun:
        return sentence
    lower, upper = sentence[0].lower() + sentence[1:], sentence[0].upper() + sentence[1:]
    return rng.choice(_OPENINGS).format(r=noun, s=lower, S=upper)
