"""Every source gives the same kind of problem, from wherever its files are."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

import pytest

from assistant import sandbox
from assistant.errors import DataProblem, UsageProblem
from tests.support.taco_rows import data_or_skip, stdin_row, write
from training.data import folder, functions, hub, lengths, sources
from training.data.own_code import _parsed
from training.settings import Problems

ROOT = Path(__file__).parents[3]

CONTEST = {
    "name": "1_A. Sum",
    "description": "Print the sum of two numbers that a baker reads every day.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["2 2\n"], "output": ["4\n"]},
    "generated_tests": {"input": [], "output": []},
    "source": 2,
    "solutions": {
        "language": [2, 3, 3, 1],
        "solution": ["int main(){}", "print(sum(map(int, input().split())))", "x", "print 3"],
    },
    "input_file": "",
    "output_file": "",
}
FUNCTION = {
    "repo": "a/b",
    "func_name": "clamp",
    "language": "python",
    "code": 'def clamp(x, low=0):\n        """Keep x above low.\n\n        :param x: a number\n'
    '        """\n        return max(x, low)',
    "docstring": "Keep x above low.\n\n:param x: a number",
    "url": "https://example.org/a/b",
}


def _write(place: Path, name: str, rows: list[dict]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / name).write_text(lines, encoding="utf-8")


def test_code_contests(stage, tmp_path):
    other = {"description": "Another task altogether, about the price of seven loaves."}
    rows = [
        CONTEST,
        {**CONTEST, **other, "public_tests": {"input": ["1"], "output": []}},
        {**CONTEST, **other, "input_file": "input.txt"},
        {**CONTEST, **other, "solutions": {"language": [1], "solution": ["print 3"]}},
    ]
    _write(tmp_path / "code_contests", "train.jsonl", rows)
    (problem,) = stage.run(tmp_path, "code_contests")
    assert problem.code == "x\n" and len(problem.examples) == 2
    assert stage.step("with a solution")["dropped"] == {"solutions: empty": 1}
    if sandbox.layers():
        (verified,) = stage.run(tmp_path, "code_contests", verify=True)
        assert verified.code == "print(sum(map(int, input().split())))\n"


def test_code_search_net_takes_the_docstring_out_of_the_code(stage, tmp_path):
    hub_form = {
        "func_name": "A.b", "language": "python", "func_code_url": "https://example.org/c",
        "func_code_string": "def b(self):\n    '''Give the answer to all.'''\n    return 42",
        "func_documentation_string": "Give the answer to all.",
    }  # fmt: skip
    rows = [
        FUNCTION,
        hub_form,
        {**FUNCTION, "language": "go"},
        {**FUNCTION, "docstring": "Too short"},
        {**FUNCTION, "docstring": "See https://example.org for more of this"},
        {**FUNCTION, "docstring": "Gibt die Größe der Straße zurück"},
        {**FUNCTION, "docstring": "word " * 300},
        {**FUNCTION, "code": "def f(:"},
    ]
    _write(tmp_path / "code_search_net", "python_train_0.jsonl", rows)
    clamp, answer = stage.run(tmp_path, "code_search_net")
    assert clamp.code == "def clamp(x, low=0):\n        return max(x, low)\n"
    assert clamp.request.endswith("def clamp(x, low=0):")
    assert answer.code == "def b(self):\n    return 42\n" and answer.url == "https://example.org/c"
    assert stage.step("rows that are not broken")["dropped"] == {
        "docstring: fewer than 3 words": 1,
        "docstring: markup or an address": 1,
        "docstring: not English letters": 1,
        "docstring: more than 256 words": 1,
        "code: not Python 3": 1,
    }


@pytest.mark.parametrize(
    ("source", "rest"),
    [
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n"),
        ('def f():\n    """Doc."""  # why\n    return 1\n', "def f():\n    return 1\n"),
        ('def f():\n    """Doc."""; return 1\n', "def f():\n    return 1\n"),
        ('def f(): "Doc."\n', "def f(): pass\n"),
        ('def f():\n    """Ä\n    ö"""\n', "def f():\n    pass\n"),
        ('@g\ndef f():\n    "é"\n    # c\n    return 1\n', "@g\ndef f():\n    # c\n    return 1\n"),
        ("def f():\n    1\n    return 1\n", "def f():\n    1\n    return 1\n"),
    ],
)
def test_a_docstring_is_taken_out(tmp_path, source, rest):
    path = tmp_path / "a.py"
    path.write_text(source, encoding="utf-8")
    tree, text = _parsed(path)
    assert functions.without_docstring(text, tree.body[0]) == rest


