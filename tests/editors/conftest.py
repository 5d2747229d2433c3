"""One Neovim for all tests of a file, with a model that says what the test scripts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.neovim import Neovim, find_neovim
from tests.support.neovim_scene import TEXT, Open
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint


@pytest.fixture(scope="module")
def neovim_and_model(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Neovim, ScriptedEndpoint]]:
    folder = tmp_path_factory.mktemp("editor")
    file = folder / "first.py"
    file.touch()
    with ScriptedEndpoint([]) as endpoint:
        environment = {"ASSISTANT_HOME": str(folder), "ASSISTANT_ENDPOINT_URL": endpoint.url}
        with Neovim(find_neovim()[0], file, environment) as editor:
            yield editor, endpoint


@pytest.fixture
def open_editor(
    neovim_and_model: tuple[Neovim, ScriptedEndpoint], tmp_path: Path
) -> Iterator[Open]:
    """Open a text, with a model that gives these replies."""
    editor, endpoint = neovim_and_model
    numbers = itertools.count()

    def start(*replies: Reply | str, text: str = TEXT) -> Neovim:
        endpoint.script(replies)
        file = tmp_path / f"shop{next(numbers)}.py"
        file.write_bytes(text.encode())
        editor.open(file)
        return editor

    yield start
    editor.lua("vim.cmd('silent only'); vim.cmd('messages clear')")
