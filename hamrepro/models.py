"""Models by name, with weights drawn from the seed."""

from __future__ import annotations

import torch
from torch import nn

from hamrepro.config import RunConfig
from hamrepro.halo import Halo
from hamrepro.randomness import generator


def build(config: RunConfig, seed: int) -> nn.Module:
    """The untrained model of a run; its weights are a function of the seed, on the CPU.

    Initialisation draws from torch's global generator, which is put back afterwards.
    """
    before = torch.get_rng_state()
    torch.set_rng_state(generator(seed, "init").get_state())
    try:
        return Halo(config.network)
    finally:
        torch.set_rng_state(before)
