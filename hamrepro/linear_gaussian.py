"""HALO with a linear decoder: the evidence is a Gaussian's, and every line of Appendix A.1 can be checked."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian


def _standard(value: Tensor) -> Tensor:
    """log N(value | 0, I) in nats, summed over the last axis (...,)."""
    return Gaussian(torch.zeros_like(value), torch.zeros_like(value)).log_prob(value)


class LinearGaussian:
    """x_t ~ N(C q_t + D z, I) along one flow; float64.

    Codes are rows (z, q, p) (N, |Z| + 2d), the state being that of the reference frame; clips are (T, m).

    Args:
        generator: H (2d, 2d), any matrix. position: C (m, d). content: D (m, |Z|). frames: T.
        reference: the frame t whose state the codes hold, 0..T-1.

    Raises:
        ShapeError: sizes that do not fit, or a frame out of range.
    """

    def __init__(self, generator: Tensor, position: Tensor, content: Tensor, frames: int, reference: int = 0) -> None:
        d, self.pixels = generator.shape[-1] // 2, len(position)
        if position.shape[-1] != d or len(content) != self.pixels or not 0 <= reference < frames:
            shapes = [tuple(part.shape) for part in (generator, position, content)]
            raise ShapeError(f"H, C, D of shapes {shapes}, frame {reference}", "(2d, 2d), (m, d), (m, |Z|), 0..T-1")
        self.generator, self.frames, self.reference, self.half = generator.double(), frames, reference, d
        powers = torch.linalg.matrix_exp(torch.arange(1 - frames, frames)[:, None, None] * self.generator)
        self.powers, self.sizes = powers, (content.shape[-1], 2 * d)
        flow = powers[frames - 1 - reference : 2 * frames - 1 - reference, :d]
        moving = torch.einsum("md,tds->tms", position.double(), flow)
        still = content.double().expand(frames, -1, -1)
        self.weight = torch.cat([still, moving], -1)  # (T, m, |Z| + 2d): a clip's mean is linear in its code

    def states(self, codes: Tensor) -> Tensor:
        """s_{1:T} (N, T, 2d), all of them images of the reference frame's."""
        flow = self.powers[self.frames - 1 - self.reference : 2 * self.frames - 1 - self.reference]
        return torch.einsum("tij,nj->nti", flow, codes[:, self.sizes[0] :])

    def log_likelihood(self, clip: Tensor, codes: Tensor) -> Tensor:
        """log p(x_t' | q_t', z) per frame (N, T)."""
        return _standard(clip - torch.einsum("tmc,nc->ntm", self.weight, codes))

    def log_transition(self, states: Tensor) -> Tensor:
        """log p(s_t) (N, T) carried along the flow from s_1 ~ N(0, I). Paper: Eq. (20).

        A density moved by a map is divided by its determinant, e^{Tr H} a frame: 1 where H is Hamiltonian.
        """
        frame = torch.arange(self.frames)
        return _standard(states[:, :1]) - frame * self.generator.trace()

    def log_chain(self, clip: Tensor, codes: Tensor) -> Tensor:
        """log p(x_{1:T}, z, s_{1:T}) (N,), frame by frame from the first. Paper: Eq. (19).

        A transition is a point mass where the flow leads; beside it stands the constant of `log_transition`.
        """
        states, frames = self.states(codes), self.log_likelihood(clip, codes)
        joint = _standard(codes[:, : self.sizes[0]]) + _standard(states[:, 0]) + frames[:, 0]
        for t in range(1, self.frames):
            joint = joint + frames[:, t] - self.generator.trace()
        return joint

    def log_joint(self, clip: Tensor, codes: Tensor) -> Tensor:
        """log p(x_{1:T}, z, s_t) (N,), from the state of the reference frame, its prior N(0, I). Paper: Eq. (21)."""
        z, state = codes.split(self.sizes, -1)
        return _standard(z) + _standard(state) + self.log_likelihood(clip, codes).sum(-1)

    def log_ratio(self, clip: Tensor, codes: Tensor, posterior: Gaussian) -> Tensor:
        """What the bound is the mean of: log p(x, z, s_t) - log q(z) q(q_t) q(p_t) (N,). Paper: Eqs. (22), (23)."""
        return self.log_joint(clip, codes) - posterior.log_prob(codes)

    def terms(self, clip: Tensor, posterior: Gaussian) -> dict[str, float]:
        """The expectations one by one, exact, in nats. Paper: Eqs. (24), (25).

        Args:
            posterior: q of (z, q, p), mean and log sigma (|Z| + 2d,).
        """
        parts = (self.sizes[0], self.half, self.half)
        pieces = zip(posterior.mean.split(parts, -1), posterior.log_std.split(parts, -1), strict=True)
        error = clip - self.weight @ posterior.mean
        spread = torch.einsum("tmc,c->", self.weight.square(), (2 * posterior.log_std).exp())
        nats = -0.5 * (error.square().sum() + spread + clip.numel() * math.log(2 * math.pi))
        names = ("kl_content", "kl_position", "kl_momentum")
        return {"reconstruction": float(nats)} | {
            n: float(Gaussian(*q).kl()) for n, q in zip(names, pieces, strict=True)
        }

    def bound(self, clip: Tensor, posterior: Gaussian) -> float:
        """The evidence lower bound, exact. Paper: Eqs. (10), (18), (25)."""
        terms = self.terms(clip, posterior)
        return terms.pop("reconstruction") - sum(terms.values())

    def log_evidence(self, clip: Tensor) -> float:
        """log p(x_{1:T}), the left side of Jensen's inequality. Paper: Eq. (18)."""
        weight = self.weight.flatten(0, 1)
        covariance = weight @ weight.mT + torch.eye(len(weight), dtype=torch.float64)
        return float(MultivariateNormal(torch.zeros(len(weight)).double(), covariance).log_prob(clip.flatten()))

    def true_posterior(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (n,) and covariance (n, n) of (z, q, p) given the clip."""
        weight = self.weight.flatten(0, 1)
        covariance = torch.linalg.inv(weight.mT @ weight + torch.eye(weight.shape[-1], dtype=torch.float64))
        return covariance @ weight.mT @ clip.flatten(), covariance


def oscillator(frames: int, period: float = 8.0, reference: int = 0) -> LinearGaussian:
    """One pixel, x_t = 2 q_t + noise: an oscillator of `period` frames and a content of no size."""
    generator = 2 * math.pi / period * torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64)
    return LinearGaussian(generator, torch.full((1, 1), 2.0), torch.zeros(1, 0), frames, reference)
