"""Phase space and the learned operators that move it."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hamrepro.errors import ConfigError, ShapeError
from hamrepro.symplectic import flow_powers, sp_element, spectral_abscissa, u_element

FAMILIES = ("sp", "u", "u_sym", "elliptic")


class PhaseSpace(NamedTuple):
    """Position and momentum of the active action. The order s = (q, p) is fixed here. Deviation D2.

    Attributes:
        q: position (..., d). p: momentum (..., d).
    """

    q: Tensor
    p: Tensor

    @property
    def state(self) -> Tensor:
        """s = (q, p), shape (..., 2d). Paper: Eqs. (3), (12)."""
        if self.q.shape != self.p.shape:
            raise ShapeError(f"q {tuple(self.q.shape)}, p {tuple(self.p.shape)}", "one shape (..., d)")
        return torch.cat([self.q, self.p], -1)

    @classmethod
    def from_state(cls, state: Tensor) -> PhaseSpace:
        """Split s (..., 2d) into q and p."""
        if state.ndim < 1 or state.shape[-1] % 2:
            raise ShapeError(f"state of shape {tuple(state.shape)}", "(..., 2d)")
        return cls(*state.chunk(2, -1))


def check_index(name: str, index: Tensor, batch: int, size: int) -> None:
    """A wrong index would silently read another action or frame; on an accelerator looking at it would wait."""
    if index.shape != (batch,) or index.dtype != torch.int64:
        raise ShapeError(f"{name} {tuple(index.shape)} {index.dtype}", f"int64 ({batch},)")
    if index.device.type != "cpu" or not batch or torch.compiler.is_compiling():
        return
    if int(index.min()) < 0 or int(index.max()) >= size:
        raise ShapeError(f"{name} in {int(index.min())}..{int(index.max())}", f"0..{size - 1}")


def check_pixels(clips: Tensor) -> None:
    """A `ShapeError` for clips out of [-1, 1], or not numbers; on an accelerator looking would wait.

    That there are none is for the encoder to say.
    """
    if clips.device.type == "cpu" and clips.numel() and not -1.001 <= clips.min() <= clips.max() <= 1.001:
        raise ShapeError(f"pixels in [{clips.min():g}, {clips.max():g}]", "[-1, 1]", "hamrepro.batches.normalise")


def check_pairs(motion: Tensor, content: Tensor) -> None:
    """A `ShapeError` where not as many motions (B, ...) as contents (B, ...) are given."""
    if len(motion) != len(content):
        raise ShapeError(f"{len(motion)} of motion, {len(content)} of content", "as many of each")


class LinearDynamics(nn.Module):
    """A time-invariant linear flow per action, s_{t'} = e^{(t'-t) H_k} s_t. Paper: Eqs. (7), (8), (13).

    What H_k may be is said by `generators`, what e^{oH} costs by `powers`.
    """

    actions: int
    half_dimension: int

    def generators(self) -> Tensor:
        """H (K, 2d, 2d)."""
        raise NotImplementedError

    def powers(self, frames: int) -> Tensor:
        """e^{oH} for offsets o in -(T-1)..T-1, (K, 2T-1, 2d, 2d)."""
        raise NotImplementedError

    def growth_rates(self) -> Tensor:
        """Largest real part among the eigenvalues of each H, per frame (K,): 0 where no mode grows."""
        return spectral_abscissa(self.generators())

    def flow(self, state: PhaseSpace, action: Tensor, reference: Tensor, frames: int) -> PhaseSpace:
        """States of all frames from the state of one. Paper: Eqs. (8), (13). Deviation D5.

        Args:
            state: at the reference frame, (B, d) each. action: u as indices (B,), 0..K-1.
            reference: frame index (B,), 0..T-1. frames: T.

        Returns:
            q and p (B, T, d).

        Raises:
            ShapeError: shapes that do not fit, an action or a frame out of range.
        """
        if state.q.ndim != 2 or state.q.shape[-1] != self.half_dimension:
            raise ShapeError(f"q of shape {tuple(state.q.shape)}", f"(B, {self.half_dimension})")
        check_index("action", action, len(state.q), self.actions)
        check_index("reference frame", reference, len(state.q), frames)
        offsets = torch.arange(frames, device=action.device) - reference[:, None] + frames - 1
        with torch.autocast(action.device.type, enabled=False):  # bfloat16 would lose far frames
            steps = self.powers(frames)[action[:, None], offsets]
            return PhaseSpace.from_state(torch.einsum("btij,bj->bti", steps, state.state.to(steps.dtype)))


class HamiltonianOperators(LinearDynamics):
    r"""One time-invariant Hamiltonian H_k per action, block-diagonal by construction. Paper: Eqs. (7), (8), (13).

    Families:
        `sp`: H = J M, M symmetric, 2d^2 + d numbers (the paper's H).
        `u`: H = [[S, A], [-A, S]], d^2 numbers (the paper's skew-H, Deviation D1).
        `u_sym`: S = 0, d (d + 1) / 2 numbers (the release's skew-H).
        `elliptic`: H = J M, M = L L^T + 0.01 I positive definite: spectrum on the imaginary axis for certain.

    Every family starts at d uncoupled oscillators whose frequencies are spread evenly over (0, pi)
    radians per frame, up to the Nyquist limit (`start="oscillators"`), or at the release's random
    orthogonal matrix (`start="random"`, `sp` only). Deviation D14.

    Args:
        actions: K. half_dimension: d. family: one of `FAMILIES`.
    """

    def __init__(self, actions: int, half_dimension: int, family: str = "sp", start: str = "oscillators") -> None:
        super().__init__()
        if family not in FAMILIES:
            raise ConfigError(f"unknown family of operators {family!r}", f"one of {', '.join(FAMILIES)}")
        if actions < 1 or half_dimension < 1:
            raise ConfigError(f"K = {actions}, d = {half_dimension}", "both >= 1")
        self.actions, self.half_dimension, self.family = actions, half_dimension, family
        k, d = actions, half_dimension
        omega = math.pi * (torch.arange(d) + 0.5) / d
        noise = 0.02
        if start == "random" and family == "sp":
            draws = [nn.init.orthogonal_(torch.empty(2 * d, 2 * d), 2**0.5) for _ in range(k)]
            self.symmetric = nn.Parameter(torch.stack(draws))
        elif start != "oscillators":
            raise ConfigError(f"start {start!r} for family {family!r}", "'oscillators', or 'random' with 'sp'")
        elif family == "sp":
            self.symmetric = nn.Parameter(torch.diag(omega.repeat(2)) + noise * torch.randn(k, 2 * d, 2 * d))
        elif family == "elliptic":
            factor = torch.diag((omega - 0.01).clamp_min(0.01).sqrt().repeat(2))
            self.factor = nn.Parameter(factor + noise * torch.randn(k, 2 * d, 2 * d))
        else:
            self.symmetric = nn.Parameter(torch.diag(omega) + noise * torch.randn(k, d, d))
            if family == "u":
                self.skew = nn.Parameter(noise * torch.randn(k, d, d))

    def generators(self) -> Tensor:
        """H (K, 2d, 2d), in sp(2d)."""
        if self.family == "sp":
            return sp_element(self.symmetric)
        if self.family == "elliptic":
            eye = torch.eye(2 * self.half_dimension, dtype=self.factor.dtype, device=self.factor.device)
            return sp_element(self.factor @ self.factor.mT + 0.01 * eye)
        skew = self.skew if self.family == "u" else torch.zeros_like(self.symmetric)
        return u_element(skew, self.symmetric)

    def powers(self, frames: int) -> Tensor:
        """Symplectic e^{oH}, o in -(T-1)..T-1: one exponential, the inverse in closed form. Paper: Definition 5."""
        return flow_powers(self.generators(), frames)


def embed(position: Tensor, action: Tensor, actions: int) -> Tensor:
    """q of one action into the whole position space, zeros elsewhere. Paper: Eqs. (5), (6), (9), (14).

    Args:
        position: (B, T, d). action: (B,). actions: K.

    Returns:
        (B, T, K d).

    Raises:
        ShapeError: shapes that do not fit, an action out of range.
    """
    if position.ndim != 3:
        raise ShapeError(f"position of shape {tuple(position.shape)}", "(B, T, d)")
    check_index("action", action, len(position), actions)
    mask = nn.functional.one_hot(action, actions).to(position.dtype)
    return (position[:, :, None] * mask[:, None, :, None]).flatten(-2)
