"""S3VAE. Zhu et al., Self-Supervised Sequential VAE for Representation Disentanglement, CVPR 2020."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamrepro.baselines.contrastive import shuffle_frames
from hamrepro.baselines.information import mutual_information
from hamrepro.baselines.sequential import Codes, SequentialVae
from hamrepro.baselines.trunk import Noise
from hamrepro.config import ModelConfig
from hamrepro.gaussian import Gaussian
from hamrepro.networks import GaussianHead

EDGES = (0, 21, 43, 64)
THRESHOLD = 0.01


def motion_cells(clips: Tensor) -> Tensor:
    """Which cells of a 3x3 grid move between consecutive frames: bool (B, T-1, 9).

    A cell moves when the mean absolute difference of its pixels, on [0, 1], exceeds 0.01. It stands in for
    the paper's optical flow. On Sprites it tells all nine action-views apart: as a label it is near supervision.

    Args:
        clips: (B, T, 3, 64, 64) in [-1, 1].
    """
    change = clips.diff(dim=1).abs().mean(2) / 2
    rows = [change[..., a:b, :] for a, b in pairwise(EDGES)]
    cells = [row[..., a:b].mean((-2, -1)) for row in rows for a, b in pairwise(EDGES)]
    return torch.stack(cells, -1) > THRESHOLD


def static_triplet(anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """max(0, |a - p| - |a - n| + 1), batch mean, of static codes (B, f): 1 where all three agree."""
    return functional.triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2)


class SharedPosterior(SequentialVae):
    """The posterior of S3VAE and C-DSVAE: one bidirectional LSTM for both codes, z independent of f given x."""

    def __init__(self, config: ModelConfig, *, motion: int = 32, hidden: int = 256) -> None:
        super().__init__(config, motion=motion, hidden=hidden, layers=2)
        self.lstm = nn.LSTM(config.features, hidden, batch_first=True, bidirectional=True)
        self.static_head = GaussianHead(2 * hidden, config.content, config.log_std)
        self.motion_rnn = nn.RNN(2 * hidden, hidden, batch_first=True)
        self.motion_head = GaussianHead(hidden, motion, config.log_std)

    def static(self, features: Tensor) -> Gaussian:
        """q(f | x_{1:T}) (B, f)."""
        _, (last, _) = self.lstm(features)
        return self.static_head(last.transpose(0, 1).flatten(1))

    def motion(self, features: Tensor, f: Tensor) -> Gaussian:
        """q(z_t | x_{1:T}) (B, T, z)."""
        return self.motion_head(self.motion_rnn(self.lstm(features)[0])[0])


class S3vae(SharedPosterior):
    """The bound, and three self-supervised terms: static codes agree over a shuffled clip, z_t tells what moves,
    f and z share nothing.

    Weights are the published code's but for `area`: it is the negative log-likelihood of the mask, summed over
    frames and cells, in nats per clip. (There, 0.1 times its mean, which is 0.1 nats at most: inert beside a KL.)
    The direction term needs optical flow and is left out.
    """

    triplet_weight = 100.0
    area_weight = 1.0
    information_weight = 0.01

    def __init__(self, config: ModelConfig, *, motion: int = 32, hidden: int = 256) -> None:
        super().__init__(config, motion=motion, hidden=hidden)
        self.area = nn.Sequential(nn.Linear(motion, 64), nn.LeakyReLU(0.2), nn.Linear(64, 9))

    def penalties(self, clips: Tensor, features: Tensor, codes: Codes, noise: Noise) -> dict[str, Tensor]:
        """Triplet (positive: frames shuffled; negative: another clip), area, information."""
        shuffled = shuffle_frames(features, noise("augment"))
        with torch.autocast(clips.device.type, enabled=False):
            anchor = self.static(features).mean
            triplet = static_triplet(anchor, self.static(shuffled).mean, anchor.roll(1, 0))
            area = self.area_loss(clips, codes.z)
            information = mutual_information(codes.f, codes.static, codes.z, codes.motion)
        return {
            "triplet": self.triplet_weight * triplet,
            "area": self.area_weight * area,
            "information": self.information_weight * information,
        }

    def area_loss(self, clips: Tensor, z: Tensor) -> Tensor:
        """-log p(mask | z_{2:T}) in nats per clip; the first frame has moved from nowhere."""
        moving = motion_cells(clips).to(z.dtype)
        each = functional.binary_cross_entropy_with_logits(self.area(z[:, 1:]), moving, reduction="none")
        return each.sum((1, 2)).mean()
