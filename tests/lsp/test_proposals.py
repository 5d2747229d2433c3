"""Over the wire: what an editor is told of a proposal, from its first token to its last trace."""

from __future__ import annotations

import pytest

from assistant.tasks import TaskKind
from lsp.changes import Edit
from lsp.documents import Document
from lsp.generate.jobs import Wish, job_for
from lsp.generate.proposals import Proposal, Proposals, State
from lsp.text import Place, Text
from tests.lsp.conftest import Start
from tests.support.generating import (
    ANSWER,
    BODY,
    CODE,
    STUB,
    answer_of,
    asking,
    command,
    events,
    held,
    implementing,
    titles,
)
from tests.support.lsp_client import Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply


def lenses(client: LspClient, buffer: Buffer) -> list[str]:
    params = {"textDocument": {"uri": buffer.uri}}
    found = client.result(client.request("textDocument/codeLens", params)) or []
    return [one["command"]["title"] for one in found]


def hover(client: LspClient, buffer: Buffer, at: int) -> str | None:
    params = {"textDocument": {"uri": buffer.uri}, "position": buffer.position(at)}
    found = client.result(client.request("textDocument/hover", params))
    return None if found is None else found["contents"]["value"]


def page(client: LspClient, uri: str) -> str:
    text: str = client.result(client.request("workspace/textDocumentContent", {"uri": uri}))["text"]
    return text


def listed(client: LspClient) -> list[Message]:
    """The proposals as they were told last."""
    found: list[Message] = client.of("assistant/proposals")[-1]["proposals"]
    return found


def test_the_events_tell_everything_in_order(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    identifier = client.result(client.run_command(implementing(client, buffer)))["proposal"]

    told = events(client)

    assert [one["seq"] for one in told] == list(range(len(told)))
    assert {(one["proposal"], one["uri"]) for one in told} == {(identifier, buffer.uri)}
    kinds = list(dict.fromkeys(one["kind"] for one in told))
    assert kinds == ["begin", "reasoning", "code", "verdict", "end"]
    sections = list(dict.fromkeys(one["section"] for one in told if one["kind"] == "reasoning"))
    assert sections == ["Intent", "Steps", "Formulas", "Edge cases"]
    assert "".join(one["text"] for one in told if one["kind"] == "code") == CODE
    assert told[-1]["state"] == "offered"
    assert told[-1]["verdict"] == told[-2]["verdict"]


def test_the_list_changes_with_the_state(ours: Start) -> None:
    reply, index = held()
    client, _ = ours(reply)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}")
    request = client.run_command(implementing(client, buffer))
    reply.wait_sent(index)

    (one,) = listed(client)
    assert (one["task"], one["title"], one["state"]) == ("implement", "Implement double", "running")
    assert one["range"]["start"] == {"line": 3, "character": 0}
    assert "verdict" not in one

    client.change(buffer, 0, 0, "# above\n")
    reply.release()
    client.result(request)
    (one,) = listed(client)
    assert (one["state"], one["verdict"]["outcome"]) == ("offered", "parsed")
    assert one["range"]["start"] == {"line": 4, "character": 0}
    assert one["preview"] == f"{STUB}{BODY}".rstrip("\n")

    command(client, "reject")
    assert listed(client) == []


def test_lenses_stand_over_what_is_pending_only(ours: Start) -> None:
    reply, index = held()
    client, _ = ours(reply)
    buffer = Buffer("file:///a.py", STUB)
    wanted = implementing(client, buffer)
    assert lenses(client, buffer) == []
    request = client.run_command(wanted)
    reply.wait_sent(index)
    assert lenses(client, buffer) == ["Cancel: Implement double", "Why"]
    reply.release()
    client.result(request)
    assert lenses(client, buffer) == ["Accept (parsed)", "Reject", "Why", "Check again"]

    refreshed = len(client.of("workspace/codeLens/refresh"))
    command(client, "accept")

    assert lenses(client, buffer) == []
    assert len(client.of("workspace/codeLens/refresh")) > refreshed


