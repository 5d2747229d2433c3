"""What a place can reach: resolved as Python would, in the order of what helps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.context.definitions import Spot, reachable
from assistant.context.ignoring import Access
from assistant.context.modules import Modules
from assistant.context.types import Found, LeftOut
from tests.support.openings import openings

CART = '''\
"""Carts."""
from .item import Item

class Cart:
    """What is bought."""
    items: list[Item]

    def total(self) -> int:
        """In cents."""
        return sum(one.price for one in self.items)

def other(): return 1
'''
ITEM = "class Item:\n    price: int = 0\n"


def project(root: Path, files: dict[str, str]) -> Modules:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return Modules(Access(root))


def search(modules: Modules, name: str, marker: str = "def here", **more: object) -> Found:
    """What the function at the marker reaches, to the end of the file."""
    path = modules.access.root / name
    text = str(more.get("text") or path.read_text("utf-8"))
    return reachable(Spot(path, text, text.index(marker), len(text)), modules)


def told(found: Found) -> list[tuple[str, str]]:
    """File and first line of each offer, the most important first."""
    return [(one.name, one.texts[0].split("\n")[0]) for one in reversed(found.offers)]


@pytest.mark.parametrize(
    ("place", "module", "statement"),
    [
        ("app.py", "shop/cart.py", "from shop.cart import Cart"),
        ("app.py", "src/shop/cart.py", "from shop.cart import Cart"),
        ("src/shop/app.py", "src/shop/cart.py", "from .cart import Cart"),
        ("src/shop/web/app.py", "src/shop/cart.py", "from ..cart import Cart"),
        ("src/shop/app.py", "src/shop/cart.py", "from shop.cart import Cart"),
        ("tools/app.py", "tools/cart.py", "from cart import Cart"),
        ("a/b/c/app.py", "a/b/cart.py", "from b.cart import Cart"),
        ("app.py", "cart.py", "import cart  # cart.Cart"),
        ("app.py", "shop/cart.py", "import shop.cart  # shop.cart.Cart"),
        ("app.py", "shop/cart.py", "import shop.cart as c  # c.Cart"),
        ("app.py", "shop/cart.py", "from shop import cart  # cart.Cart"),
        ("app.py", "shop/cart.py", "from shop.cart import *"),
        ("app.py", "shop/cart.pyi", "from shop.cart import Cart"),
    ],
)
def test_an_import_is_resolved(tmp_path: Path, place: str, module: str, statement: str) -> None:
    """Each kind of import and each usual layout; nothing is told of what is not used."""
    statement, _, used = statement.partition("  # ")
    text = f"{statement}\n\n\ndef here(cart):\n    '''See {used or 'Cart'}.'''\n"
    files = {module: CART, str(Path(module).with_name("item.py")): ITEM, place: text}
    packages = {"src/shop/__init__.py": "", "src/shop/web/__init__.py": "", "shop/__init__.py": ""}
    packages |= {"a/b/__init__.py": "", "a/b/c/__init__.py": ""}
    modules = project(tmp_path, packages | files)

    found = search(modules, place)

    first = found.offers[-1]
    assert (first.name, first.why) == (module, "imported here")
    assert first.texts[0] == (
        'class Cart:\n    """What is bought."""\n    items: list[Item]\n'
        "    def total(self) -> int: ..."
    )
    assert first.texts[1] == "class Cart:\n    def total(self) -> int: ..."
    farther = [one for one in found.offers if one.why == "used by what is above or imported"]
    assert [one.texts[0] for one in farther] == ["class Item:\n    price: int = 0"]
    assert found.left_out == ()


def test_what_counts_more_comes_first(tmp_path: Path) -> None:
    text = '''\
from shop import Cart, unused
from unknown import nothing
import json

RATE = 2

def helper(x): return x

def aside(x):
    """Long story."""
    return helper(x)

class Till:
    """Takes money."""
    rate: int
    def open(self): return 1
    def here(self, cart: Cart):
        """Uses helper() and RATE."""
'''
    files = {
        "shop.py": "from deep import Cart\ndef unused():\n    '''Doc.'''\n",
        "deep.py": "class Cart: pass\n",
        "till.py": text,
    }
    modules = project(tmp_path, files)

    found = search(modules, "till.py", "def here")

    assert told(found) == [
        ("till.py", "class Till:"),
        ("till.py", "def helper(x): ..."),
        ("till.py", "RATE = 2"),
        ("deep.py", "class Cart: ..."),
        ("shop.py", "def unused(): ..."),
        ("till.py", "def aside(x): ..."),
    ]
    assert [one.why for one in found.offers][-1] == "the class around it"


def test_a_name_is_followed_through_packages_and_circles_end(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "from .a import *\nfrom .b import thing as renamed\n",
        "pkg/a.py": "from .b import thing\n",
        "pkg/b.py": "from .c import thing\n",
        "pkg/c.py": "def thing(): '''Found.'''\n",
        "round.py": "from other import x\n",
        "other.py": "from round import x\n",
        "app.py": "from pkg import thing\nfrom round import x\ndef here(): thing; x\n",
    }
    found = search(project(tmp_path, files), "app.py")
    assert told(found) == [("pkg/c.py", "def thing():")]


def test_the_function_around_the_cursor_counts(tmp_path: Path) -> None:
    text = "from m import one, two\ndef a():\n    return one\n\ndef b():\n    return two\n"
    files = {"m.py": "def one(): pass\ndef two(): pass\n", "app.py": text}
    modules = project(tmp_path, files)
    for marker, name in (("return one", "one"), ("return two", "two")):
        cursor = text.index(marker)
        found = reachable(Spot(tmp_path / "app.py", text, cursor, cursor), modules)
        assert told(found)[0] == ("m.py", f"def {name}(): ...")


def test_a_file_that_may_not_be_read_is_named_and_not_opened(tmp_path: Path) -> None:
    files = {
        ".gitignore": "gen.py\n",
        "gen.py": "def made(): pass\n",
        "secrets.py": "KEY = 'password'\n",
        "app.py": "from gen import made\nfrom secrets import KEY\ndef here(): made; KEY\n",
    }
    modules = project(tmp_path, files)
    with openings() as opened:
        found = search(modules, "app.py")
    assert found.offers == ()
    assert found.left_out == (
        LeftOut("gen.py", "ignored by .gitignore"),
        LeftOut("secrets.py", "may hold secrets"),
    )
    assert {
        os.path.realpath(tmp_path / name) for name in ("gen.py", "secrets.py")
    } & opened == set()


def test_a_buffer_stands_for_its_file_unless_that_is_ignored(tmp_path: Path) -> None:
    files = {
        ".gitignore": "gen.py\n",
        "gen.py": "",
        "m.py": "def old(): pass\n",
        "app.py": "from gen import made\nfrom m import old, new\ndef here(): made; old; new\n",
    }
    modules = project(tmp_path, files)
    modules.buffers = {
        tmp_path.resolve() / "m.py": "def new(): pass\n",
        tmp_path.resolve() / "gen.py": "def made(): pass\n",
    }
    found = search(modules, "app.py")
    assert told(found) == [("m.py", "def new(): ...")]
    assert found.left_out == (LeftOut("gen.py", "ignored by .gitignore"),)


def test_a_file_is_read_again_when_it_has_changed_and_only_then(tmp_path: Path) -> None:
    files = {"m.py": "def old(): pass\n", "app.py": "from m import *\ndef here(): old; new\n"}
    modules = project(tmp_path, files)
    assert told(search(modules, "app.py")) == [("m.py", "def old(): ...")]
    with openings() as opened:
        again = search(modules, "app.py", text="from m import *\ndef here(): old; new\n")
    assert told(again) == [("m.py", "def old(): ...")]
    assert str(tmp_path / "m.py") not in opened
    (tmp_path / "m.py").write_text("def new(): pass  # longer\n")
    assert told(search(modules, "app.py")) == [("m.py", "def new(): ...")]


def test_nothing_is_imported_or_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    run = f"open({str(mark)!r}, 'w')\ndef f(): pass\n"
    found = search(
        project(tmp_path, {"m.py": run, "app.py": f"{run}from m import f\ndef here(): f"}), "app.py"
    )
    assert told(found)[0][0] == "app.py"
    assert not mark.exists()


def test_imports_that_are_being_written_are_passed_over(tmp_path: Path) -> None:
    text = (
        "from . import\nfrom .. import x\nimport \nfrom a..b import c\nfrom m import (f\n"
        "from ........ import y\ndef here(): f; x; y; c\n"
    )
    search(project(tmp_path, {"m.py": "def f(): pass\n", "app.py": text}), "app.py")
