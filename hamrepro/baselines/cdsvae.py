"""C-DSVAE. Bai, Wang and Gomes, Contrastively Disentangled Sequential Variational Autoencoder, NeurIPS 2021."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from hamrepro.baselines.contrastive import distort_colour, nt_xent, shuffle_frames
from hamrepro.baselines.information import mutual_information
from hamrepro.baselines.s3vae import SharedPosterior
from hamrepro.baselines.sequential import Codes
from hamrepro.baselines.trunk import Noise


@contextmanager
def frozen_statistics(module: nn.Module) -> Iterator[None]:
    """Batch norms normalise by the batch but leave their running statistics alone: views are not data."""
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


class Cdsvae(SharedPosterior):
    """The bound, minus I(f; z), plus two contrasts: f must survive shuffled frames, z distorted colours.

    Weights are the published code's. Views are only encoded, not decoded.
    """

    content_weight = 10.0
    motion_weight = 10.0
    information_weight = 1.0

    def penalties(self, clips: Tensor, features: Tensor, codes: Codes, noise: Noise) -> dict[str, Tensor]:
        """NT-Xent of f with the clip's frames in random order, of z_{1:T} in other colours; information."""
        draw = noise("augment")
        shuffled = shuffle_frames(features, draw)
        with frozen_statistics(self.encoder):
            distorted = self.features(distort_colour(clips, draw))
        with torch.autocast(clips.device.type, enabled=False):
            content = nt_xent(self.static(features).mean, self.static(shuffled).mean)
            motion = nt_xent(codes.motion.mean.flatten(1), self.motion(distorted, codes.f).mean.flatten(1))
            information = mutual_information(codes.f, codes.static, codes.z, codes.motion)
        return {
            "content_contrast": self.content_weight * content,
            "motion_contrast": self.motion_weight * motion,
            "information": self.information_weight * information,
        }
