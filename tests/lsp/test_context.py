"""What the server tells a model of other files: over the wire, and beside the typing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from assistant.client.types import ModelInfo
from assistant.errors import DaemonProblem
from lsp.context import FAR, INLINE_TOKENS, ContextSource
from lsp.documents import Documents
from lsp.options import Features
from tests.support.lsp_client import Buffer, LspClient
from tests.support.scripted_endpoint import ScriptedEndpoint

APP = 'from rates import fee\n\n\ndef total(x):\n    """X and the fee."""\n'
RATES = "def fee():\n    '''In cents.'''\n    return 5\n"
OTHER = "".join(f"unlike_{number} = {number}\n" for number in range(30))
ANSWER = '## Code\n```python\ndef total(x):\n    """X and the fee."""\n    return x + fee()\n```\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a secret and an ignored file."""
    root = tmp_path.resolve() / "project"
    (root / ".git").mkdir(parents=True)
    (root / ".gitignore").write_text("made.py\n")
    files = {"app.py": APP, "rates.py": RATES, "other.py": OTHER, "made.py": "", ".env": ""}
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def sent(root: Path, endpoint: ScriptedEndpoint, **options: Any) -> str:
    """What a model is sent for the stub, in an editor that has all those files open."""
    with LspClient({"ASSISTANT_ENDPOINT_URL": endpoint.url}) as client:
        client.initialize(initializationOptions=options)
        for name, more in (("other.py", ""), ("made.py", "MADE"), (".env", "HUNTER")):
            text = (root / name).read_text() + more.join(f"\n{n} = " for n in range(9))
            client.open(Buffer((root / name).as_uri(), text))
        buffer = Buffer((root / "app.py").as_uri(), APP)
        client.open(buffer)
        span = {"start": buffer.position(APP.index("def")), "end": buffer.position(len(APP))}
        argument = {"task": "implement", "uri": buffer.uri, "range": span}
        command = {"command": "assistant.generate", "arguments": [argument]}
        result = client.result(client.run_command(command))
        assert result["state"] == "offered", result
    content: str = endpoint.requests[-1]["messages"][-1]["content"]
    return content


def test_imports_and_open_files_go_along_and_no_secret_does(root: Path) -> None:
    with ScriptedEndpoint([ANSWER], context_length=8192) as endpoint:
        content = sent(root, endpoint)
    assert "From rates.py:\n```\ndef fee():\n    '''In cents.'''\n    ...\n```" in content
    assert "From other.py:" in content and "unlike_7 = 7" in content
    assert content.index("other.py") < content.index("rates.py") < content.index("def total")
    assert "MADE" not in content and "HUNTER" not in content


@pytest.mark.parametrize(("length", "options"), [(8192, {"context": False}), (1024, {})])
def test_nothing_goes_along_where_it_is_not_wanted_or_has_no_room(
    root: Path, length: int, options: dict[str, bool]
) -> None:
    with ScriptedEndpoint([ANSWER], context_length=length) as endpoint:
        content = sent(root, endpoint, **options)
    assert "From " not in content
    assert "def total" in content


class Engine:
    """Stands for the kept connection, which has tests of its own."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = [
            {"roles": ["generate"], "context_length": 1024},
            {"roles": ["inline"], "context_length": 8192},
        ]
        self.broken = False
        self.asked = 0

    async def connection(self) -> Engine:
        self.asked += 1
        if self.broken:
            raise DaemonProblem("It is gone.")
        return self

    async def models(self) -> list[dict[str, Any]]:
        return self.entries

    async def model_info(self) -> ModelInfo:
        return ModelInfo("m", context_length=8192)


class Server:
    """What the source needs of the language server."""

    def __init__(self) -> None:
        self.documents = Documents()
        self.features = Features()
        self.engine = Engine()


class Editor:
    """A source of context, and documents that are edited."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = Server()
        self.source = ContextSource(self.server)  # type: ignore[arg-type]

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str) -> None:
        item = types.TextDocumentItem(self.uri(name), "python", 1, text)
        self.server.documents.open(item)

    def edit(self, name: str, line: int, text: str) -> None:
        document = self.server.documents.get(self.uri(name))
        assert document is not None
        place = types.Position(line, 0)
        identifier = types.VersionedTextDocumentIdentifier(
            version=document.version + 1, uri=document.uri
        )
        change = types.TextDocumentContentChangePartial(types.Range(place, place), text)
        self.server.documents.change(identifier, [change])

    def at_once(self, name: str = "app.py", offset: int = 0) -> list[str]:
        """The names of the files that go along now."""
        document = self.server.documents.get(self.uri(name))
        assert document is not None
        return [one.name for one in self.source.for_inline(document, offset)]

    async def later(self, name: str = "app.py", offset: int = 0) -> list[str]:
        """The same when what is in work is ready."""
        self.at_once(name, offset)
        while self.source._making:
            await asyncio.sleep(0)
        return self.at_once(name, offset)

    @property
    def is_at_work(self) -> bool:
        return bool(self.source._making)


