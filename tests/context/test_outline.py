"""Imports and definitions, also of a file that is being written."""

from __future__ import annotations

import random

import pytest

from assistant.context.outline import MAX_CHARACTERS, Import, outline, words

SOURCE = '''\
"""Häuser 😀."""
from __future__ import annotations
import os.path, numpy as np
from .shop import (Cart as C,
    total)
from x import *
if TYPE_CHECKING:
    from y import z
try:
    import q
except ImportError:
    q = None
RATE: float = 0.5
TABLE = [
    1,
]
type Pair = tuple[int, int]
a, b = 1, 2

@decorated(1)
class House(Base):
    """A hüse.

    More of it.
    """
    rooms: int = 3

    def area(self, factor: float) -> float:
        """In square metres."""
        secret = 1
        return self.rooms * factor

    @property
    def empty(self): return not self.rooms

async def fetch(
    url: str,
) -> bytes:
    """Get."""
    return await get(url)

def ätsch(): pass
'''


def test_imports_are_found_with_what_they_bind() -> None:
    found = outline(SOURCE).imports
    assert [(one.bound, one.module, one.level, one.name) for one in found] == [
        ("os.path", "os.path", 0, ""),
        ("np", "numpy", 0, ""),
        ("C", "shop", 1, "Cart"),
        ("total", "shop", 1, "total"),
        ("*", "x", 0, "*"),
        ("z", "y", 0, "z"),
        ("q", "q", 0, ""),
    ]
    assert found[3].text == "from .shop import (Cart as C,\n    total)"


def test_definitions_are_shown_without_their_bodies() -> None:
    file = outline(SOURCE)
    assert [one.name for one in file.definitions if one.name not in "ab"] == [
        *("q", "RATE", "TABLE", "Pair", "House", "House.area", "House.empty", "fetch", "ätsch")
    ]
    assert file.find("House").shown == (
        '@decorated(1)\nclass House(Base):\n    """A hüse.\n\n    More of it.\n    """\n'
        "    rooms: int = 3\n"
        "    def area(self, factor: float) -> float: ...\n"
        "    @property\n    def empty(self): ..."
    )
    assert file.find("House").short == (
        "@decorated(1)\nclass House(Base):\n"
        "    def area(self, factor: float) -> float: ...\n"
        "    @property\n    def empty(self): ..."
    )
    assert file.find("fetch").shown == (
        'async def fetch(\n    url: str,\n) -> bytes:\n    """Get."""\n    ...'
    )
    assert file.find("fetch").short == "async def fetch(\n    url: str,\n) -> bytes: ..."
    assert file.find("RATE").shown == "RATE: float = 0.5"
    assert "secret" not in "".join(one.shown for one in file.definitions)


def test_places_are_counted_in_characters() -> None:
    file = outline(SOURCE)
    for name, begin, end in (("House", "@decorated", "self.rooms\n"), ("ätsch", "def ä", "pass\n")):
        one = file.find(name)
        assert SOURCE[one.start :].startswith(begin)
        assert SOURCE[: one.end + 1].endswith(end)
    inside = SOURCE.index("secret")
    assert file.around(inside).name == "House"
    assert file.around(SOURCE.index("await get")) is None


GOOD = "import os\ndef good(a): return a\n"
BROKEN = ("def half(x:\n", "class Half(\n", "x = (1,\n", "def f():\n    # later\n")


@pytest.mark.parametrize("broken", [*BROKEN, '"""open\n', "if x\n"])
def test_a_file_that_is_being_written_keeps_the_definitions_above(broken: str) -> None:
    found = outline(f"{GOOD}\n{broken}")
    assert found.find("good").short == "def good(a): ..."
    assert [one.bound for one in found.imports] == ["os"]


@pytest.mark.parametrize("broken", BROKEN)
def test_and_mostly_those_below(broken: str) -> None:
    assert outline(f"{broken}\n{GOOD}\n").find("good").short == "def good(a): ..."


def test_no_text_makes_it_fail() -> None:
    made = random.Random(1)
    for _ in range(300):
        start, end = sorted(made.randrange(len(SOURCE)) for _ in range(2))
        odd = made.choice(
            ["", "\0", "\ud800", "\r", "\f", "(", "'''", "\\\n", "from . import", "@"]
        )
        text = SOURCE[:start] + odd + SOURCE[end:]
        for one in outline(text).definitions:
            assert 0 <= one.start < one.end <= len(text)


def test_what_is_too_large_has_no_outline() -> None:
    assert outline("x = 1\n" * (MAX_CHARACTERS // 6 + 1)).definitions == ()


def test_a_long_constant_is_cut() -> None:
    text = "TABLE = {\n" + "".join(f"    {i}: {i},\n" for i in range(100)) + "}\n"
    assert outline(text).find("TABLE").shown == "TABLE = {\n    0: 0,\n    1: 1,\n    ..."


def test_words_are_identifiers() -> None:
    assert words("a.b(größe1, 2x)  # see_this") == {"a", "b", "größe1", "see_this", "x"}


def test_an_import_is_a_plain_value() -> None:
    assert outline("import a").imports == (Import("a", "a", 0, "", "import a"),)
