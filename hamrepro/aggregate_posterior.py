"""How well the prior that protocols A and B draw from matches what the encoder gives. Paper: Eqs. (3), (20), (21)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hamrepro.batches import normalise
from hamrepro.datasets import ClipSet
from hamrepro.errors import ConfigError, DataError
from hamrepro.gaussian import Gaussian
from hamrepro.halo import Halo
from hamrepro.protocols import label_of
from hamrepro.symplectic import flow_powers

BATCH = 48
FRAMES = (8, 16)


def divergence(mean: Tensor, covariance: Tensor) -> Tensor:
    """KL[N(mean, covariance) || N(0, I)] in nats (...,); mean (..., n), covariance (..., n, n)."""
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    return 0.5 * (trace + mean.square().sum(-1) - mean.shape[-1] - torch.linalg.slogdet(covariance).logabsdet)


def moments(parts: Gaussian) -> tuple[Tensor, Tensor]:
    """Mean (n,) and covariance (n, n), float64, of the even mixture of Gaussians (N, n): the aggregate posterior.

    Raises:
        DataError: fewer than two of them.
    """
    if len(parts.mean) < 2:
        raise DataError(f"{len(parts.mean)} posteriors", "two at least")
    means, variances = parts.mean.double(), (2 * parts.log_std.double()).exp()
    return means.mean(0), means.T.cov(correction=0) + variances.mean(0).diag()


def pushed_prior(generators: Tensor) -> dict[str, float]:
    """What becomes of s_1 ~ N(0, I) at later frames, exactly: N(0, F F^T) with F = e^{(t-1) H}. Paper: Eqs. (20), (21).

    The paper takes the prior of every frame to be N(0, I); so it is where every F is orthogonal (skew-H), not else.

    Args:
        generators: H (K, 2d, 2d).

    Returns:
        `prior_kl/A/<t>`, KL from N(0, I) in nats, and `prior_variance/A/<t>`, the largest variance of any direction,
        each averaged (largest: over) the actions.
    """
    powers = flow_powers(generators.detach().double(), max(FRAMES))
    found = {}
    for frame in FRAMES:
        flow = powers[:, max(FRAMES) - 1 + frame - 1]
        covariance = flow @ flow.mT
        found[f"prior_kl/A/{frame}"] = divergence(torch.zeros(covariance.shape[:-1]).double(), covariance).mean().item()
        found[f"prior_variance/A/{frame}"] = torch.linalg.eigvalsh(covariance).max().item()
    return found


@torch.inference_mode()
def posteriors(
    model: nn.Module, clip_set: ClipSet, index: Tensor, device: str = "cpu"
) -> tuple[Gaussian, Gaussian | None]:
    """Posteriors of the clips `index` (N,), on the CPU: of the content (N, |Z|), of HALO's s_1 = (q, p) too (N, 2d).

    Args:
        model: HALO, or a sequential VAE, whose motion is no single state.
    """
    content, state = [], []
    told = clip_set.targets[label_of(model)]
    for part in index.split(BATCH):
        found = model.encode(normalise(clip_set.clips(part).to(device)), told[part].to(device))
        content.append(found.content if isinstance(model, Halo) else found.static)
        if isinstance(model, Halo):
            pairs = zip(found.position, found.momentum, strict=True)
            state.append(Gaussian(*(torch.cat(pair, -1) for pair in pairs)))
    z, s = (Gaussian(*(torch.cat(parts).cpu() for parts in zip(*each, strict=True))) if each else None
            for each in (content, state))  # fmt: skip
    return z, s


def aggregate(model: Halo, clip_set: ClipSet, index: Tensor, device: str = "cpu") -> dict[str, float]:
    """KL from N(0, I) of the Gaussian with the moments of the aggregate posterior, in nats.

    `aggregate_kl/A/state`: of s_1 = (q, p), mean over actions. `aggregate_kl/B/content`: of z. Zero means that draws
    from the prior are what the decoder was trained on, as far as two moments tell; both rise with the number of
    dimensions over the number of clips.
    """
    action = clip_set.targets[label_of(model)][index]
    z, s = posteriors(model, clip_set, index, device)
    per_action = [divergence(*moments(Gaussian(s.mean[action == k], s.log_std[action == k]))) for k in action.unique()]
    return {
        "aggregate_kl/A/state": torch.stack(per_action).mean().item(),
        "aggregate_kl/B/content": divergence(*moments(z)).item(),
    }


def prior_quality(model: Halo, clip_set: ClipSet, index: Tensor, device: str = "cpu") -> dict[str, Any]:
    """Entries of a results file: `pushed_prior` (where the dynamics are linear) and `aggregate`.

    Raises:
        ConfigError: a model without phase space.
    """
    if not isinstance(model, Halo):
        raise ConfigError(f"prior quality of {type(model).__name__}", "HALO")
    values = aggregate(model, clip_set, index, device)
    if hasattr(model.operators, "generators"):
        values |= pushed_prior(model.operators.generators().cpu())
    return {key: {"value": value, "ci95": [value, value], "n": len(index)} for key, value in values.items()}
