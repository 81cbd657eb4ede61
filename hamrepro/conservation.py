"""What a linear flow keeps, measured in the arithmetic of training: returns, energies, the symplectic form."""

from __future__ import annotations

import torch
from torch import Tensor

from hamrepro.dynamics import LinearDynamics
from hamrepro.errors import ShapeError
from hamrepro.symplectic import energy, symplectic_residual


def _states(operators: LinearDynamics, count: int = 16) -> Tensor:
    """The same standard normal states for every operator (K, count, 2d)."""
    noise = torch.Generator().manual_seed(0)
    states = torch.randn(operators.actions, count, 2 * operators.half_dimension, generator=noise)
    return states.to(operators.generators())


@torch.inference_mode()
def reversal_error(operators: LinearDynamics, frames: int = 16) -> float:
    """Frames - 1 steps on and as many back: largest distance from the start, relative to the state. Paper: Eq. (13)."""
    flow, states = operators.powers(frames), _states(operators)
    back = states @ flow[:, -1].mT @ flow[:, 0].mT
    return float(((back - states).norm(dim=-1) / states.norm(dim=-1)).max())


@torch.inference_mode()
def energy_drift(operators: LinearDynamics, frames: int) -> float:
    """Largest change of E = 1/2 s^T M s over some frames, relative to |s|^2 |M| / 2. Paper: Eq. (7).

    Raises:
        ShapeError: fewer than two frames.
    """
    if frames < 2:
        raise ShapeError(f"{frames} frames", "two at least")
    h, states = operators.generators(), _states(operators)
    moved = states @ operators.powers(frames)[:, -1].mT
    scale = states.square().sum(-1) * torch.linalg.matrix_norm(h, 2)[:, None] / 2
    return float(((energy(h[:, None], moved) - energy(h[:, None], states)).abs() / scale).max())


@torch.inference_mode()
def symplectic_defect(operators: LinearDynamics, frames: int = 16) -> float:
    """Largest entry of Phi^T J Phi - J over all offsets, relative to 1 + max |Phi|^2. Paper: Definition 5."""
    flows = operators.powers(frames).flatten(0, 1)
    return max(float(symplectic_residual(flow) / (1 + flow.square().max())) for flow in flows)
