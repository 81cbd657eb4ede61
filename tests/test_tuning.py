"""Operators in tune: periodic for ever, and Hamiltonian still."""

from __future__ import annotations

import pytest
import torch

from hamrepro.dynamics import FAMILIES, HamiltonianOperators, PhaseSpace
from hamrepro.errors import ShapeError
from hamrepro.free_dynamics import FreeLinearOperators, dynamics
from hamrepro.models import build
from hamrepro.presets import configure
from hamrepro.symplectic import is_hamiltonian, spectral_abscissa
from hamrepro.tuning import TunedOperators, in_tune, tuned

K, D = 3, 4
LINEAR = (*FAMILIES, "linear")


def generators(family, period=8):
    torch.manual_seed(period)
    return dynamics(K, D, family).double().generators().detach()


@pytest.mark.parametrize("period", [1, 2, 5, 8, 16])
@pytest.mark.parametrize("family", LINEAR)
def test_the_flow_comes_back_after_a_period_and_not_before(family, period):
    found = tuned(generators(family, period), period)
    turns = torch.stack([torch.matrix_exp(frames * found) for frames in range(1, period + 1)])
    eye = torch.eye(2 * D, dtype=found.dtype)
    torch.testing.assert_close(turns[-1], eye.expand_as(turns[-1]), atol=1e-8, rtol=0)
    assert all((turn - eye).abs().amax() > 0.1 for turn in turns[:-1])


@pytest.mark.parametrize("family", FAMILIES)
def test_it_stays_in_the_algebra(family):
    found = tuned(generators(family), 8)
    assert is_hamiltonian(found)
    assert float(spectral_abscissa(found).amax()) < 1e-10


@pytest.mark.parametrize("family", ["u", "u_sym"])
def test_skew_symmetric_stays_so(family):
    found = tuned(generators(family), 8)
    torch.testing.assert_close(found, -found.mT, atol=1e-10, rtol=0)


@pytest.mark.parametrize("family", LINEAR)
def test_what_is_in_tune_is_left_alone(family):
    once = tuned(generators(family), 8)
    torch.testing.assert_close(tuned(once, 8), once, atol=1e-8, rtol=0)


def test_the_nearest_overtone_is_taken():
    """Two oscillators at 1.1 and 2.9 eighths of a turn a frame go to 1 and 3."""
    eighth = 2 * torch.pi / 8
    frequencies = torch.tensor([1.1, 2.9], dtype=torch.float64) * eighth
    zero = torch.zeros(2, 2, dtype=torch.float64)
    h = torch.cat([torch.cat([zero, frequencies.diag()], 1), torch.cat([-frequencies.diag(), zero], 1)])[None]
    found = torch.linalg.eigvals(tuned(h, 8)).imag.sort().values[0]
    torch.testing.assert_close(found, torch.tensor([-3.0, -1, 1, 3], dtype=torch.float64) * eighth)


@pytest.mark.parametrize("family", LINEAR)
def test_far_frames_are_near_frames(family):
    torch.manual_seed(0)
    operators = TunedOperators(dynamics(K, D, family), 8)
    state = PhaseSpace(torch.randn(K, D), torch.randn(K, D))
    path = operators.flow(state, torch.arange(K), torch.tensor([0, 3, 999]), 1000).state
    torch.testing.assert_close(path[:, :8], path[:, 992:], atol=0, rtol=0)
    torch.testing.assert_close(path[torch.arange(K), [0, 3, 999]], state.state, atol=1e-5, rtol=0)
    assert operators.powers(1).shape == (K, 1, 2 * D, 2 * D)


def test_a_model_in_tune_is_another_model():
    model = build(configure("smoke", "sprites-procedural", "halo-sp"), 0)
    before = model.operators.generators().clone()
    other = in_tune(model, 8)
    assert isinstance(model.operators, HamiltonianOperators)
    assert torch.equal(model.operators.generators(), before)
    assert not torch.equal(other.operators.generators(), before)
    assert other.decoder is not model.decoder


@pytest.mark.parametrize("name", ["halo-gru", "dsvae", "mocogan"])
def test_what_has_no_frequencies_cannot_be_tuned(name):
    assert in_tune(build(configure("smoke", "sprites-procedural", name), 0), 8) is None


@pytest.mark.parametrize(
    "h, period",
    [
        (torch.zeros(2, 3, 4), 8),
        (torch.zeros(4, 4), 8),
        (torch.zeros(1, 4, 4), 0),
        (torch.full((1, 4, 4), torch.nan), 8),
    ],
)
def test_what_is_no_generator_is_refused(h, period):
    with pytest.raises(ShapeError, match="T >= 1"):
        tuned(h, period)


def test_without_a_basis_of_eigenvectors_it_refuses():
    """A free particle: q grows with p for ever, and no frequency describes that."""
    operators = FreeLinearOperators(1, 2)
    drift = torch.zeros(1, 4, 4)
    drift[0, 0, 2] = drift[0, 1, 3] = 1
    operators.generator = torch.nn.Parameter(drift)
    with pytest.raises(ShapeError, match="no basis"):
        TunedOperators(operators, 8)
    model = build(configure("smoke", "sprites-procedural", "halo-linear"), 0)
    model.operators = operators
    assert in_tune(model, 8) is None
