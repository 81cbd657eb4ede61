"""Sequential VAEs: a static code f, a code z_t per frame, an LSTM prior. DSVAE, S3VAE and C-DSVAE are three of them.

p(f) = N(0, I), p(z_t | z_<t) by an LSTM over the earlier codes, p(x_t | z_t, f) by the decoder.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from hamrepro.baselines.trunk import Noise, Trunk, check_frames, normal
from hamrepro.config import ModelConfig
from hamrepro.dynamics import check_pairs, check_pixels
from hamrepro.elbo import EXACT, Estimate
from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian
from hamrepro.networks import GaussianHead


class Codes(NamedTuple):
    """Posteriors of a batch and draws from them.

    Attributes:
        static: q(f | x_{1:T}), (B, f). motion: q(z_t | ...), (B, T, z). f, z: draws, or the means.
    """

    static: Gaussian
    motion: Gaussian
    f: Tensor
    z: Tensor


class MotionPrior(nn.Module):
    """p(z_t | z_<t): an LSTM fed with z_{t-1}, z_0 = 0, zero state; two linear heads.

    Args:
        size: of z_t. hidden: of the LSTM. layers: 1 (DSVAE) or 2 stacked (S3VAE, C-DSVAE).
    """

    def __init__(self, size: int, hidden: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.lstm = nn.LSTM(size, hidden, layers, batch_first=True)
        self.head = GaussianHead(hidden, size)

    def forward(self, z: Tensor) -> Gaussian:
        """Teacher-forced: draws z (B, T, z) of the posterior -> p(z_t | z_<t) for every t, (B, T, z)."""
        earlier = torch.cat([torch.zeros_like(z[:, :1]), z[:, :-1]], 1)
        return self.head(self.lstm(earlier)[0])

    def roll(self, z: Tensor, frames: int, noise: torch.Generator | None = None) -> Tensor:
        """z (B, n, z), n >= 0 given frames, and what the prior makes follow: (B, frames, z).

        Args:
            noise: draws of the frames that follow; None: their means.
        """
        made, memory = [z[:, :frames]], None
        following = torch.cat([z.new_zeros(len(z), 1, self.size), z[:, :frames]], 1)
        for _ in range(frames - z.shape[1]):
            output, memory = self.lstm(following, memory)
            prior = self.head(output[:, -1:])
            following = prior.mean if noise is None else prior.sample(normal(prior.mean.shape, z, noise))
            made.append(following)
        return torch.cat(made, 1)


class SequentialVae(Trunk):
    """Everything the three have in common: the bound and the verbs. Each says how it infers.

    The action is never used: these models have no labels. `estimate.content_frames` and `kl_frames` are HALO's
    and ignored: the codes see every frame and the KL of z is the sum over frames.

    Args:
        config: sizes of the trunk; |f| is `config.content`. motion: |z_t|. hidden: of every recurrent layer.
        layers: of the prior's LSTM.
    """

    supervised = False

    def __init__(self, config: ModelConfig, *, motion: int = 32, hidden: int = 256, layers: int = 1) -> None:
        super().__init__(config, config.content + motion)
        self.prior = MotionPrior(motion, hidden, layers)

    def static(self, features: Tensor) -> Gaussian:
        """q(f | x_{1:T}) (B, f) of features (B, T, h)."""
        raise NotImplementedError

    def motion(self, features: Tensor, f: Tensor) -> Gaussian:
        """q(z_t | x_{1:T}, f) (B, T, z) of features (B, T, h) and a draw of f."""
        raise NotImplementedError

    def penalties(self, clips: Tensor, features: Tensor, codes: Codes, noise: Noise) -> dict[str, Tensor]:
        """What a model adds to minus the bound, weighted, batch means: nothing in DSVAE."""
        return {}

    def infer(self, features: Tensor, draw: torch.Generator | None = None, shown: Tensor | None = None) -> Codes:
        """Posteriors, and draws from them (`draw` None: means).

        Args:
            features: h (B, T, h). shown: features that the static code is inferred from; None: the same.
        """
        with torch.autocast(features.device.type, enabled=False):
            static = self.static(features if shown is None else shown)
            f = static.mean if draw is None else static.sample(normal(static.mean.shape, static.mean, draw))
            motion = self.motion(features, f)
            z = motion.mean if draw is None else motion.sample(normal(motion.mean.shape, motion.mean, draw))
            return Codes(static, motion, f, z)

    def loss(
        self, clips: Tensor, action: Tensor, noise: Noise, *, cyclic: Tensor | None = None, estimate: Estimate = EXACT
    ) -> dict[str, Tensor]:
        """Minus the bound and the model's own penalties, batch means in nats per clip.

        The KL of z_t is taken from the prior given the posterior's own draws z_<t (teacher forcing), as the
        bound asks for. A share of the static codes may come from one frame (Deviation D17).
        """
        batch, frames = clips.shape[:2]
        features, shown = self.features(clips), None
        if estimate.single_frame_content:
            single = torch.rand(batch, generator=noise("content")) < estimate.single_frame_content
            column = torch.randint(frames, (batch,), generator=noise("reference")).to(clips.device)
            repeated = features[torch.arange(batch, device=clips.device), column][:, None].expand_as(features)
            shown = torch.where(single.to(clips.device)[:, None, None], repeated, features)
        draw = noise("posterior")
        codes = self.infer(features, draw, shown)
        with torch.autocast(clips.device.type, enabled=False):
            kl_motion = codes.motion.kl_from(self.prior(codes.z)).sum(-1).mean()
            kl_content = codes.static.kl().mean()
        penalties = self.penalties(clips, features, codes, noise)
        reconstruction = self.log_likelihood(clips, self.join(codes.f, codes.z), estimate, draw).mean()
        total = estimate.kl_weight * (kl_motion + kl_content) - reconstruction + sum(penalties.values())
        terms = {"loss": total, "reconstruction": reconstruction, "kl_motion": kl_motion, "kl_content": kl_content}
        return terms | penalties

    def join(self, f: Tensor, z: Tensor) -> Tensor:
        """[f, z_t] for every frame (B, T, f + z)."""
        return torch.cat([f[:, None].expand(-1, z.shape[1], -1), z], -1)

    def draw(self, f: Tensor, z: Tensor) -> Tensor:
        """Frames (B, T, 3, 64, 64) in [-1, 1] of f (B, f) and z (B, T, z)."""
        return self.decode(self.join(f, z))

    def encode(self, clips: Tensor, action: Tensor | None = None) -> Codes:
        """Posterior means of a whole clip.

        Raises:
            ShapeError: clips of another shape, type or range.
        """
        check_pixels(clips)
        return self.infer(self.features(clips))

    def generate(
        self, clips: Tensor, action: Tensor, frames: int, *, conditioning: str = "clip", skip: int = 0
    ) -> Tensor:
        """Frames skip+1..frames, (B, frames - skip, 3, 64, 64) in [-1, 1]. Deviation D12.

        Args:
            conditioning: `clip`, f from the whole clip, z_1 from frame 1 alone, the prior's means after it;
                `strict`, f too from frame 1 alone, repeated T times;
                `reconstruction`, every z_t of the clip, the prior's means only beyond its end.
        """
        if conditioning not in ("clip", "strict", "reconstruction"):
            raise ShapeError(f"conditioning {conditioning!r}", "'clip', 'strict' or 'reconstruction'")
        check_frames(frames, skip)
        if conditioning == "reconstruction":
            codes = self.encode(clips)
            return self.draw(codes.f, self.prior.roll(codes.z, frames)[:, skip:])
        check_pixels(clips)
        first = self.features(clips[:, :1])
        seen = first.expand(-1, clips.shape[1], -1) if conditioning == "strict" else self.features(clips)
        f = self.static(seen).mean
        return self.draw(f, self.prior.roll(self.motion(first, f).mean, frames)[:, skip:])

    def sample(self, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Clips from the prior, as many as actions; which action they show is left to chance."""
        return self.draw(self.draw_content(len(action), noise), self.draw_motion(len(action), frames, noise))

    def draw_content(self, count: int, noise: torch.Generator) -> Tensor:
        """f ~ N(0, I), (count, f)."""
        return normal((count, self.config.content), next(self.parameters()), noise)

    def draw_motion(self, count: int, frames: int, noise: torch.Generator) -> Tensor:
        """z_{1:T} drawn one after the other, (count, frames, z)."""
        check_frames(frames)
        return self.prior.roll(next(self.parameters()).new_zeros(count, 0, self.prior.size), frames, noise)

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor:
        """z_{1:T} of one clip, f of another, posterior means."""
        check_pairs(motion, content)
        return self.draw(self.encode(content).f, self.encode(motion).z)

    def with_prior_motion(
        self, content: Tensor, content_action: Tensor, action: Tensor, frames: int, noise: torch.Generator
    ) -> Tensor:
        """f of real clips, z_{1:T} drawn from the prior, which cannot be asked for an action."""
        check_pairs(action, content)
        return self.draw(self.encode(content).f, self.draw_motion(len(action), frames, noise))

    def with_prior_content(self, motion: Tensor, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Protocol B: z_{1:T} of real clips (the prior's means beyond their end), f ~ N(0, I)."""
        check_frames(frames)
        return self.draw(self.draw_content(len(motion), noise), self.prior.roll(self.encode(motion).z, frames))
