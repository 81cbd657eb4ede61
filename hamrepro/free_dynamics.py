"""Dynamics without a Hamiltonian, behind the same verb: what the symplectic structure is worth."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from hamrepro.dynamics import HamiltonianOperators, LinearDynamics, PhaseSpace, check_index
from hamrepro.errors import ShapeError
from hamrepro.symplectic import flow_powers, symplectic_form


class FreeLinearOperators(LinearDynamics):
    """One unconstrained generator per action, 4 d^2 numbers: the linear flow of Eq. (8) without Definition 6.

    Starts where the Hamiltonian families start: d uncoupled oscillators, frequencies spread over (0, pi)
    radians per frame, plus noise. Nothing keeps a mode from growing or dying.

    Args:
        actions: K. half_dimension: d.
    """

    def __init__(self, actions: int, half_dimension: int) -> None:
        super().__init__()
        self.actions, self.half_dimension = actions, half_dimension
        omega = math.pi * (torch.arange(half_dimension) + 0.5) / half_dimension
        start = symplectic_form(half_dimension) @ torch.diag(omega.repeat(2))
        self.generator = nn.Parameter(start + 0.02 * torch.randn(actions, *start.shape))

    def generators(self) -> Tensor:
        """G (K, 2d, 2d), any matrix."""
        return self.generator

    def powers(self, frames: int) -> Tensor:
        """e^{oG}, o in -(T-1)..T-1, (K, 2T-1, 2d, 2d): backward time is the exponential of -G, not a transpose."""
        forward = flow_powers(self.generator, frames)[:, frames - 1 :]
        backward = flow_powers(-self.generator, frames)[:, frames:]
        return torch.cat([backward.flip(1), forward], 1)


class GatedDynamics(nn.Module):
    """A recurrent network in the place of the flow: one GRU forward in time, one backward, told the action.

    s_{t+o} = s_t + P (h_o - h_0), h_0 = tanh(L s_t), h_o = GRU(u, h_{o-1}). It moves the state of the reference
    frame like the flow does and leaves it where it is at o = 0, but conserves nothing and cannot be reversed.

    Args:
        actions: K. half_dimension: d. hidden: width of both GRUs.
    """

    def __init__(self, actions: int, half_dimension: int, hidden: int = 128) -> None:
        super().__init__()
        self.actions, self.half_dimension = actions, half_dimension
        self.lift = nn.Linear(2 * half_dimension, hidden)
        self.forward_time = nn.GRU(actions, hidden, batch_first=True)
        self.backward_time = nn.GRU(actions, hidden, batch_first=True)
        self.project = nn.Linear(hidden, 2 * half_dimension, bias=False)

    def growth_rates(self) -> Tensor:
        """No operator, no spectrum: (0,)."""
        return torch.zeros(0)

    def flow(self, state: PhaseSpace, action: Tensor, reference: Tensor, frames: int) -> PhaseSpace:
        """States of all frames from the state of one, as `LinearDynamics.flow`.

        Args:
            state: at the reference frame, (B, d) each. action: u (B,), 0..K-1. reference: (B,), 0..T-1. frames: T.

        Returns:
            q and p (B, T, d).

        Raises:
            ShapeError: shapes that do not fit, an action or a frame out of range.
        """
        if state.q.ndim != 2 or state.q.shape[-1] != self.half_dimension:
            raise ShapeError(f"q of shape {tuple(state.q.shape)}", f"(B, {self.half_dimension})")
        check_index("action", action, len(state.q), self.actions)
        check_index("reference frame", reference, len(state.q), frames)
        with torch.autocast(state.q.device.type, enabled=False):
            here = state.state.float() if state.q.dtype != torch.float64 else state.state
            start = torch.tanh(self.lift(here))
            paths = start[:, None]
            if frames > 1:
                told = functional.one_hot(action, self.actions).to(here.dtype)[:, None].expand(-1, frames - 1, -1)
                after = self.forward_time(told, start[None])[0]
                before = self.backward_time(told, start[None])[0]
                paths = torch.cat([before.flip(1), paths, after], 1)
            offsets = torch.arange(frames, device=action.device) - reference[:, None] + frames - 1
            chosen = paths[torch.arange(len(action), device=action.device)[:, None], offsets]
            return PhaseSpace.from_state(here[:, None] + self.project(chosen - start[:, None]))


def dynamics(
    actions: int, half_dimension: int, family: str, start: str = "oscillators"
) -> LinearDynamics | GatedDynamics:
    """The dynamics of a model by its family: `linear`, `gru`, or one of `hamrepro.dynamics.FAMILIES`."""
    if family == "linear":
        return FreeLinearOperators(actions, half_dimension)
    if family == "gru":
        return GatedDynamics(actions, half_dimension)
    return HamiltonianOperators(actions, half_dimension, family, start)
