r"""Symplectic algebra: J, the Lie algebras sp(2d) and u(d), and the flow they generate.

Convention everywhere: s = (q, p), `J = [[0, I], [-I, 0]]`, `ds/dt = J M s = H s`
(Deviation D2: the paper writes both orders). The paper's Definition 1 gives the condition for the
*group* Sp(2d) under the name of Hamiltonian matrix; a Hamiltonian matrix is an element of the
*algebra*, `(J H)^T = J H` (Definition 6). Both are here under their right names.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from hamrepro.errors import ShapeError

SQUARINGS, LARGEST = 8, 512.0  # without reading |H|; so many are enough up to eighty turns a frame


def symplectic_form(d: int, *, dtype: torch.dtype | None = None, device: torch.device | None = None) -> Tensor:
    """The matrix J (2d, 2d). Paper: Definition 5.

    >>> symplectic_form(1)
    tensor([[ 0.,  1.],
            [-1.,  0.]])
    """
    if d < 1:
        raise ShapeError(f"half-dimension d = {d}", "d >= 1")
    eye = torch.eye(d, dtype=dtype, device=device)
    zero = torch.zeros_like(eye)
    return torch.cat([torch.cat([zero, eye], 1), torch.cat([-eye, zero], 1)], 0)


def _half(matrix: Tensor) -> int:
    square = matrix.ndim >= 2 and matrix.shape[-1] == matrix.shape[-2] and not matrix.shape[-1] % 2
    if not square or not matrix.numel() or matrix.is_complex():
        raise ShapeError(f"matrix of shape {tuple(matrix.shape)}, {matrix.dtype}", "real (..., 2d, 2d) with d >= 1")
    return matrix.shape[-1] // 2


def _apply_form(matrix: Tensor) -> Tensor:
    """J @ matrix by moving blocks: exact, no multiplication."""
    d = _half(matrix)
    return torch.cat([matrix[..., d:, :], -matrix[..., :d, :]], -2)


def sp_element(symmetric: Tensor) -> Tensor:
    """Hamiltonian matrix H = J M from a free matrix. Paper: Eq. (7), Definition 6.

    Args:
        symmetric: (..., 2d, 2d), any real matrix; its symmetric part is M, so 2d^2 + d numbers count.

    Returns:
        H (..., 2d, 2d) in sp(2d).
    """
    _half(symmetric)
    return _apply_form((symmetric + symmetric.mT) / 2)


def u_element(skew: Tensor, symmetric: Tensor) -> Tensor:
    """Skew-symmetric Hamiltonian matrix [[S, A], [-A, S]]. Paper: Definition 7. Deviation D1.

    Args:
        skew: (..., d, d), its skew part is S; symmetric: (..., d, d), its symmetric part is A.

    Returns:
        H (..., 2d, 2d) in sp(2d) and so(2d), that is u(d): d^2 free numbers.
    """
    if skew.shape != symmetric.shape or skew.ndim < 2 or skew.shape[-1] != skew.shape[-2]:
        raise ShapeError(f"blocks {tuple(skew.shape)} and {tuple(symmetric.shape)}", "two (..., d, d) of one shape")
    s, a = (skew - skew.mT) / 2, (symmetric + symmetric.mT) / 2
    return torch.cat([torch.cat([s, a], -1), torch.cat([-a, s], -1)], -2)


def is_hamiltonian(matrix: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether (J H)^T = J H: membership of the algebra sp(2d). Paper: Definition 6."""
    jh = _apply_form(matrix)
    return within(jh - jh.mT, tolerance, matrix)


