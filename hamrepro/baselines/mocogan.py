"""MoCoGAN. Tulyakov et al., MoCoGAN: Decomposing Motion and Content for Video Generation, CVPR 2018."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from hamrepro.baselines.discriminators import ClipDiscriminator, FrameDiscriminator, real_and_category
from hamrepro.baselines.trunk import Noise, check_clips, check_frames, normal
from hamrepro.config import ModelConfig
from hamrepro.dynamics import check_index
from hamrepro.elbo import EXACT, Estimate
from hamrepro.errors import ShapeError
from hamrepro.networks import Decoder
from hamrepro.randomness import generator

CONTENT, MOTION = 50, 10


class Motion(NamedTuple):
    """What a motion is drawn from.

    Attributes:
        category: (B,), 0..K-1. start: h_0 ~ N(0, I), (B, 10). steps: e_t ~ N(0, I), (B, T, 10).
    """

    category: Tensor
    start: Tensor
    steps: Tensor


class ClipGenerator(nn.Module):
    """z_C, a category and noise to frames: a GRU makes the motion path, the preset's decoder draws each frame.

    The category goes into the GRU, as in the paper, and to the decoder, as in the published code.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.categories = config.actions
        self.gru = nn.GRU(MOTION + config.actions, MOTION, batch_first=True)
        self.decoder = Decoder(config, CONTENT + config.actions + MOTION)

    def path(self, motion: Motion) -> Tensor:
        """[category, z_M,t] for every frame, (B, T, K + 10)."""
        told = functional.one_hot(motion.category, self.categories).to(motion.steps.dtype)
        told = told[:, None].expand(-1, motion.steps.shape[1], -1)
        with torch.autocast(told.device.type, enabled=False):
            states = self.gru(torch.cat([motion.steps, told], -1), motion.start[None].contiguous())[0]
        return torch.cat([told, states], -1)

    def forward(self, content: Tensor, motion: Motion) -> Tensor:
        path = self.path(motion)
        codes = torch.cat([content[:, None].expand(-1, path.shape[1], -1), path], -1)
        frames = self.decoder(codes.flatten(0, 1)).unflatten(0, path.shape[:2])
        return frames.to(torch.promote_types(frames.dtype, torch.float32))


def fooled(critic: nn.Module, made: Tensor) -> Tensor:
    """A critic's answer whose gradient reaches what it looks at, but neither its weights nor its statistics."""
    fixed = {name: value.detach() for name, value in critic.named_parameters()}
    fixed |= {name: value.clone() for name, value in critic.named_buffers()}
    return functional_call(critic, fixed, (made,))


def is_real(logits: Tensor, target: float) -> Tensor:
    """Binary cross-entropy in nats against real = 1, made = 0, mean."""
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


