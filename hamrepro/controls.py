"""Rows of Table 2 that no training made: the ceiling, and what ignoring the request or the order of frames scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hamrepro.randomness import generator


class CopySource(nn.Module):
    """Trivial row: what was asked for is ignored, the clip that lends the content (A) or the motion (C) is shown."""

    def with_prior_motion(
        self, content: Tensor, content_action: Tensor, action: Tensor, frames: int, noise: torch.Generator
    ) -> Tensor:
        """The content's own clip."""
        return content[:, torch.arange(frames) % content.shape[1]]

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor:
        """The motion's own clip."""
        return motion


class GroundTruth(nn.Module):
    """Trivial row: real clips, the ceiling of every score."""

    supervised = False

    def generate(self, clips: Tensor, action: Tensor, frames: int) -> Tensor:
        """The clip itself."""
        return clips


class ShuffledMotion(GroundTruth):
    """Trivial row: the frames of each real clip in a random order, the same for all; are judges reading motion?"""

    def generate(self, clips: Tensor, action: Tensor, frames: int) -> Tensor:
        """The clip's frames in another order."""
        return clips[:, torch.randperm(clips.shape[1], generator=generator(0, "pairing", 1))]


TRIVIAL: dict[str, type[nn.Module]] = {
    "ground-truth": GroundTruth, "copy-source": CopySource, "shuffled-motion": ShuffledMotion,
}  # fmt: skip
