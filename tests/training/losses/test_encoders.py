"""The encoders see what their tokenizers would give them; windows, pooling, centring."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from assistant.errors import TrainingProblem, UsageProblem
from tests.training.losses.support import PROGRAMS, roberta, save_encoder
from training.code_encoder import CodeEncoder
from training.losses import encoders
from training.losses.alignment import Reference
from training.losses.encoders import OwnEncoder
from training.losses.pooling import Center, Pooling, distance, fit
from training.losses.windows import spans, windows


def _states(encoder, ids: list[int], layer: int):
    """What transformers makes of one program with its special tokens, unpadded."""
    out = encoder.model(input_ids=torch.tensor([ids]), output_hidden_states=True)
    return out.hidden_states[layer][0]


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("layer", [0, 1])
def test_a_vector_is_that_of_the_model_on_the_tokens_with_special_ones(pooling, layer):
    encoder = roberta(30, pooling, layer)
    programs = [[7, 8, 9, 10, 11], [12, 13], [14] * 40]
    pieces = torch.zeros(3, 40, dtype=torch.int64)
    mask = torch.zeros(3, 40, dtype=torch.bool)
    for row, program in enumerate(programs):
        pieces[row, : len(program)] = torch.tensor(program)
        mask[row, : len(program)] = True
    found = encoder(encoder.table[pieces], mask)
    for row, program in enumerate(programs):
        state = _states(encoder, [0, *program, 2], layer or 2)
        right = {
            Pooling.PIECES: state[1:-1].mean(0), Pooling.MEAN: state.mean(0),
            Pooling.CLS: state[0],
        }[pooling]  # fmt: skip
        assert torch.allclose(found[row], right, atol=1e-10)


def test_the_longest_program_is_what_the_positions_leave():
    encoder = roberta(30, places=40)
    assert encoder.max_pieces == 40
    assert encoder.model.config.max_position_embeddings == 44


def test_a_layer_that_is_not_there_is_refused():
    with pytest.raises(UsageProblem, match=r"structural.layer=3"):
        roberta(30, layer=3)


def test_the_own_encoder_is_frozen_and_has_no_special_tokens():
    own = CodeEncoder(30, width=8, layers=1, heads=2, max_tokens=20)
    assert not any(p.requires_grad for p in OwnEncoder(own).parameters())
    with pytest.raises(UsageProblem, match="cls"):
        OwnEncoder(own, Pooling.CLS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A downloaded encoder: configuration, weights, tokenizer."""
    return str(save_encoder(tmp_path_factory.mktemp("encoder")))


def _load(name, folder, seed=1):
    return encoders.roberta(name, folder, "", Pooling.PIECES, 0, seed)


def test_an_encoder_is_loaded_from_a_folder_with_its_tokenizer(folder):
    encoder, tokenizer = _load("codebert", folder)
    assert encoder.opening == (0,)
    assert encoder.closing == 2
    assert torch.allclose(encoder.table, roberta(300).table.float())
    assert not any(p.requires_grad for p in encoder.parameters())
    data = PROGRAMS[1].encode()
    assert b"".join(map(tokenizer.bytes_of, tokenizer.encode(data))) == data


def test_the_random_control_has_the_shape_and_other_weights(folder):
    real, _ = _load("codebert", folder)
    control, _ = _load("random", folder)
    assert control.table.shape == real.table.shape
    assert not torch.allclose(control.table, real.table)
    assert torch.equal(control.table, _load("random", folder)[0].table)
    assert not torch.equal(control.table, _load("random", folder, seed=2)[0].table)


def test_an_encoder_that_is_not_there_is_explained(tmp_path):
    with pytest.raises(UsageProblem, match="unixcoder"):
        _load("codebort", str(tmp_path))
    with pytest.raises(TrainingProblem, match="can not be loaded"):
        _load("codebert", str(tmp_path))


def test_unixcoder_needs_its_own_special_token(folder):
    with pytest.raises(TrainingProblem, match="<encoder-only>"):
        _load("unixcoder", folder)


@given(st.integers(1, 3000), st.integers(1, 510))
def test_windows_cover_every_piece_once(pieces, limit):
    found = spans(pieces, limit)
    assert found[0][0] == 0
    assert found[-1][1] == pieces
    assert all(a[1] == b[0] for a, b in itertools.pairwise(found))
    sizes = [end - start for start, end in found]
    assert max(sizes) <= limit
    assert max(sizes) - min(sizes) <= 1
    assert len(found) == -(-pieces // limit)


def test_windows_of_several_programs_count_their_tokens_on():
    first = Reference(torch.tensor([5, 6, 7, 8, 9]), torch.tensor([0, 0, 1, 2, 2]), 3)
    second = Reference(torch.tensor([4, 3]), torch.tensor([0, 1]), 2)
    cut = windows([first, second], 3, torch.zeros(1, dtype=torch.float64))
    assert cut.pieces[cut.mask].tolist() == [5, 6, 7, 8, 9, 4, 3]
    assert cut.own[cut.mask].tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert cut.shares.tolist() == [[0.4, 0.6, 0.0], [0.0, 0.0, 1.0]]


def test_centring_moves_the_mean_away_and_whitening_spreads_alike():
    torch.manual_seed(0)
    vectors = torch.randn(500, 6, dtype=torch.float64) * torch.arange(1, 7) + 10
    assert fit(vectors, Center.NONE)(vectors) is vectors
    assert fit(vectors, Center.MEAN)(vectors).mean(0).abs().max() < 1e-10
    white = fit(vectors, Center.WHITENING, softness=0.0)(vectors)
    assert torch.allclose(white.T @ white / 500, torch.eye(6, dtype=torch.float64), atol=1e-8)
    flat = torch.cat([vectors, torch.ones(500, 1, dtype=torch.float64)], 1)
    assert fit(flat, Center.WHITENING)(flat).isfinite().all()


def test_the_distance_of_near_vectors_keeps_its_digits():
    first = torch.tensor([[1.0, 0.0]])
    second = torch.tensor([[1.0, 1e-5]])
    assert distance(first, second).item() == pytest.approx(0.5e-10, rel=1e-3)
    assert distance(first, -first).item() == pytest.approx(2.0)
    assert distance(first, 3 * first).item() == 0.0
