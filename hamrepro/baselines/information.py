"""Mutual information of two codes, estimated within a batch. Zhu et al. 2020 (S3VAE), Bai et al. 2021 (C-DSVAE)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from hamrepro.gaussian import Gaussian


def pairwise_log_prob(values: Tensor, gaussians: Gaussian) -> Tensor:
    """log q(v_i | x_j), (M, M, ...) from values (M, ..., n) and posteriors (M, ..., n)."""
    return Gaussian(*(part[None] for part in gaussians)).log_prob(values[:, None])


def mutual_information(f: Tensor, static: Gaussian, z: Tensor, motion: Gaussian) -> Tensor:
    """I(f; z_t) in nats, mean over frames; to be added to what is minimised.

    mean_i [LSE_j (L_f + L_z) - LSE_j L_f - LSE_j L_z] + log M, L(i, j) = log q(v_i | x_j), M clips: aggregate
    posteriors as mixtures over the batch. At most log M, where it is flat as soon as no two posteriors overlap.

    Args:
        f: draws (M, f). static: their posteriors. z: draws (M, T, z). motion: their posteriors.
    """
    of_f = pairwise_log_prob(f, static)[..., None]
    of_z = pairwise_log_prob(z, motion)
    joint, alone = torch.logsumexp(of_f + of_z, 1), torch.logsumexp(of_f, 1) + torch.logsumexp(of_z, 1)
    return (joint - alone).mean() + math.log(len(f))
