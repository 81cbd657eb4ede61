"""Statistics of the batch norms once training is done: the population's, not a running average. Deviation D26."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hamrepro.batches import draw_batch
from hamrepro.config import RunConfig
from hamrepro.datasets import ClipSet
from hamrepro.distributed import Processes
from hamrepro.optimiser import estimate
from hamrepro.randomness import generator


@torch.no_grad()
def population_statistics(
    model: nn.Module, config: RunConfig, seed: int, clip_set: ClipSet, device: torch.device, group: Processes
) -> None:
    """Means and variances of every batch norm over `population_batches` batches, those after the last step's.

    In float32, with the weights as they are, and on batches made as in training: what a batch norm takes away must be
    what it took away then. Ioffe and Szegedy (2015), Algorithm 2; Wu and Johnson (2021), Section 3.

    Args:
        model: trained, in training mode; it stays in it. group: processes that share out the clips.
    """
    training, last = config.training, config.training.steps
    norms = [part for part in model.modules() if isinstance(part, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for number in range(training.population_batches):
        for norm in norms:
            norm.momentum = 1 / (number + 1)  # the mean of all batches
        rows = group.rows(training.batch)
        batch = draw_batch(clip_set, training, seed, last + number, device, config.network.label, rows)
        with group.draws():
            model.loss(
                batch.clips,
                batch.action,
                lambda stream, step=last + number: generator(seed, stream, step),
                cyclic=batch.cyclic,
                estimate=estimate(training, last - 1),
            )
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
