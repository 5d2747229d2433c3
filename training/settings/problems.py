"""Where the problems come from, and which of them are used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problems:
    """The problem set with its tests."""

    count: int = 2000
    """How many problems the world makes, evaluation included. Other sources: see `limit`."""
    source: str = "world"
    """`world` makes them; `taco`, `code_contests`, `mbpp` and `code_search_net` are public data
    sets; `own_code` takes functions with docstrings or tests from a folder of your own code."""
    folder: str = ""
    """Your code, or a data set's files on this machine. Empty: looked for under --data, then under
    ASSISTANT_DATA, then fetched from the Hugging Face hub."""
    revision: str = ""
    """Commit of the data set on the hub. Empty: the newest one, whose commit is written into
    `problems.funnel.json` so that the run can be repeated with it."""
    limit: int = 0
    """Rows that are read from the data set; 0 reads all."""
    validation_share: float = 0.02
    """Share of the problems that are not trained on, chosen by a hash of the statement."""
    heldout_share: float = 0.0
    """Share of the problems that no stage before the evaluation sees, chosen likewise."""
    max_characters: int = 20000
    """A longer statement, or longer code, is left out."""
    student_tokenizer: str = ""
    """tokenizer.json, its folder, or a model on the hub (`org/name@revision`) whose tokens are
    counted. Empty: tokens of the student are not counted."""
    max_student_tokens: int = 1536
    """Of statement and code together: 2,048 of the paper's setting less 512 for the reasoning."""
    encoder_tokenizer: str = ""
    """The same for the code encoder behind L_s. Empty: its pieces are not counted."""
    max_encoder_pieces: int = 510
    """Of the code: what the encoder reads at once. 0: any length (windows are used)."""
    near_duplicates: float = 0.8
    """Of two statements that share this much of their five-word sequences one is kept; 1 keeps
    both unless they are equal."""
    decontaminate: bool = True
    """Leave out statements that share eight words in a row with HumanEval or MBPP, where their
    data is on this machine."""
    reference: str = "shortest"
    """Which solution is learned: `shortest` or `first`, of those that parse (and pass)."""
    verify: bool = False
    """Run the tests in the sandbox; the reference is then a solution that passes them all."""
    candidates: int = 8
    """Solutions that are kept, and tried, for each problem."""
    max_examples: int = 10
    """Tests that are kept, and run, for each problem."""
    verify_seconds: float = 10.0
    """Processor time of one test."""
    workers: int = 2
    """Sandboxes side by side."""
