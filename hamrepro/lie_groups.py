"""Groups, Lie groups, their algebras and actions, as predicates on matrices: the definitions of Appendix A.2."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from hamrepro.errors import ShapeError
from hamrepro.symplectic import within


def _near(a: Tensor, b: Tensor, tolerance: float) -> bool:
    return within(a - b, tolerance, b)


def multiplication_table(elements: Tensor, tolerance: float = 1e-10) -> Tensor:
    """Which element every product is, (n, n) int64; -1 where the product is none of them.

    Args:
        elements: (n, m, m), different matrices.
    """
    if elements.ndim != 3 or elements.shape[-1] != elements.shape[-2] or not elements.numel():
        raise ShapeError(f"elements of shape {tuple(elements.shape)}", "(n, m, m), not empty")
    products = elements[:, None] @ elements[None]
    gaps = (products[:, :, None] - elements).abs().amax((-1, -2))
    least, index = gaps.min(-1)
    return torch.where(least <= tolerance, index, -1)


def is_group(elements: Tensor, tolerance: float = 1e-10) -> bool:
    """Whether finitely many matrices form a group under multiplication. Paper: Definition 2.

    Closed, with an identity and with inverses: every row and every column of the multiplication table holds every
    element once. Associativity is that of the matrix product.

    >>> turns = rotation(torch.tensor([0.0, 0.25, 0.5, 0.75]).double() * 2 * torch.pi)
    >>> is_group(turns), is_group(turns[:3])
    (True, False)
    """
    table = multiplication_table(elements, tolerance)
    whole = torch.arange(len(elements))
    rows, columns = table.sort(1).values, table.sort(0).values.mT
    identity = torch.eye(elements.shape[-1], dtype=elements.dtype)
    return bool((rows == whole).all() and (columns == whole).all()) and any(
        _near(element, identity, tolerance) for element in elements
    )


def rotation(angle: Tensor) -> Tensor:
    """SO(2), the Lie group of the plane's rotations, (..., 2, 2) of angles in radians (...,). Paper: Definition 3."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)


def bracket(a: Tensor, b: Tensor) -> Tensor:
    """The product of a Lie algebra of matrices, [A, B] = AB - BA (..., n, n). Paper: Definition 4."""
    return a @ b - b @ a


def is_tangent(curve: Callable[[Tensor], Tensor], generator: Tensor, tolerance: float = 1e-6) -> bool:
    """Whether a curve of matrices leaves the identity in the direction of a generator. Paper: Definition 4.

    The algebra is the tangent space there, and the exponential map goes back: e^{hA} must be the curve at h, to
    first order. Float64.

    Args:
        curve: h, a scalar tensor -> (n, n), the identity at 0. generator: A (n, n).
    """
    step = torch.tensor(1e-5, dtype=torch.float64)
    slope = (curve(step) - curve(-step)) / (2 * step)
    return _near(curve(0 * step), torch.eye(len(generator)).double(), tolerance) and _near(slope, generator, tolerance)


def is_action(
    act: Callable[[Tensor, Tensor], Tensor], elements: Tensor, points: Tensor, tolerance: float = 1e-8
) -> bool:
    """Whether a map is a group action on these elements and points. Paper: Definition 8.

    e o x = x, and (g1 g2) o x = g1 o (g2 o x) for every pair.

    Args:
        act: (g (m, m), x (n, k)) -> (n, k). elements: (g, m, m). points: x (n, k).
    """
    identity = torch.eye(elements.shape[-1], dtype=elements.dtype)
    return _near(act(identity, points), points, tolerance) and all(
        _near(act(one @ two, points), act(one, act(two, points)), tolerance) for one in elements for two in elements
    )
