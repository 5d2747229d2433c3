"""Texts, prompts and ends are the same in the file, and a file where they are not is found."""

from __future__ import annotations

import json

import pytest

from tests.support import llama3_student as made
from training import gguf_export
from training.chat import CHATML, LLAMA3, plain
from training.export import identity, samples
from training.export.metadata import Labels

TEXTS = [("a", "def add(a, b):\n    return a + b\n"), ("b", "Ein Text, 1234 ää\r\n")]
KINDS = {
    "llama": (made.tiny_llama_tokenizer, made.Shape(width=16, layers=1, feed=16), LLAMA3),
    "llama, base": (
        made.tiny_llama_tokenizer, made.Shape(width=16, layers=1, feed=16),
        plain("<|begin_of_text|>", "<|end_of_text|>"),
    ),
    "qwen2": (
        made.tiny_qwen_tokenizer,
        made.Shape(kind="qwen2", width=16, layers=1, feed=16, tied=True), CHATML,
    ),
}  # fmt: skip


def _made(folder, kind, change=None, template=None):
    """An export whose tokenizer was changed on the way, or whose template was."""
    tokenizer, shape, chat = KINDS[kind]
    made.write(folder, tokenizer(), shape)
    used = json.loads((folder / "tokenizer.json").read_text())
    if change is not None:
        change(used)
    (folder / "used.json").write_text(json.dumps(used))
    given = chat if template is None else type(chat)(**{**vars(chat), "template": template})
    gguf_export.write(
        folder, folder / "used.json", folder / "t.gguf", "F32", Labels("t", chat=given)
    )
    return _compared(folder, chat)


def _compared(folder, chat, **options):
    described = json.loads((folder / "config.json").read_text())
    options = {"chat": chat, "texts": TEXTS} | options
    return identity.compare(folder / "t.gguf", folder / "tokenizer.json", described, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_file_reads_and_writes_the_same(kind, tmp_path):
    found = _made(tmp_path, kind)
    assert found.problems == ()
    assert found.prompts > 4
    assert found.texts > len(samples.ADVERSARIAL) + 2
    assert bool(found.notes) == (kind == "qwen2")


def test_the_real_vocabulary_on_real_files(tmp_path):
    made.write(tmp_path, made.llama_tokenizer(), made.Shape(width=16, layers=1, feed=16, tied=True))
    labels = Labels("t", chat=LLAMA3)
    gguf_export.write(tmp_path, tmp_path / "tokenizer.json", tmp_path / "t.gguf", "F16", labels)
    found = _compared(tmp_path, LLAMA3, texts=None)
    assert found.problems == ()
    assert found.texts >= 200
    assert found.tokens > 300_000


def test_a_template_that_names_the_day_is_the_same_on_both_sides(tmp_path):
    """As Llama 3.1's own: a day of its own where nobody says which it is, and serving does."""
    template = (
        "{{- bos_token }}{%- if not date_string is defined %}"
        "{%- set date_string = '26 Jul 2024' %}{%- endif %}"
        "{%- for m in messages %}{{ date_string }} {{ m.content }}{% endfor %}"
    )
    folder = made.write(
        tmp_path / "m", made.tiny_llama_tokenizer(), made.Shape(layers=1, template=template)
    )
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings |= {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    labels = Labels("t", chat=None, follows_format=False)
    gguf_export.write(folder, folder / "tokenizer.json", folder / "t.gguf", "F16", labels)
    described = json.loads((folder / "config.json").read_text())
    found = identity.compare(
        folder / "t.gguf", folder / "tokenizer.json", described, template=template, texts=TEXTS
    )
    assert [one for one in found.problems if "prompts" in one] == []
    assert found.prompts > 0


def _swap(used):
    words = used["model"]["vocab"]
    one, two = [text for text in words if len(text) == 2][:2]
    words[one], words[two] = words[two], words[one]


def _other_digits(used):
    for step in used["pre_tokenizer"]["pretokenizers"]:
        if "pattern" in step:
            step["pattern"]["Regex"] = made.QWEN_PATTERN
    used["model"]["ignore_merges"] = False


def _fewer_merges(used):
    used["model"]["merges"] = used["model"]["merges"][:10]


def _no_control(used):
    """The end of a turn as a token like any other."""
    for one in used["added_tokens"]:
        if one["content"] == "<|start_header_id|>":
            one["content"] = "<start_header_id>"
            one["special"] = False


@pytest.mark.parametrize(
    ("change", "what"),
    [(_swap, "tokens differ"), (_other_digits, "tokens differ"), (_fewer_merges, "tokens differ"),
     (_no_control, "special token")],
)  # fmt: skip
def test_another_vocabulary_is_found(change, what, tmp_path):
    found = _made(tmp_path, "llama", change)
    assert any(what in problem for problem in found.problems)


@pytest.mark.parametrize(
    "template",
    [LLAMA3.template.replace("\n\n{{ m.content }}", "\n{{ m.content }}"),
     LLAMA3.template.replace("{{ m.content }}", "{{ m.content | trim }}")],
)  # fmt: skip
def test_another_template_is_found(template, tmp_path):
    found = _made(tmp_path, "llama", template=template)
    assert "the file has another chat template than the model" in found.problems
    assert any("training wrote" in problem for problem in found.problems)


def test_an_end_that_does_not_end_is_found(tmp_path):
    found = _made(tmp_path, "llama")
    assert not found.problems
    described = {"eos_token_id": [5]}
    found = identity.compare(tmp_path / "t.gguf", tmp_path / "tokenizer.json", described, texts=[])
    assert any("does not end an answer" in problem for problem in found.problems)


def test_a_file_that_llama_cpp_does_not_read_is_a_problem(tmp_path):
    _made(tmp_path, "llama")
    (tmp_path / "t.gguf").write_bytes((tmp_path / "t.gguf").read_bytes()[:5000])
    assert "does not read it" in _compared(tmp_path, LLAMA3).problems[0]
