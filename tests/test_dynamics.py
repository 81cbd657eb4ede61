"""Phase space and operators: Eqs. (5), (7), (8), (9), (13), (14) of the paper."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call, jacrev

from hamrepro.dynamics import FAMILIES, HamiltonianOperators, PhaseSpace, embed
from hamrepro.errors import ConfigError, ShapeError
from hamrepro.symplectic import energy, is_hamiltonian, is_skew, spectral_abscissa

SEEDS = st.integers(0, 10**6)
SIZES = {
    "sp": lambda d: 2 * d * d + d,
    "u": lambda d: d * d,
    "u_sym": lambda d: d * (d + 1) // 2,
    "elliptic": lambda d: 2 * d * d + d,
}


@pytest.fixture(scope="module")
def build(device, dtype):
    def operators(actions, d, family="sp", seed=0, start="oscillators"):
        torch.manual_seed(seed)
        return HamiltonianOperators(actions, d, family, start).to(device, dtype)

    return operators


@pytest.fixture(scope="module")
def batch(draw, device):
    """States, actions and reference frames of a batch."""

    def make(seed, count, actions, d, frames):
        action = draw(seed + 2, count).abs().mul(1000).long() % actions
        reference = draw(seed + 3, count).abs().mul(1000).long() % frames
        return PhaseSpace(draw(seed, count, d), draw(seed + 1, count, d)), action, reference

    return make


@given(SEEDS, st.integers(1, 6), st.integers(1, 5))
def test_state_is_position_then_momentum(draw, seed, d, count):
    q, p = draw(seed, count, d), draw(seed + 1, count, d)
    state = PhaseSpace(q, p).state
    assert torch.equal(state[:, :d], q) and torch.equal(state[:, d:], p)
    back = PhaseSpace.from_state(state)
    assert torch.equal(back.q, q) and torch.equal(back.p, p)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_free_numbers_by_rank(build, family, d):
    module = build(1, d, family).double()

    class Generators(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.operators = module

        def forward(self):
            return self.operators.generators()

    wrapped = Generators()
    parameters = {name: value.detach() for name, value in wrapped.named_parameters()}
    jacobian = jacrev(lambda values: functional_call(wrapped, values, ()))(parameters)
    columns = torch.cat([part.reshape(4 * d * d, -1) for part in jacobian.values()], 1)
    assert torch.linalg.matrix_rank(columns, rtol=1e-9) == SIZES[family](d)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("d", [1, 6, 12])
def test_families_are_what_they_say(build, family, d):
    h = build(3, d, family).generators()
    assert h.shape == (3, 2 * d, 2 * d) and is_hamiltonian(h)
    assert is_skew(h) == family.startswith("u")
    if family == "u_sym":
        assert not h[:, :d, :d].any()


@pytest.mark.parametrize("family", ["u", "u_sym", "elliptic"])
def test_oscillation_for_any_parameters(build, family):
    for seed in range(10):
        module = build(3, 4, family, seed).double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.5 * torch.randn_like(parameter))
        assert spectral_abscissa(module.generators()).abs().max() <= 1e-9


def test_sp_can_grow(build):
    module = build(1, 2).double()
    with torch.no_grad():
        module.symmetric.add_(torch.diag(torch.tensor([-3.0, 0.0, 0.0, 0.0])).to(module.symmetric))
    assert spectral_abscissa(module.generators())[0] > 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_start_spreads_frequencies_below_nyquist(build, family):
    for d in (1, 6, 12):
        values = torch.linalg.eigvals(build(3, d, family).double().generators().cpu())
        frequencies = values.imag.abs().sort(-1).values[:, ::2]
        expected = torch.pi * (torch.arange(d) + 0.5) / d
        assert (frequencies - expected).abs().max() <= 0.35
        assert spectral_abscissa(build(3, d, family).generators()).max() <= 0.1


def test_random_start_is_the_release(build):
    free = build(2, 3, start="random").symmetric
    eye = torch.eye(6, dtype=free.dtype, device=free.device)
    assert (free @ free.mT - 2 * eye).abs().max() <= 1e-5, "orthogonal times sqrt 2"


@given(SEEDS, st.sampled_from([1, 2, 6]), st.integers(1, 4), st.integers(1, 16), st.sampled_from(FAMILIES))
def test_flow_passes_through_the_reference(build, batch, seed, d, actions, frames, family):
    module = build(actions, d, family, seed)
    state, action, reference = batch(seed, 5, actions, d, frames)
    path = module.flow(state, action, reference, frames)
    assert path.q.shape == path.p.shape == (5, frames, d)
    rows = torch.arange(5)
    assert torch.equal(path.q[rows, reference], state.q) and torch.equal(path.p[rows, reference], state.p)


@given(SEEDS, st.sampled_from([1, 2, 6]), st.sampled_from(FAMILIES))
def test_flow_keeps_each_clips_energy(build, batch, tolerance, seed, d, family):
    module = build(3, d, family, seed)
    state, action, reference = batch(seed, 5, 3, d, 8)
    path = module.flow(state, action, reference, 8).state
    energies = energy(module.generators()[action][:, None], path)
    scale = 10 * path.square().sum(-1).amax(1, keepdim=True)
    assert ((energies - energies[:, :1]).abs() <= 50 * tolerance * scale).all()


@given(SEEDS, st.sampled_from(FAMILIES))
def test_time_can_be_relabelled(build, batch, seed, family):
    module = build(3, 6, family, seed)
    state, action, reference = batch(seed, 5, 3, 6, 7)
    early, late = (module.flow(state, action, reference + shift, 8).state for shift in (0, 1))
    assert torch.equal(early[:, :-1], late[:, 1:])


@given(SEEDS, st.sampled_from(FAMILIES))
def test_any_frame_of_a_path_is_a_reference(build, batch, tolerance, seed, family):
    module = build(3, 6, family, seed)
    state, action, reference = batch(seed, 5, 3, 6, 8)
    path = module.flow(state, action, reference, 8)
    other = (reference + 3) % 8
    rows = torch.arange(5)
    again = module.flow(PhaseSpace(path.q[rows, other], path.p[rows, other]), action, other, 8)
    assert (again.state - path.state).abs().max() <= 100 * tolerance * path.state.abs().max()


@given(SEEDS, st.sampled_from(FAMILIES), st.permutations(range(4)))
def test_permuting_actions_with_u(build, batch, seed, family, order):
    module = build(4, 3, family, seed)
    state, action, reference = batch(seed, 6, 4, 3, 8)
    renamed = build(4, 3, family, seed)
    with torch.no_grad():
        for parameter in renamed.parameters():
            parameter.copy_(parameter[list(order)])
    place = torch.tensor(order).argsort().to(action.device)
    path, other = module.flow(state, action, reference, 8), renamed.flow(state, place[action], reference, 8)
    assert torch.equal(path.q, other.q) and torch.equal(path.p, other.p)
    whole = embed(path.q, action, 4).unflatten(-1, (4, 3))
    assert torch.equal(whole[:, :, list(order)], embed(other.q, place[action], 4).unflatten(-1, (4, 3)))


@given(SEEDS, st.permutations(range(6)))
def test_permuting_the_batch(build, batch, tolerance, seed, order):
    module = build(3, 6, "sp", seed)
    state, action, reference = batch(seed, 6, 3, 6, 8)
    rows = list(order)
    path = module.flow(state, action, reference, 8)
    other = module.flow(PhaseSpace(state.q[rows], state.p[rows]), action[rows], reference[rows], 8)
    assert (other.state - path.state[rows]).abs().max() <= tolerance * path.state.abs().max()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("actions", range(1, 7))
def test_other_actions_are_exactly_zero(build, batch, family, actions):
    module = build(actions, 3, family)
    for k in range(actions):
        state, _, reference = batch(k, 4, actions, 3, 8)
        action = torch.full_like(reference, k)
        module.zero_grad()
        whole = embed(module.flow(state, action, reference, 8).q, action, actions)
        blocks = whole.unflatten(-1, (actions, 3))
        others = [other for other in range(actions) if other != k]
        assert (blocks[:, :, others] == 0).all() and (blocks[:, :, k] != 0).any()
        whole.square().sum().backward()
        for parameter in module.parameters():
            if parameter.grad is not None:
                assert (parameter.grad[others] == 0).all()
        assert any((p.grad[k] != 0).any() for p in module.parameters() if p.grad is not None)


def test_gradcheck_of_the_flow_through_the_operators(build, batch):
    module = build(2, 2, "sp").double()
    state, action, reference = batch(0, 3, 2, 2, 4)
    q, p = (part.double().requires_grad_() for part in state)

    def path(q, p, free):
        flow = functional_call(module, {"symmetric": free}, (q, p))
        return embed(flow, action, 2)

    module.forward = lambda q, p: module.flow(PhaseSpace(q, p), action, reference, 4).q
    free = module.symmetric.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(path, (q, p, free))
    assert torch.autograd.gradgradcheck(path, (q, p, free), fast_mode=True)


ONE = torch.zeros(1, dtype=torch.int64)
STATE = PhaseSpace(torch.zeros(1, 2), torch.zeros(1, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda h: PhaseSpace(torch.zeros(1, 2), torch.zeros(1, 3)).state,
        lambda h: PhaseSpace.from_state(torch.zeros(1, 3)),
        lambda h: PhaseSpace.from_state(torch.tensor(1.0)),
        lambda h: h.flow(PhaseSpace(torch.zeros(1, 3), torch.zeros(1, 3)), ONE, ONE, 8),
        lambda h: h.flow(PhaseSpace(torch.zeros(2), torch.zeros(2)), ONE, ONE, 8),
        lambda h: h.flow(STATE, torch.zeros(2, dtype=torch.int64), ONE, 8),
        lambda h: h.flow(STATE, torch.zeros(1, 3), ONE, 8),
        lambda h: h.flow(STATE, ONE + 3, ONE, 8),
        lambda h: h.flow(STATE, ONE - 1, ONE, 8),
        lambda h: h.flow(STATE, ONE, ONE + 8, 8),
        lambda h: h.flow(STATE, ONE, ONE - 1, 8),
        lambda h: h.flow(STATE, ONE, ONE, 0),
        lambda h: embed(torch.zeros(1, 2), ONE, 3),
        lambda h: embed(torch.zeros(1, 8, 2), ONE + 3, 3),
        lambda h: embed(torch.zeros(2, 8, 2), ONE, 3),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(ShapeError) as caught:
        call(HamiltonianOperators(3, 2))
    assert caught.value.given and caught.value.expected


@pytest.mark.parametrize(
    "call",
    [
        lambda: HamiltonianOperators(3, 2, "so"),
        lambda: HamiltonianOperators(0, 2),
        lambda: HamiltonianOperators(3, 0),
        lambda: HamiltonianOperators(3, 2, "u", start="random"),
        lambda: HamiltonianOperators(3, 2, "sp", start="zero"),
    ],
)
def test_impossible_operators_are_named(call):
    with pytest.raises(ConfigError) as caught:
        call()
    assert caught.value.given and caught.value.expected
