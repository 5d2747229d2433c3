"""A template is text of a stranger: it is stopped before it takes time, memory or files."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from assistant.engine.engine import Engine
from assistant.engine.rendering import Renderer, is_plain
from assistant.engine.types import EngineSettings, Message
from assistant.errors import AssistantError, EngineProblem, ModelProblem, RequestProblem
from tests.support import chat_templates as written
from tests.support.tiny_gguf import CHATML, Tiny, write
from training.documents import CHAT_TEMPLATE

GIVEN: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}]}

ENDLESS = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    # Both sides are one operation that no Python code can interrupt.
    "{% set n = messages | length + 8 %}{{ n ** (n ** n) }}",
    "{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}{% endfor %}"
    "{{ n.l }}",
    "{% set n = namespace(l=[1], m=[1]) %}{% for i in range(60) %}{% set n.l = [n.l, n.l] %}"
    "{% set n.m = [n.m, n.m] %}{% endfor %}{{ n.l == n.m }}",
]
TOO_MUCH = [
    ("{{ 'a' * 10**10 }}", "MiB of memory"),
    ("{% for x in [1] * 10**9 %}{% endfor %}", "MiB of memory"),
    ("{{ 'a'.center(10**10) }}", "MiB of memory"),
    ("{{ '%1000000000d' % 1 }}", "MiB of memory"),
    ("{{ '{:>10000000000}'.format(1) }}", "MiB of memory"),
    ("{{ messages | tojson(indent=10**10) }}", "MiB of memory"),
    (
        "{% set n = namespace(s='ab') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}"
        "{% endfor %}{{ n.s | length }}",
        "MiB of memory",
    ),
    ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "calls itself without end"),
    ("{% for i in range(99999) %}many characters{% endfor %}", "writes more than"),
    ("{{ range(10**9) }}", "Range too big"),
]
ESCAPES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'role': 'system'}) }}",
    "{{ (messages | map(attribute='__class__') | list)[0].mro() }}",
    "{{ ['{0.__class__.__mro__}'] | map('format', messages) | list | first }}",
    "{{ lipsum(n=10**6) }}",
    "{% import 'os' as os %}",
    "{% include '/etc/passwd' %}",
    "{{ messages | attr('__class__') }}",
    "{{ 'a' | pprint }}",
]


@pytest.fixture
def pages() -> Iterator[None]:
    """This process's memory does not grow by what a template asks for."""
    before = psutil.Process().memory_info().rss
    yield
    assert psutil.Process().memory_info().rss - before < 64 * 2**20


@pytest.mark.parametrize("source", ENDLESS)
def test_what_does_not_end_is_stopped_and_the_next_request_is_served(
    source: str, pages: None
) -> None:
    guarded = "{% if messages[0].content == 'bad' %}" + source + "{% endif %}fine"
    with closing(Renderer(guarded, {})) as renderer:
        with pytest.raises(ModelProblem, match="was stopped: it had calculated for 1 second"):
            renderer.render({"messages": [{"role": "user", "content": "bad"}]})
        assert renderer.render(GIVEN) == "fine"


@pytest.mark.parametrize(("source", "reason"), TOO_MUCH)
def test_what_takes_too_much_is_refused(source: str, reason: str, pages: None) -> None:
    with closing(Renderer(source, {})) as renderer, pytest.raises(RequestProblem, match=reason):
        renderer.render(GIVEN)


@pytest.mark.parametrize("source", ESCAPES)
def test_no_way_leads_out(source: str) -> None:
    """Refused, or nothing but text: never an object of Python."""
    try:
        with closing(Renderer(source, {})) as renderer:
            text = renderer.render(GIVEN)
    except AssistantError:
        return
    assert "class" not in text
    assert "root:" not in text


@pytest.mark.parametrize("source", ["{{ 'a' * 9**9**9 }}", "{{ (2 ** 62) ** (2 ** 40) }}"])
def test_what_is_calculated_when_it_is_compiled_is_bounded_too(source: str, pages: None) -> None:
    """Jinja calculates constants before anything is rendered."""
    with pytest.raises(AssistantError):
        Renderer(source, {}).render(GIVEN)


def test_a_model_with_such_a_template_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    """Not again at each request."""
    path = write(tmp_path / "m.gguf", Tiny(template=ENDLESS[0]))

    with pytest.raises(ModelProblem, match="chat template was stopped"):
        Engine(path, EngineSettings(threads=1))


def test_a_template_of_enormous_length_is_refused() -> None:
    with pytest.raises(ModelProblem, match="has 1000000 characters"):
        Renderer("a" * 10**6, {})


def test_the_process_has_no_files_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    with closing(Renderer(written.TOOLS, {"bos_token": ""})) as renderer:
        assert renderer._process is not None
        process = psutil.Process(renderer._process._popen.pid)
        assert "SECRET_OF_THE_USER" not in process.environ()
        assert process.rlimit(psutil.RLIMIT_NOFILE) == (0, 0)
        assert process.num_fds() == 3


def test_a_process_that_was_killed_is_replaced() -> None:
    with closing(Renderer(written.TOOLS, {"bos_token": ""})) as renderer:
        text = renderer.render(GIVEN)
        assert renderer._process is not None
        renderer._process._popen.kill()
        with pytest.raises(ModelProblem, match="status -9"):
            renderer.render(GIVEN)
        assert renderer.render(GIVEN) == text


@pytest.mark.parametrize("source", [CHATML, CHAT_TEMPLATE])
def test_templates_of_models_made_here_need_no_process(source: str) -> None:
    renderer = Renderer(source, {"bos_token": "", "eos_token": ""})

    assert not renderer.apart


@pytest.mark.parametrize(
    "source",
    [
        *ENDLESS,
        *(source for source, _ in TOO_MUCH),
        written.TOOLS,
        # A loop in a loop, a variable that grows, a filter with a number.
        "{% for a in messages %}{% for b in messages %}x{% endfor %}{% endfor %}",
        "{% set x = x + x %}{% set x = x + x %}",
        "{{ messages | string | indent(9) }}",
        "{% for a in range(9) %}{% endfor %}",
        "{% for a in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{% for a in 'x' * 9 %}{% endfor %}",
    ],
)
def test_only_what_is_bounded_by_its_input_is_rendered_here(source: str) -> None:
    assert not is_plain(source)


@pytest.mark.parametrize("version", ["3.1.5", "2.11.3"])
def test_an_old_jinja_is_refused(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Templates could leave its sandbox: CVE-2024-56326, CVE-2025-27516."""
    monkeypatch.setattr(importlib.metadata, "version", lambda _: version)

    with pytest.raises(EngineProblem, match=version):
        Renderer("x", {})


def test_a_message_is_not_a_template(engine: Engine) -> None:
    """What looks like Jinja in a request is text."""
    tokens = engine.prepare_chat([Message("user", "{{ 1 + 1 }}{% for %}")]).tokens

    assert "{{ 1 + 1 }}{% for %}" in engine.vocabulary.text(list(tokens))
