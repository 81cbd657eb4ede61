"""DSVAE. Li and Mandt, Disentangled Sequential Autoencoder, ICML 2018: the `full` posterior, z given f."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hamrepro.baselines.sequential import SequentialVae
from hamrepro.config import ModelConfig
from hamrepro.gaussian import Gaussian
from hamrepro.networks import GaussianHead


class Dsvae(SequentialVae):
    """q(f | x_{1:T}) by a bidirectional LSTM; q(z_{1:T} | x_{1:T}, f) by a second one and a recurrent layer.

    The published re-implementation compares q(z) with a prior that runs freely beside it; here, as the bound
    has it, the prior is given the posterior's own draws.

    Args:
        config: sizes of the trunk. factorised: q(z_t | x_t) of each frame alone, the paper's other posterior.
    """

    def __init__(self, config: ModelConfig, *, motion: int = 32, hidden: int = 256, factorised: bool = False) -> None:
        super().__init__(config, motion=motion, hidden=hidden, layers=1)
        self.factorised = factorised
        self.static_lstm = nn.LSTM(config.features, hidden, batch_first=True, bidirectional=True)
        self.static_head = GaussianHead(2 * hidden, config.content, config.log_std)
        if factorised:
            self.frame = nn.Sequential(nn.Linear(config.features, hidden), nn.LeakyReLU(0.2))
        else:
            self.motion_lstm = nn.LSTM(config.features + config.content, hidden, batch_first=True, bidirectional=True)
            self.motion_rnn = nn.RNN(2 * hidden, hidden, batch_first=True)
        self.motion_head = GaussianHead(hidden, motion, config.log_std)

    def static(self, features: Tensor) -> Gaussian:
        """q(f | x_{1:T}) (B, f): forward direction's last state and backward direction's."""
        _, (last, _) = self.static_lstm(features)
        return self.static_head(last.transpose(0, 1).flatten(1))

    def motion(self, features: Tensor, f: Tensor) -> Gaussian:
        """q(z_t | x_{1:T}, f) (B, T, z), or q(z_t | x_t)."""
        if self.factorised:
            return self.motion_head(self.frame(features))
        told = torch.cat([features, f[:, None].expand(-1, features.shape[1], -1)], -1)
        return self.motion_head(self.motion_rnn(self.motion_lstm(told)[0])[0])