def test_mbpp_trains_on_its_own_split_without_what_it_is_judged_on(stage):
    data = data_or_skip("mbpp")
    data_or_skip("mbpp_plus")
    # The folder's other files (test split, sanitized) are named by the split or are no rows of it.
    file = data / "mbpp" / "mbpp.jsonl"
    whole = stage.run(data, "mbpp", folder=str(file), decontaminate=False)
    assert len(whole) > 340 and {int(one.id[5:]) for one in whole} <= set(range(601, 975))
    assert all(one.tests and f"def {one.name}(" in one.request for one in whole)
    assert not any("\r" in one.code for one in whole)
    clean = stage.run(data, "mbpp", folder=str(file))
    # MBPP+ holds tasks of the training split, too.
    assert 150 < len(clean) < len(whole) - 50
    assert {one.id for one in clean} <= {one.id for one in whole}


def test_a_folder_of_folders_a_folder_or_a_file(stage, tmp_path, monkeypatch):
    data = write(tmp_path, [stdin_row(1)], "train.jsonl.gz")
    places = [data, data / "taco", data / "taco" / "train.jsonl.gz"]
    lines = [[one.id for one in stage.run(place)] for place in places]
    assert lines == [["taco-0"]] * 3
    assert list(stage.funnel["origin"]["files"]) == ["train.jsonl.gz"]
    monkeypatch.setenv("ASSISTANT_DATA", str(data))
    assert stage.run(None)
    assert stage.run(None, folder=str(data / "taco"))


def test_the_training_files_are_chosen(tmp_path):
    write(tmp_path, [stdin_row(1)], "test-00000.jsonl")
    write(tmp_path, [stdin_row(2)], "other.json")
    place = tmp_path / "taco"
    assert [path.name for path in folder.data_files(place)] == ["other.json"]
    write(tmp_path, [stdin_row(2)], "train-00001.jsonl")
    write(tmp_path, [stdin_row(2)], "train-00000.jsonl")
    names = [path.name for path in folder.data_files(place)]
    assert names == ["train-00000.jsonl", "train-00001.jsonl"]


def test_a_json_list_and_a_limit(stage, tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps([stdin_row(n) for n in range(5)]))
    assert len(stage.run(tmp_path / "rows.json")) == 5
    assert len(stage.run(tmp_path / "rows.json", limit=3)) == 3


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_parquet_and_arrow(stage, tmp_path, kind):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet and Arrow files need pyarrow")
    from pyarrow import ipc, parquet

    table = pyarrow.Table.from_pylist([stdin_row(1), stdin_row(2)])
    place = tmp_path / "taco"
    place.mkdir()
    if kind == "parquet":
        parquet.write_table(table, place / "train.parquet")
    else:
        make = ipc.new_stream if kind == "arrow" else ipc.new_file
        with (place / "train.arrow").open("wb") as file, make(file, table.schema) as out:
            out.write_table(table)
    assert len(stage.run(tmp_path)) == 2


def test_a_file_that_is_cut_off_is_an_error_that_names_it(stage, tmp_path):
    data = write(tmp_path, [stdin_row(n) for n in range(50)], "train.jsonl.gz")
    path = data / "taco" / "train.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataProblem, match=r"train\.jsonl\.gz can not be read"):
        stage.run(data)
    assert not (stage.out / "problems.jsonl").exists()
    path.write_bytes(gzip.compress(b"")[:5])
    with pytest.raises(DataProblem, match="can not be read"):
        stage.run(data)


def test_an_unknown_source_and_an_unknown_preference(stage, tmp_path):
    with pytest.raises(UsageProblem, match=r"'tacos'; there are world, taco"):
        stage.run(tmp_path, "tacos")
    with pytest.raises(UsageProblem, match=r"problems\.reference=best: there are shortest, first"):
        stage.run(write(tmp_path, [stdin_row(1)]), reference="best")


def test_without_files_and_network_the_message_says_what_to_do(tmp_path):
    # A process of its own: huggingface_hub reads the environment when it is imported.
    code = (
        "import sys\nfrom training.data import hub\n"
        "from assistant.errors import DataProblem\n"
        "try:\n    hub.fetch('BAAI/TACO', sys.argv[1], ('*',))\n"
        "except DataProblem as problem:\n    print(problem)\n"
    )
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path),
    }  # fmt: skip
    for revision in ("", "a" * 40):
        told = subprocess.run(
            [sys.executable, "-c", code, revision], env=environment, capture_output=True, text=True
        )
        assert "BAAI/TACO is not in the cache of this machine" in told.stdout, told.stderr
        assert "--set problems.folder=FOLDER" in told.stdout