class Mocogan(nn.Module):
    """Generator and two critics under one loss. Labels are the categories: nine action-views on Sprites.

    One update moves all three: the generator's part sees the critics with their weights held fixed, the
    critics' part sees the frames without their history. There is no encoder: nothing of a real clip can be kept.
    Samples come from a running mean of the generator's weights.

    Args:
        config: sizes of the trunk. frames: T of the training clips.
    """

    supervised = True
    inapplicable: ClassVar = dict.fromkeys(
        ("generate", "swap", "with_prior_motion", "with_prior_content"),
        "MoCoGAN has no encoder: nothing of a real clip can be kept",
    )
    memory = 0.999
    instance_noise = 0.1
    real_label = 0.9

    def __init__(self, config: ModelConfig, *, frames: int = 8) -> None:
        super().__init__()
        self.config, self.frames = config, frames
        base = min(64, config.encoder_widths[0])
        self.generator = ClipGenerator(config)
        self.frame_critic = FrameDiscriminator(base)
        self.clip_critic = ClipDiscriminator(base, config.actions, frames)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        for name, value in self.generator.state_dict().items():
            self.register_buffer(self._averaged_name(name), value.clone())

    @staticmethod
    def _averaged_name(name: str) -> str:
        return "mean_" + name.replace(".", "_")

    @torch.no_grad()
    def _follow(self) -> None:
        self.updates += 1
        keep = torch.clamp((1 + self.updates) / (10 + self.updates), max=self.memory)
        for name, value in self.generator.state_dict().items():
            mean = getattr(self, self._averaged_name(name))
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def draw_content(self, count: int, noise: torch.Generator) -> Tensor:
        """z_C ~ N(0, I), (count, 50)."""
        return normal((count, CONTENT), next(self.parameters()), noise)

    def draw_motion(self, category: Tensor, frames: int, noise: torch.Generator) -> Motion:
        """A motion of each category (B,)."""
        check_frames(frames)
        check_index("category", category, len(category), self.config.actions)
        like = next(self.parameters())
        count = len(category)
        return Motion(category, normal((count, MOTION), like, noise), normal((count, frames, MOTION), like, noise))

    def loss(
        self, clips: Tensor, action: Tensor, noise: Noise, *, cyclic: Tensor | None = None, estimate: Estimate = EXACT
    ) -> dict[str, Tensor]:
        """Sum of all players' losses, batch means in nats; `action` is the category of the real clips.

        generator: -log D(frames) - log D(clips) + cross-entropy of the categories asked for. critics: binary
        cross-entropies (real 0.9, made 0) and the cross-entropy of real clips' categories. Weights 1.

        Raises:
            ShapeError: clips of another shape or type, or of another length than the critic was built for.
        """
        check_clips(clips, next(self.parameters()).dtype)
        check_index("action", action, len(clips), self.config.actions)
        if clips.shape[1] != self.frames:
            raise ShapeError(
                f"clips of {clips.shape[1]} frames", f"{self.frames} frames, the critic's length", "--model halo-sp"
            )
        if self.training:
            self._follow()
        draw = noise("posterior")
        batch, frames = clips.shape[:2]
        asked = torch.randint(self.config.actions, (batch,), generator=draw).to(action.device)
        made = self.generator(self.draw_content(batch, draw), self.draw_motion(asked, frames, draw))
        rows = torch.arange(batch, device=clips.device)
        column = torch.randint(frames, (2, batch), generator=draw).to(clips.device)
        noisy_real, noisy_made = (x + self.instance_noise * normal(x.shape, x, draw) for x in (clips, made))
        real_frame, made_frame = noisy_real[rows, column[0]], noisy_made[rows, column[1]]
        real_clip, made_clip = noisy_real.transpose(1, 2), noisy_made.transpose(1, 2)

        frame_critic = is_real(self.frame_critic(real_frame), self.real_label)
        frame_critic = frame_critic + is_real(self.frame_critic(made_frame.detach()), 0)
        of_real, category = real_and_category(self.clip_critic(real_clip))
        of_made, _ = real_and_category(self.clip_critic(made_clip.detach()))
        clip_critic = is_real(of_real, self.real_label) + is_real(of_made, 0)
        category_real = functional.cross_entropy(category, action)

        verdict, shown = real_and_category(fooled(self.clip_critic, made_clip))
        generating = is_real(fooled(self.frame_critic, made_frame), 1) + is_real(verdict, 1)
        category_made = functional.cross_entropy(shown, asked)
        terms = {
            "generator": generating,
            "category_made": category_made,
            "frame_critic": frame_critic,
            "clip_critic": clip_critic,
            "category_real": category_real,
        }
        return {"loss": torch.stack(list(terms.values())).sum()} | terms

    def draw(self, content: Tensor, motion: Motion) -> Tensor:
        """Frames (B, T, 3, 64, 64) in [-1, 1] by the averaged generator: `Agree` scores hold one of the two fixed."""
        names = self.generator.state_dict()
        return functional_call(
            self.generator, {name: getattr(self, self._averaged_name(name)) for name in names}, (content, motion)
        )

    def sample(self, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Clips of the given categories, content and motion from the prior."""
        return self.draw(self.draw_content(len(action), noise), self.draw_motion(action, frames, noise))

    def matrices(self) -> list[str]:
        """None: the game is played with Adam alone."""
        return []

    @torch.no_grad()
    def diagnostics(self) -> dict[str, float]:
        """`variety`: standard deviation of pixels, on [0, 1], over 16 contents of one motion; 0 once collapsed."""
        noise, device = generator(0, "prior"), next(self.parameters()).device
        training = self.training
        self.eval()
        motion = self.draw_motion(torch.zeros(1, dtype=torch.int64, device=device), 1, noise)
        frames = self.draw(self.draw_content(16, noise), Motion(*(part.expand(16, *part.shape[1:]) for part in motion)))
        self.train(training)
        return {"variety": (frames.std(0).mean() / 2).item()}
