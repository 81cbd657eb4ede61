"""Operators in tune: after training, every frequency moved to the nearest overtone of a known period. Deviation D22."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from hamrepro.dynamics import LinearDynamics
from hamrepro.errors import ShapeError

CONDITION = 1e8  # of the eigenvectors in float64: beyond it they are no basis to compute in


def tuned(generators: Tensor, period: int) -> Tensor:
    r"""The same eigenvectors, every eigenvalue \lambda moved to the nearest 2 \pi i n / T: e^{TH} = I. Deviation D22.

    An odd function of H, so a Hamiltonian matrix stays one, and a skew-symmetric one too.

    Args:
        generators: H (K, 2d, 2d), any matrix with a basis of eigenvectors. period: T >= 1, frames.

    Returns:
        (K, 2d, 2d), computed in float64 on the CPU, of the type and on the device of `generators`.

    Raises:
        ShapeError: no finite square matrices, a period below 1, or an H without a basis of eigenvectors.
    """
    square = generators.ndim == 3 and generators.shape[-1] == generators.shape[-2]
    if not square or not generators.isfinite().all() or period < 1:
        raise ShapeError(f"H of shape {tuple(generators.shape)}, T = {period}", "finite (K, 2d, 2d) and T >= 1")
    step = 2 * math.pi / period
    values, vectors = torch.linalg.eig(generators.detach().double().cpu())
    worst = float(torch.linalg.cond(vectors).amax())
    if not worst <= CONDITION:
        given = f"H whose eigenvectors are no basis: their condition number is {worst:.1e}"
        raise ShapeError(given, f"at most {CONDITION:.0e}", "use the operators as they were trained")
    overtones = torch.complex(torch.zeros_like(values.real), (values.imag / step).round() * step)
    found = torch.linalg.solve(vectors, vectors * overtones[:, None], left=False).real
    return found.to(generators)


class TunedOperators(LinearDynamics):
    """Trained operators in tune: their flow repeats after `period` frames, at frame 1,000 as at frame 8.

    Args:
        operators: linear dynamics. period: T, frames.

    Raises:
        ShapeError: see `tuned`.
    """

    def __init__(self, operators: LinearDynamics, period: int) -> None:
        super().__init__()
        self.actions, self.half_dimension, self.period = operators.actions, operators.half_dimension, period
        self.register_buffer("generator", tuned(operators.generators(), period))

    def generators(self) -> Tensor:
        """H (K, 2d, 2d)."""
        return self.generator

    def powers(self, frames: int) -> Tensor:
        """e^{oH}, o in -(T-1)..T-1, (K, 2T-1, 2d, 2d): one turn, repeated."""
        offsets = torch.arange(1 - frames, frames, device=self.generator.device) % self.period
        turn = torch.arange(self.period, device=self.generator.device)[:, None, None]
        return torch.matrix_exp(self.generator[:, None] * turn)[:, offsets]


def in_tune(model: nn.Module, period: int) -> nn.Module | None:
    """A copy of a model with its operators in tune; None where they cannot be: not linear, or see `tuned`."""
    operators = getattr(model, "operators", None)
    if not isinstance(operators, LinearDynamics):
        return None
    try:
        found = TunedOperators(operators, period)
    except ShapeError:
        return None
    model = copy.deepcopy(model)
    model.operators = found
    return model
