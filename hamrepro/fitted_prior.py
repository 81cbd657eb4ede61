"""The prior fitted after training to what the encoder gives: draws are what the decoder knows. Deviation D23."""

from __future__ import annotations

import copy
import warnings
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hamrepro.aggregate_posterior import moments, posteriors
from hamrepro.baselines.sequential import SequentialVae
from hamrepro.datasets import ClipSet
from hamrepro.dynamics import PhaseSpace
from hamrepro.errors import ConfigError, DataError, NonFiniteError
from hamrepro.gaussian import Gaussian
from hamrepro.halo import Halo
from hamrepro.protocols import label_of
from hamrepro.randomness import generator

CLIPS = 1500  # encoded for the fit, at most
COMPONENTS = 3  # of the mixture of states, for every action
DRAWS = 4  # from each posterior
RIDGE = 1e-4  # least variance added in every direction


class Mixture(NamedTuple):
    """A mixture of M Gaussians, float64.

    Attributes:
        weights: (M,), sum 1. means: (M, n). scales: lower Cholesky factors of the covariances (M, n, n).
    """

    weights: Tensor
    means: Tensor
    scales: Tensor

    def sample(self, chance: Tensor, noise: Tensor) -> Tensor:
        """Draws (B, n) from uniform numbers (B,) that choose the component and normal ones (B, n)."""
        bounds = self.weights.cumsum(0)[:-1].contiguous()
        chosen = torch.bucketize(chance.double(), bounds, right=True)
        return self.means[chosen] + (self.scales[chosen] @ noise.double()[..., None])[..., 0]


def fit_mixture(parts: Gaussian, components: int, noise: torch.Generator) -> Mixture:
    """The mixture of greatest likelihood of draws from the posteriors (N, n), by expectation maximisation.

    Raises:
        NonFiniteError: a posterior is not finite. DataError: fewer posteriors than components, or than two.
    """
    from sklearn.mixture import GaussianMixture  # a second to import, for those who fit

    if not all(bool(part.isfinite().all()) for part in parts):
        raise NonFiniteError("a posterior that is NaN or infinite", "finite ones", "look at the weights")
    if len(parts.mean) < max(2, components):
        given, expected = f"{len(parts.mean)} posteriors of one action", f"{max(2, components)} at least"
        raise DataError(given, expected, "more clips, or fewer components")
    draws = torch.randn(DRAWS, *parts.mean.shape, generator=noise, dtype=torch.float64)
    states = (parts.mean.double() + parts.log_std.double().exp() * draws).flatten(0, 1)
    with warnings.catch_warnings():  # a mixture one step short of its tolerance is a mixture
        warnings.filterwarnings("ignore", message="Best performing initialization did not converge")
        fit = GaussianMixture(components, reg_covar=RIDGE, max_iter=300, random_state=0).fit(states.numpy())
    covariances = torch.from_numpy(fit.covariances_)
    return Mixture(torch.from_numpy(fit.weights_), torch.from_numpy(fit.means_), torch.linalg.cholesky(covariances))


class FittedPrior(NamedTuple):
    """Where a model's codes lie, over many clips.

    Attributes:
        content: of z, one component. states: of s_1 = (q, p), a mixture for every action; () for a model without.
    """

    content: Mixture
    states: tuple[Mixture, ...]

    def draw_content(self, count: int, noise: torch.Generator) -> Tensor:
        """z (count, |Z|), float32 on the CPU."""
        draws = torch.randn(count, self.content.means.shape[1], generator=noise)
        return self.content.sample(torch.zeros(count), draws).float()

    def draw_state(self, action: Tensor, noise: torch.Generator) -> PhaseSpace:
        """s_1 of the actions (B,), q and p (B, d), float32 on the CPU; as many numbers drawn whatever the actions."""
        chance = torch.rand(len(action), generator=noise)
        draws = torch.randn(len(action), self.states[0].means.shape[1], generator=noise)
        each = torch.stack([mixture.sample(chance, draws) for mixture in self.states])
        return PhaseSpace.from_state(each[action.cpu(), torch.arange(len(action))].float())


def fit_prior(
    model: nn.Module, clip_set: ClipSet, *, components: int = COMPONENTS, clips: int = CLIPS, device: str = "cpu"
) -> FittedPrior | None:
    """Fit the codes of training clips: of the content two moments, of the states a mixture for every action.

    None for a model without a posterior of this kind: only HALO and the sequential VAEs have one.

    Args:
        clip_set: training clips, of which at most `clips` are encoded, drawn at random and always the same.

    Raises:
        DataError: too few clips of an action. NonFiniteError: see `fit_mixture`.
    """
    if not isinstance(model, Halo | SequentialVae):
        return None
    index = torch.randperm(len(clip_set), generator=generator(0, "order"))[:clips]
    action = clip_set.targets[label_of(model)][index]
    content, state = posteriors(model, clip_set, index, device)
    mean, covariance = moments(content)
    scale = torch.linalg.cholesky(covariance + RIDGE * torch.eye(len(mean)))
    whole = Mixture(torch.ones(1).double(), mean[None], scale[None])
    if state is None:
        return FittedPrior(whole, ())
    noise, kinds = generator(0, "posterior"), range(len(clip_set.classes[label_of(model)]))
    each = (Gaussian(state.mean[action == k], state.log_std[action == k]) for k in kinds)
    return FittedPrior(whole, tuple(fit_mixture(own, components, noise) for own in each))


def with_fitted_prior(model: nn.Module, fitted: FittedPrior | None) -> nn.Module:
    """The same model, weights shared, that draws from a fitted prior where it would draw from its own.

    Raises:
        ConfigError: None, of a model that `fit_prior` cannot fit.
    """
    if fitted is None:
        raise ConfigError(f"a fitted prior of {type(model).__name__}", "HALO, or a sequential VAE")
    model = copy.copy(model)
    place = next(model.parameters()).device
    model.draw_content = lambda count, noise: fitted.draw_content(count, noise).to(place)
    if fitted.states:
        model.draw_state = lambda action, noise: PhaseSpace(*(x.to(place) for x in fitted.draw_state(action, noise)))
    return model
