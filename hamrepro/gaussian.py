"""Diagonal Gaussians: the posteriors of Eqs. (15), (16) and the emission of Eq. (6)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from hamrepro.errors import ShapeError


class Gaussian(NamedTuple):
    """A batch of diagonal Gaussians. Paper: Eqs. (15), (16).

    Attributes:
        mean: (..., n). log_std: log sigma (..., n).
    """

    mean: Tensor
    log_std: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Reparametrised draw mean + sigma * noise; noise (..., n) is standard normal."""
        if noise.shape != self.mean.shape:
            raise ShapeError(f"noise {tuple(noise.shape)}", f"{tuple(self.mean.shape)}")
        return self.mean + self.log_std.exp() * noise

    def draws(self, count: int, noise: torch.Generator) -> Tensor:
        """Reparametrised draws (count, ..., n); the noise is drawn on the CPU, the same for every device."""
        noises = (torch.randn(self.mean.shape, generator=noise) for _ in range(count))
        return torch.stack([self.sample(part.to(self.mean.device, non_blocking=True)) for part in noises])

    def kl(self) -> Tensor:
        """KL[q || N(0, I)] in nats, summed over the last axis (...,). Paper: Eq. (17)."""
        twice = 2 * self.log_std
        return 0.5 * (self.mean.square() + (torch.expm1(twice) - twice)).sum(-1)

    def kl_from(self, prior: Gaussian) -> Tensor:
        """KL[q || prior] in nats, summed over the last axis (...,)."""
        twice = 2 * (self.log_std - prior.log_std)
        gap = (self.mean - prior.mean).square() * (-2 * prior.log_std).exp()
        return 0.5 * (gap + (torch.expm1(twice) - twice)).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log N(value | mean, sigma^2) in nats, summed over the last axis (...,)."""
        scaled = (value - self.mean) * (-self.log_std).exp()
        return (-0.5 * scaled.square() - self.log_std - 0.5 * math.log(2 * math.pi)).sum(-1)


def emission_log_prob(frames: Tensor, means: Tensor, *, constant: bool = False) -> Tensor:
    """log N(x | mean, I) per frame, summed over C, H, W. Paper: Eq. (6) with alpha = 1. Deviation D8.

    Args:
        frames, means: (..., C, H, W) in [-1, 1]. constant: add -m/2 log 2 pi, m = C H W.

    Returns:
        nats (...,), float32 at least.
    """
    if frames.shape != means.shape or frames.ndim < 3:
        raise ShapeError(f"frames {tuple(frames.shape)}, means {tuple(means.shape)}", "two (..., C, H, W) of one shape")
    error = frames.to(torch.promote_types(means.dtype, torch.float32)) - means
    nats = -0.5 * error.square().flatten(-3).sum(-1)
    pixels = math.prod(frames.shape[-3:])
    return nats - 0.5 * pixels * math.log(2 * math.pi) if constant else nats
