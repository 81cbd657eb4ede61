"""SKD. Berman, Naiman and Azencot, Multifactor Sequential Disentanglement via Structured Koopman Autoencoders, 2023."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from hamrepro.baselines.trunk import Noise, Trunk, check_frames, choose_frames
from hamrepro.config import ModelConfig
from hamrepro.dynamics import check_pixels
from hamrepro.elbo import EXACT, Estimate
from hamrepro.errors import ShapeError

RIDGE = 1e-4


def koopman_operator(gram: Tensor, cross: Tensor) -> Tensor:
    """C (k, k) = argmin |Z_{1:T-1} C - Z_{2:T}|^2 + ridge |C|^2, rows being states: Z_{t+1} = Z_t C.

    Args:
        gram: Z_{1:T-1}^T Z_{1:T-1}. cross: Z_{1:T-1}^T Z_{2:T}, both (k, k).
    """
    return torch.linalg.solve(gram + RIDGE * torch.eye(len(gram), dtype=gram.dtype, device=gram.device), cross)


def eigenvalues(operator: Tensor) -> Tensor:
    """Of an operator (k, k), complex128 on the CPU, differentiable; NaN where it is not finite."""
    if not operator.isfinite().all():
        return torch.full(operator.shape[:1], torch.nan, dtype=torch.complex128)
    return torch.linalg.eigvals(operator.double().cpu())


def static_modes(eigenvalues: Tensor, count: int) -> Tensor:
    """Which eigenvalues (k,) belong to the `count` modes nearest 1: bool (k,); a conjugate pair is one mode."""
    mask = torch.zeros(len(eigenvalues), dtype=torch.bool)
    for index in (eigenvalues - 1).abs().argsort().tolist():
        if mask[index]:
            continue
        if count == 0:
            break
        count -= 1
        mask[index] = True
        if eigenvalues[index].imag.abs() > 0:
            pair = (eigenvalues - eigenvalues[index].conj()).abs()
            pair[index] = torch.inf
            mask[pair.argmin()] = True
    return mask


def spectral_loss(spectrum: Tensor, count: int) -> Tensor:
    """Mean |lambda - 1|^2 over the static modes, plus the mean of Re(lambda) > 0.5 over the others."""
    static = static_modes(spectrum.detach(), count)
    still, moving = spectrum[static], spectrum[~static].real
    penalty = torch.where(moving > 0.5, moving, 0.0).sum() / max(1, len(moving))
    return (still - 1).abs().square().mean() + penalty


def static_projector(operator: Tensor, count: int) -> Tensor:
    """P (k, k), real: Z P is the static part of states Z (..., k), Z - Z P the motion. P^2 = P, P C = C P."""
    values, vectors = torch.linalg.eig(operator.detach().double().cpu())
    chosen = static_modes(values, count)
    projector = vectors[:, chosen] @ torch.linalg.inv(vectors)[chosen]
    return projector.real.to(operator)


class Skd(Trunk):
    """A deterministic autoencoder whose codes move linearly, with static modes near eigenvalue 1.

    No prior: content is replaced by mixtures of other clips' content, motion by another clip's. The operator is
    fitted anew to every batch; `operator`, from a running mean over batches, is the one used afterwards.

    Args:
        config: sizes of the trunk. codes: k. static: number of static modes.
    """

    supervised = False
    inapplicable: ClassVar = dict.fromkeys(("sample", "with_prior_motion"), "SKD has no prior to draw a motion from")
    mixes = ("with_prior_content",)  # clips of a batch, which should therefore be a random one
    memory = 0.99

    def __init__(self, config: ModelConfig, *, codes: int = 40, static: int = 8) -> None:
        super().__init__(config, codes)
        self.modes = static
        self.narrow = nn.Sequential(nn.Linear(config.features, codes), nn.BatchNorm1d(codes), nn.Tanh())
        self.encoder_lstm = nn.LSTM(codes, codes, batch_first=True)
        self.decoder_lstm = nn.LSTM(codes, codes, batch_first=True)
        for name in ("gram", "cross", "operator"):
            self.register_buffer(name, torch.zeros(codes, codes))

    def states(self, clips: Tensor) -> Tensor:
        """Z (B, T, k) of clips."""
        features = self.features(clips)
        with torch.autocast(clips.device.type, enabled=False):
            return self.encoder_lstm(self.narrow(features.flatten(0, 1)).unflatten(0, clips.shape[:2]))[0]

    def drawn(self, states: Tensor) -> Tensor:
        """What the frames are decoded from, (B, T, k): an LSTM over the states."""
        with torch.autocast(states.device.type, enabled=False):
            return self.decoder_lstm(states)[0]

    def fit(self, states: Tensor) -> Tensor:
        """The operator of a batch (k, k); in training the running one follows."""
        before, after = states[:, :-1].flatten(0, 1), states[:, 1:].flatten(0, 1)
        gram, cross = before.mT @ before, before.mT @ after
        if self.training:
            with torch.no_grad():
                share = 1 - self.memory if self.gram.any() else 1.0
                self.gram.lerp_(gram, share)
                self.cross.lerp_(cross, share)
                self.operator.copy_(koopman_operator(self.gram, self.cross))
        return koopman_operator(gram, cross)

    def loss(
        self, clips: Tensor, action: Tensor, noise: Noise, *, cyclic: Tensor | None = None, estimate: Estimate = EXACT
    ) -> dict[str, Tensor]:
        """Published weights 15 : 1 : 1 : 1 of mean squares (frames on [0, 1]), all scaled to nats of the first.

        reconstruction 1/2 |x - dec Z|^2, `prediction` |dec Z - dec Z'|^2, `latent` |Z - Z'|^2, `spectrum`;
        Z' = [Z_1, Z_{1:T-1} C]. No KL and nothing random but a dropout of 0.2 on Z.
        """
        states = self.states(clips)
        with torch.autocast(clips.device.type, enabled=False):
            operator = self.fit(states)
            spectrum = spectral_loss(eigenvalues(operator), self.modes).to(states)
            keep = (torch.rand(states.shape, generator=noise("posterior")) >= 0.2).to(states) / 0.8
            kept = states * keep if self.training else states
            predicted = torch.cat([states[:, :1], states[:, :-1] @ operator], 1)
            latent = (kept - predicted).square().mean()
        paths = torch.cat([self.drawn(kept), self.drawn(predicted)], -1)
        seen, chosen = choose_frames(clips, paths, estimate, noise("reference"))
        drawn, ahead = self.decode(torch.cat(chosen.chunk(2, -1))).chunk(2)
        nats = 0.5 * clips[0].numel()
        reconstruction = -nats * (seen - drawn).square().mean()
        prediction = nats / 15 * (drawn - ahead).square().mean()
        # one mean square on [0, 1] is four on [-1, 1]
        latent, spectrum = 4 * nats / 15 * latent, 4 * nats / 15 * spectrum
        total = prediction + latent + spectrum - reconstruction
        return {
            "loss": total,
            "reconstruction": reconstruction,
            "prediction": prediction,
            "latent": latent,
            "spectrum": spectrum,
        }

    def encode(self, clips: Tensor, action: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Static and moving part of the states, (B, T, k) each; they add up to the states.

        Raises:
            ShapeError: clips of another shape, type or range.
        """
        check_pixels(clips)
        states = self.states(clips)
        still = states @ static_projector(self.operator, self.modes)
        return still, states - still

    def generate(
        self, clips: Tensor, action: Tensor, frames: int, *, conditioning: str = "clip", skip: int = 0
    ) -> Tensor:
        """Frames skip+1..frames by powers of the operator on the state of frame 1. Deviation D12.

        Args:
            conditioning: `clip`, the static part is its mean over the clip; `strict`, frame 1 alone.
        """
        if conditioning not in ("clip", "strict"):
            raise ShapeError(f"conditioning {conditioning!r}", "'clip' or 'strict'")
        check_frames(frames, skip)
        still, moving = self.encode(clips if conditioning == "clip" else clips[:, :1])
        path = [moving[:, 0] + still.mean(1)]
        for _ in range(frames - 1):
            path.append((path[-1] @ self.operator).clamp(-1e6, 1e6))  # a growing mode must not end in NaN
        return self.decode(self.drawn(torch.stack(path, 1))[:, skip:])

    def swap(self, motion: Tensor, motion_action: Tensor, content: Tensor, content_action: Tensor) -> Tensor:
        """Moving part of one clip's states, static part of another's, frame by frame.

        Raises:
            ShapeError: not as many clips, or frames, of each.
        """
        if motion.shape[:2] != content.shape[:2]:
            given = f"motion {tuple(motion.shape)}, content {tuple(content.shape)}"
            raise ShapeError(given, "as many clips of each, of one length")
        return self.decode(self.drawn(self.encode(motion)[1] + self.encode(content)[0]))

    def with_prior_content(self, motion: Tensor, action: Tensor, frames: int, noise: torch.Generator) -> Tensor:
        """Protocol B as published: static parts are random convex mixtures of two clips of the batch.

        They stay near the data, which draws from N(0, I) need not: an easier task than that of models with a prior.

        Raises:
            ShapeError: more frames than the clips have, or none.
        """
        if not 1 <= frames <= motion.shape[1]:
            raise ShapeError(f"{frames} frames", f"1..{motion.shape[1]}, those of the clips")
        still, moving = self.encode(motion)
        one, other = (still[torch.randperm(len(still), generator=noise).to(still.device)] for _ in range(2))
        share = torch.rand(len(still), 2, generator=noise).to(still)
        share = share / share.sum(1, keepdim=True)
        mixed = share[:, :1, None] * one + share[:, 1:, None] * other
        return self.decode(self.drawn((mixed + moving)[:, :frames]))

    def diagnostics(self) -> dict[str, float]:
        """Largest modulus among the running operator's eigenvalues: above 1, generated frames run away."""
        return {"spectral_radius": eigenvalues(self.operator).abs().max().item()}
