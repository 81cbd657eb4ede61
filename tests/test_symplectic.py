"""J, sp(2d), u(d) and the flow: Definitions 1-8, Eqs. (7), (8) of the paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from hamrepro import symplectic as sy
from hamrepro.errors import ShapeError

SEEDS = st.integers(0, 10**6)
HALVES = st.integers(1, 6)
SCALES = st.floats(0.01, 0.4)
DTYPES = {torch.float64: 1e-12, torch.float32: 5e-6}


def random_sp(draw, seed, d, scale=0.3, count=1):
    return sy.sp_element(scale * draw(seed, count, 2 * d, 2 * d))


def random_u(draw, seed, d, scale=0.5, count=1):
    return sy.u_element(scale * draw(seed, count, d, d), scale * draw(seed + 1, count, d, d))


def norm(matrix):
    return torch.linalg.matrix_norm(matrix, 2)


@pytest.mark.parametrize("d", [1, 2, 6, 12])
def test_form(d, dtype, device):
    j = sy.symplectic_form(d, dtype=dtype, device=device)
    eye = torch.eye(2 * d, dtype=dtype, device=device)
    assert j.dtype == dtype and torch.equal(j.mT, -j) and torch.equal(j @ j, -eye)
    assert sy.is_symplectic(j) and sy.is_hamiltonian(j) and sy.is_skew(j)


@given(SEEDS, HALVES, SCALES)
def test_sp_membership(draw, seed, d, scale):
    h = random_sp(draw, seed, d, scale)[0]
    j = sy.symplectic_form(d, dtype=h.dtype, device=h.device)
    assert torch.equal((j @ h).mT, j @ h), "J H is symmetric to the last bit"
    assert sy.is_hamiltonian(h) and torch.equal(h[:d, :d].mT, -h[d:, d:]), "so the trace is 0 and volume is kept"
    assert not sy.is_hamiltonian(h + scale * torch.eye(2 * d, dtype=h.dtype, device=h.device))


@given(SEEDS, HALVES, SCALES)
def test_u_membership(draw, seed, d, scale):
    h = random_u(draw, seed, d, scale)[0]
    j = sy.symplectic_form(d, dtype=h.dtype, device=h.device)
    assert torch.equal(h.mT, -h) and torch.equal((j @ h).mT, j @ h)
    assert sy.is_hamiltonian(h) and sy.is_skew(h)
    assert torch.equal(h @ j, j @ h), "u(d) is the part of sp(2d) that commutes with J"


@pytest.mark.parametrize("d", range(1, 13))
def test_dimensions_by_rank(d, device):
    basis = torch.eye(4 * d * d, dtype=torch.float64, device=device).view(-1, 2 * d, 2 * d)
    assert torch.linalg.matrix_rank(sy.sp_element(basis).flatten(1)) == 2 * d * d + d
    half = torch.eye(d * d, dtype=torch.float64, device=device).view(-1, d, d)
    skew = sy.u_element(half, torch.zeros_like(half)).flatten(1)
    symmetric = sy.u_element(torch.zeros_like(half), half).flatten(1)
    assert torch.linalg.matrix_rank(symmetric) == d * (d + 1) // 2, "u_sym, the release"
    assert torch.linalg.matrix_rank(skew) == d * (d - 1) // 2, "so(d), the paper's printed count"
    assert torch.linalg.matrix_rank(torch.cat([skew, symmetric])) == d * d, "u(d)"


@given(SEEDS, HALVES, SCALES)
def test_lie_algebra_is_closed_but_products_leave_it(draw, tolerance, seed, d, scale):
    a, b = random_sp(draw, seed, d, scale)[0], random_sp(draw, seed + 7, d, scale)[0]
    assert sy.is_hamiltonian(a @ b - b @ a, tolerance)
    assert not sy.is_hamiltonian(a @ a), "the algebra is no group under multiplication, against Definition 1"


@given(SEEDS, HALVES, SCALES, st.integers(1, 9))
def test_flow_is_symplectic(draw, tolerance, seed, d, scale, frames):
    flow = sy.flow_powers(random_sp(draw, seed, d, scale), frames)[0]
    size = norm(flow).square().max()
    assert sy.symplectic_residual(flow) <= 10 * tolerance * size
    assert (torch.linalg.det(flow) - 1).abs().max() <= 100 * tolerance * size
    residual = flow @ sy.symplectic_inverse(flow) - torch.eye(2 * d, dtype=flow.dtype, device=flow.device)
    assert residual.abs().max() <= 10 * tolerance * size


@given(SEEDS, HALVES, SCALES, st.integers(2, 9))
def test_group_law(draw, tolerance, seed, d, scale, frames):
    flow = sy.flow_powers(random_sp(draw, seed, d, scale), frames)[0]
    for a in range(1 - frames, frames):
        for b in range(max(1 - frames - a, 1 - frames), min(frames - a, frames)):
            left, right = flow[frames - 1 + a], flow[frames - 1 + b]
            gap = norm(left @ right - flow[frames - 1 + a + b])
            assert gap <= 10 * tolerance * norm(left) * norm(right)


@pytest.mark.parametrize("precision", DTYPES, ids=str)
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 13, 16])
@pytest.mark.parametrize("element", [random_sp, random_u])
def test_every_offset_equals_scipy(draw, device, precision, frames, element):
    d, limit = 6, DTYPES[precision]
    h = element(draw, frames, d, 0.1, count=3).to(precision)
    flow = sy.flow_powers(h, frames)
    assert flow.shape == (3, 2 * frames - 1, 2 * d, 2 * d) and flow.dtype == precision
    for k in range(3):
        for offset in range(1 - frames, frames):
            exact = scipy.linalg.expm(offset * h[k].double().cpu().numpy())
            gap = np.linalg.norm(flow[k, frames - 1 + offset].double().cpu().numpy() - exact, 2)
            assert gap <= limit * np.linalg.norm(exact, 2), (k, offset)


@pytest.mark.parametrize("precision", DTYPES, ids=str)
def test_one_oscillator_of_any_frequency(device, precision):
    """A lone operator too: `torch.linalg.matrix_exp` alone is wrong by 5e-5 there (pytorch issue 196592)."""
    for omega in np.geomspace(1e-6, math.pi, 200):
        angle = torch.tensor([[[omega]]], dtype=precision, device=device, requires_grad=True)
        flow = sy.flow_powers(sy.u_element(torch.zeros_like(angle), angle), 2)[0, 2]
        (slope,) = torch.autograd.grad(flow[0, 1], angle)
        assert abs(flow[0, 1].item() - math.sin(angle.item())) <= DTYPES[precision]
        assert abs(slope.item() - math.cos(angle.item())) <= DTYPES[precision]


def test_zero_offset_is_the_identity_to_the_bit(draw, device):
    h = random_sp(draw, 0, 3, count=2)
    eye = torch.eye(6, dtype=h.dtype, device=device).expand(2, 6, 6)
    for frames in (1, 2, 7):
        assert torch.equal(sy.flow_powers(h, frames)[:, frames - 1], eye)


@pytest.mark.parametrize("scale", [0.0, 1e-3, 0.3, 3.0])
@pytest.mark.parametrize("random", [random_sp, random_u])
def test_without_reading_the_norm_the_exponential_is_the_same(draw, random, scale):
    results = []
    for read in (True, False):
        h = random(draw, 3, 6, count=3, scale=scale).double().requires_grad_()
        value = sy._exponential(h, read)
        results.append((value.detach(), *torch.autograd.grad((value / value.detach().abs().amax()).sin().sum(), h)))
    for read, unread in zip(*results, strict=True):
        assert (read - unread).abs().max() <= 1e-13 * (1 + read.abs().max())


def test_off_the_cpu_nothing_is_read_and_what_is_out_of_reach_is_not_a_number(draw):
    assert sy._exponential(torch.empty(3, 12, 12, device="meta")).shape == (3, 12, 12)
    turn = sy.symplectic_form(1, dtype=torch.float64)
    for norm, tolerance in ((128, 1e-12), (256, 1e-11), (sy.LARGEST, 1e-6)):
        pair = [sy._exponential(norm * turn[None], read) for read in (False, True)]
        assert torch.allclose(*pair, rtol=0, atol=tolerance)
    assert sy._exponential((sy.LARGEST + 1) * turn[None], False).isnan().all()


def test_constants_made_without_gradients_serve_where_there_are_some():
    with torch.inference_mode():
        sy.flow_powers(torch.zeros(1, 14, 14), 3)
    h = torch.zeros(1, 14, 14, requires_grad=True)
    sy.flow_powers(h, 3).sum().backward()
    assert h.grad.abs().max() > 0


def test_half_precision_and_autocast_never_reach_the_exponential(draw, device):
    h = random_sp(draw, 0, 6)
    assert sy.flow_powers(h.bfloat16(), 8).dtype == torch.float32
    plain = sy.flow_powers(h.float(), 8)
    with torch.autocast(device.type, dtype=torch.bfloat16):
        assert torch.equal(sy.flow_powers(h.float(), 8), plain)


@given(SEEDS, HALVES)
def test_u_conserves_energy_for_a_thousand_frames(draw, dtype, seed, d):
    h = random_u(draw, seed, d)
    state = draw(seed + 2, 2 * d)
    forward = sy.flow_powers(h, 1000)[0, 999:] @ state
    scale = norm(h[0]) * state.square().sum()
    drift = (sy.energy(h[0], forward) - sy.energy(h[0], state)).abs().max()
    assert drift <= (1e-10 if dtype == torch.float64 else 1e-3) * scale


@given(SEEDS, HALVES)
def test_sp_conserves_energy_for_64_frames(draw, tolerance, seed, d):
    h = random_sp(draw, seed, d, 0.1)
    state = draw(seed + 2, 2 * d)
    flow = sy.flow_powers(h, 64)[0, 63:]
    scale = norm(h[0]) * state.square().sum() * norm(flow).square()
    drift = (sy.energy(h[0], flow @ state) - sy.energy(h[0], state)).abs()
    assert (drift <= 100 * tolerance * scale).all()


@given(SEEDS, HALVES, st.sampled_from([8, 16, 64]))
def test_reversible(draw, tolerance, seed, d, frames):
    h, state = random_sp(draw, seed, d, 0.1), draw(seed + 2, 2 * d)
    flow = sy.flow_powers(h, frames)[0]
    there = flow[-1] @ state
    gap = torch.linalg.vector_norm(flow[0] @ there - state)
    assert gap <= 10 * tolerance * norm(flow[-1]).square() * torch.linalg.vector_norm(state)


@given(SEEDS, HALVES)
def test_u_flows_are_orthogonal_and_keep_the_prior(draw, tolerance, seed, d):
    flow = sy.flow_powers(random_u(draw, seed, d), 16)[0]
    eye = torch.eye(2 * d, dtype=flow.dtype, device=flow.device)
    assert (flow @ flow.mT - eye).abs().max() <= 20 * tolerance, "N(0, I) at one frame is N(0, I) at every frame"


@given(SEEDS, HALVES)
def test_hamilton_equations(draw, tolerance, seed, d):
    h, state = random_sp(draw, seed, d)[0], draw(seed + 2, 2 * d).requires_grad_()
    (gradient,) = torch.autograd.grad(sy.energy(h, state), state)
    velocity = (h @ state).detach()
    assert (velocity[:d] - gradient[d:]).abs().max() <= 10 * tolerance, "dq/dt = dE/dp"
    assert (velocity[d:] + gradient[:d]).abs().max() <= 10 * tolerance, "dp/dt = -dE/dq"


@given(SEEDS, HALVES, st.floats(0.001, 0.9))
def test_positive_definite_energies_are_strongly_stable(draw, seed, d, part):
    factor = draw(seed, 2 * d, 2 * d).double()
    m = factor @ factor.mT / (2 * d) + 0.1 * torch.eye(2 * d, dtype=torch.float64, device=factor.device)
    nudge = draw(seed + 1, 2 * d, 2 * d).double()
    nudge = (nudge + nudge.mT) / norm(nudge + nudge.mT)
    least = torch.linalg.eigvalsh(m)[0]
    both = torch.stack([sy.sp_element(m), sy.sp_element(m + part * least * nudge)])
    assert sy.spectral_abscissa(both).max() <= 1e-10


def test_krein_collision_leaves_the_axis():
    for coupling in (0.0, 1e-3, 1e-2):  # two oscillators of one frequency and opposite sign of energy
        m = torch.diag(torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64))
        m[0, 1] = m[1, 0] = coupling
        abscissa = float(sy.spectral_abscissa(sy.sp_element(m)[None])[0])
        assert abscissa == pytest.approx(coupling / 2, rel=1e-3, abs=1e-7)


def test_saddle_grows_at_its_abscissa():
    h = torch.tensor([[[0.25, 0.0], [0.0, -0.25]]], dtype=torch.float64)
    assert sy.is_hamiltonian(h) and float(sy.spectral_abscissa(h)) == 0.25
    assert norm(sy.flow_powers(h, 9)[0, -1]) == pytest.approx(math.exp(2), rel=1e-12)


@pytest.mark.parametrize("count", [1, 3, 6])
@pytest.mark.parametrize("d", [1, 2, 6])
def test_gradients(draw, d, count):
    free = (0.3 * draw(d, count, 2 * d, 2 * d)).double().requires_grad_()

    def flow(matrix):
        return sy.flow_powers(sy.sp_element(matrix), 4)

    assert torch.autograd.gradcheck(flow, free, fast_mode=True)
    if d * count <= 3:
        assert torch.autograd.gradcheck(flow, free)
        assert torch.autograd.gradgradcheck(flow, free, fast_mode=True)


SQUARE, ODD, WIDE = torch.zeros(4, 4), torch.zeros(3, 3), torch.zeros(4, 6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: sy.symplectic_form(0),
        lambda: sy.sp_element(ODD),
        lambda: sy.sp_element(WIDE),
        lambda: sy.sp_element(torch.zeros(0, 0)),
        lambda: sy.sp_element(torch.zeros(4)),
        lambda: sy.u_element(SQUARE, ODD),
        lambda: sy.u_element(WIDE, WIDE),
        lambda: sy.is_hamiltonian(ODD),
        lambda: sy.is_symplectic(WIDE),
        lambda: sy.is_skew(WIDE),
        lambda: sy.symplectic_residual(ODD),
        lambda: sy.symplectic_inverse(ODD),
        lambda: sy.flow_powers(SQUARE, 8),
        lambda: sy.flow_powers(SQUARE[None], 0),
        lambda: sy.flow_powers(ODD[None], 8),
        lambda: sy.energy(SQUARE, torch.zeros(6)),
        lambda: sy.energy(ODD, torch.zeros(3)),
        lambda: sy.is_skew(torch.zeros(0, 2, 2)),
        lambda: sy.is_hamiltonian(torch.zeros(2, 2, dtype=torch.complex64)),
        lambda: sy.spectral_abscissa(torch.zeros(1, 2, 3)),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(ShapeError) as caught:
        call()
    assert caught.value.given and caught.value.expected


def test_not_a_number_is_in_no_group():
    bad = torch.full((2, 2), math.nan)
    assert not (sy.is_hamiltonian(bad) or sy.is_symplectic(bad) or sy.is_skew(bad))


def test_what_is_infinite_or_beyond_its_type_is_in_no_group():
    endless = torch.tensor([[math.inf, 0.0], [0.0, 0.0]])
    assert not (sy.is_hamiltonian(endless) or sy.is_symplectic(endless) or sy.is_skew(endless))
    assert not sy.is_symplectic(1e20 * torch.eye(2)) and not sy.is_symplectic(300 * torch.eye(2).half())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_growth_of_what_is_not_finite_is_nan(value):
    h = sy.u_element(torch.zeros(2, 3, 3), torch.eye(3).expand(2, 3, 3))
    h[1, 0, 0] = value
    assert sy.spectral_abscissa(h)[0].abs() < 1e-12 and sy.spectral_abscissa(h)[1].isnan()
