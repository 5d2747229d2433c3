"""What a name means, which file a repository has for it, and what is refused."""

from __future__ import annotations

import pytest

from assistant.errors import ModelProblem
from assistant.models import names
from assistant.models.names import Reference, choose, parse

SPLIT = [f"big/M-Q4_K_M-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
FILES = ["README.md", "M-Q8_0.gguf", "M-IQ4_XS.gguf", *SPLIT, "mmproj-M-F16.gguf", "M-imatrix.gguf"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("org/repo", Reference("org/repo")),
        ("org/repo:Q8_0", Reference("org/repo", "Q8_0")),
        ("org/repo:UD-Q4_K_XL", Reference("org/repo", "UD-Q4_K_XL")),
        ("org/repo-GGUF/model.gguf", Reference("org/repo-GGUF", file="model.gguf")),
        ("org/r/sub/model.GGUF", Reference("org/r", file="sub/model.GGUF")),
        ("starter", None),
        ("model.gguf", None),
        ("folder/model.gguf", None),
        ("/abs/org/model.gguf", None),
        ("./org/repo/model.gguf", None),
        ("../org/repo", None),
        ("~/org/repo", None),
    ],
)
def test_names(name: str, expected: Reference | None) -> None:
    assert parse(name) == expected
    assert expected is None or str(expected) == name


@pytest.mark.parametrize(
    "name",
    [
        "org/repo/../../etc/x.gguf",
        "org/repo/a/../b.gguf",
        "org/repo//b.gguf",
        "org/repo/C:\\x.gguf",
        "org/repo/a\\..\\b.gguf",
        "org/repo/a:stream.gguf",
        "org/repo/tab\t.gguf",
        "org/repo/escape\x1b[2J.gguf",
        "org/repo/dot./x.gguf",
        "org/..",
        "org/.hidden",
        "org/a--b",
        "or g/repo",
        "org/repo/tree",
        "org/repo:",
        "org/repo:../x",
        "org/repo:Q4 K",
        "org/" + "r" * 97,
        "org/repo/" + "x" * 600 + ".gguf",
    ],
)
def test_names_that_could_lead_astray_are_refused(name: str) -> None:
    with pytest.raises(ModelProblem):
        parse(name)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("org/repo", SPLIT),  # Q4_K_M, the default
        ("org/repo:q4_k_m", SPLIT),
        ("org/repo:Q8_0", ["M-Q8_0.gguf"]),
        ("org/repo:IQ4_XS", ["M-IQ4_XS.gguf"]),
        ("org/repo/M-Q8_0.gguf", ["M-Q8_0.gguf"]),
        ("org/repo/" + SPLIT[1], SPLIT),
        ("org/repo/mmproj-M-F16.gguf", ["mmproj-M-F16.gguf"]),
    ],
)
def test_the_files_of_a_model(wanted: str, expected: list[str]) -> None:
    assert choose(FILES, parse(wanted)) == expected


@pytest.mark.parametrize(
    ("files", "wanted", "said"),
    [
        (FILES, "org/repo:Q5_K_M", "no Q5_K_M; there is: IQ4_XS, Q4_K_M, Q8_0|no Q5_K_M"),
        (FILES, "org/repo:Q4", "no Q4; there is"),
        (FILES, "org/repo/N.gguf", "no such file"),
        (["a-Q2_K.gguf", "b-Q3_K.gguf"], "org/repo", "no Q4_K_M or Q8_0; there is: Q2_K, Q3_K"),
        (["README.md"], "org/repo", "no model in GGUF format"),
        ([], "org/repo", "no model in GGUF format"),
        (SPLIT[:2], "org/repo", "split into 3 files, and big/M-Q4_K_M-00003-of-00003.gguf is not"),
        (SPLIT[1:], "org/repo", "no model in GGUF format"),
    ],
)
def test_what_is_not_there_is_told(files: list[str], wanted: str, said: str) -> None:
    with pytest.raises(ModelProblem, match=said):
        choose(files, parse(wanted))


def test_the_only_model_needs_no_quantisation() -> None:
    assert choose(["gpt-mxfp4.gguf", "mmproj-x.gguf"], Reference("org/r")) == ["gpt-mxfp4.gguf"]


def test_a_quantisation_is_matched_as_a_whole() -> None:
    files = ["M-IQ4_K_M.gguf", "M-Q4_K_M_L.gguf", "M-UD-Q4_K_M.gguf", "M-Q4_K_M.gguf"]

    assert choose(files, Reference("org/r", "Q4_K_M")) == ["M-Q4_K_M.gguf"]
    assert choose(files[:3], Reference("org/r", "Q4_K_M")) == ["M-UD-Q4_K_M.gguf"]


@pytest.mark.parametrize("file", ["M-Q8_0.gguf", "M-IQ4_XS.gguf", SPLIT[0]])
def test_the_shortest_name_leads_back(file: str) -> None:
    name = names.shortest("org/repo", file, FILES)

    assert choose(FILES, parse(name))[0] == file
    assert ":" in name


def test_two_files_of_a_quantisation_keep_their_names() -> None:
    files = ["a-Q8_0.gguf", "bb-Q8_0.gguf"]

    assert names.shortest("org/repo", files[0], files) == "org/repo:Q8_0"
    assert names.shortest("org/repo", files[1], files) == "org/repo/bb-Q8_0.gguf"
