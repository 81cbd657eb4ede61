"""The two critics of MoCoGAN: one sees single frames, one whole clips. Tulyakov et al. 2018."""

from __future__ import annotations

from torch import Tensor, nn


class FrameDiscriminator(nn.Sequential):
    """Patches of a frame, real or made: 4x4 stride-2 convolutions, batch norm but first and last.

    Forward: frames (N, 3, 64, 64) -> logits (N, 1, 4, 4), > 0 for real.

    Args:
        base: channels of the first convolution.
    """

    def __init__(self, base: int) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, base, 4, 2, 1), nn.LeakyReLU(0.2)]
        for width in (base, 2 * base):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Conv2d(4 * base, 1, 4, 2, 1))


class ClipDiscriminator(nn.Sequential):
    """A clip, real or made, and its category: 3-D convolutions.

    The published kernels span four frames in each of five layers, which needs 16 frames; shorter clips take
    kernels of two frames in the first four layers.
    Forward: clips (B, 3, T, 64, 64) -> (B, 1 + K): the logit of real, then the categories' logits.

    Args:
        base: channels of the first convolution. categories: K. frames: T, at least 8.
    """

    def __init__(self, base: int, categories: int, frames: int = 8) -> None:
        depth = 4 if frames >= 16 else 2
        layers: list[nn.Module] = []
        channels, left = 3, frames
        for width in (base, 2 * base, 4 * base, 8 * base):
            layers.append(nn.Conv3d(channels, width, (depth, 4, 4), (1, 2, 2), (0, 1, 1), bias=False))
            layers += ([nn.BatchNorm3d(width)] if channels > 3 else []) + [nn.LeakyReLU(0.2)]
            channels, left = width, left - depth + 1
        layers += [nn.Conv3d(channels, 1 + categories, (left, 4, 4)), nn.Flatten()]
        super().__init__(*layers)


def real_and_category(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Split (B, 1 + K) into the logit of real (B,) and the categories' logits (B, K)."""
    return logits[:, 0], logits[:, 1:]