@pytest.fixture
def editor(root: Path) -> Iterator[Editor]:
    made = Editor(root)
    made.open("app.py", APP)
    made.open("other.py", OTHER)
    yield made


async def test_what_goes_along_with_a_completion_is_made_ready_beside(editor: Editor) -> None:
    """The first is asked without; what stands in the document itself is not told again."""
    assert editor.at_once() == []
    assert await editor.later() == ["other.py", "rates.py"]
    assert not editor.is_at_work


async def test_typing_changes_nothing_of_it(editor: Editor) -> None:
    """It would have to be read anew with every key."""
    before = await editor.later()
    asked = editor.server.engine.asked
    for _ in range(50):
        editor.edit("app.py", 5, "    y = 1\n")
        assert editor.at_once() == before
        assert not editor.is_at_work
    assert editor.server.engine.asked == asked


async def test_another_file_and_another_place_do(editor: Editor) -> None:
    await editor.later()
    editor.open("made.py", OTHER.replace("unlike", "made"))
    assert await editor.later() == ["other.py", "rates.py"]  # it is ignored
    editor.edit("other.py", 3, "".join(f"new_{number} = 1\n" for number in range(40)))
    assert await editor.later() == ["other.py", "rates.py"]
    texts = [one.text for one in editor.source._ready[editor.uri("app.py")].files]
    assert any("new_7 = 1" in text for text in texts)
    editor.at_once(offset=FAR + 1)
    assert editor.is_at_work
    await editor.later(offset=FAR + 1)


@pytest.mark.parametrize(
    "entries",
    [
        [{"roles": ["generate", "inline"], "context_length": 1024}],
        [{"roles": ["inline"], "context_length": 4095}, {"roles": ["x"], "context_length": 9000}],
    ],
)
async def test_a_model_with_little_room_is_told_nothing(
    editor: Editor, entries: list[dict[str, Any]]
) -> None:
    """And it is found out once, not at each key."""
    editor.server.engine.entries = entries
    assert await editor.later() == []
    assert not editor.is_at_work


async def test_never_more_than_the_budget(editor: Editor) -> None:
    for number in range(12):
        name = f"f{number}.py"
        (editor.root / name).touch()
        editor.open(name, "".join(f"v{number}_{n} = {n}\n" for n in range(60)))
    names = await editor.later()
    files = editor.source._ready[editor.uri("app.py")].files
    assert sum(len(one.text) // 3 for one in files) <= INLINE_TOKENS
    assert len(names) > 3 and names[-1] == "rates.py"


async def test_without_the_feature_or_a_file_or_a_model_there_is_nothing(editor: Editor) -> None:
    editor.server.engine.broken = True
    assert await editor.later() == []
    assert not editor.is_at_work
    editor.at_once()
    assert not editor.is_at_work  # not at each key

    off = Editor(editor.root)
    off.server.features = Features(context=False)
    off.open("app.py", APP)
    assert off.at_once() == []
    assert not off.is_at_work
    item = types.TextDocumentItem("untitled:Untitled-1", "python", 1, APP)
    editor.server.documents.open(item)
    document = editor.server.documents.get("untitled:Untitled-1")
    assert document is not None
    assert editor.source.for_inline(document, 0) == ()
    assert not editor.is_at_work
    context = await editor.source.for_generate(document, 0, 5)
    assert context.pieces == ()


async def test_a_document_with_the_name_of_a_secret_is_told_apart(editor: Editor) -> None:
    editor.open(".env", "A=1\n")
    for name, reason in ((".env", "may hold secrets"), ("app.py", "")):
        document = editor.server.documents.get(editor.uri(name))
        assert document is not None
        assert editor.source.refusal(document) == reason


@pytest.mark.parametrize("uri", ["vscode-remote://host/home/.env", "untitled:.env"])
async def test_a_secret_by_another_scheme_is_one(editor: Editor, uri: str) -> None:
    editor.server.documents.open(types.TextDocumentItem(uri, "dotenv", 1, "A=1\n"))
    document = editor.server.documents.get(uri)
    assert document is not None
    assert editor.source.refusal(document) == "may hold secrets"


async def test_a_link_to_a_secret_is_one(editor: Editor, root: Path) -> None:
    (root / ".env").write_text("A=1\n")
    (root / "settings").symlink_to(".env")
    editor.open("settings", "A=1\n")
    document = editor.server.documents.get(editor.uri("settings"))
    assert document is not None
    assert editor.source.refusal(document) == "may hold secrets"


async def test_nothing_is_kept_of_documents_that_are_closed(editor: Editor) -> None:
    """What happened in them still counts: what was ready for another one is old."""
    before = editor.source._elsewhere(editor.uri("app.py"))
    for number in range(3):
        editor.open(f"{number}.py", "x = 1\n")
        editor.server.documents.close(editor.uri(f"{number}.py"))
    assert len(editor.source._own) == 2
    assert editor.source._elsewhere(editor.uri("app.py")) == before + 3