def test_rows_from_the_network_wait_for_the_benchmarks(stage, tmp_path, monkeypatch):
    """Else the first run would learn what every later one leaves out."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("ASSISTANT_DATA", str(tmp_path / "empty"))
    folder = write(tmp_path, [stdin_row(1)])
    opened = sources.source(Problems(source="taco"), folder)
    assert len(stage.run(folder)) == 1  # from a folder they are left uncompared, and that is said

    fetched = replace(opened, origin={**opened.origin, "revision": "a" * 40})
    monkeypatch.setattr(sources, "source", lambda *_: fetched)
    with pytest.raises(DataProblem, match="can not be compared with"):
        stage.run(None)
    assert len(stage.run(None, decontaminate=False)) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("GatedRepoError", "is gated"),
        ("RevisionNotFoundError", "has no revision 'v9'"),
        ("RepositoryNotFoundError", "The hub has no a/b"),
        ("LocalEntryNotFoundError", "not in the cache"),
        ("TimeoutError", "can not be fetched from the hub: slow"),
    ],
)
def test_what_the_hub_refuses_is_explained(name, told):
    error = type(name, (Exception,), {})("slow\nlong text")
    problem = hub._explained("a/b", "v9", error)
    assert told in str(problem) and "--data FOLDER" in problem.hint


def _tokenizer(place: Path) -> Path:
    """A byte-level tokenizer without a single merge: as many tokens as bytes, in both forms."""
    from tokenizers import ByteLevelBPETokenizer

    tokens = ByteLevelBPETokenizer()
    tokens.train_from_iterator([], vocab_size=256)
    place.mkdir()
    tokens.save_model(str(place))
    tokens.save(str(place / "tokenizer.json"))
    return place


def test_tokens_are_counted_by_tokenizers_from_files(stage, tmp_path):
    place = _tokenizer(tmp_path / "tokens")
    count = lengths.counter(str(place / "tokenizer.json"))
    assert lengths.counter("") is None and count is not None and count("añb c") == 6
    (place / "tokenizer.json").unlink()
    pair = lengths.counter(str(place))
    assert pair is not None and pair("añb c") == 6
    data = write(tmp_path, [stdin_row(1), stdin_row(2, question="Two numbers, please. " * 9)])
    chosen = {"student_tokenizer": str(place), "encoder_tokenizer": str(place)}
    assert len(stage.run(data, **chosen, max_student_tokens=400)) == 1
    # The shorter one of the two solutions saves the row.
    assert len(stage.run(data, **chosen, max_encoder_pieces=60, reference="first")) == 2
    assert stage.step("at most 60 pieces of the encoder")["kept"] == 2
    with pytest.raises(DataProblem, match="No row"):
        stage.run(data, **chosen, max_encoder_pieces=10)


def test_a_tokenizer_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataProblem, match="no tokenizer at nowhere"):
        lengths.counter("nowhere")
    with pytest.raises(DataProblem, match=r"(?s)can not be read.*vocab\.json"):
        lengths.counter(str(tmp_path))


def test_a_text_of_a_column_that_is_no_utf8_costs_its_row_alone(stage, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet and Arrow files need pyarrow")
    from pyarrow import parquet

    rows = [stdin_row(1), stdin_row(2)]
    table = pyarrow.Table.from_pylist(rows)
    texts = pyarrow.array([rows[0]["question"].encode(), b"caf\xe9 and more"]).view(
        pyarrow.string()
    )
    index = table.schema.get_field_index("question")
    (tmp_path / "taco").mkdir()
    table = table.set_column(index, "question", texts)
    parquet.write_table(table, tmp_path / "taco" / "train.parquet")
    assert [one.id for one in stage.run(tmp_path)] == ["taco-0"]
    assert stage.step("rows that are not broken")["dropped"] == {"question: wrong encoding": 1}


def test_taco_is_fetched_once_though_the_hub_has_it_twice():
    """Parquet in ALL, and the same rows as Arrow in train."""
    there = (
        "ALL/train-00000-of-00009.parquet", "ALL/test-00000-of-00001.parquet",
        "train/data-00000-of-00009.arrow", "train/state.json", "test/data-00000-of-00001.arrow",
    )  # fmt: skip
    patterns = sources.DATA_SETS["taco"].patterns
    fetched = [name for name in there if any(fnmatch(name, pattern) for pattern in patterns)]
    assert fetched == ["ALL/train-00000-of-00009.parquet"]
