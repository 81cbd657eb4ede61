"""HALO: content apart from motion, motion along learned Hamiltonian flows. Paper: Figure 1, Eqs. (1)-(17)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hamrepro.config import ModelConfig
from hamrepro.dynamics import HamiltonianOperators, PhaseSpace, embed
from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian
from hamrepro.networks import ContentNetwork, Decoder, Encoder, MomentumNetwork, PositionNetwork


class Posterior(NamedTuple):
    """What inference gives for a batch of clips. Paper: Eqs. (11), (12), (15), (16).

    Attributes:
        content: q(z | x), (B, |Z|). position, momentum: at the reference frame, (B, d) each.
        reference: index of that frame (B,), 0..T-1.
    """

    content: Gaussian
    position: Gaussian
    momentum: Gaussian
    reference: Tensor

    def mean_state(self) -> PhaseSpace:
        """Posterior mean of s at the reference frame."""
        return PhaseSpace(self.position.mean, self.momentum.mean)


class Halo(nn.Module):
    """The model of Figure 1.

    Clips are float (B, T, 3, 64, 64) in [-1, 1]; actions are indices u (B,) in 0..K-1 (the one-hot
    vector of Eq. (1) is made inside).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.content = ContentNetwork(config)
        self.position = PositionNetwork(config)
        self.momentum = MomentumNetwork(config)
        self.operators = HamiltonianOperators(config.actions, config.half_dimension, config.family, config.start)
        self.decoder = Decoder(config)

    def features(self, clips: Tensor) -> Tensor:
        """h_{1:T} (B, T, h) of clips (B, T, 3, 64, 64). Paper: Table 3."""
        if clips.ndim != 5 or clips.shape[2:] != (3, 64, 64) or not clips.is_floating_point():
            raise ShapeError(f"clips {tuple(clips.shape)} {clips.dtype}", "float (B, T, 3, 64, 64) in [-1, 1]")
        frames = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.encoder(frames).unflatten(0, clips.shape[:2])

    def infer(self, features: Tensor, action: Tensor, reference: Tensor, cyclic: Tensor | None = None) -> Posterior:
        """Posteriors at the reference frame. Paper: Eqs. (11), (12).

        Args:
            features: h (B, T, h). action: u (B,). reference: (B,), 0..T-1.
            cyclic: (B,) bool; where true the clip is one period of a cycle, and the momentum's window
                wraps round instead of repeating frame 1 (Deviation D13).
        """
        rows = torch.arange(len(action), device=action.device)
        past = reference[:, None] + torch.arange(1 - self.momentum.window, 1, device=action.device)
        window = past.clamp_min(0)
        if cyclic is not None:
            window = torch.where(cyclic[:, None], past % features.shape[1], window)
        return Posterior(
            self.content(features),
            self.position(features[rows, reference], action),
            self.momentum(features[rows[:, None], window], action),
            reference,
        )

    def encode(self, clips: Tensor, action: Tensor, *, conditioning: str = "clip") -> Posterior:
        """Posteriors with the state at frame 1, the starting frame of Table 1. Deviation D12.

        Args:
            conditioning: `clip`, z from the whole clip; `strict`, z from frame 1 alone, repeated T times
                through the content LSTM. The state never sees more than frame 1.
        """
        if conditioning not in ("clip", "strict"):
            raise ShapeError(f"conditioning {conditioning!r}", "'clip' or 'strict'")
        if conditioning == "strict":
            features = self.features(clips[:, :1]).expand(-1, clips.shape[1], -1)
        else:
            features = self.features(clips)
        return self.infer(features, action, torch.zeros_like(action))

    def positions(self, state: PhaseSpace, action: Tensor, reference: Tensor, frames: int) -> Tensor:
        """q_{1:T} in the whole position space (B, T, K d). Paper: Eqs. (8), (9), (13), (14)."""
        return embed(self.operators.flow(state, action, reference, frames).q, action, self.config.actions)

    def decode(self, content: Tensor, positions: Tensor) -> Tensor:
        """Means of the frames (B, T, 3, 64, 64) from z (B, |Z|) and q (B, T, K d). Paper: Eq. (6)."""
        z = content[:, None].expand(-1, positions.shape[1], -1)
        frames = self.decoder(torch.cat([z, positions], -1).flatten(0, 1))
        return frames.float().unflatten(0, positions.shape[:2])

    def generate(self, clips: Tensor, action: Tensor, frames: int, *, conditioning: str = "clip") -> Tensor:
        """Clips of any length from the starting frame, posterior means. Paper: Section 4.1, Table 1."""
        posterior = self.encode(clips, action, conditioning=conditioning)
        positions = self.positions(posterior.mean_state(), action, posterior.reference, frames)
        return self.decode(posterior.content.mean, positions)

    def prior_state(self, count: int, noise: torch.Generator) -> PhaseSpace:
        """s_1 ~ N(0, I), q and p (count, d). Paper: Eq. (3)."""
        draw = torch.randn(count, 2 * self.config.half_dimension, generator=noise)
        return PhaseSpace.from_state(draw.to(next(self.parameters()).device))

    def sample(self, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Unconditional clips of the given actions. Paper: Eqs. (1)-(6), Figure 4."""
        z = torch.randn(len(action), self.config.content, generator=noise).to(action.device)
        state = self.prior_state(len(action), noise)
        return self.decode(z, self.positions(state, action, torch.zeros_like(action), frames))

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor:
        """Motion of one clip, content of another. Paper: Figures 3, 9."""
        moving = self.encode(motion, motion_action)
        still = self.encode(content, content_action)
        positions = self.positions(moving.mean_state(), motion_action, moving.reference, motion.shape[1])
        return self.decode(still.content.mean, positions)
