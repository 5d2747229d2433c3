"""Every piece belongs to the token that holds most of it, in any text; stored under both keys."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import TrainingProblem
from tests.training.losses.support import PROGRAMS, SPECIAL, aligner, byte_level
from training.losses.alignment import Aligner, ByteTokenizer, owners, stored_matrix

ALIGNER = aligner()
TEXTS = st.text(
    st.sampled_from("def area(width):\n π größ日本語😀\t0")
    | st.characters(exclude_categories=["Cs"])
)


def _holders(tokens: list[bytes], pieces: list[bytes]) -> list[int]:
    """The owner of each piece, byte by byte."""
    of_byte = [i for i, token in enumerate(tokens) for _ in token]
    found, start = [], 0
    for piece in pieces:
        inside = of_byte[start : start + len(piece)]
        found.append(max(sorted(set(inside)), key=inside.count))
        start += len(piece)
    return found


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_every_piece_is_owned_by_the_token_that_holds_most_of_it(text):
    if not text:
        return
    tokens = ALIGNER.student.encode(text.encode())
    reference = ALIGNER.reference(tokens)
    cut = [ALIGNER.encoder.bytes_of(piece) for piece in reference.pieces.tolist()]
    assert b"".join(cut) == text.encode()
    expected = _holders([ALIGNER.student.bytes_of(t) for t in tokens], cut)
    assert reference.own.tolist() == expected
    assert reference.tokens == len(tokens)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1), st.randoms(use_true_random=False))
def test_owners_of_any_two_cuts(tokens, rng):
    whole = sum(tokens)
    cuts = sorted({0, whole, *(rng.randrange(whole + 1) for _ in range(5))})
    pieces = np.diff(cuts).tolist()
    found = owners(tokens, pieces).tolist()
    assert found == _holders([b"x" * n for n in tokens], [b"x" * n for n in pieces])


def test_programs_really_have_pieces_that_straddle():
    made = aligner()
    sizes = []
    for program in PROGRAMS:
        reference = made.reference(made.student.encode(program.encode()))
        sizes.append((reference.tokens, len(reference.pieces)))
    assert any(tokens != pieces for tokens, pieces in sizes)


def test_a_special_token_in_a_program_is_text():
    text = "x = '</s>  <mask>'"
    reference = ALIGNER.reference(ALIGNER.student.encode(text.encode()))
    assert not set(reference.pieces.tolist()) & set(range(len(SPECIAL)))


def test_a_shared_tokenizer_is_the_identity():
    shared = Aligner(ALIGNER.student, byte_level(340, split=False))
    reference = shared.reference([7, 30, 7])
    assert reference.pieces.tolist() == [7, 30, 7]
    assert reference.own.tolist() == [0, 1, 2]
    table = torch.randn(340, 4)
    assert torch.equal(shared.matrix(table, 340), table)


def test_a_row_of_the_matrix_is_the_mean_of_the_pieces():
    table = torch.randn(ALIGNER.encoder.size, 5, dtype=torch.float64)
    size = ALIGNER.student.size
    matrix = ALIGNER.matrix(table, size + 3)
    halves = 0
    for token in range(size):
        data = ALIGNER.student.bytes_of(token)
        try:
            data.decode()
        except UnicodeDecodeError:
            halves += 1
        assert torch.allclose(matrix[token], table[ALIGNER.encoder.encode(data)].mean(0))
    assert halves > 100, "bytes that are no character alone have rows too"
    assert matrix[size:].abs().max() == 0


def test_a_tokenizer_that_is_not_byte_level_is_refused():
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"日": 0}, unk_token="日"))
    with pytest.raises(TrainingProblem, match="not byte-level"):
        ByteTokenizer(words).bytes_of(0)


def test_the_key_depends_on_both_tokenizers_the_table_and_the_settings():
    table = torch.randn(ALIGNER.encoder.size, 5)
    other = table.clone()
    other[3, 2] += 1e-3
    keys = {
        ALIGNER.key(table, 340, {"encoder": "a"}),
        ALIGNER.key(table, 340, {"encoder": "b"}),
        ALIGNER.key(table, 341, {"encoder": "a"}),
        ALIGNER.key(other, 340, {"encoder": "a"}),
        dataclasses.replace(ALIGNER, student=byte_level(341, split=False)).key(
            table, 340, {"encoder": "a"}
        ),
        dataclasses.replace(ALIGNER, encoder=byte_level(301, split=True)).key(
            table, 340, {"encoder": "a"}
        ),
    }
    assert len(keys) == 6
    assert aligner().key(table.clone(), 340, {"encoder": "a"}) in keys


def test_the_matrix_is_made_once_and_again_for_another_tokenizer(tmp_path, monkeypatch):
    table = torch.randn(ALIGNER.encoder.size, 5)
    first = stored_matrix(tmp_path, ALIGNER, table, 340, {})
    monkeypatch.setattr(Aligner, "matrix", lambda *_: pytest.fail("made again"))
    assert torch.equal(stored_matrix(tmp_path, ALIGNER, table, 340, {}), first)
    monkeypatch.undo()
    stored_matrix(tmp_path, Aligner(byte_level(330, split=False), ALIGNER.encoder), table, 340, {})
    assert len(list(tmp_path.iterdir())) == 2


def test_rows_of_the_head_that_no_token_has_are_zeros_with_a_shared_tokenizer_too():
    shared = Aligner(ALIGNER.student, byte_level(340, split=False))
    table = torch.randn(340, 4)
    matrix = shared.matrix(table, 347)
    assert torch.equal(matrix[:340], table)
    assert matrix[340:].abs().max() == 0
    assert len(matrix) == 347
