"""Training batches: which clips, which window, as a function of (seed, step)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hamrepro.config import TrainConfig
from hamrepro.datasets import ClipSet
from hamrepro.errors import DataError, ShapeError
from hamrepro.randomness import generator


class Batch(NamedTuple):
    """One training batch.

    Attributes:
        clips: float (B, T, 3, 64, 64) in [-1, 1]. action: u (B,). cyclic: (B,) bool, true where the window
            of a cycle was cut open at a random frame. index: number of the clip in its set (B,).
    """

    clips: Tensor
    action: Tensor
    cyclic: Tensor
    index: Tensor


def normalise(clips: Tensor) -> Tensor:
    """uint8 0..255 to float [-1, 1].

    Raises:
        ShapeError: not uint8.
    """
    if clips.dtype != torch.uint8:
        raise ShapeError(f"pixels of type {clips.dtype}", "uint8, 0..255")
    return clips.float().mul_(2 / 255).sub_(1)


def order(count: int, batch: int, seed: int, step: int) -> Tensor:
    """Numbers of the clips of one step (B,): consecutive slices of one shuffle after another.

    Every clip is seen once before any is seen twice, and a slice may run over the end of a shuffle.

    Raises:
        DataError: an empty set.
    """
    if count < 1:
        raise DataError("a set of no clips", "at least one clip")
    first, last = step * batch, (step + 1) * batch - 1
    epochs = range(first // count, last // count + 1)
    shuffles = torch.cat([torch.randperm(count, generator=generator(seed, "order", epoch)) for epoch in epochs])
    return shuffles[first - epochs[0] * count :][:batch]


def shifted(clips: Tensor, most: int, noise: torch.Generator, batch: int, rows: slice = slice(None)) -> Tensor:
    """Clips moved as a whole, down and right, by -most..most pixels each, their edges repeated. Deviation D25.

    Args:
        clips: (B, T, 3, H, W). most: pixels. batch: of which `rows` are these clips; as many numbers are drawn.
    """
    down, right = torch.randint(-most, most + 1, (2, batch, 1), generator=noise)[:, rows].to(clips.device)
    height, width = (torch.arange(size, device=clips.device) for size in clips.shape[-2:])
    column, line = (width - right).clamp(0, len(width) - 1), (height - down).clamp(0, len(height) - 1)
    each = torch.arange(len(clips), device=clips.device)[:, None, None]
    moved = clips.flatten(1, 2)[each, :, line[:, :, None], column[:, None]]
    return moved.movedim(-1, 1).unflatten(1, clips.shape[1:3]).contiguous()


def draw_batch(
    clip_set: ClipSet,
    config: TrainConfig,
    seed: int,
    step: int,
    device: torch.device,
    label: str = "action",
    rows: slice = slice(None),
) -> Batch:
    """The batch of one step. Paper: Section 4 (random subsequences), Deviation D13 (cyclic windows).

    Args:
        label: the target that u is, `ModelConfig.label`. rows: the part of the batch that is wanted.
    """
    index = order(len(clip_set), config.batch, seed, step)
    frames = config.frames or clip_set.frames
    start = clip_set.starts(index, generator(seed, "window", step), config.windows, frames)[rows]
    index = index[rows]
    clips = clip_set.clips(index, start, frames).to(device)
    if config.shift:
        clips = shifted(clips, config.shift, generator(seed, "shift", step), config.batch, rows)
    cyclic = (start > 0) & clip_set.cyclic
    action = clip_set.targets[label][index]
    told = (part.to(device, non_blocking=True) for part in (action, cyclic))
    return Batch(normalise(clips), *told, index)
