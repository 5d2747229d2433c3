"""`assistant verify`: what it prints, the exit codes, and files that are no source code."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from assistant.checks import apart
from assistant.cli.main import main
from assistant.cli.sourcefile import MAX_BYTES, read_source
from assistant.sandbox import layers

real = pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")
GOOD = '''"""A module."""

def square(n):
    """The square.

    >>> square(3)
    9
    """
    return n * n


class Box:
    def size(self):
        """
        >>> Box().size()
        2
        """
        return 1
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shapes.py"
    path.write_text(GOOD)
    return path


def verify(capsys, *arguments: object) -> tuple[int, str, str]:
    code = main(["verify", *map(str, arguments)])
    return code, *capsys.readouterr()


@real
class TestVerdicts:
    """What the sandbox found, on one line or as JSON."""

    def test_the_doctests_of_one_function(self, file, capsys):
        code, stdout, stderr = verify(capsys, f"{file}::square")

        assert (code, stderr) == (0, "")
        assert stdout.startswith(f"pass ({layers()[0].value}): 1 example")
        assert stdout.count("\n") == 1

    @pytest.mark.parametrize("which", ["", "::Box", "::Box.size"])
    def test_the_doctests_of_the_file_or_a_class(self, file, capsys, which: str):
        code, stdout, _ = verify(capsys, f"{file}{which}")

        assert code == 3
        assert stdout.startswith(f"wrong ({layers()[0].value}): line 15: ")

    def test_json_has_the_three_keys_of_the_contract(self, file, capsys):
        code, stdout, _ = verify(capsys, f"{file}::square", "--json")
        found = json.loads(stdout)

        assert code == 0
        assert list(found) == ["verdict", "layer", "detail"]
        assert (found["verdict"], found["layer"]) == ("pass", layers()[0].value)

    @pytest.mark.parametrize(
        ("tests", "code", "verdict"),
        [
            ("from shapes import square\ndef test_it():\n    assert square(3) == 9\n", 0, "pass"),
            ("import shapes\nassert shapes.square(3) == 9\n", 0, "pass"),
            ("assert square(3) == 9\n", 0, "pass"),
            ("from shapes import square\nassert square(3) == 8\n", 3, "wrong"),
        ],
    )
    def test_tests_import_the_file_by_its_own_name(self, file, capsys, tests, code, verdict):
        test_file = file.with_name("test_shapes.py")
        test_file.write_text(tests)

        assert verify(capsys, file, "--tests", test_file, "--json")[0] == code
        assert verify(capsys, file, "--tests", test_file)[1].startswith(verdict)

    @pytest.mark.parametrize(
        ("source", "verdict"),
        [
            ("def f():\n    '''\n    >>> f()\n    '''\n    raise KeyError(1)", "error"),
            ("'''\n>>> 1\n1\n'''\nimport os\nos._exit(0)", "crash"),
            ("'''\n>>> open('/etc/passwd')\n<file>\n'''", "error"),
        ],
    )
    def test_what_the_code_does_is_the_verdict(self, tmp_path, capsys, source, verdict):
        path = tmp_path / "odd.py"
        path.write_text(source)
        code, stdout, _ = verify(capsys, path, "--json")

        assert (code, json.loads(stdout)["verdict"]) == (3, verdict)


@real
class TestProject:
    """The user's folder is seen when it is named, and only then; never its secrets."""

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        package = tmp_path / "project" / "app"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "util.py").write_text("def double(n):\n    return 2 * n\n")
        (tmp_path / "project" / ".env").write_text("KEY=1")
        secret = tmp_path / "project" / ".env"
        (package / "cart.py").write_text(
            "from app.util import double\n"
            'def total(n):\n    """\n    >>> total(2)\n    4\n    """\n    return double(n)\n'
            f'def leak():\n    """\n    >>> open({str(secret)!r}).read()\n    \'KEY=1\'\n    """\n'
        )
        (package / "test_cart.py").write_text(
            "from app.cart import total\nfrom app.util import double\n"
            "def test_total():\n    assert total(3) == double(3)\n"
        )
        return tmp_path / "project"

    def test_modules_of_the_project_are_imported_from_it(self, project, capsys):
        file = f"{project / 'app' / 'cart.py'}::total"

        code, stdout, _ = verify(capsys, file)
        assert (code, stdout[:5]) == (3, "error")
        assert "--project DIR" in stdout
        assert verify(capsys, file, "--project", project)[0] == 0

    def test_its_secrets_are_masked(self, project, capsys):
        file = f"{project / 'app' / 'cart.py'}::leak"
        code, stdout, _ = verify(capsys, file, "--project", project)

        assert (code, "KEY=1" in stdout) == (3, False)

    def test_its_tests_import_what_they_test_and_more(self, project, capsys):
        file, tests = project / "app" / "cart.py", project / "app" / "test_cart.py"

        assert verify(capsys, file, "--tests", tests, "--project", project)[0] == 0
        assert verify(capsys, file, "--tests", tests)[0] == 2

    def test_its_tests_find_the_data_beside_them(self, project, capsys):
        file, tests = project / "app" / "cart.py", project / "app" / "test_data.py"
        (project / "app" / "data.txt").write_text("4")
        tests.write_text(
            "from pathlib import Path\nfrom app.cart import total\nHERE = Path(__file__).parent\n"
            'def test_it():\n    assert total(2) == int((HERE / "data.txt").read_text())\n'
        )

        assert verify(capsys, file, "--tests", tests, "--project", project)[0] == 0

    def test_its_virtual_environment_is_found(self, project, capsys):
        file = project / "app" / "price.py"
        file.write_text('"""\n>>> prices.of("tea")\n3\n"""\nimport prices\n')

        code, stdout, _ = verify(capsys, file, "--project", project)
        assert (code, stdout[:5]) == (3, "error")
        assert "--python PROGRAM" in stdout

        venv.create(project / ".venv", symlinks=True)
        (packages,) = (project / ".venv").glob("lib/python*/site-packages")
        (packages / "prices.py").write_text("def of(what):\n    return len(what)\n")
        code, stdout, _ = verify(capsys, file, "--project", project)
        assert (code, stdout[:4]) == (0, "pass")

    @pytest.mark.parametrize("arguments", [["--project", "/nowhere"], ["--python", "python3"]])
    def test_what_is_no_project(self, file, capsys, arguments: list[str]):
        code, stdout, stderr = verify(capsys, file, *arguments)

        assert (code, stdout) == (2, "")
        assert "--project" in stderr or "/nowhere is no folder" in stderr


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("a.py", b"x = 1\n", "parsed: it parses and its names resolve"),
        ("a.py", b"def f(:\n", "error: SyntaxError at line 1"),
        ("a.py", b"x = y\n", "error: NameError at line 1"),
        ("a.py", b"x = '\xe9'\n", "error: SyntaxError at line 1: a byte (0xe9) that is not utf-8"),
        ("a.py", b"# coding: nonsense\n", "error: SyntaxError: unknown encoding"),
        ("a.py", b"# coding: latin-1\nx = '\xe9'\n", "parsed: "),
        ("a.py", b"\xef\xbb\xbfx = '\xc3\xa9'\r\ny = x\r\n", "parsed: "),
        ("a.py", b"x = 1\0\n", "error: SyntaxError"),
        ("a.py", b"", "parsed: "),
        ("script", b"x = 1\n", "parsed: "),
        (
            "a.js",
            b"let x = 1",
            "not checked: no checks for javascript without its grammar",
        ),
        ("a.TS", b"\xff\xfe", "not checked: no checks for typescript"),
        ("a.zig", b"", "not checked: no checks for zig"),
    ],
)
def test_what_is_said_without_running_anything(tmp_path, capsys, name, body, said):
    path = tmp_path / name
    path.write_bytes(body)
    code, stdout, stderr = verify(capsys, path)

    assert (code, stderr) == (3, "")
    assert stdout.startswith(said)
    assert json.loads(verify(capsys, path, "--json")[1])["layer"] == "none"


