"""Diagonal Gaussians and the emission: Eqs. (6), (15)-(17) of the paper."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Independent, Normal, kl_divergence

from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian, emission_log_prob

SEEDS = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def gaussian(draw):
    def make(seed, *shape):
        return Gaussian(draw(seed, *shape), 0.7 * draw(seed + 1, *shape))

    return make


def reference(g):
    return Independent(Normal(g.mean, g.log_std.exp()), 1)


def standard(g):
    return Gaussian(torch.zeros_like(g.mean), torch.zeros_like(g.log_std))


def close(left, right, limit):
    return bool(((left - right).abs() <= limit * (1 + right.abs())).all())


@given(SEEDS, st.integers(1, 20), st.integers(1, 4))
def test_against_torch_distributions(gaussian, draw, tolerance, seed, n, count):
    q, prior, value = gaussian(seed, count, n), gaussian(seed + 2, count, n), draw(seed + 4, count, n)
    limit = 20 * tolerance * n
    assert q.kl().shape == (count,)
    assert close(q.kl(), kl_divergence(reference(q), reference(standard(q))), limit)
    assert close(q.kl_from(prior), kl_divergence(reference(q), reference(prior)), limit)
    assert close(q.kl_from(standard(q)), q.kl(), limit)
    assert close(q.log_prob(value), reference(q).log_prob(value), limit)


@given(SEEDS, st.integers(1, 20))
def test_divergence_is_positive_and_zero_only_at_home(gaussian, seed, n):
    q, prior = gaussian(seed, 3, n), gaussian(seed + 2, 3, n)
    assert (q.kl() > 0).all() and (q.kl_from(prior) > 0).all()
    assert (q.kl_from(q) == 0).all() and (standard(q).kl() == 0).all()


def test_divergence_is_exact_next_to_the_prior(device):
    """exp(2 log sigma) - 1 - 2 log sigma would be noise of 1e-7, of either sign, in float32."""
    log_std = torch.logspace(-12, -2, 300, device=device)[:, None]
    for sign in (1, -1):
        kl = Gaussian(torch.zeros_like(log_std), sign * log_std).kl()
        assert (kl >= 0).all()
        exact = log_std[:, 0].double().square()
        assert ((kl - exact).abs() <= 0.02 * exact + 1e-7 * log_std[:, 0]).all()


@pytest.mark.parametrize("seed", range(4))
def test_divergence_against_monte_carlo(gaussian, draw, seed):
    q, prior = gaussian(seed, 3), gaussian(seed + 10, 3)
    sample = q.mean + q.log_std.exp() * draw(seed + 20, 200_000, 3)
    for kl, target in ((q.kl(), standard(q)), (q.kl_from(prior), prior)):
        ratio = q.log_prob(sample) - target.log_prob(sample)
        assert (ratio.mean() - kl).abs() <= 4 * ratio.std() / math.sqrt(len(ratio))


@given(SEEDS, st.integers(1, 8))
def test_draws_are_reparametrised(gaussian, draw, seed, n):
    q, noise = gaussian(seed, 2, n), draw(seed + 2, 2, n)
    assert torch.equal(q.sample(torch.zeros_like(noise)), q.mean)
    mean, log_std = (part.clone().requires_grad_() for part in q)
    sample = Gaussian(mean, log_std).sample(noise)
    slopes = torch.autograd.grad(sample.sum(), (mean, log_std))
    assert torch.equal(slopes[0], torch.ones_like(mean)) and torch.equal(slopes[1], log_std.exp() * noise)


def test_moments_of_draws(gaussian, draw):
    q, count = gaussian(0, 4), 100_000
    wide = Gaussian(*(part.expand(count, 4) for part in q))
    sample = wide.sample(draw(5, count, 4))
    assert ((sample.mean(0) - q.mean).abs() <= 4 * q.log_std.exp() / math.sqrt(count)).all()
    assert ((sample.std(0).log() - q.log_std).abs() <= 4 / math.sqrt(2 * count)).all()


def test_gradients(gaussian):
    parts = [part.double().requires_grad_() for part in (*gaussian(0, 2, 3), *gaussian(4, 2, 3))]

    def divergences(mean, log_std, other_mean, other_log_std):
        q = Gaussian(mean, log_std)
        return q.kl(), q.kl_from(Gaussian(other_mean, other_log_std)), q.log_prob(other_mean)

    assert torch.autograd.gradcheck(divergences, parts)
    assert torch.autograd.gradgradcheck(divergences, parts)


@given(SEEDS, st.integers(1, 3), st.integers(1, 5))
def test_emission_is_a_unit_gaussian(draw, tolerance, seed, frames, side):
    x, means = draw(seed, 2, frames, 3, side, side), draw(seed + 1, 2, frames, 3, side, side)
    normal = Independent(Normal(means, torch.ones_like(means)), 3).log_prob(x)
    full, short = emission_log_prob(x, means, constant=True), emission_log_prob(x, means)
    assert full.shape == (2, frames) and close(full, normal, 100 * tolerance)
    constant = -0.5 * 3 * side * side * math.log(2 * math.pi)
    assert close(full - short, torch.full_like(full, constant), 100 * tolerance), "once per frame"
    assert (emission_log_prob(x, x) == 0).all()


def test_emission_adds_in_float32(device):
    x = torch.full((1, 3, 64, 64), 0.5, dtype=torch.bfloat16, device=device)
    nats = emission_log_prob(x, torch.zeros_like(x))
    assert nats.dtype == torch.float32 and nats.item() == -0.5 * 0.25 * 3 * 64 * 64


@pytest.mark.parametrize(
    "call",
    [
        lambda: Gaussian(torch.zeros(2, 3), torch.zeros(2, 3)).sample(torch.zeros(3)),
        lambda: emission_log_prob(torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)),
        lambda: emission_log_prob(torch.zeros(2, 3, 4, 4), torch.zeros(3, 4, 4)),
        lambda: emission_log_prob(torch.zeros(4, 4), torch.zeros(4, 4)),
    ],
)
def test_wrong_shapes_are_named(call):
    with pytest.raises(ShapeError) as caught:
        call()
    assert caught.value.given and caught.value.expected


def test_draws_are_samples_of_noise_in_turn():
    gaussian = Gaussian(torch.full((5, 3), 2.0), torch.zeros(5, 3))
    drawn = gaussian.draws(4, torch.Generator().manual_seed(1))
    noise = torch.Generator().manual_seed(1)
    assert torch.equal(drawn, torch.stack([2 + torch.randn(5, 3, generator=noise) for _ in range(4)]))
