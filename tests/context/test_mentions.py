"""`@path` and `@path:function`: what is one, what it means, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.context.gather import for_request
from assistant.context.mentions import find_mentions
from assistant.errors import RequestProblem
from tests.support.openings import openings

CART = '''\
from item import Item

RATE = 1

def total(items):
    """Sum."""
    return sum(one.price for one in items) + Item.tax * RATE


class Cart:
    def count(self):
        return 1
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    root = tmp_path / "project"
    files = {
        "pyproject.toml": "",
        "shop/cart.py": CART,
        "shop/item.py": "class Item:\n    tax = 1\n",
        "a name.txt": "text\n",
        "Makefile": "all:\n",
        "web/app.ts": "let x = 1\n",
        ".env": "PASSWORD=1\n",
        ".gitignore": "gen/\n",
        "gen/out.py": "x = 1\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "outside.py").write_text("x = 1\n")
    (root / "binary.py").write_bytes(b"\0")
    return root


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see @shop/cart.py please", [("shop/cart.py", "")]),
        ("@shop/cart.py:total", [("shop/cart.py", "total")]),
        (
            "(@shop/cart.py:Cart.count), and @Makefile.",
            [("shop/cart.py", "Cart.count"), ("Makefile", "")],
        ),
        ("faster: @shop/cart.py: thanks", [("shop/cart.py", "")]),
        ('like @"a name.txt"!', [("a name.txt", "")]),
        ("@./shop/../shop/cart.py?", [("shop/../shop/cart.py", "")]),
        ("twice @Makefile @Makefile", [("Makefile", "")]),
        ("@.env", [(".env", "")]),
    ],
)
def test_what_is_a_mention(project: Path, text: str, expected: list[tuple[str, str]]) -> None:
    found = find_mentions(text, project)
    assert [(os.path.relpath(one.path, project), one.part) for one in found] == [
        (os.path.normpath(name), part) for name, part in expected
    ]


@pytest.mark.parametrize(
    "text",
    [
        "a class with @property and @dataclass(frozen=True)",
        "@app.route('/x') and @pytest.fixture and @functools.cache",
        "mail someone@example.org or x@shop/cart.py",
        "types from @angular/core and @types/node",
        "`@shop/none.py` and ```\n@none.py\n``` and ```\n@none.py",
        "matrix a @ b, @, @@shop/none.py, @1",
    ],
)
def test_what_is_none(project: Path, text: str) -> None:
    assert find_mentions(text, project) == ()


def test_paths_are_meant_from_the_folder_or_from_the_root_of_its_project(project: Path) -> None:
    below = project / "shop"
    for text in ("@cart.py", "@shop/cart.py", "@../shop/cart.py", f"@{below}/cart.py"):
        (found,) = find_mentions(text, below)
        assert found.path.samefile(below / "cart.py")
        assert for_request(text, below).offers[-1].name == "shop/cart.py"


def test_a_whole_file_is_offered_and_its_outline_should_room_be_short(project: Path) -> None:
    (offer,) = for_request("@shop/cart.py", project).offers
    assert (offer.name, offer.why, offer.texts[0]) == ("shop/cart.py", "named in the request", CART)
    assert "return sum" not in offer.texts[1] and '"""Sum."""' in offer.texts[1]
    (plain,) = for_request("@web/app.ts", project).offers
    assert plain.texts == ("let x = 1\n",)


def test_a_function_comes_with_what_it_uses(project: Path) -> None:
    found = for_request("@shop/cart.py:total", project)
    last = found.offers[-1]
    assert last.texts[0].startswith("def total(items):")
    assert last.texts[0].endswith("+ Item.tax * RATE")
    assert ("shop/item.py", "imported here") in [(one.name, one.why) for one in found.offers]


def test_the_first_mention_counts_most(project: Path) -> None:
    found = for_request("@Makefile and @web/app.ts", project)
    assert [one.name for one in found.offers] == ["web/app.ts", "Makefile"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@.env", "@.env is not sent: .env may hold secrets."),
        ("@gen/out.py", "@gen/out.py is not sent: gen/out.py is ignored by .gitignore."),
        ("@../outside.py", "is outside of the project."),
        ("@/etc/passwd", "@/etc/passwd is not sent: /etc/passwd is outside of the project."),
        ("@binary.py", "binary.py can not be read (it holds zero bytes)."),
        ("@shop/", ""),
    ],
)
def test_what_may_not_be_read_is_refused_with_the_reason(
    project: Path, text: str, said: str
) -> None:
    if not said:
        assert for_request(text, project).offers == ()
        return
    with openings() as opened, pytest.raises(RequestProblem) as caught:
        for_request(text, project)
    assert said in caught.value.message
    assert caught.value.hint
    assert not {str(project / name) for name in (".env", "gen/out.py")} & opened


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("@shop/crt.py", "Did you mean @shop/cart.py?"),
        ("@cart.py", "Did you mean @shop/cart.py?"),
        ("@web/ap.ts", "Did you mean @web/app.ts?"),
        ("@gen/oot.py", "Write it between backticks if no file is meant."),
        ("@.envv.py", "Write it between backticks if no file is meant."),
        ("@zzz.py", "Write it between backticks if no file is meant."),
    ],
)
def test_an_unknown_file_is_an_error_with_near_names(project: Path, text: str, hint: str) -> None:
    """Never with the name of a file that may not be read."""
    with pytest.raises(RequestProblem, match="there is no file") as caught:
        find_mentions(text, project)
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@shop/cart.py:totl", "It defines total."),
        ("@shop/cart.py:zzzzz", "It defines RATE, total, Cart."),
        ("@web/app.ts:x", "Name the whole file: @web/app.ts"),
    ],
)
def test_an_unknown_function_is_an_error(project: Path, text: str, said: str) -> None:
    with pytest.raises(RequestProblem) as caught:
        for_request(text, project)
    assert caught.value.hint == said


def test_a_folder_of_a_home_is_no_project_to_look_through(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who keeps dot files in git has not made a project of all that is below."""
    monkeypatch.setenv("HOME", str(project))
    with pytest.raises(RequestProblem, match="outside of the project"):
        for_request("@../Makefile", project / "shop")
