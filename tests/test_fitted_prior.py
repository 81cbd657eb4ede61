"""The prior fitted after training: it draws what the encoder gives, for the action asked for."""

from __future__ import annotations

import math

import pytest
import torch
from coded_clips import CodedClips, Oracle
from scipy import stats
from tiny import tiny_config

from hamrepro.aggregate_posterior import divergence, moments, posteriors
from hamrepro.baselines.sequential import SequentialVae
from hamrepro.disentanglement import evaluate_protocols
from hamrepro.errors import DataError, NonFiniteError
from hamrepro.fitted_prior import FittedPrior, Mixture, fit_mixture, fit_prior, with_fitted_prior
from hamrepro.gaussian import Gaussian
from hamrepro.models import build
from hamrepro.randomness import generator

N = 3


@pytest.fixture(scope="module")
def clips():
    return CodedClips(people=9)


@pytest.fixture(scope="module")
def halo():
    return build(tiny_config(model="halo-sp"), 0).eval()


def cloud(count=4000, seed=0):
    """Posteriors whose means are N(m, S), and m, S with the posteriors' own variance."""
    noise = torch.Generator().manual_seed(seed)
    factor = torch.tensor([[1.0, 0, 0], [0.5, 0.7, 0], [-0.3, 0.2, 0.4]], dtype=torch.float64)
    mean = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    means = mean + torch.randn(count, N, generator=noise, dtype=torch.float64) @ factor.T
    parts = Gaussian(means, torch.full((count, N), math.log(0.2), dtype=torch.float64))
    return parts, mean, factor @ factor.T + 0.04 * torch.eye(N)


