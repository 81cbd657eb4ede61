"""Optimisers and schedules: who moves what at which rate, and a state that can be taken up again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_config
from torch import nn

from hamrepro.config import TrainConfig
from hamrepro.elbo import EXACT
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.models import build
from hamrepro.optimiser import Optimiser, estimate, rate
from hamrepro.precision import choose_device, choose_precision

ADAM = replace(
    tiny_config().training, optimiser="adam", schedule="constant", scale_learning_rate=None, learning_rate=1e-2
)
MUON = replace(ADAM, optimiser="muon")


class Small(nn.Module):
    """A matrix, a convolution, a norm."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)

    def forward(self, step):
        frames = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(step))
        return self.linear(self.norm(self.convolution(frames)).mean((2, 3))).square().sum()

    def matrices(self):
        return ["convolution.weight", "linear.weight"]


def updated(config, steps, model=None, optimiser=None, first=0):
    model = model or Small()
    optimiser = optimiser or Optimiser(model, config)
    for step in range(first, first + steps):
        optimiser.update(model(step), step)
    return model, optimiser


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@given(st.integers(1, 10_000), st.data())
def test_one_cycle_rises_then_falls(steps, data):
    config = replace(ADAM, schedule="one-cycle", steps=steps)
    step = data.draw(st.integers(0, steps - 1))
    warm = max(1, steps // 10)
    assert 0 < rate(config, step) <= 1
    assert rate(config, warm - 1) == 1
    if 0 < step < steps - 1:
        rises = rate(config, step) > rate(config, step - 1)
        assert rises == (step < warm) or step == warm


def test_one_cycle_ends_near_zero():
    assert rate(replace(ADAM, schedule="one-cycle", steps=1000), 999) < 1e-4


def test_constant_is_constant():
    assert {rate(ADAM, step) for step in range(0, 1000, 100)} == {1.0}


def test_adam_is_torch_adam():
    model, _ = updated(ADAM, 5)
    other = Small()
    plain = torch.optim.Adam(other.parameters(), lr=ADAM.learning_rate, betas=ADAM.betas)
    for step in range(5):
        plain.zero_grad()
        other(step).backward()
        plain.step()
    assert all(
        torch.allclose(p, q, rtol=1e-6, atol=1e-7) for p, q in zip(model.parameters(), other.parameters(), strict=True)
    )


def test_norms_and_biases_have_a_rate_of_their_own():
    before, (model, _) = Small(), updated(replace(ADAM, scale_learning_rate=1e-4), 1)
    moved = {
        name: (p - q).abs().max().item()
        for (name, p), q in zip(model.named_parameters(), before.parameters(), strict=True)
    }
    assert moved["linear.weight"] == pytest.approx(1e-2, rel=1e-2)
    assert moved["linear.bias"] == pytest.approx(1e-4, rel=1e-2)


def test_muon_moves_the_matrices_it_is_given_and_adam_the_rest():
    before, (model, optimiser) = Small(), updated(replace(MUON, muon_learning_rate=0.5), 1)
    assert {name.split("/")[0] for name in optimiser.state() if name.endswith("momentum_buffer")} == set(
        model.matrices()
    )
    moved = {
        name: (p - q).abs().max().item()
        for (name, p), q in zip(model.named_parameters(), before.parameters(), strict=True)
    }
    assert all(value > 0 for name, value in moved.items() if name != "convolution.bias")  # which the norm takes out
    assert moved["linear.weight"] > 0.05 > moved["linear.bias"]


def orthogonal(low):
    """What Muon makes of one gradient, rate 1, without momentum's scale: the update of a matrix."""
    model = nn.Linear(8, 4, bias=False)
    model.matrices = lambda: ["weight"]
    optimiser = Optimiser(model, replace(MUON, muon_learning_rate=1.0), low)
    before = model.weight.detach().clone()
    gradient = torch.randn(4, 8, generator=torch.Generator().manual_seed(1))
    optimiser.update((model.weight * gradient).sum(), 0)
    return before - model.weight.detach()


def test_products_of_muon_have_the_precision_of_the_run():
    gradient = torch.randn(4, 8, generator=torch.Generator().manual_seed(1)).double()
    x = gradient / gradient.norm()
    for _ in range(5):  # the quintic iteration of Muon, in float64
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    exact, coarse = orthogonal(False).double(), orthogonal(True).double()
    torch.testing.assert_close(exact, x, atol=1e-5, rtol=0)
    assert 1e-4 < (coarse - x).abs().max() < 0.1


def test_the_rate_follows_the_schedule():
    model, optimiser = updated(replace(MUON, schedule="one-cycle", steps=100), 1)
    factors = {group["lr"] / base for part, bases in zip(optimiser.parts, optimiser.base, strict=True)
               for group, base in zip(part.param_groups, bases, strict=True)}  # fmt: skip
    assert factors == {0.1}
    updated(None, 1, model, optimiser, first=9)
    assert optimiser.parts[0].param_groups[0]["lr"] == optimiser.base[0][0]


@pytest.mark.parametrize("config", [ADAM, MUON], ids=["adam", "muon"])
@pytest.mark.parametrize("at", [0, 1, 4])
def test_a_state_taken_up_goes_on_with_the_same_bits(config, at):
    whole, all_along = updated(config, 6)
    model, optimiser = updated(config, at)
    again = Small()
    again.load_state_dict(model.state_dict())
    fresh = Optimiser(again, config)
    fresh.load(optimiser.state())
    assert equal(fresh.state(), optimiser.state())
    updated(config, 6 - at, again, fresh, first=at)
    assert equal(whole.state_dict(), again.state_dict())
    assert equal(all_along.state(), fresh.state())


def test_a_state_is_a_copy():
    model, optimiser = updated(MUON, 1)
    taken = optimiser.state()
    state = {name: value.clone() for name, value in taken.items()}
    updated(MUON, 2, model, optimiser, first=1)
    assert equal(taken, state)


@pytest.mark.parametrize("config", [ADAM, MUON], ids=["adam", "muon"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: {"other/exp_avg": torch.zeros(2)},
        lambda state: {"": torch.zeros(2)},
        lambda state: {"linear.bias/exp_avg": torch.zeros(3)},
        lambda state: {"linear.weight/exp_avg": torch.zeros(8)},
    ],
)
def test_a_state_of_another_model_is_refused(config, spoil):
    with pytest.raises(CheckpointError, match="optimiser state"):
        updated(config, 1)[1].load(spoil(None))


@pytest.mark.parametrize("word", ["sgd", "ADAM", ""])
def test_an_unknown_optimiser_is_refused(word):
    with pytest.raises(ConfigError):
        Optimiser(Small(), replace(ADAM, optimiser=word))


@pytest.mark.parametrize("model", ["halo-sp", "halo-u"])
def test_muon_leaves_the_hamiltonian_and_the_pixels_to_adam(model):
    network = build(tiny_config(model=model), 0)
    names, shapes = set(network.matrices()), dict(network.named_parameters())
    assert names and not any(name.startswith("operators") for name in names)
    assert all(shapes[name].ndim > 1 and 3 not in shapes[name].shape[:2] for name in names)


def test_the_weight_of_the_divergence_rises_to_one():
    config = replace(ADAM, kl_warmup=0.5, steps=100)
    weights = [estimate(config, step).kl_weight for step in range(100)]
    assert weights[0] == 1 / 50 and weights[24] == 0.5
    assert weights == sorted(weights) and set(weights[49:]) == {1.0}


def test_what_has_an_onset_waits_for_it_and_then_rises():
    config = replace(ADAM, steps=1000, windows="cyclic", content_frames="apart", prior_states=0.5, periods=16,
                     content_adversary=7.0, onset=0.6)  # fmt: skip
    before, at, later, last = (estimate(config, step) for step in (599, 600, 640, 999))
    assert (before.content_frames, before.prior_states, before.periods, before.content_adversary) == ("window", 0, 1, 0)
    assert at.content_frames == "apart" and at.content_adversary == 7 and 0 < at.prior_states < 0.02
    assert later.prior_states == 0.5 and 2 < later.periods < 6
    assert last.prior_states == 0.5 and last.periods == 16
    from_the_start = estimate(replace(config, onset=0.0), 0)
    assert from_the_start.content_frames == "apart" and from_the_start.content_adversary == 7


def test_the_paper_estimates_the_bound_exactly():
    assert {estimate(TrainConfig(), step) for step in (0, 1, 10_000)} == {EXACT}


@pytest.mark.parametrize("word", ["float32", "bfloat16"])
def test_precision_is_as_asked(word):
    assert choose_precision(word, torch.device("cpu")) == word


def test_calibration_chooses_and_leaves_the_generator_alone():
    before = torch.get_rng_state()
    assert choose_precision("auto", torch.device("cpu")) in ("float32", "bfloat16")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("word", ["float16", "", "AUTO"])
def test_an_unknown_precision_is_refused(word):
    with pytest.raises(ConfigError, match="precision"):
        choose_precision(word, torch.device("cpu"))


@pytest.mark.parametrize("name", ["gpu", "cuda:99", "", "meta", "cpu:-1", "tpu"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(ConfigError, match="device"):
        choose_device(name)


def test_the_cpu_is_there():
    assert choose_device("cpu") == torch.device("cpu")
