"""The evidence lower bound, itemised, in nats per clip. Paper: Eqs. (10), (17), (25)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from hamrepro.dynamics import PhaseSpace
from hamrepro.gaussian import Gaussian


class Estimate(NamedTuple):
    """How the bound of Eq. (17) is estimated in training; the defaults are the paper's.

    Attributes:
        decoded_frames: draw the sum over t' on this many frames per clip, without replacement, scaled by T over
            their number: unbiased (None: all frames; Deviation D15).
        content_frames: `clip`, q(z | x_{1:T}); `window`, q(z | x_{t-w+1:t}), the frames the momentum sees; `apart`,
            two frames drawn without regard to t, so that content cannot tell the phase (Deviation D17).
        single_frame_content: share of the clips whose content is inferred from one frame, repeated: content must
            not depend on the frame it is read from (Deviation D17).
        kl_frames: `reference`, the sampled frame only; `all`, the release's sum over frames (Deviation D8).
        kl_weight: of the KL terms in the loss; 1 is the bound (Deviation D18).
        prior_states: share of the clips whose state is drawn from the prior instead of the posterior; the cycle is
            then taken to begin where the frames drawn fit it best, and the KL of motion is 0 (Deviation D19).
        periods: of a cycle, frames are drawn from so many periods, not one: out to frame T * periods (Deviation D20).
        content_mmd: weight of the discrepancy between the contents of different actions, added to the loss: content
            must not tell the action (Deviation D21). content_adversary: weight of an adversary to the same end (D24).
    """

    decoded_frames: int | None = None
    content_frames: str = "clip"
    single_frame_content: float = 0.0
    kl_frames: str = "reference"
    kl_weight: float = 1.0
    prior_states: float = 0.0
    periods: int = 1
    content_mmd: float = 0.0
    content_adversary: float = 0.0


EXACT = Estimate()


class Posterior(NamedTuple):
    """What inference gives for a batch of clips. Paper: Eqs. (11), (12), (15), (16), (22).

    Attributes:
        content: q(z | x_{1:T}), (B, |Z|). position, momentum: q(q_t | x_t, u), q(p_t | x_{t-w+1:t}, u),
            (B, d) each, at the reference frame. reference: index of that frame (B,), 0..T-1.
    """

    content: Gaussian
    position: Gaussian
    momentum: Gaussian
    reference: Tensor

    def mean_state(self) -> PhaseSpace:
        """Posterior mean of s at the reference frame, (B, d) each."""
        return PhaseSpace(self.position.mean, self.momentum.mean)


class Elbo(NamedTuple):
    """Terms of the bound per clip, each (B,), in nats. Paper: Eqs. (17), (25).

    Attributes:
        reconstruction: sum over frames of log p(x_t' | q_t', z), constant left out (Deviation D8).
        kl_position, kl_momentum, kl_content: the three KL terms, >= 0.
    """

    reconstruction: Tensor
    kl_position: Tensor
    kl_momentum: Tensor
    kl_content: Tensor

    @property
    def total(self) -> Tensor:
        """The bound (B,). Paper: Eqs. (10), (17)."""
        return self.reconstruction - self.kl_position - self.kl_momentum - self.kl_content

    @classmethod
    def of(cls, posterior: Posterior, log_likelihood: Tensor) -> Elbo:
        """The bound from the posteriors and log p(x_t' | q_t', z) per frame (B, T). Paper: Eq. (17).

        The KL of the motion is taken at the sampled reference frame only.
        """
        return cls(log_likelihood.sum(-1), posterior.position.kl(), posterior.momentum.kl(), posterior.content.kl())

    def terms(self, kl_weight: float = 1.0) -> dict[str, Tensor]:
        """Batch means under their names, first `loss`: minus the bound, its KL terms weighted."""
        divergence = self.kl_position + self.kl_momentum + self.kl_content
        loss = kl_weight * divergence - self.reconstruction
        return {"loss": loss.mean()} | {name: term.mean() for name, term in self._asdict().items()}