def test_with_nothing_to_run_it_says_how_to_give_tests(tmp_path, capsys):
    path = tmp_path / "a.py"
    path.write_text("def f(): pass\n")

    assert "--tests FILE" in verify(capsys, path)[1]


class TestRefusals:
    """One error with the next step, and exit code 2; nothing on stdout."""

    def refused(self, capsys, *arguments: object) -> str:
        code, stdout, stderr = verify(capsys, *arguments)
        assert (code, stdout) == (2, "")
        assert stderr.startswith("Error: ")
        return stderr

    def test_a_file_that_is_missing_names_one_that_is_there(self, file, capsys):
        said = self.refused(capsys, file.with_name("shape.py"))

        assert "No such file" in said
        assert f"Did you mean {file}?" in said

    def test_a_folder(self, tmp_path, capsys):
        assert "is a folder" in self.refused(capsys, tmp_path)

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
    def test_a_pipe_that_nobody_writes_to_does_not_block(self, tmp_path, capsys):
        os.mkfifo(tmp_path / "pipe.py")

        assert "a pipe or a device" in self.refused(capsys, tmp_path / "pipe.py")
        assert "a pipe or a device" in self.refused(capsys, "/dev/zero")

    def test_a_file_that_is_too_large(self, tmp_path, capsys):
        path = tmp_path / "huge.py"
        with path.open("wb") as huge:
            huge.truncate(100 << 20)

        assert "larger than 4 MiB" in self.refused(capsys, path)

    def test_a_function_that_is_not_there_names_those_that_are(self, file, capsys):
        assert f"Did you mean {file}::square?" in self.refused(capsys, f"{file}::sqare")
        assert "It defines square, Box, Box.size." in self.refused(capsys, f"{file}::zzz")
        assert "names no function" in self.refused(capsys, f"{file}::")

    def test_a_name_with_a_nul_byte(self, capsys):
        assert "can not be read" in self.refused(capsys, "a\0b.py")

    def test_tests_that_are_missing(self, file, capsys):
        assert "can not be read" in self.refused(capsys, file, "--tests", "/nowhere/t.py")


