"""Inline completion over the wire: a server process whose model says what a test scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.lsp_client import Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

CANCELLED = -32800
Session = tuple[LspClient, ScriptedEndpoint]


@pytest.fixture(scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    home = str(tmp_path_factory.mktemp("home"))
    with ScriptedEndpoint([], infill=True) as endpoint:
        environment = {"ASSISTANT_HOME": home, "ASSISTANT_ENDPOINT_URL": endpoint.url}
        with LspClient(environment) as client:
            client.initialize(initializationOptions={"completion": True})
            yield client, endpoint


class Editor:
    """A buffer with a cursor."""

    def __init__(self, client: LspClient, text: str, uri: str, language: str) -> None:
        self.client = client
        self.offset = text.index("|")
        self.buffer = Buffer(uri, text.replace("|", "", 1))
        item = {"uri": uri, "languageId": language, "version": 1, "text": self.buffer.text}
        client.notify("textDocument/didOpen", {"textDocument": item})

    def type(self, text: str) -> None:
        """Put text in at the cursor."""
        self.client.change(self.buffer, self.offset, self.offset, text)
        self.offset += len(text)

    def request(self, *, invoked: bool = False, **context: Any) -> int:
        params = {
            "textDocument": {"uri": self.buffer.uri},
            "position": self.buffer.position(self.offset),
            "context": {"triggerKind": 1 if invoked else 2, **context},
        }
        return self.client.request("textDocument/inlineCompletion", params)

    def items(self, **more: Any) -> list[Message]:
        """What is shown at the cursor."""
        return self.client.result(self.request(**more)) or []

    def with_item(self, item: Message) -> str:
        """The text once an item is taken."""
        start = self.buffer.offset(item["range"]["start"])
        end = self.buffer.offset(item["range"]["end"])
        assert item["range"]["start"]["line"] == item["range"]["end"]["line"]
        assert start <= self.offset <= end
        return self.buffer.text[:start] + item["insertText"] + self.buffer.text[end:]

    def shown(self, **more: Any) -> list[str]:
        """The texts that there would be."""
        return [self.with_item(item) for item in self.items(**more)]

    def tell(self, command: str, *arguments: Any) -> int:
        params = {"command": f"assistant.{command}", "arguments": list(arguments)}
        return self.client.request("workspace/executeCommand", params)


class Scene:
    """Opens editors in one session; each test has files of its own."""

    def __init__(self, client: LspClient, endpoint: ScriptedEndpoint) -> None:
        self.client, self.endpoint = client, endpoint
        self._files = self._settings = 0

    def says(self, *replies: Reply | str) -> None:
        self.endpoint.script(replies)

    def open(self, text: str, *, uri: str = "", language: str = "python") -> Editor:
        self._files += 1
        self.client.forget()
        uri = uri or f"file:///nowhere/{id(self)}/{self._files}.py"
        return Editor(self.client, text, uri, language)

    def configure(self, *, inline: bool = True) -> None:
        """Other settings than before."""
        self._settings += 1
        settings = {"inline": inline, "completion": True, "maxTokens": 1000 + self._settings}
        params = {"settings": {"assistant": settings}}
        self.client.notify("workspace/didChangeConfiguration", params)

    def quiet(self) -> None:
        """Nothing was shown to the person but ghost text."""
        assert [m["method"] for m in self.client.received if "method" in m] == []


@pytest.fixture(scope="module")
def _scene(_shared: Session) -> Scene:
    return Scene(*_shared)


@pytest.fixture
def scene(_scene: Scene) -> Scene:
    return _scene


def test_one_suggestion_comes_by_itself(scene: Scene) -> None:
    scene.says("    return a + b\n\n\ny = 2\n")
    editor = scene.open("def add(a, b):\n    |\n\nx = 1\n")

    (item,) = editor.items()

    assert editor.with_item(item) == "def add(a, b):\n    return a + b\n\nx = 1\n"
    assert item["command"]["command"] == "assistant.accepted"
    assert item["command"]["arguments"][0]["id"]
    assert "filterText" not in item
    (asked,) = scene.endpoint.requests
    assert asked["input_prefix"] + asked["prompt"] == "def add(a, b):\n"
    assert asked["input_suffix"] == "\n\nx = 1\n"
    scene.quiet()


def test_typing_into_it_costs_no_call(scene: Scene) -> None:
    scene.says("price + tax\n")
    editor = scene.open("x = |\n")
    (whole,) = editor.shown()
    for key in "price + ":
        editor.type(key)
        assert editor.shown() == [whole]

    assert len(scene.endpoint.requests) == 1

    editor.type("1")
    scene.says("00\n")
    assert editor.shown() == ["x = price + 100\n"]


def test_by_a_key_there_are_several(scene: Scene) -> None:
    scene.says("1\n", "2\n", "1\n")
    editor = scene.open("x = |\n")

    assert sorted(editor.shown(invoked=True)) == ["x = 1\n", "x = 2\n"]
    assert len(scene.endpoint.requests) == 3
    assert len(editor.shown(invoked=True)) == 2
    # What comes by itself is one.
    assert len(editor.shown()) == 1
    assert len(scene.endpoint.requests) == 3


@pytest.mark.parametrize("key", [True, False])
def test_less_indentation_replaces_what_is_there(scene: Scene, key: bool) -> None:
    scene.says("    b = 2\n")
    editor = scene.open("def f():\n    a = 1\n        |\n")

    assert editor.shown(invoked=key) == ["def f():\n    a = 1\n    b = 2\n"]


def test_an_entry_of_the_editors_list_is_gone_on_with(scene: Scene) -> None:
    """The item takes the place of what the entry would replace, and begins with its text."""
    scene.says("(values)\n")
    editor = scene.open("x = le|\n")
    start, end = editor.buffer.position(4), editor.buffer.position(6)
    picked = {"range": {"start": start, "end": end}, "text": "len"}

    (item,) = editor.items(selectedCompletionInfo=picked)

    assert item["range"] == {"start": start, "end": end}
    assert item["insertText"] == "len(values)"
    (asked,) = scene.endpoint.requests
    assert asked["input_prefix"] + asked["prompt"] == "x = len"


@pytest.mark.parametrize("bad", [{"line": 9, "character": 9}, {"line": 0, "character": 0}])
def test_an_entry_at_another_place_is_left_aside(scene: Scene, bad: Message) -> None:
    scene.says("1\n")
    editor = scene.open("a\nx = |\n")

    picked = {"range": {"start": bad, "end": bad}, "text": "len"}
    assert editor.shown(selectedCompletionInfo=picked) == ["a\nx = 1\n"]


def test_the_text_counts_as_it_was_when_the_request_came(scene: Scene) -> None:
    scene.says("1\n")
    editor = scene.open("x = |\n")

    request = editor.request()
    editor.client.change(editor.buffer, 0, 0, "y = 2\n")

    (item,) = editor.client.result(request)
    assert item["range"]["start"] == {"line": 0, "character": 4}
    (asked,) = scene.endpoint.requests
    assert asked["input_prefix"] + asked["prompt"] == "x = "


def test_a_newer_request_ends_the_older(scene: Scene) -> None:
    slow, quick = Reply(["a(", "b"]), Reply(["1\n"])
    slow.hold(1)
    scene.says(slow, quick)
    editor = scene.open("x = |\n")
    older = editor.request()
    slow.wait_sent(1)

    editor.type("1 + ")

    assert editor.shown() == ["x = 1 + 1\n"]
    assert editor.client.error_code(older) == CANCELLED
    slow.wait_closed()


def test_another_document_is_left_alone(scene: Scene) -> None:
    slow = Reply(["1", "2\n"])
    slow.hold(1)
    scene.says(slow, "3\n")
    editor = scene.open("x = |\n")
    older = editor.request()
    slow.wait_sent(1)

    assert scene.open("y = |\n", uri="file:///other.py").shown() == ["y = 3\n"]

    slow.release()
    assert editor.client.result(older)[0]["insertText"] == "12"


def test_a_cancel_reaches_the_model(scene: Scene) -> None:
    slow = Reply(["a(", "b"])
    slow.hold(1)
    scene.says(slow)
    editor = scene.open("x = |\n")
    request = editor.request(invoked=True)
    slow.wait_sent(1)

    editor.client.notify("$/cancelRequest", {"id": request})

    assert editor.client.error_code(request) == CANCELLED
    slow.wait_closed()
    assert len(editor.client.responses(request)) == 1
    scene.quiet()


def test_closing_a_document_ends_its_request(scene: Scene) -> None:
    slow = Reply(["a(", "b"])
    slow.hold(1)
    scene.says(slow)
    editor = scene.open("x = |\n")
    request = editor.request()
    slow.wait_sent(1)

    document = {"textDocument": {"uri": editor.buffer.uri}}
    editor.client.notify("textDocument/didClose", document)

    assert editor.client.error_code(request) == CANCELLED
    slow.wait_closed()


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(["x"], break_after=0),
        Reply([""]),
        Reply(["   \n\n\n\n"]),
        Reply(["x = ((((\n"]),
        Reply(["y = 2\n"]),
    ],
    ids=["fails", "breaks off", "nothing", "white space", "broken code", "stands there already"],
)
def test_nothing_to_show_is_no_error(reply: Reply, scene: Scene) -> None:
    scene.says(reply)
    editor = scene.open("x = 1\n|\ny = 2\n")

    for invoked in (False, True):
        assert editor.client.result(editor.request(invoked=invoked)) == []
    scene.quiet()
    # Whatever went wrong under these settings, others are worth a try.
    scene.configure()
    scene.says("1\n")
    assert scene.open("x = |\n").shown() == ["x = 1\n"]


@pytest.mark.parametrize(
    ("text", "reply", "language", "becomes"),
    [
        ("fn f() {\n    |\n}\n", "    let x = 1;\n}\n", "rust", "fn f() {\n    let x = 1;\n}\n"),
        ("let x = f(|);\n", "a, b);\n", "typescriptreact", "let x = f(a, b);\n"),
        ("echo |\n", "$HOME\n", "shellscript", "echo $HOME\n"),
        ("Dear |\n", "friend,\n", "plaintext", "Dear friend,\n"),
        ("x: |\n", "1\n", "a language that nobody knows", "x: 1\n"),
    ],
)
def test_any_language(scene: Scene, text: str, reply: str, language: str, becomes: str) -> None:
    scene.says(reply)
    editor = scene.open(text, language=language)

    assert editor.shown() == [becomes]


def test_positions_count_units_of_the_encoding(scene: Scene) -> None:
    scene.says("'👍' + é\n")
    editor = scene.open("s = '😀é' + |\n")

    assert editor.shown() == ["s = '😀é' + '👍' + é\n"]
    editor.type("'👍")
    assert editor.shown() == ["s = '😀é' + '👍' + é\n"]
    assert len(scene.endpoint.requests) == 1


def test_the_list_of_completions(scene: Scene) -> None:
    scene.says("urn a + b\n")
    editor = scene.open("def f(a, b):\n    ret|\n")
    params = {
        "textDocument": {"uri": editor.buffer.uri},
        "position": editor.buffer.position(editor.offset),
    }

    result = editor.client.result(editor.client.request("textDocument/completion", params))

    (item,) = result["items"]
    assert item["label"] == item["textEdit"]["newText"] == item["filterText"] == "return a + b"
    assert item["textEdit"]["range"]["start"] == {"line": 1, "character": 4}
    assert "return a + b" in item["documentation"]["value"]
    assert item["command"]["command"] == "assistant.accepted"


def test_the_list_is_offered_to_those_who_want_it(own_session: Any) -> None:
    client, _ = own_session(initializationOptions={"completion": False})
    error = client.error_code(client.request("textDocument/completion", {}))

    assert error == -32601


def test_inline_can_be_switched_off_and_on(scene: Scene) -> None:
    scene.says("1\n")
    editor = scene.open("x = |\n")
    scene.configure(inline=False)
    assert editor.items() == []
    assert scene.endpoint.requests == []
    # By a key all the same.
    assert editor.shown(invoked=True) == ["x = 1\n"]
    scene.configure()
    editor.type("1 + ")
    assert editor.shown() == ["x = 1 + 1\n"]
    scene.quiet()


def test_what_became_of_it_is_told_by_commands(scene: Scene) -> None:
    scene.says("1\n")
    editor = scene.open("x = |\n")
    (item,) = editor.items()
    known = item["command"]["arguments"][0]

    for command in ("partiallyAccepted", "dismissed", "accepted"):
        for arguments in ([known], [{"id": "unknown"}], [{"id": 7}], [], ["x"]):
            request = editor.tell(command, *arguments)
            assert editor.client.result(request) is None
    scene.quiet()


def test_a_document_that_is_not_open_has_no_suggestion(scene: Scene) -> None:
    scene.client.forget()
    params = {
        "textDocument": {"uri": "file:///not/open.py"},
        "position": {"line": 0, "character": 0},
        "context": {"triggerKind": 2},
    }

    request = scene.client.request("textDocument/inlineCompletion", params)

    assert scene.client.result(request) is None
    scene.quiet()
