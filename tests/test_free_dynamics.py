"""Dynamics without a Hamiltonian: what they share with the flow, and what they lack."""

from __future__ import annotations

import pytest
import torch
from tiny import TinyClips

from hamrepro.dynamics import HamiltonianOperators, PhaseSpace
from hamrepro.errors import ConfigError, ShapeError
from hamrepro.evaluate import score_frames
from hamrepro.free_dynamics import FreeLinearOperators, GatedDynamics, dynamics
from hamrepro.models import build
from hamrepro.presets import configure
from hamrepro.randomness import generator
from hamrepro.symplectic import is_hamiltonian

K, D, T, B = 3, 4, 8, 5
ACTION = torch.tensor([0, 1, 2, 1, 0])
REFERENCE = torch.tensor([0, 7, 3, 4, 6])
FAMILIES = ("sp", "elliptic", "linear", "gru")


@pytest.fixture
def make(device, dtype):
    return lambda family: dynamics(K, D, family).to(device, dtype)


@pytest.fixture
def state(draw):
    return PhaseSpace(draw(1, B, D), draw(2, B, D))


def flow(module, state, action=ACTION, reference=REFERENCE, frames=T):
    return module.flow(state, action.to(state.q.device), reference.to(state.q.device), frames).state


@pytest.mark.parametrize("family", FAMILIES)
def test_the_reference_frame_stays(family, make, state, tolerance):
    path = flow(make(family), state)
    assert path.shape == (B, T, 2 * D)
    torch.testing.assert_close(path[torch.arange(B), REFERENCE], state.state, atol=100 * tolerance, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_frame(family, make, state):
    path = flow(make(family), state, reference=torch.zeros(B, dtype=torch.int64), frames=1)
    torch.testing.assert_close(path[:, 0], state.state)


def test_linear_agrees_with_the_exponential(make, state, tolerance):
    module = make("linear")
    path = flow(module, state)
    for row in range(B):
        for frame in range(T):
            step = torch.linalg.matrix_exp((frame - REFERENCE[row]) * module.generators()[ACTION[row]])
            expected = step @ state.state[row]
            torch.testing.assert_close(path[row, frame], expected, atol=1e3 * tolerance, rtol=1e3 * tolerance)


def test_linear_is_reversible(make, tolerance):
    powers = make("linear").powers(T)
    eye = torch.eye(2 * D, dtype=powers.dtype, device=powers.device)
    for offset in range(T):
        both = powers[:, T - 1 + offset] @ powers[:, T - 1 - offset]
        torch.testing.assert_close(both, eye.expand_as(both), atol=1e4 * tolerance, rtol=0)


def test_linear_holds_every_hamiltonian(make, state, tolerance):
    free, bound = make("linear"), make("sp")
    with torch.no_grad():
        free.generator.copy_(bound.generators())
    torch.testing.assert_close(flow(free, state), flow(bound, state), atol=1e4 * tolerance, rtol=1e4 * tolerance)


def test_linear_is_bound_to_nothing():
    module = FreeLinearOperators(K, D)
    assert not is_hamiltonian(module.generators(), 1e-4)
    assert sum(p.numel() for p in module.parameters()) == K * 4 * D**2
    with torch.no_grad():
        module.generator.add_(0.3 * torch.eye(2 * D))
    assert (module.growth_rates() > 0.2).all(), "a mode may grow, and the growth rate says so"
    assert HamiltonianOperators(K, D, "elliptic").growth_rates().abs().max() < 1e-6


def test_linear_starts_as_oscillators():
    rates = torch.linalg.eigvals(FreeLinearOperators(1, 6).generators().detach().double())
    assert rates.real.abs().max() < 0.2
    assert rates.imag.max().item() == pytest.approx(torch.pi * 5.5 / 6, abs=0.15)


def test_gated_listens_to_the_action(make, state):
    module = make("gru")
    same, other = flow(module, state), flow(module, state, action=(ACTION + 1) % K)
    moved = (same - other).abs().amax(-1) > 0
    away = torch.arange(T) != REFERENCE[:, None]
    assert (moved.cpu() == away).all()
    assert len(module.growth_rates()) == 0


def test_gated_has_no_group_property(make, state):
    """Going there and back does not return: nothing is conserved."""
    module, start = make("gru"), torch.zeros(B, dtype=torch.int64)
    there = flow(module, state, reference=start)[:, -1]
    back = flow(module, PhaseSpace.from_state(there), reference=start + T - 1)[:, 0]
    assert (back - state.state).abs().max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_every_parameter(family, make, state):
    module = make(family)
    flow(module, state).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


@pytest.mark.parametrize("family", ["linear", "gru"])
def test_bad_shapes_are_refused(family, make, state):
    module = make(family)
    with pytest.raises(ShapeError, match="action"):
        flow(module, state, action=ACTION + 1)
    with pytest.raises(ShapeError, match="reference"):
        flow(module, state, reference=REFERENCE + 1)
    with pytest.raises(ShapeError):
        flow(module, PhaseSpace(state.q[:, 1:], state.p[:, 1:]))


def test_gated_far_ahead_stays_bounded(make, state):
    path = flow(make("gru"), state, reference=torch.zeros(B, dtype=torch.int64), frames=200)
    assert path.isfinite().all()
    assert path.abs().max() < 50


@pytest.mark.parametrize("name", ["halo-elliptic", "halo-linear", "halo-gru", "halo-u+k9"])
def test_models_of_the_ablation(name):
    config = configure("smoke", "sprites", name)
    model = build(config, 0).train()
    clips = torch.rand(3, T, 3, 64, 64, generator=generator(0, "window")) * 2 - 1
    terms = model.loss(clips, torch.tensor([0, 1, config.network.actions - 1]), lambda stream: generator(0, stream))
    terms["loss"].backward()
    assert all(term.isfinite() for term in terms.values())
    network = config.network
    assert model.decoder[0].in_features == network.content + network.actions * network.half_dimension
    rates = model.diagnostics()
    assert len(rates) == (0 if name == "halo-gru" else config.network.actions)


def test_k9_is_labelled_by_action_and_view():
    network = configure("laptop", "sprites", "halo-u+k9").network
    assert (network.actions, network.label) == (9, "action_view")
    with pytest.raises(ConfigError, match="views"):
        configure("laptop", "faces-procedural", "halo-u+k9")


def test_isinstance_of_each_family():
    kinds = {"linear": FreeLinearOperators, "gru": GatedDynamics, "sp": HamiltonianOperators}
    assert all(isinstance(dynamics(2, 2, family), kind) for family, kind in kinds.items())
    with pytest.raises(ConfigError):
        dynamics(2, 2, "quadratic")


def test_evaluation_gives_every_model_its_own_label():
    clips, told = TinyClips(), []
    clips.targets["action_view"] = clips.targets["action"] * 3 + clips.targets["view"]

    def generate(given, action, frames, skip, conditioning):
        told.append(action)
        return given[:, :frames].float() / 255

    for label in ("action", "action_view"):
        score_frames(generate, clips, torch.arange(6), "clip", frames=4, label=label)
        assert torch.equal(told[-1], clips.targets[label])
