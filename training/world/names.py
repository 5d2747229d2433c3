"""Names of functions and parameters: plain ones, descriptive ones, and odd ones to be copied."""

from __future__ import annotations

import builtins
import keyword
from random import Random

from training.world.constants import words_of

PARAMETERS: dict[str, tuple[str, ...]] = {
    "ints": words_of(
        "nums numbers values xs arr data lst items a seq elements array ints nums1 l t lista "
        "test_list input_list my_list vals list1 sequence series readings samples prices "
        "ages marks grades temps counts points sizes amounts nlist"
    ),
    "words": words_of(
        "words strings items names tokens lst lines texts labels ws strs terms entries tags "
        "word_list titles parts list1 arr test_list my_words fruits cities files"
    ),
    "text": words_of(
        "text s string sentence phrase line str1 message txt content input_string msg t raw "
        "source document test_str body title input_text name password string1"
    ),
    "word": words_of("word s text string name token w str1 value label term test_str"),
    "n": words_of("n num number limit x value k m top end upper integer count"),
    "scores": words_of(
        "d scores counts data table mapping prices stock ages totals points test_dict dict1 "
        "inventory grades weights votes salaries lookup record"
    ),
    "rows": words_of("rows matrix lists table grid groups nested data lsts test_list batches"),
    "records": words_of("records pairs items entries rows tuples test_list data scores"),
    "names": words_of("mapping d table names lookup aliases dict1 codes"),
    "letter": words_of("ch c letter char symbol target"),
}
SAME = {
    "brackets": "text",
    "few": "n",
    "bign2": "n",
    "bign3": "n",
    "distinctword": "word",
    "fewints": "ints",
    "deep": "ints",
    "posints": "ints",
    "sortedints": "ints",
    "smalln": "n",
    "bign": "n",
    "int": "n",
    "matrix": "rows",
    "square": "rows",
}
_SECOND = {
    "ints": ("other", "ys", "b", "second", "nums2", "others", "list2", "arr2", "right", "more"),
    "words": ("other", "others", "second", "words2", "list2", "more"),
    "n": ("k", "m", "b", "y", "times", "size", "step", "width", "other"),
    "text": ("other", "t", "str2", "second", "pattern"),
    "word": ("other", "t", "w2", "second", "str2"),
    "letter": ("letter", "ch", "target", "char"),
    "scores": ("other", "e", "dict2", "second", "more"),
}
_CANONICAL = {
    "ints": "nums",
    "words": "words",
    "text": "text",
    "word": "word",
    "n": "n",
    "scores": "d",
    "rows": "rows",
    "records": "records",
    "names": "mapping",
    "letter": "letter",
}
_VERBS = words_of(
    "get find compute calc calculate make build do process handle solve check run apply "
    "collect extract transform convert my the eval fetch derive work_out return_ gen"
)
_NOUNS = words_of(
    "result answer value values total items list output numbers words data thing stuff score "
    "summary stats nums text string count it this all final report table entries"
)
_SYLLABLES = words_of(
    "ba ko ri ta vu ne lo mi za pe qu shi dor fen gar hul jex kip lam mon nur ost pra rux "
    "sel tiv ul vax wim yot zed blo cra dri fla gno"
)
_RESERVED = (
    set(keyword.kwlist)
    | set(dir(builtins))
    | {
        "d",
        "v",
        "i",
        "a",
        "b",
        "p",
        "result",
        "total",
        "sign",
        "values",
        "results",
        "counts",
        "groups",
        "best",
        "length",
        "last",
    }
)


def _odd(rng: Random) -> str:
    word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 3)))
    roll = rng.random()
    if roll < 0.3:
        word += "_" + "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 2)))
    elif roll < 0.5:
        word += str(rng.randint(1, 99))
    elif roll < 0.6:
        word = word.capitalize()
    return word


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def function_name(rng: Random, base: str) -> str:
    """A name for a function, from descriptive to meaningless."""
    roll = rng.random()
    if roll < 0.3:
        parts = base.split("_")
        if len(parts) > 1 and rng.random() < 0.5:
            parts = parts[: rng.randint(1, len(parts))]
        name = "_".join(parts)
        if rng.random() < 0.5:
            name = f"{rng.choice(_VERBS)}_{name}"
    elif roll < 0.58:
        name = f"{rng.choice(_VERBS)}_{rng.choice(_NOUNS)}"
        if rng.random() < 0.3:
            name += f"_{rng.choice(_NOUNS)}"
    elif roll < 0.65:
        name = rng.choice(
            (
                "f",
                "g",
                "fn",
                "func",
                "foo",
                "bar",
                "solve",
                "task",
                "helper",
                "h",
                "solution",
                "main_task",
                "run_it",
                "func1",
                "process",
                "tmp",
                "baz",
            )
        )
    else:
        name = _odd(rng)
    if rng.random() < 0.1:
        name += str(rng.randint(1, 30))
    if rng.random() < 0.1:
        name = _camel(name)
    if rng.random() < 0.03:
        name = "_" + name
    name = name.replace("__", "_")
    return name + "_of" if keyword.iskeyword(name) or name in dir(builtins) else name


def parameter_names(
    rng: Random | None, kinds: tuple[str, ...], taken: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Names for parameters of the given kinds, all different; canonical ones without `rng`.

    Args:
        taken: names that the body uses for itself.
    """
    names: list[str] = []
    for kind in kinds:
        group = SAME.get(kind, kind)
        second = any(SAME.get(k, k) == group for k in kinds[: len(names)])
        if rng is None:
            name = _SECOND[group][0] if second else _CANONICAL[group]
        elif rng.random() < 0.16:
            name = _odd(rng).lower()
        else:
            name = rng.choice(_SECOND[group] if second else PARAMETERS[group])
        while name in names or name in taken or (name in _RESERVED and name not in ("d", "a", "b")):
            name = name + "2" if rng is None or rng.random() < 0.5 else _odd(rng).lower()
        names.append(name)
    return tuple(names)