def test_what_was_changed_can_not_be_accepted_and_says_so(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.result(client.run_command(implementing(client, buffer)))

    client.change(buffer, STUB.index("Double"), STUB.index("Double"), "Triple, not ")

    assert lenses(client, buffer) == ["Reject", "Why"]


def test_hover_tells_of_a_proposal_over_its_lines_and_nowhere_else(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", f"x = 1\n\n\n{STUB}\n\ny = 2\n")
    client.result(client.run_command(implementing(client, buffer)))

    told = hover(client, buffer, buffer.text.index("Double"))

    assert told is not None
    assert "Twice the number is wanted." in told
    assert "parsed" in told
    assert "    return 2 * x" in told
    assert hover(client, buffer, 0) is None
    assert hover(client, buffer, len(buffer.text) - 2) is None


def test_hover_stays_after_acceptance_until_the_lines_are_touched(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", f"{STUB}\n\ny = 2\n")
    client.result(client.run_command(implementing(client, buffer)))
    command(client, "accept")
    client.change(buffer, 0, 0, "import os\n\n\n")
    at = buffer.text.index("return")

    told = hover(client, buffer, at)
    assert told is not None
    assert "accepted" in told

    client.change(buffer, at, at, "  ")
    assert hover(client, buffer, at) is None


def test_the_page_grows_while_it_is_written(ours: Start) -> None:
    reply, _ = held()
    client, _ = ours(reply)
    buffer = Buffer("file:///a.py", STUB)
    request = client.run_command(implementing(client, buffer))
    client.wait_for(lambda m: m.get("params", {}).get("section") == "Edge cases")
    uri = listed(client)[0]["document"]
    assert uri.startswith("assistant:/proposal/")
    assert uri.endswith("/implement-double.md")

    before = page(client, uri)
    reply.release()
    client.result(request)
    client.wait_for(lambda m: m.get("method") == "workspace/textDocumentContent/refresh")
    after = page(client, uri)

    assert "## Intent\n\nTwice the number is wanted." in before
    assert "being written" in before
    assert "return 2 * x" not in before
    assert "    return 2 * x\n```" in after
    assert "## Check\n\nparsed: " in after


def test_a_page_that_nobody_reads_is_not_refreshed(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.result(client.run_command(implementing(client, buffer)))
    command(client, "reject")

    assert client.of("workspace/textDocumentContent/refresh") == []


def test_the_page_tells_what_was_tried(ours: Start) -> None:
    client, _ = ours(ANSWER.replace("2 * x", "2 * nothing"), ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.result(client.run_command(implementing(client, buffer)))

    text = page(client, listed(client)[0]["document"])

    assert "## Tried before" in text
    assert "Attempt 1: error: " in text
    assert "return 2 * nothing" in text


def test_code_can_not_close_its_fence(ours: Start) -> None:
    code = 'def double(x):\n    """Double x.\n\n    ```\n    ````\n    """\n    return 2 * x\n'
    answer = answer_of(code).replace("```python", "`````python").removesuffix("```\n") + "`````\n"
    client, _ = ours(answer)
    buffer = Buffer(
        "file:///a.py", 'def double(x):\n    """Double.\n\n    ```\n    ````\n    """\n'
    )
    client.open(buffer)
    client.result(asking(client, buffer, "implement"))

    text = page(client, listed(client)[0]["document"])

    assert "`````python\ndef double(x):" in text
    assert text.count("\n`````\n") == 1


def test_a_page_that_is_gone_says_so(ours: Start) -> None:
    """An error would be a pop-up, and an old editor tab is no error."""
    client, _ = ours()

    assert page(client, "assistant:/proposal/0/x.md") == "This proposal is not kept any more.\n"
    assert page(client, "file:///etc/passwd") == "This proposal is not kept any more.\n"


def test_the_page_opens_beside_where_the_editor_can(ours: Start) -> None:
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.result(client.run_command(implementing(client, buffer)))

    found = command(client, "reasoning", uri=buffer.uri)

    assert found["uri"] == listed(client)[0]["document"]
    assert "Multiply by two." in found["text"]
    (shown,) = client.of("window/showDocument")
    assert (shown["uri"], shown["takeFocus"]) == (found["uri"], False)


def test_the_check_can_be_run_again(ours: Start) -> None:
    """On the document as it is now: here it has lost a name meanwhile."""
    client, _ = ours(ANSWER.replace("2 * x", "FACTOR * x"))
    buffer = Buffer("file:///a.py", f"FACTOR = 2\n\n\n{STUB}")
    result = client.result(client.run_command(implementing(client, buffer)))
    assert result["verdict"]["outcome"] == "parsed"
    client.change(buffer, 0, len("FACTOR = 2"), "")

    again = command(client, "verify", proposal=result["proposal"])

    assert again["verdict"]["outcome"] == "error"
    assert "FACTOR" in again["verdict"]["detail"]
    assert listed(client)[0]["verdict"] == again["verdict"]
    assert lenses(client, buffer)[0].startswith("Accept (error: ")


def test_old_proposals_are_forgotten_and_pending_ones_are_not(ours: Start) -> None:
    client, _ = ours(ANSWER)
    pending = Buffer("file:///pending.py", STUB)
    client.result(client.run_command(implementing(client, pending)))
    first = listed(client)[0]["document"]
    buffer = Buffer("file:///a.py", STUB)
    wanted = implementing(client, buffer)
    pages = []
    for _ in range(22):
        client.result(client.run_command(wanted))
        pages.append(listed(client)[0]["document"])
        command(client, "reject", uri=buffer.uri)

    assert "not kept" in page(client, pages[0])
    assert "Twice" in page(client, pages[-1])
    assert "Twice" in page(client, first)


def test_no_reasoning_is_ever_part_of_an_edit(session: Start) -> None:
    """Reasoning that looks like code, in each of its forms, with a word that is in no code."""
    word = "SECRETTHOUGHT"
    code = f"```python\n{CODE}```"
    replies = [
        ANSWER.replace("Twice", word),
        ANSWER.replace("2 * x\n## Edge", f"```python\n{word} = 1\n```\n## Edge"),
        f"<think>\n```python\n{word} = 1\n```\n</think>\n{code}",
        f"{word} = 1, I think.\n\n{code}\n\nThis is {word}.\n",
        Reply.of(code, reasoning=[f"def double(x): return {word}"]),
        f"<think>{word}\n{code}\n</think>\n{code}",
    ]
    for number, reply in enumerate(replies):
        client, _ = session(reply)
        buffer = Buffer(f"file:///{number}.py", STUB)
        client.result(client.run_command(implementing(client, buffer)))
        assert command(client, "accept", uri=buffer.uri) == {"applied": True}, number

        assert word not in str(client.of("workspace/applyEdit"))
        assert buffer.text == STUB + BODY
        assert word in command(client, "reasoning", uri=buffer.uri)["text"]


def test_what_was_sent_last_is_shown_to_the_letter(ours: Start) -> None:
    client, endpoint = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.open(buffer)
    zero = {"line": 0, "character": 0}

    before = command(client, "context", uri=buffer.uri, position=zero)["text"]
    assert endpoint.requests == []
    client.result(asking(client, buffer, "implement"))
    after = command(client, "context", uri=buffer.uri, position=zero)["text"]

    (request,) = endpoint.requests
    assert before.startswith("Nothing was sent for this document yet.")
    assert after.startswith("What was sent last for this document:")
    for message in request["messages"]:
        assert message["content"] in before
        assert message["content"] in after


def test_titles_are_those_of_the_newest_document(ours: Start) -> None:
    """A document that is opened again has nothing pending from before."""
    client, _ = ours(ANSWER)
    buffer = Buffer("file:///a.py", STUB)
    client.result(client.run_command(implementing(client, buffer)))
    client.notify("textDocument/didClose", {"textDocument": {"uri": buffer.uri}})
    client.open(buffer)

    assert titles(client, buffer)[0] == "Implement double"
    assert lenses(client, buffer) == []


@pytest.mark.parametrize(("state", "gives_way"), [(State.FAILED, True), (State.OFFERED, False)])
def test_what_failed_gives_way_where_its_lines_were_changed(state: State, gives_way: bool) -> None:
    """Otherwise each failure stays on the screen, one below the other."""
    text = Text('def f(x):\n    """Double x."""\n')
    before = job_for(Document("file:///a.py", "python", 1, text), Wish(TaskKind.IMPLEMENT, 0, 0))
    proposals, older = Proposals(), Proposal(before, state=state)
    proposals.add(older)
    edit = Edit("Half of", Place(1, 7), Place(1, 13), "utf-16")
    now = job_for(before.document.changed(2, [edit]), Wish(TaskKind.IMPLEMENT, 0, 0))
    assert now.request != before.request
    assert proposals.in_the_way(now) == ([older] if gives_way else [])
