"""HALO: content apart from motion, motion along learned Hamiltonian flows. Paper: Figure 1, Eqs. (1)-(17)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from hamrepro.config import ModelConfig
from hamrepro.discrepancy import discrepancy
from hamrepro.dynamics import PhaseSpace, check_index, check_pairs, check_pixels, embed
from hamrepro.elbo import EXACT, Elbo, Estimate, Posterior
from hamrepro.errors import ShapeError
from hamrepro.free_dynamics import dynamics
from hamrepro.gaussian import Gaussian, emission_log_prob
from hamrepro.networks import ContentNetwork, Decoder, Encoder, MomentumNetwork, PositionNetwork
from hamrepro.prior_states import best_phase, some_from_prior


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
        self.operators = dynamics(config.actions, config.half_dimension, config.family, config.start)
        self.adversary: nn.Module | None = None  # with `content_adversary`
        self.decoder = Decoder(config, config.content + config.actions * config.half_dimension)

    def _check(self, clips: Tensor, action: Tensor, least_frames: int = 1, least_clips: int = 1) -> None:
        kind = next(self.parameters()).dtype
        few = clips.ndim < 2 or clips.shape[0] < least_clips or clips.shape[1] < least_frames
        if few or clips.shape[2:] != (3, 64, 64) or clips.dtype != kind:
            expected = f"{kind} (B, T, 3, 64, 64) in [-1, 1], B >= {least_clips}, T >= {least_frames}"
            raise ShapeError(f"clips {tuple(clips.shape)} {clips.dtype}", expected)
        check_index("action", action, len(clips), self.config.actions)

    def features(self, clips: Tensor) -> Tensor:
        """h_{1:T} (B, T, h) of clips (B, T, 3, 64, 64). Paper: Table 3."""
        frames = clips.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return self.encoder(frames).unflatten(0, clips.shape[:2])

    def window(self, frames: int, reference: Tensor, cyclic: Tensor | None = None) -> Tensor:
        """Frames t-w+1..t that the momentum sees, as indices (B, w). Paper: Eq. (12). Deviation D7.

        Args:
            frames: T. reference: t (B,), 0..T-1.
            cyclic: (B,) bool; where true the clip is one period of a cycle cut open at a random frame, and
                the window wraps round instead of repeating frame 1 (Deviation D13).
        """
        past = reference[:, None] + torch.arange(1 - self.momentum.window, 1, device=reference.device)
        repeated = past.clamp_min(0)
        return repeated if cyclic is None else torch.where(cyclic[:, None], past % frames, repeated)

    def infer(self, features: Tensor, action: Tensor, reference: Tensor) -> Posterior:
        """Posteriors of content and of the state at the reference frame. Paper: Eqs. (11), (12), (22).

        Args:
            features: h (B, T, h). action: u (B,). reference: (B,), 0..T-1.
        """
        window = self.window(features.shape[1], reference)
        seen = features[torch.arange(len(action), device=action.device)[:, None], window]
        return self._posterior(self.content(features), seen, action, reference)

    def _posterior(self, content: Gaussian, seen: Tensor, action: Tensor, reference: Tensor) -> Posterior:
        return Posterior(content, self.position(seen[:, -1], action), self.momentum(seen, action), reference)

    def loss(
        self,
        clips: Tensor,
        action: Tensor,
        noise: Callable[[str], torch.Generator],
        *,
        cyclic: Tensor | None = None,
        estimate: Estimate = EXACT,
    ) -> dict[str, Tensor]:
        """Minus the ELBO and its terms, batch means in nats per clip. Paper: Eqs. (11)-(17).

        Args:
            noise: stream name -> generator. cyclic: see `window`. estimate: how the bound is estimated.

        Raises:
            ShapeError: clips or actions of another shape, type or range; one frame, which has no motion; in
                training, one clip, which has no batch statistics.
        """
        self._check(clips, action, least_frames=2, least_clips=2 if self.training else 1)
        batch, frames = clips.shape[:2]
        rows = torch.arange(batch, device=action.device)

        def sent(drawn: Tensor) -> Tensor:  # without waiting for the device
            return drawn.to(action.device, non_blocking=True)

        reference = sent(torch.randint(frames, (batch,), generator=noise("reference")))
        window, choice = self.window(frames, reference, cyclic), noise("content")
        if estimate.content_frames == "window":
            seen = content = self.features(clips[rows[:, None], window])
        elif estimate.content_frames == "apart":
            other = sent(torch.randint(frames, (batch, 2), generator=choice))
            both = self.features(clips[rows[:, None], torch.cat([window, other], 1)])
            seen, content = both[:, : self.momentum.window], both[:, self.momentum.window :]
        else:
            content = self.features(clips)
            seen = content[rows[:, None], window]
        if estimate.single_frame_content:
            single = torch.rand(batch, generator=choice) < estimate.single_frame_content
            frame = (content if estimate.content_frames == "apart" else seen)[:, -1:]
            content = torch.where(sent(single)[:, None, None], frame.expand_as(content), content)
        if estimate.content_frames == "apart":
            content = content.repeat(1, frames // 2, 1)
        posterior = self._posterior(self.content(content), seen, action, reference)
        draw = noise("posterior")
        z, q, p = (part.sample(sent(torch.randn(part.mean.shape, generator=draw))) for part in posterior[:3])
        state, free = some_from_prior(PhaseSpace(q, p), estimate.prior_states, noise("prior"))
        positions = self.positions(state, action, reference, frames * estimate.periods)
        decoded = min(estimate.decoded_frames or frames, frames)
        columns = sent(torch.rand(batch, frames, generator=draw).argsort(1)[:, :decoded])
        period = sent(torch.randint(estimate.periods, columns.shape, generator=draw))
        means = self.decode(z, positions[rows[:, None], columns + frames * period])
        if estimate.prior_states:
            columns = torch.where(free[:, None], best_phase(means, clips, columns), columns)
        log_likelihood = emission_log_prob(clips[rows[:, None], columns], means) * (frames / decoded)
        elbo = Elbo.of(posterior, log_likelihood)
        if estimate.kl_frames == "all":
            elbo = elbo._replace(**self._kl_of_all_frames(content, action, cyclic))
        kept = {name: getattr(elbo, name).masked_fill(free, 0) for name in ("kl_position", "kl_momentum")}
        terms = elbo._replace(**kept).terms(estimate.kl_weight)
        if estimate.content_mmd:
            terms["content_mmd"] = discrepancy(posterior.content.mean, action, self.config.actions)
            terms["loss"] = terms["loss"] + estimate.content_mmd * terms["content_mmd"]
        if self.adversary is not None:
            told = self.adversary(posterior.content, action, estimate.content_adversary, noise("adversary"))
            terms |= {"content_adversary": told, "loss": terms["loss"] + told}
        return terms

    def _kl_of_all_frames(self, features: Tensor, action: Tensor, cyclic: Tensor | None) -> dict[str, Tensor]:
        """KL of position and momentum summed over every frame as reference (B,): the release's bound."""
        batch, frames = features.shape[:2]
        every = torch.arange(frames, device=action.device).repeat(batch)
        action, features = action.repeat_interleave(frames), features.repeat_interleave(frames, 0)
        around = None if cyclic is None else cyclic.repeat_interleave(frames)
        seen = features[torch.arange(len(every), device=every.device)[:, None], self.window(frames, every, around)]
        motion = {"kl_position": self.position(seen[:, -1], action), "kl_momentum": self.momentum(seen, action)}
        return {name: gaussian.kl().unflatten(0, (batch, frames)).sum(1) for name, gaussian in motion.items()}

    def encode(self, clips: Tensor, action: Tensor, *, conditioning: str = "clip") -> Posterior:
        """Posteriors with the state at frame 1, the starting frame of Table 1. Deviation D12.

        Args:
            conditioning: `clip`, z from the whole clip; `strict`, z from frame 1 alone, repeated T times through the
                content LSTM; the state sees frame 1 alone. `frame-4`, as the release: the state at frame 4.

        Raises:
            ShapeError: clips, actions or conditioning of another shape, type or range; a model in training mode.
        """
        if self.training:
            raise ShapeError("a model in training mode", "evaluation mode", "model.eval()")
        if conditioning not in ("clip", "strict", "frame-4"):
            raise ShapeError(f"conditioning {conditioning!r}", "'clip', 'strict' or 'frame-4'")
        self._check(clips, action, least_frames=4 if conditioning == "frame-4" else 1)
        check_pixels(clips)
        if conditioning == "strict":
            features = self.features(clips[:, :1]).expand(-1, clips.shape[1], -1)
        else:
            features = self.features(clips)
        return self.infer(features, action, torch.full_like(action, 3 if conditioning == "frame-4" else 0))

    def positions(self, state: PhaseSpace, action: Tensor, reference: Tensor, frames: int) -> Tensor:
        """q_{1:T} in the whole position space (B, T, K d). Paper: Eqs. (8), (9), (13), (14)."""
        return embed(self.operators.flow(state, action, reference, frames).q, action, self.config.actions)

    def decode(self, content: Tensor, positions: Tensor) -> Tensor:
        """Means of the frames (B, T, 3, 64, 64) from z (B, |Z|) and q (B, T, K d). Paper: Eq. (6)."""
        z = content[:, None].expand(-1, positions.shape[1], -1)
        frames = self.decoder(torch.cat([z, positions], -1).flatten(0, 1))
        return frames.to(torch.promote_types(frames.dtype, torch.float32)).unflatten(0, positions.shape[:2])

    def generate(
        self, clips: Tensor, action: Tensor, frames: int, *, conditioning: str = "clip", skip: int = 0
    ) -> Tensor:
        """Frames skip+1..frames from the starting frame, posterior means. Paper: Section 4.1, Table 1.

        Returns:
            (B, frames - skip, 3, 64, 64) in [-1, 1].

        Raises:
            ShapeError: as `encode`; or nothing left to draw.
        """
        if not 0 <= skip < frames:
            raise ShapeError(f"frames {skip + 1}..{frames}", "0 <= skip < frames")
        posterior = self.encode(clips, action, conditioning=conditioning)
        positions = self.positions(posterior.mean_state(), action, posterior.reference, frames)
        return self.decode(posterior.content.mean, positions[:, skip:])

    def draw_state(self, action: Tensor, noise: torch.Generator) -> PhaseSpace:
        """s_1 ~ N(0, I), q and p (B, d), whatever the action. Paper: Eq. (3)."""
        draw = torch.randn(len(action), 2 * self.config.half_dimension, generator=noise)
        return PhaseSpace.from_state(draw.to(action.device))

    def draw_content(self, count: int, noise: torch.Generator) -> Tensor:
        """z ~ N(0, I), (count, |Z|). Paper: Eq. (2)."""
        return torch.randn(count, self.config.content, generator=noise).to(next(self.parameters()).device)

    def sample(self, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Unconditional clips of the given actions (B,). Paper: Eqs. (1)-(6), Figure 4."""
        check_index("action", action, action.numel(), self.config.actions)
        z = self.draw_content(len(action), noise)
        state = self.draw_state(action, noise)
        return self.decode(z, self.positions(state, action, torch.zeros_like(action), frames))

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor:
        """Motion of one clip, content of another. Paper: Figures 3, 9."""
        moving = self.encode(motion, motion_action)
        still = self.encode(content, content_action)
        check_pairs(motion, content)
        positions = self.positions(moving.mean_state(), motion_action, moving.reference, motion.shape[1])
        return self.decode(still.content.mean, positions)

    def with_prior_motion(
        self, content: Tensor, content_action: Tensor, action: Tensor, frames: int, noise: torch.Generator
    ) -> Tensor:
        """Protocol A: content of real clips, motion of any action from the prior. Paper: Section 4.1, Table 2."""
        z = self.encode(content, content_action).content.mean
        check_pairs(action, content)
        state = self.draw_state(action, noise)
        return self.decode(z, self.positions(state, action, torch.zeros_like(action), frames))

    def with_prior_content(self, motion: Tensor, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Protocol B: motion of real clips, content from the prior."""
        posterior = self.encode(motion, action)
        z = self.draw_content(len(motion), noise)
        return self.decode(z, self.positions(posterior.mean_state(), action, posterior.reference, frames))

    def matrices(self) -> list[str]:
        """Names of the weights a matrix optimiser may take: not H, the adversary or the layers that touch pixels."""
        kept = [self.encoder[0].weight, self.decoder[-3].weight, *self.operators.parameters()]
        kept += self.adversary.parameters() if self.adversary else []
        return [n for n, p in self.named_parameters() if p.ndim > 1 and all(p is not q for q in kept)]

    def diagnostics(self) -> dict[str, float]:
        """What to log beside the loss: the growth rate max Re(lambda) of every operator, per frame."""
        return {f"growth_rate/{k}": rate for k, rate in enumerate(self.operators.growth_rates().tolist())}
