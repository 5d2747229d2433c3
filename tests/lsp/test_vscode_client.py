"""The VS Code extension as it lies in the tree: what can be known of it without an editor."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import assistant
from lsp.options import CLIENTS_OWN, SETTINGS, Features
from lsp.server import AssistantServer

FOLDER = Path(__file__).resolve().parents[2] / "lsp" / "clients" / "vscode"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "package.json").read_text())
CONTRIBUTED = MANIFEST["contributes"]
SOURCES = {file.name: file.read_text() for file in sorted((FOLDER / "src").glob("*.ts"))}
CODE = "\n".join(SOURCES.values())


def test_it_is_small_and_has_our_version() -> None:
    assert sum(len(text.splitlines()) for text in SOURCES.values()) < 400
    assert MANIFEST["version"] == assistant.__version__


def test_each_setting_is_one_of_the_servers_or_its_own() -> None:
    names = {name.removeprefix("assistant.") for name in CONTRIBUTED["configuration"]["properties"]}
    features = set(Features.__dataclass_fields__)

    assert {name for name in names if name.split(".")[0] not in CLIENTS_OWN} == {
        *SETTINGS,
        *features,
    }
    defaults = CONTRIBUTED["configuration"]["properties"]
    for name in features:
        assert defaults[f"assistant.{name}"]["default"] is getattr(Features(), name)


def test_each_command_is_there_and_in_the_palette() -> None:
    named = {
        entry["command"].removeprefix("assistant.editor.") for entry in CONTRIBUTED["commands"]
    }
    registered = set(re.findall(r"\b(?:own|register)\('(\w+)'", CODE))
    for listed in re.findall(r"\[((?:'\w+'(?:, )?)+)\]", CODE):
        registered |= set(re.findall(r"'(\w+)'", listed))
    registered |= set(re.findall(r"assistant\.editor\.(\w+)'", CODE))

    assert named <= registered
    # The server's own names are taken by the client library: two of a name fail at start.
    server = AssistantServer()
    theirs = {name.removeprefix("assistant.") for name in server.protocol.fm.commands}
    assert not {f"editor.{name}" for name in named} & theirs
    asked = set(re.findall(r"\b(?:ask|look)(?:<[^(]*>)?\('(\w+)'", CODE))
    assert {"generate", "doctor"} <= asked <= theirs


def test_menus_keys_and_walkthrough_name_commands_that_exist() -> None:
    named = {entry["command"] for entry in CONTRIBUTED["commands"]}
    text = json.dumps(
        [CONTRIBUTED["menus"], CONTRIBUTED["keybindings"], CONTRIBUTED["walkthroughs"]]
    )

    assert set(re.findall(r"assistant\.editor\.\w+", text)) <= named
    for step in CONTRIBUTED["walkthroughs"][0]["steps"]:
        assert (FOLDER / step["media"]["markdown"]).exists()


def test_what_may_send_code_elsewhere_is_closed_to_workspaces_that_are_not_trusted() -> None:
    closed = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]

    assert {"assistant.path", "assistant.endpoint"} <= set(closed)
    for name in closed:
        assert CONTRIBUTED["configuration"]["properties"][name]["scope"] == "machine-overridable"


def test_the_lock_file_names_no_host() -> None:
    lock = (FOLDER / "package-lock.json").read_text()

    assert '"resolved"' not in lock
