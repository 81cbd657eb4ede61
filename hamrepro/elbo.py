"""The evidence lower bound, itemised, in nats per clip. Paper: Eqs. (10), (17), (25)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hamrepro.gaussian import emission_log_prob


class Elbo(NamedTuple):
    """Terms of Eq. (17) per clip, each (B,), in nats.

    Attributes:
        reconstruction: sum over frames of log p(x | q, z), constant left out (Deviation D8).
        kl_position, kl_momentum, kl_content: the three KL terms, >= 0.
    """

    reconstruction: Tensor
    kl_position: Tensor
    kl_momentum: Tensor
    kl_content: Tensor

    @property
    def total(self) -> Tensor:
        """The bound (B,). Paper: Eq. (17)."""
        return self.reconstruction - self.kl_position - self.kl_momentum - self.kl_content
