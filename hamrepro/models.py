"""Models by name, with weights drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from hamrepro.adversary import Adversary
from hamrepro.baselines.cdsvae import Cdsvae
from hamrepro.baselines.dsvae import Dsvae
from hamrepro.baselines.mocogan import Mocogan
from hamrepro.baselines.s3vae import S3vae
from hamrepro.baselines.skd import Skd
from hamrepro.config import ModelConfig, RunConfig
from hamrepro.elbo import EXACT, Estimate
from hamrepro.halo import Halo
from hamrepro.randomness import initialising


class Model(Protocol):
    """The verbs of every model. Clips are float (B, T, 3, 64, 64) in [-1, 1], actions u (B,) are indices.

    `loss` gives batch means in nats per clip, the first entry `loss` being what is minimised; `noise` maps the
    name of a random stream to its generator. What a model cannot do it does not define.
    """

    def loss(
        self,
        clips: Tensor,
        action: Tensor,
        noise: Callable[[str], torch.Generator],
        *,
        cyclic: Tensor | None = None,
        estimate: Estimate = EXACT,
    ) -> dict[str, Tensor]: ...

    def generate(
        self, clips: Tensor, action: Tensor, frames: int, *, conditioning: str = "clip", skip: int = 0
    ) -> Tensor: ...

    def sample(self, action: Tensor, frames: int, noise: torch.Generator) -> Tensor: ...

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor: ...

    def with_prior_motion(
        self, content: Tensor, content_action: Tensor, action: Tensor, frames: int, noise: torch.Generator
    ) -> Tensor: ...

    def with_prior_content(self, motion: Tensor, action: Tensor, frames: int, noise: torch.Generator) -> Tensor: ...

    def matrices(self) -> list[str]: ...

    def diagnostics(self) -> dict[str, float]: ...


ARCHITECTURES: dict[str, Callable[[ModelConfig], nn.Module]] = {
    "halo-sp": Halo,
    "halo-u": Halo,
    "halo-elliptic": Halo,
    "halo-linear": Halo,
    "halo-gru": Halo,
    "dsvae": Dsvae,
    "dsvae-factorised": partial(Dsvae, factorised=True),
    "s3vae": S3vae,
    "cdsvae": Cdsvae,
    "skd": Skd,
    "mocogan": Mocogan,
}


def build(config: RunConfig, seed: int) -> nn.Module:
    """The untrained model of a run; its weights are a function of the seed, on the CPU.

    Initialisation draws from torch's global generator, which is put back afterwards.
    """
    with initialising(seed):
        model = ARCHITECTURES[config.model.partition("+")[0]](config.network)
        if config.training.content_adversary:
            prior = config.training.adversary_prior
            model.adversary = Adversary(config.network.content, config.network.actions, prior)
        return model
