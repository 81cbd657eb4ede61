"""The common trunk: what every baseline shares with HALO, so that only codes and losses differ."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hamrepro.config import ModelConfig
from hamrepro.elbo import Estimate
from hamrepro.errors import ShapeError
from hamrepro.gaussian import emission_log_prob
from hamrepro.networks import Decoder, Encoder

Noise = Callable[[str], torch.Generator]  # stream name -> generator


class Trunk(nn.Module):
    """Encoder and decoder of the preset. Paper: Tables 3, 4.

    Args:
        config: sizes. codes: numbers per frame that the decoder is given.
    """

    def __init__(self, config: ModelConfig, codes: int) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config, codes)

    def features(self, clips: Tensor) -> Tensor:
        """h (B, T, h) of clips (B, T, 3, 64, 64) in [-1, 1], float32 at least for the recurrent layers.

        Raises:
            ShapeError: clips of another shape or type, or none.
        """
        check_clips(clips, next(self.encoder.parameters()).dtype)
        frames = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        made = self.encoder(frames).unflatten(0, clips.shape[:2])
        return made.to(torch.promote_types(made.dtype, torch.float32))

    def decode(self, codes: Tensor) -> Tensor:
        """Means of the frames (B, T, 3, 64, 64) from codes (B, T, n)."""
        frames = self.decoder(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
        return frames.to(torch.promote_types(frames.dtype, torch.float32))

    def log_likelihood(self, clips: Tensor, codes: Tensor, estimate: Estimate, draw: torch.Generator) -> Tensor:
        """log p(x_{1:T} | codes) per clip (B,), in nats, on all frames or on some of them (Deviation D15)."""
        seen, chosen = choose_frames(clips, codes, estimate, draw)
        return emission_log_prob(seen, self.decode(chosen)).mean(1) * clips.shape[1]

    def matrices(self) -> list[str]:
        """Weights a matrix optimiser may take: all but the layers that touch pixels, as in HALO."""
        pixels = (self.encoder[0].weight, self.decoder[-3].weight)
        named = self.named_parameters()
        return [name for name, p in named if p.ndim > 1 and all(p is not pixel for pixel in pixels)]

    def diagnostics(self) -> dict[str, float]:
        """What to log beside the loss: nothing."""
        return {}


def check_clips(clips: Tensor, kind: torch.dtype) -> None:
    """A `ShapeError` for clips of another shape or type than (B, T, 3, 64, 64) of that kind, or none."""
    if clips.ndim != 5 or clips.shape[2:] != (3, 64, 64) or clips.dtype != kind or not clips.numel():
        expected = f"{kind} (B, T, 3, 64, 64) in [-1, 1], B >= 1, T >= 1"
        raise ShapeError(f"clips {tuple(clips.shape)} {clips.dtype}", expected)


def check_frames(frames: int, skip: int = 0) -> None:
    """A `ShapeError` where nothing is left to draw."""
    if not 0 <= skip < frames:
        raise ShapeError(f"frames {skip + 1}..{frames}", "0 <= skip < frames")


def choose_frames(clips: Tensor, codes: Tensor, estimate: Estimate, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frames of the likelihood and their codes, (B, n, ...) each: all, or `estimate.decoded_frames` per clip."""
    batch, frames = clips.shape[:2]
    decoded = estimate.decoded_frames or frames
    if decoded >= frames:
        return clips, codes
    columns = torch.rand(batch, frames, generator=draw).argsort(1)[:, :decoded].to(clips.device)
    rows = torch.arange(batch, device=clips.device)[:, None]
    return clips[rows, columns], codes[rows, columns]


def normal(shape: tuple[int, ...] | torch.Size, like: Tensor, noise: torch.Generator) -> Tensor:
    """Standard normal draw from a CPU generator, where and of the type `like` is."""
    return torch.randn(shape, generator=noise, dtype=torch.float32).to(like)
