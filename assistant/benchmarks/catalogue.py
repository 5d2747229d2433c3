"""The benchmarks: where each one's data is, and what exactly it has to be.

A file is known by the SHA-256 of its decompressed content, so that a packed and an unpacked copy
are the same data. Downloads name a commit, never a branch, of the repository where the authors
publish the file: the Hugging Face hub has these sets as Parquet, some of them in other versions.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from assistant.errors import UsageProblem

_GITHUB = "https://github.com"


@dataclass(frozen=True, slots=True)
class Dataset:
    """One public data file."""

    name: str
    """For messages."""
    files: tuple[str, ...]
    """Names that it goes by, the usual first; `.gz` is gzip."""
    folder: str
    """Name of the folder that it is in, where benchmark data is collected."""
    repository: str
    revision: str
    path: str
    """In the repository."""
    sha256: str
    """Of the decompressed content."""
    rows: int
    licence: str

    @property
    def url(self) -> str:
        """Its public home, by commit."""
        return f"{_GITHUB}/{self.repository}/raw/{self.revision}/{self.path}"


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A set of tasks and how an answer is judged."""

    name: str
    dataset: Dataset
    prefix: str
    """Of task ids: `HumanEval/0`, `Mbpp/11`."""
    tasks: int
    plus: bool
    """Judged by the outputs of the reference solution on a base and an extended set of inputs;
    otherwise by the asserts that came with the task."""
    first: int = 0
    last: int | None = None
    """Numbers of the tasks that belong to it; None: all."""


_HUMANEVAL = Dataset(
    name="HumanEval",
    files=("HumanEval.jsonl.gz", "HumanEval.jsonl"),
    folder="humaneval",
    repository="openai/human-eval",
    revision="6d43fb980f9fee3c892a914eda09951f772ad10d",
    path="data/HumanEval.jsonl.gz",
    sha256="1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2",
    rows=164,
    licence="MIT",
)
_HUMANEVAL_PLUS = Dataset(
    name="HumanEval+ v0.1.10",
    files=("HumanEvalPlus.jsonl.gz", "HumanEvalPlus.jsonl"),
    folder="humaneval_plus",
    repository="evalplus/humanevalplus_release",
    revision="200defce9e3429d28ca215b6dd061c0f7f31c18b",
    path="HumanEvalPlus.jsonl.gz",
    sha256="42526ec0e7d5f3ee0b06d6ced98f8c8bae3d76519151bfb3d36f79010645bd7f",
    rows=164,
    licence="Apache-2.0",
)
_MBPP = Dataset(
    name="MBPP",
    files=("mbpp.jsonl", "mbpp.jsonl.gz"),
    folder="mbpp",
    repository="deepseek-ai/DeepSeek-Coder",
    revision="2f9fd85927c669dae3c0fbb2d607274023af243e",
    path="Evaluation/MBPP/data/mbpp.jsonl",
    sha256="ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
    rows=974,
    licence="CC BY 4.0",
)
_MBPP_PLUS = Dataset(
    name="MBPP+ v0.2.0",
    files=("MbppPlus.jsonl.gz", "MbppPlus.jsonl"),
    folder="mbpp_plus",
    repository="evalplus/mbppplus_release",
    revision="dadf43da556a00f7bacd71cb154f2932757d9144",
    path="MbppPlus.jsonl.gz",
    sha256="b54e762755248ca411b523c917fa9f93c07b5ff2966bf60b3917b853926a3dad",
    rows=378,
    licence="Apache-2.0",
)

BENCHMARKS: dict[str, Benchmark] = {
    one.name: one
    for one in (
        Benchmark("humaneval", _HUMANEVAL, "HumanEval", 164, plus=False),
        Benchmark("humaneval+", _HUMANEVAL_PLUS, "HumanEval", 164, plus=True),
        Benchmark("mbpp", _MBPP, "Mbpp", 500, plus=False, first=11, last=510),
        Benchmark("mbpp+", _MBPP_PLUS, "Mbpp", 378, plus=True),
    )
}
"""By the name that the command line knows."""


def find(name: str) -> Benchmark:
    """The benchmark called `name`, in whatever case.

    Raises:
        UsageProblem: there is none.
    """
    found = BENCHMARKS.get(name.lower())
    if found is not None:
        return found
    near = difflib.get_close_matches(name.lower(), BENCHMARKS, n=1)
    raise UsageProblem(
        f"There is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}.",
        hint=f"Did you mean {near[0]}?" if near else "",
    )