def is_symplectic(matrix: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether Phi^T J Phi = J: membership of the group Sp(2d). Paper: Definitions 1 and 5."""
    return within(symplectic_residual(matrix.double()), tolerance, matrix.double().square())


def is_skew(matrix: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether H^T = -H; with `is_hamiltonian`, membership of u(d). Paper: Definition 7."""
    _half(matrix)
    return within(matrix + matrix.mT, tolerance, matrix)


def within(residual: Tensor, tolerance: float, scale: Tensor) -> bool:
    """Whether a residual is zero up to `tolerance` times one plus the largest entry of `scale`; of what is infinite or
    NaN it never is."""
    bound = tolerance * (1 + scale.abs().max())
    return bool(bound.isfinite() and residual.abs().max() <= bound)


def symplectic_residual(matrix: Tensor) -> Tensor:
    """Largest entry of |Phi^T J Phi - J|, a scalar tensor. Paper: Definition 5."""
    j = symplectic_form(_half(matrix), dtype=matrix.dtype, device=matrix.device)
    return (matrix.mT @ _apply_form(matrix) - j).abs().max()


class _Constants(NamedTuple):
    """`eye` (n, n); `signs` (n, n) of the blocks of an inverse; 1 / (4 i + j)! (order / 4, 4)."""

    eye: Tensor
    signs: Tensor
    factorials: Tensor


@lru_cache(maxsize=64)
def _constants(n: int, dtype: torch.dtype, device: torch.device) -> _Constants:
    order = 16 if dtype == torch.float64 else 8
    with torch.inference_mode(False):  # they outlive the call, and a later one may differentiate
        eye, sides = torch.eye(n, dtype=dtype, device=device), torch.ones(n, dtype=dtype, device=device)
        sides[n // 2 :] = -1
        rows = [[1 / math.factorial(block + part) for part in range(4)] for block in range(0, order, 4)]
        return _Constants(eye, sides[:, None] * sides, torch.tensor(rows, dtype=dtype, device=device))


def symplectic_inverse(matrix: Tensor) -> Tensor:
    """Inverse of symplectic matrices in closed form, -J Phi^T J: no solve. Paper: Definition 5.

    Args:
        matrix: (..., 2d, 2d), symplectic. Not checked.
    """
    d = _half(matrix)
    return matrix.mT.roll((d, d), (-2, -1)) * _constants(2 * d, matrix.dtype, matrix.device).signs


def _exponential(h: Tensor, read: bool | None = None) -> Tensor:
    """e^H by the Taylor polynomial of H / 2^s, squared s times: plain products, and so is its gradient.

    `torch.linalg.matrix_exp` differentiates through the exponential of a matrix twice as large, and up to
    torch 2.14 has a wrong coefficient (pytorch issue 196592, errors to 5e-5 in float32). Products are `bmm`, and there
    are as few calls as can be: matrices are small, so what a call costs is being called.

    Args:
        h: (K, n, n). read: whether to read the norm, which makes s a number; by default on the CPU alone, since
            elsewhere the program would wait for the device. Unread, `SQUARINGS` are computed in float64, and norms
            beyond `LARGEST` give NaN.
    """
    norm, kind = h.detach().abs().sum(-1).amax(), h.dtype
    if read is None:
        read = h.device.type == "cpu"
    squarings = SQUARINGS
    if read:
        least = float(norm)
        squarings = max(0, math.ceil(math.log2(2 * least))) if 0 < least < math.inf else 0
    else:
        h = h.double()
    constants = _constants(h.shape[-1], h.dtype, h.device)
    a = h * 0.5**squarings
    square = torch.bmm(a, a)
    powers = torch.stack([constants.eye.expand_as(h), a, square, torch.bmm(square, a)])
    fourth, order = torch.bmm(square, square), 4 * len(constants.factorials)
    *blocks, last = (constants.factorials @ powers.flatten(1)).unflatten(1, h.shape).unbind()
    result = last.add(fourth, alpha=1 / math.factorial(order))
    for block in reversed(blocks):  # four terms at a time, by Horner's rule in the fourth power
        result = torch.baddbmm(block, fourth, result)
    for _ in range(squarings):
        result = torch.bmm(result, result)
    return result if read else torch.where(norm > LARGEST, math.nan, result).to(kind)


def flow_powers(generators: Tensor, frames: int) -> Tensor:
    """The flow e^{oH} for every offset o a clip can need. Paper: Eq. (8), (13). Deviation D5.

    One matrix exponential per operator (Taylor polynomial, scaling and squaring, as in the paper's reference [50]),
    powers by products, backward time by the closed-form inverse.

    Args:
        generators: H (K, 2d, 2d), Hamiltonian.
        frames: T >= 1.

    Returns:
        (K, 2T-1, 2d, 2d); offset o in -(T-1)..T-1 stands at index T-1+o. At least float32.
    """
    if generators.ndim != 3 or not len(generators) or not generators.is_floating_point():
        raise ShapeError(f"H {generators.dtype} of shape {tuple(generators.shape)}", "real, (K, 2d, 2d), K >= 1")
    if not isinstance(frames, int) or frames < 1:
        raise ShapeError(f"T = {frames!r}", "a whole number >= 1")
    n, count = 2 * _half(generators), 1
    with torch.autocast(generators.device.type, enabled=False):
        h = generators if generators.dtype == torch.float64 else generators.float()
        rest = _constants(n, h.dtype, h.device).eye.expand(len(h), 1, n, n)
        if frames == 1:
            return rest
        ahead = last = _exponential(h)
        while count < frames - 1:  # doubling: offsets n+1..2n are offset n after offsets 1..n, side by side
            more = min(count, frames - 1 - count)
            new = torch.bmm(last, ahead if more == count else ahead[..., : more * n])
            ahead, last, count = torch.cat([ahead, new], -1), new[..., -n:], count + more
        ahead = ahead.unflatten(-1, (count, n)).transpose(1, 2)
        return torch.cat([symplectic_inverse(ahead.flip(1)), rest, ahead], 1)


def energy(generators: Tensor, states: Tensor) -> Tensor:
    """E = 1/2 s^T M s with M = -J H, conserved by the flow. Paper: Eq. (7).

    Args:
        generators: H (..., 2d, 2d); states: s = (q, p) (..., 2d), broadcast against H.
    """
    m = -_apply_form(generators)
    if states.ndim < 1 or states.shape[-1] != m.shape[-1]:
        raise ShapeError(f"states {tuple(states.shape)}, H {tuple(m.shape)}", "states (..., 2d), H (..., 2d, 2d)")
    return 0.5 * torch.einsum("...i,...ij,...j->...", states, m, states)


def spectral_abscissa(generators: Tensor) -> Tensor:
    """Largest real part among the eigenvalues of each H, per frame: growth rate of the flow (K,); NaN where H is not
    finite."""
    _half(generators)
    h = generators.detach().double().cpu()
    finite = h.isfinite().all(-1).all(-1)
    rates = torch.linalg.eigvals(torch.where(finite[..., None, None], h, 0.0)).real.amax(-1)  # LAPACK would die of NaN
    return torch.where(finite, rates, torch.nan)