def test_a_file_whose_name_holds_the_mark(tmp_path, capsys):
    (tmp_path / "odd::name.py").write_text("def f(): pass\n")

    assert verify(capsys, tmp_path / "odd::name.py")[0] == 3
    assert "no example" in verify(capsys, f"{tmp_path / 'odd::name.py'}::f")[1]


def test_the_largest_file_is_read_whole_and_the_module_is_what_python_would_call_it(tmp_path):
    path = tmp_path / "big.py"
    path.write_bytes(b"#" * MAX_BYTES)

    found = read_source(str(path))
    assert (len(found.text), found.module) == (MAX_BYTES, "big")
    (tmp_path / "not-a-name.py").write_text("")
    assert read_source(str(tmp_path / "not-a-name.py")).module == "answer"


def test_code_on_stdin(shared):
    done = shared.run("verify", "-", stdin="def f(:\n")

    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("error: SyntaxError at line 1")


def test_without_a_sandbox_the_exit_code_is_4_and_the_verdict_says_how_to_get_one(
    file, capsys, monkeypatch
):
    """No machine of the tests lacks every layer, so the finding of the sandbox room is put in."""
    from assistant.sandbox import Layer

    module = sys.modules["assistant.sandbox.layers"]
    monkeypatch.setattr(module, "_problems", dict.fromkeys(Layer, "it is not installed"))
    code, stdout, _ = verify(capsys, file, "--json")
    found = json.loads(stdout)

    assert code == 4
    assert (found["verdict"], found["layer"]) == ("sandbox unavailable", "none")
    assert "it is not installed" in found["detail"]


def test_a_check_imports_nothing_that_it_does_not_need(shared, tmp_path):
    """Its time is felt; asyncio alone would be a third of it."""
    import subprocess

    path = tmp_path / "a.py"
    path.write_text("'''\n>>> 1\n1\n'''\n")
    script = (
        "import sys\nfrom assistant.cli.main import main\n"
        f"main(['verify', {str(path)!r}])\n"
        "heavy = {'asyncio', 'logging', 'concurrent.futures', 'httpx', 'textual', 'pygls', 'ssl'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert done.stderr.strip() == "[]"


@real
class TestOddSurroundings:
    """What is not the code's fault is never told as its fault, nor as a bug of ours."""

    @pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
    def test_closed_streams(self, shared, file, closed: str):
        line = f"{shlex.join(shared.command('verify', f'{file}::square'))} {closed}"

        done = subprocess.run(["bash", "-c", line], stdout=subprocess.PIPE, timeout=60)

        assert (done.returncode, done.stdout[:4]) == (0, b"pass")

    def test_too_few_descriptors_are_one_line_with_a_way_out(self, shared, file):
        line = f"ulimit -n 10; {shlex.join(shared.command('verify', str(file)))}"

        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)

        assert done.returncode == 4
        assert done.stdout.startswith("sandbox unavailable: ")
        assert "No process for a check can be started" in done.stdout
        assert "\\n" not in done.stdout
        assert "close something" in done.stdout

    def test_twenty_descriptors_are_enough(self, shared, file):
        line = f"ulimit -n 20; {shlex.join(shared.command('verify', f'{file}::square'))}"

        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)

        assert (done.returncode, done.stdout[:4]) == (0, "pass")

    def test_no_folder_for_temporary_files(self, file, capsys, monkeypatch):
        tests = file.with_name("test_shapes.py")
        tests.write_text(
            "import pytest\nfrom shapes import square\n@pytest.fixture\ndef n(): return 3\n"
            "def test_it(n): assert square(n) == 9\n"
        )

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(apart, "TemporaryDirectory", full)
        code, stdout, _ = verify(capsys, file, "--tests", tests)

        assert code == 4
        assert "No space left on device" in stdout
        assert "TMPDIR" in stdout


@real
def test_the_example_that_ends_the_process_is_named(tmp_path, capsys):
    file = tmp_path / "spin.py"
    file.write_text(
        'def spin():\n    """\n    >>> spin()\n    """\n    import os\n    os._exit(3)\n'
    )

    code, stdout, _ = verify(capsys, file)

    assert code == 3
    assert f"crash ({layers()[0].value}): line 3: spin(): " in stdout


def test_a_wrong_option_points_to_the_help_of_the_command(capsys, file):
    code, _, stderr = verify(capsys, file, "--bogus")

    assert code == 2
    assert "--bogus" in stderr
    assert "`assistant verify --help`" in stderr
