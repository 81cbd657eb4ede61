"""Blur, noise and brightness: how clips are spoilt for the second judge, and how a judge is examined on them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def box_blur(clips: Tensor) -> Tensor:
    """3x3 box blur of every frame (..., 3, H, W), borders averaged over what is there."""
    flat = functional.avg_pool2d(clips.flatten(0, -4), 3, 1, 1, count_include_pad=False)
    return flat.unflatten(0, clips.shape[:-3])


def soften(clips: Tensor, noise: torch.Generator) -> Tensor:
    """Augmentation of the second judge: per clip, some blur, noise and a change of brightness; [-1, 1] in and out.

    The clip is mixed with its box blur, applied once or twice, at a weight uniform on 0..1; brightness times
    0.9..1.1; noise of standard deviation up to 0.05. A quarter of the clips stay as they are.
    """

    def uniform() -> Tensor:
        return torch.rand(len(clips), 1, 1, 1, 1, generator=noise).to(clips.device)

    once = box_blur(clips)
    blurred = torch.where(uniform() < 0.5, once, box_blur(once))
    mixed = clips + uniform() * (blurred - clips)
    brighter = (mixed + 1) * (0.9 + 0.2 * uniform()) - 1
    noisy = brighter + 0.05 * uniform() * torch.randn(clips.shape, generator=noise).to(clips.device)
    return torch.where(uniform() < 0.25, clips, noisy.clamp(-1, 1))
