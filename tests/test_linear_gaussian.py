"""Appendix A.1 line by line where everything is known: Eqs. (18)-(25)."""

from __future__ import annotations

import pytest
import torch

from hamrepro.dynamics import HamiltonianOperators
from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian
from hamrepro.linear_gaussian import LinearGaussian, oscillator

FRAMES, D, CONTENT, PIXELS = 5, 2, 3, 4


def model(family="u", reference=2, seed=0):
    torch.manual_seed(seed)
    generator = HamiltonianOperators(1, D, family).double().generators()[0].detach()
    return LinearGaussian(generator, torch.randn(PIXELS, D), torch.randn(PIXELS, CONTENT), FRAMES, reference)


def codes(count=6):
    return torch.randn(count, CONTENT + 2 * D, dtype=torch.float64)


def clip_and_posterior(toy):
    clip = torch.randn(FRAMES, PIXELS, dtype=torch.float64)
    mean, covariance = toy.true_posterior(clip)
    return clip, Gaussian(mean + 0.1, covariance.diagonal().log() / 2 - 0.2)


@pytest.mark.parametrize("reference", range(FRAMES))
def test_chain_and_joint_agree_where_the_flow_is_orthogonal(reference):
    toy, clip = model("u", reference), torch.randn(FRAMES, PIXELS, dtype=torch.float64)
    point = codes()
    assert torch.allclose(toy.log_chain(clip, point), toy.log_joint(clip, point), atol=1e-9)


def test_they_differ_for_a_general_h():
    toy, clip, point = model("sp"), torch.randn(FRAMES, PIXELS, dtype=torch.float64), codes()
    assert (toy.log_chain(clip, point) - toy.log_joint(clip, point)).abs().max() > 0.01


@pytest.mark.parametrize("family", ["sp", "u"])
def test_the_density_is_carried_along(family):
    """Against the normal density with the moved covariance, at every frame."""
    toy = model(family)
    states = toy.states(codes())
    carried = toy.log_transition(states)
    for t in range(FRAMES):
        flow = torch.linalg.matrix_exp(t * toy.generator)
        normal = torch.distributions.MultivariateNormal(torch.zeros(2 * D).double(), flow @ flow.mT)
        assert torch.allclose(carried[:, t], normal.log_prob(states[:, t]), atol=1e-8)


def test_a_flow_that_grows_pays_its_trace():
    growing = LinearGaussian(0.3 * torch.eye(2), torch.ones(1, 1), torch.zeros(1, 0), 3)
    carried = growing.log_transition(growing.states(torch.ones(1, 2, dtype=torch.float64)))[0]
    assert torch.allclose(carried[1:] - carried[:-1], torch.tensor(-0.6).double())


def test_the_terms_are_the_mean_of_the_ratio():
    toy = model()
    clip, q = clip_and_posterior(toy)
    drawn = q.mean + q.log_std.exp() * torch.randn(100_000, len(q.mean), dtype=torch.float64)
    ratio = toy.log_ratio(clip, drawn, q)
    terms = toy.terms(clip, q)
    assert set(terms) == {"reconstruction", "kl_content", "kl_position", "kl_momentum"}
    assert all(terms[name] >= 0 for name in terms if name.startswith("kl"))
    assert abs(float(ratio.mean()) - toy.bound(clip, q)) < 4 * float(ratio.std()) / len(drawn) ** 0.5


def test_the_bound_is_below_the_evidence_by_the_divergence():
    toy = model()
    clip, q = clip_and_posterior(toy)
    mean, covariance = toy.true_posterior(clip)
    normal = torch.distributions.MultivariateNormal
    gap = torch.distributions.kl_divergence(normal(q.mean, (2 * q.log_std).exp().diag()), normal(mean, covariance))
    assert abs(toy.log_evidence(clip) - toy.bound(clip, q) - float(gap)) < 1e-8
    assert gap > 0


@pytest.mark.parametrize(("frames", "tight"), [(8, True), (2, False)])
def test_an_oscillator_seen_for_a_whole_period(frames, tight):
    toy = oscillator(frames)
    clip = torch.randn(frames, 1, dtype=torch.float64)
    mean, covariance = toy.true_posterior(clip)
    best = Gaussian(mean, -torch.linalg.inv(covariance).diagonal().log() / 2)
    gap = toy.log_evidence(clip) - toy.bound(clip, best)
    assert (abs(gap) < 1e-9) == tight


def test_sizes_must_fit():
    with pytest.raises(ShapeError):
        LinearGaussian(torch.eye(4), torch.ones(1, 1), torch.zeros(1, 0), 3)
    with pytest.raises(ShapeError):
        oscillator(4, reference=4)
