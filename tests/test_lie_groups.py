"""Definitions 2, 3, 4 and 8, each with something that is one and something that is none."""

from __future__ import annotations

import pytest
import torch

from hamrepro import lie_groups as lie
from hamrepro import symplectic as sy
from hamrepro.dynamics import HamiltonianOperators
from hamrepro.errors import ShapeError

E, R, F = torch.eye(2), -torch.eye(2), torch.diag(torch.tensor([1.0, -1.0]))
D2 = torch.stack([E, R, F, R @ F])


def test_the_paper_s_dihedral_group():
    assert lie.is_group(D2)
    assert lie.multiplication_table(D2).tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]


@pytest.mark.parametrize("members", [(1, 2, 3), (0, 1, 2), (1,)])
def test_parts_of_it_are_no_group(members):
    assert not lie.is_group(D2[list(members)])


def test_products_outside_are_marked():
    assert lie.multiplication_table(D2[:3]).tolist()[1] == [1, 0, -1]


def test_elements_are_square():
    with pytest.raises(ShapeError):
        lie.multiplication_table(torch.zeros(3, 2))


def test_rotations_are_a_lie_group(dtype):
    a, b = torch.tensor([0.3, 2.5], dtype=torch.float64)
    assert torch.allclose(lie.rotation(a) @ lie.rotation(b), lie.rotation(a + b), atol=1e-14)
    assert torch.allclose(lie.rotation(a) @ lie.rotation(-a), torch.eye(2).double(), atol=1e-14)
    assert abs(float(lie.rotation(a).det()) - 1) < 1e-14


def test_the_algebra_is_the_tangent_space():
    j = sy.symplectic_form(1, dtype=torch.float64)
    assert lie.is_tangent(lambda h: lie.rotation(-h), j), "the flow turns q towards p: clockwise"
    assert not lie.is_tangent(lie.rotation, j)
    assert not lie.is_tangent(lambda h: 2 * lie.rotation(-h), j)
    assert torch.allclose(torch.linalg.matrix_exp(0.7 * j), lie.rotation(torch.tensor(-0.7).double()))


@pytest.mark.parametrize(("family", "closed"), [("sp", True), ("u", True), ("u_sym", False)])
def test_which_families_are_algebras(family, closed):
    """sp(2d) and u(d) are closed under the bracket; the release's skew-H is not."""
    torch.manual_seed(0)
    one, two = (HamiltonianOperators(1, 3, family).double().generators()[0].detach() for _ in range(2))
    c = lie.bracket(one, two)
    assert sy.is_hamiltonian(c)
    assert sy.is_skew(c) == (family != "sp")
    assert (family != "u_sym" or bool(c[:3, :3].abs().max() < 1e-12)) == closed, "[A1, A2] leaves S = 0"


def test_the_flow_acts_on_phase_space():
    torch.manual_seed(0)
    flow = sy.flow_powers(HamiltonianOperators(1, 3, "sp").double().generators().detach(), 3)[0]
    points = torch.randn(4, 6, dtype=torch.float64)
    assert lie.is_action(lambda g, x: x @ g.mT, flow, points)
    mixed = torch.linalg.matrix_exp(torch.randn(2, 6, 6, dtype=torch.float64) / 3)
    assert not lie.is_action(lambda g, x: x @ g, mixed, points), "the order of the factors matters"
    assert not lie.is_action(lambda g, x: x @ g.mT + 1, flow, points), "the identity must do nothing"