def test_one_component_has_the_moments_of_the_aggregate_posterior():
    parts, mean, covariance = cloud()
    found = fit_mixture(parts, 1, generator(0, "posterior"))
    torch.testing.assert_close(found.means[0], mean, atol=0.06, rtol=0)
    torch.testing.assert_close(found.scales[0] @ found.scales[0].T, covariance, atol=0.08, rtol=0)
    assert float(found.weights.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("weights", [(0.2, 0.8), (0.5, 0.5), (0.9, 0.1)])
def test_two_clusters_are_told_apart(weights):
    noise = torch.Generator().manual_seed(1)
    which = (torch.rand(3000, generator=noise) > weights[0]).double()[:, None]
    means = 6 * which + 0.3 * torch.randn(3000, N, generator=noise, dtype=torch.float64)
    found = fit_mixture(Gaussian(means, torch.full_like(means, -3.0)), 2, generator(0, "posterior"))
    order = found.means[:, 0].argsort()
    torch.testing.assert_close(found.weights[order], torch.tensor(weights).double(), atol=0.03, rtol=0)
    torch.testing.assert_close(found.means[order][:, 0], torch.tensor([0.0, 6.0]).double(), atol=0.05, rtol=0)


@pytest.mark.parametrize("components", [1, 2, 5])
def test_draws_follow_the_mixture(components):
    """Along random directions: a Kolmogorov-Smirnov test against the mixture's exact distribution."""
    noise = torch.Generator().manual_seed(components)
    weights = torch.rand(components, generator=noise).double()
    scales = torch.randn(components, N, N, generator=noise).double().tril() + 2 * torch.eye(N)
    mixture = Mixture(weights / weights.sum(), 4 * torch.randn(components, N, generator=noise).double(), scales)
    drawn = mixture.sample(torch.rand(5000, generator=noise), torch.randn(5000, N, generator=noise))
    for direction in torch.eye(N).double():
        along = (mixture.weights, mixture.means @ direction, (scales.mT @ direction).norm(dim=-1))
        parts = list(zip(*(part.tolist() for part in along), strict=True))

        def exact(x, parts=parts):
            return sum(weight * stats.norm.cdf(x, centre, width) for weight, centre, width in parts)

        assert stats.kstest((drawn @ direction).numpy(), exact).pvalue > 1e-3


def test_a_component_of_no_weight_is_never_drawn():
    means = torch.tensor([[0.0], [50.0], [1.0]]).double()
    mixture = Mixture(torch.tensor([0.5, 0.0, 0.5]).double(), means, torch.zeros(3, 1, 1).double())
    drawn = mixture.sample(torch.linspace(0, 1, 101), torch.zeros(101, 1))
    assert set(drawn[:, 0].tolist()) == {0.0, 1.0}


@pytest.mark.parametrize(("count", "components"), [(1, 1), (2, 3), (0, 1)])
def test_too_few_posteriors(count, components):
    parts = Gaussian(torch.zeros(count, N), torch.zeros(count, N))
    with pytest.raises(DataError, match=f"{count} posteriors"):
        fit_mixture(parts, components, generator(0, "posterior"))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("field", [0, 1])
def test_posteriors_that_are_no_numbers(bad, field):
    parts = [torch.zeros(9, N), torch.zeros(9, N)]
    parts[field][4, 1] = bad
    with pytest.raises(NonFiniteError, match="NaN or infinite"):
        fit_mixture(Gaussian(*parts), 1, generator(0, "posterior"))


def test_every_action_draws_from_its_own_mixture(halo):
    half = 2 * halo.config.half_dimension
    still = torch.zeros(1, half, half).double()
    states = tuple(Mixture(torch.ones(1).double(), torch.full((1, half), float(k)).double(), still) for k in range(3))
    whole = Mixture(torch.ones(1).double(), torch.zeros(1, 4).double(), torch.eye(4)[None].double())
    action = torch.tensor([2, 0, 1, 2])
    state = FittedPrior(whole, states).draw_state(action, torch.Generator().manual_seed(0))
    assert state.q.unique(dim=1)[:, 0].tolist() == state.p.unique(dim=1)[:, 0].tolist() == [2.0, 0.0, 1.0, 2.0]


def test_the_fit_is_nearer_to_the_encoder_than_the_prior_is(halo, clips):
    """In nats: KL from the aggregate posterior, by moments, of N(0, I) and of the fitted content."""
    fitted = fit_prior(halo, clips, components=1)
    content, _ = posteriors(halo, clips, torch.arange(len(clips)))
    mean, covariance = moments(content)
    scale = fitted.content.scales[0]
    white = torch.linalg.solve_triangular(scale, covariance, upper=False)
    white = torch.linalg.solve_triangular(scale, white.mT, upper=False)
    shift = torch.linalg.solve_triangular(scale, (mean - fitted.content.means[0])[:, None], upper=False)[:, 0]
    assert float(divergence(shift, white)) < 0.1 * float(divergence(mean, covariance))


def test_the_fit_is_a_function_of_model_and_clips(halo, clips):
    one, two = (fit_prior(halo, clips, components=2) for _ in range(2))
    for a, b in zip([one.content, *one.states], [two.content, *two.states], strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert len(one.states) == 3


def test_the_model_itself_is_left_alone(halo, clips):
    action = torch.tensor([0, 1, 2])
    before = halo.sample(action, 4, torch.Generator().manual_seed(0))
    fitted = with_fitted_prior(halo, fit_prior(halo, clips, components=1))
    other = fitted.sample(action, 4, torch.Generator().manual_seed(0))
    assert torch.equal(halo.sample(action, 4, torch.Generator().manual_seed(0)), before)
    assert not torch.equal(other, before)
    assert next(fitted.parameters()) is next(halo.parameters())


@pytest.mark.parametrize("name", ["dsvae", "s3vae", "cdsvae", "halo-u", "halo-gru", "mocogan", "skd"])
def test_who_can_be_fitted_and_what_is_scored(name, clips):
    model = build(tiny_config(model=name), 0).eval()
    fitted = fit_prior(model, clips, components=2)
    assert (fitted is None) == (name in ("mocogan", "skd"))
    if fitted is None:
        return
    assert bool(fitted.states) == name.startswith("halo")
    found = evaluate_protocols(
        model, clips, {"": Oracle(clips)}, quick=True, bank=clips, fitted=with_fitted_prior(model, fitted)
    )["subset"]
    assert ("accuracy/A-fitted/3way" in found) == name.startswith("halo")
    assert name.startswith("halo") or "no posterior" in found["accuracy/A-fitted/9way"]["why"]
    assert "accuracy/B-fitted/3way" in found
    assert isinstance(model, SequentialVae) or "accuracy-9-16/A-fitted/3way" in found


def test_without_a_fit_nothing_is_said_of_it(halo, clips):
    found = evaluate_protocols(halo, clips, {"": Oracle(clips)}, quick=True)["subset"]
    assert not any("fitted" in key for key in found)


def test_an_action_without_clips_is_refused(halo):
    lone = CodedClips(people=9)
    lone.targets = {name: target[lone.targets["action"] != 1] for name, target in lone.targets.items()}
    lone.groups = lone.groups[: len(lone.targets["action"])]
    with pytest.raises(DataError, match="posteriors of one action"):
        fit_prior(halo, lone)
