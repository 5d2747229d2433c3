"""What is gathered for a place, with all that an editor knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.client.types import ModelInfo
from assistant.context.budget import Counted, roughly_fitted
from assistant.context.definitions import Spot
from assistant.context.explain import Sent, as_json, explained
from assistant.context.gather import Workspace
from assistant.context.types import Context, LeftOut, Piece
from tests.support.openings import openings

APP = """\
import json
from rates import fee


def here(x):
    '''Uses fee.'''


def below(x): return x
"""
LONG = "\n".join(f"line_{number} = {number}" for number in range(40))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "project"
    (root / ".git").mkdir(parents=True)
    (root / "rates.py").write_text("def fee():\n    return 5\n")
    (root / "app.py").write_text(APP)
    return root


def spot(root: Path, name: str = "app.py", text: str = APP, language: str = "python") -> Spot:
    start = text.index("def here") if "def here" in text else len(text) // 2
    return Spot(root / name, text, start, text.find("\n\n\n", start), language)


def told(workspace: Workspace, at: Spot, **more: object) -> list[tuple[str, str]]:
    found = workspace.for_place(at, {}, **more)
    return [(one.name, one.why) for one in found.offers]


def test_definitions_come_behind_chunks_and_imports_last(root: Path) -> None:
    workspace = Workspace()
    assert workspace.note(root / "other.py", LONG, 0) is False  # there is no such file
    (root / "other.py").touch()
    assert workspace.note(root / "other.py", LONG, 0)

    assert told(workspace, spot(root)) == [
        ("other.py", "open or edited lately"),
        ("app.py", "defined beside it"),
        ("rates.py", "imported here"),
        ("app.py", "what its file imports"),
    ]
    assert told(workspace, spot(root), own=False) == [
        ("other.py", "open or edited lately"),
        ("rates.py", "imported here"),
    ]


def test_a_buffer_of_a_file_that_may_not_be_read_is_not_kept(root: Path) -> None:
    """Neither when it is opened nor when a rule comes later."""
    workspace = Workspace()
    (root / ".env").write_text("A=1\n")
    assert not workspace.note(root / ".env", LONG, 0)
    (root / "later.py").touch()
    assert workspace.note(root / "later.py", LONG, 0)
    assert ("later.py", "open or edited lately") in told(workspace, spot(root))
    (root / ".gitignore").write_text("later.py\n")
    assert ("later.py", "open or edited lately") not in told(workspace, spot(root))


def test_nothing_goes_along_with_a_secret_file(root: Path) -> None:
    workspace = Workspace()
    with openings() as opened:
        assert told(workspace, spot(root, ".env", "A=1\n" * 9, "dotenv")) == []
    assert not opened


def test_in_another_language_the_lines_around_the_place_help(root: Path) -> None:
    text = f"{LONG}\nTHE PLACE\n{LONG.replace('line', 'row')}"
    start = text.index("THE PLACE")
    at = Spot(root / "a.ts", text, start, start + len("THE PLACE"), "typescript")
    (offer,) = Workspace().for_place(at, {}).offers
    assert (offer.name, offer.why) == ("a.ts", "around it")
    above, below = offer.texts[0].split("\n...\n")
    assert above.endswith("line_39 = 39") and below.startswith("row_0 = 0")
    assert "THE PLACE" not in offer.texts[0]
    assert offer.texts[0].count("\n") < 66


def test_what_is_sent_is_explained_to_the_letter() -> None:
    context = Context(
        (Piece("a.py", "x = 1", "imported here", 9),),
        (LeftOut(".env", "may hold secrets"),),
        50,
        "X",
    )
    messages = [{"role": "user", "content": "do\nit"}]
    info = ModelInfo("m", context_length=8192)
    sent = Sent(messages, Counted((3,), "Y"), context, info.id, info.context_length, "def f():\n")

    assert explained(sent) == (
        "Sent to m, whose context has 8192 tokens; counted by Y:\n"
        "--- user: 3 tokens\n"
        "do\nit\n"
        "---\n"
        "The code of the answer is made to begin with: def f():\n"
        "Context: 9 of 50 tokens, counted by X, the most important last:\n"
        "  a.py: 9 tokens, imported here\n"
        "Left out:\n"
        "  .env: may hold secrets"
    )
    body = as_json(sent)
    assert body["pieces"] == [
        {"name": "a.py", "why": "imported here", "tokens": 9, "text": "x = 1"}
    ]
    assert body["left_out"] == [{"name": ".env", "reason": "may hold secrets", "why": ""}]


def test_a_large_project_fits_into_the_budget(root: Path) -> None:
    """Of fifty files that are imported as many as there is room for."""
    for number in range(50):
        (root / f"m{number}.py").write_text(f"def f{number}():\n    '''{'word ' * 50}'''\n")
    names = range(50)
    text = "".join(f"from m{n} import f{n}\n" for n in names) + "def here():\n    '''"
    text += " ".join(f"f{n}" for n in names) + "'''\n\n\n"
    context = roughly_fitted(Workspace().for_place(spot(root, text=text), {}), 1024)
    assert 512 < context.tokens <= 1024
    assert any(one.reason == "no room" for one in context.left_out)
