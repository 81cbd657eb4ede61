"""Contrast of two views of each clip, and the views: shuffled in time, distorted in colour. Bai et al. 2021."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

# Luminance and two chrominances of the NTSC; turning the latter is a change of hue.
YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """Normalised temperature-scaled cross-entropy of 2B views, mean over views, in nats; chance log(2B - 1).

    Cosine similarity; each view is to find its partner among all views but itself.

    Args:
        first, second: two views of the same clips, (B, n).
    """
    views = functional.normalize(torch.cat([first, second]), dim=-1)
    similarity = views @ views.mT / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partner = torch.arange(len(views), device=views.device).roll(len(first))
    return functional.cross_entropy(similarity.masked_fill(itself, -math.inf), partner)


def shuffle_frames(features: Tensor, draw: torch.Generator) -> Tensor:
    """The same content in another order: every clip's frames (B, T, ...) in a random order of their own."""
    order = torch.rand(features.shape[:2], generator=draw).argsort(1).to(features.device)
    return features[torch.arange(len(features), device=features.device)[:, None], order]


def distort_colour(clips: Tensor, draw: torch.Generator) -> Tensor:
    """The same motion in another look: brightness, contrast, saturation, hue, grey, blur; one draw per clip.

    Brightness, contrast and saturation times 0.2..1.8 and hue turned by up to 0.2 of a circle in four clips of
    five; grey in one of five; a 3x3 Gaussian blur of sigma 0.1..2 pixels in every second one.

    Args:
        clips: (B, T, 3, H, W) in [-1, 1]; the result too.
    """
    batch = len(clips)
    chance = torch.rand(3, batch, generator=draw)
    factors = 1 + 0.8 * (2 * torch.rand(4, batch, generator=draw) - 1)
    brightness, contrast, saturation, hue = torch.where(chance[0] < 0.8, factors, torch.ones(()))
    saturation = torch.where(chance[1] < 0.2, 0.0, saturation)
    angle = 2 * math.pi * 0.25 * (hue - 1)
    turn = torch.zeros(batch, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = saturation * angle.cos()
    turn[:, 2, 1] = saturation * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    colour = (torch.linalg.inv(YIQ) @ turn @ YIQ * brightness[:, None, None]).to(clips)
    pixels = torch.einsum("bij,btjhw->btihw", colour, (clips + 1) / 2)
    middle = pixels.mean((1, 2, 3, 4), keepdim=True)
    pixels = middle + contrast.to(clips)[:, None, None, None, None] * (pixels - middle)
    sigma = torch.where(chance[2] < 0.5, 0.1 + 1.9 * torch.rand(batch, generator=draw), 0.0).to(clips)
    return 2 * _blur(pixels.clamp(0, 1), sigma) - 1


def _blur(clips: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur over 3x3 pixels, sigma (B,), 0: none; borders repeated."""
    side = torch.exp(-0.5 / sigma.clamp_min(1e-3).square())
    side = (side / (1 + 2 * side))[:, None, None, None, None]
    for axis in (-1, -2):
        edge = clips.narrow(axis, 0, 1), clips.narrow(axis, clips.shape[axis] - 1, 1)
        padded = torch.cat([edge[0], clips, edge[1]], axis)
        size = clips.shape[axis]
        clips = side * (padded.narrow(axis, 0, size) + padded.narrow(axis, 2, size)) + (1 - 2 * side) * clips
    return clips
