"""Edits over the wire to a real process, which is asked afterwards what it sees at each line.

What it can be asked for without a model is the name of a stub: an offer to implement it stands at
its own lines and nowhere else, so a text that differs by a character or a line is seen.
"""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from tests.lsp.conftest import Start
from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient
from tests.support.unit_text import UnitText

URI = "file:///a.py"
STUB = 'def {}(x):\n    """D."""\npass\n'
TEXT = "".join(f"\n{STUB.format(name)}" for name in ("a", "b", "c")) + "\n"
# The names of the stubs, and what stands between them.
PLACES = re.compile(r"def (?P<name>\w+)\(|(?:\A|pass\n)(?P<between>[^(]*?)(?=\n(?:def |\Z))")
LETTERS = ("a", "b", "é", "ß", "日", "𐐀")
ANYTHING = (
    *LETTERS,
    *"\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029€😀",
    "\r\n",
    "e\u0301",
    "\ud83d",
    "\ude00",
)


def random_edit(chance: random.Random, editor: UnitText) -> dict[str, Any]:
    """A change of a name or between two stubs, made in the editor's text."""
    text = editor.text()
    match = chance.choice(list(PLACES.finditer(text)))
    kind = match.lastgroup or ""
    first, last = (len(editor.encoded(text[:offset])) for offset in match.span(kind))
    places = [place for place in editor.begins() if first <= editor.index(*place) <= last]
    start, end = sorted((chance.choice(places), chance.choice(places)))
    count = chance.randrange(kind == "name", 5)
    new = "".join(chance.choices(LETTERS if kind == "name" else ANYTHING, k=count))
    editor.replace(start, end, new)
    span = {
        name: {"line": line, "character": character}
        for name, (line, character) in (("start", start), ("end", end))
    }
    return {"range": span, "text": new}


def expected(editor: UnitText) -> dict[int, str]:
    """The offer at each line that has one: those of the definitions and of their docstrings."""
    text, found = editor.text(), {}
    for match in re.finditer(r"def (\w+)\(", text):
        line = editor.line_of(len(editor.encoded(text[: match.start()])))
        found |= dict.fromkeys((line, line + 1), f"Implement {match[1]}")
    return found


def offered(client: LspClient, editor: UnitText) -> dict[int, str]:
    """The same as the server has it."""
    found = {}
    for line in range(len(editor.lines())):
        for action in client.code_actions_at(URI, {"line": line, "character": 0}):
            if action["title"].startswith("Implement "):
                found[line] = action["title"]
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_the_server_sees_what_stands_in_the_buffer(encoding: str, own_session: Start) -> None:
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    client, _ = own_session(capabilities=capabilities)
    client.open(Buffer(URI, TEXT, 0))
    editor, chance = UnitText.of(TEXT, encoding), random.Random(encoding)

    for version in range(1, 101):
        changes = [random_edit(chance, editor) for _ in range(chance.choice((1, 1, 4)))]
        identifier = {"uri": URI, "version": version}
        client.notify(
            "textDocument/didChange", {"textDocument": identifier, "contentChanges": changes}
        )
        if version % 10 == 0:
            assert offered(client, editor) == expected(editor), ascii(editor.text())
    assert len(set(expected(editor).values())) == 3
