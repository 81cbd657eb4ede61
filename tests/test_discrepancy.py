"""The maximum mean discrepancy: the estimator of its definition, unbiased, zero where the label says nothing."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest
import torch
from tiny import tiny_config

from hamrepro.discrepancy import discrepancy
from hamrepro.elbo import EXACT
from hamrepro.models import build
from hamrepro.randomness import generator


def draws(count, size=5, seed=0):
    return torch.randn(count, size, generator=generator(seed, "prior"), dtype=torch.float64)


def by_definition(codes, label):
    scale = torch.stack([(a - b).square().sum() for a, b in product(codes, codes)]).mean()

    def kernel(a, b):
        return torch.exp(-(a - b).square().sum() / scale)

    def mean(pairs):
        return torch.stack([kernel(a, b) for a, b in pairs]).mean()

    groups = [codes[label == k] for k in label.unique() if (label == k).sum() > 1]
    found = [
        mean(permutations(one, 2)) + mean(permutations(two, 2)) - 2 * mean(product(one, two))
        for one, two in combinations(groups, 2)
    ]
    return torch.stack(found).mean()


@pytest.mark.parametrize("label", [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2, 2], [0, 0, 3, 3, 3, 1], [2, 2, 0, 0]])
def test_it_is_its_definition(label):
    codes, label = draws(len(label)), torch.tensor(label)
    assert torch.allclose(discrepancy(codes, label, 4), by_definition(codes, label))


def test_it_is_zero_on_average_where_the_label_says_nothing_and_grows_with_what_it_says():
    label, codes = torch.arange(48) % 3, draws(48, 30)
    shuffled = torch.stack(
        [discrepancy(codes, label[torch.randperm(48, generator=generator(0, "pairing", n))], 3) for n in range(200)]
    )
    assert abs(shuffled.mean()) < 4 * shuffled.std() / 200**0.5
    shift = torch.nn.functional.one_hot(label, 30).double()
    found = [discrepancy(codes + size * shift, label, 3).item() for size in (1.0, 2.0, 4.0)]
    assert shuffled.std() < found[0] < found[1] < found[2]


@pytest.mark.parametrize("label", [[0, 0, 0, 0], [0, 1, 2, 2], [0, 1, 2, 3]])
def test_without_two_labels_of_two_codes_it_is_zero(label):
    codes = draws(4).requires_grad_()
    found = discrepancy(codes, torch.tensor(label), 4)
    found.backward()
    assert found == 0 and not codes.grad.any()


def test_equal_codes_have_a_finite_gradient():
    codes = torch.ones(6, 4, requires_grad=True)
    discrepancy(codes, torch.arange(6) % 2, 2).backward()
    assert torch.isfinite(codes.grad).all()


def test_it_follows_its_gradient_to_zero():
    label = torch.arange(30) % 3
    codes = (draws(30) + 3 * torch.nn.functional.one_hot(label, 5)).requires_grad_()
    before, optimiser = discrepancy(codes, label, 3).item(), torch.optim.Adam([codes], 0.05)
    for _ in range(100):
        optimiser.zero_grad()
        discrepancy(codes, label, 3).backward()
        optimiser.step()
    assert discrepancy(codes, label, 3) < 0.05 * before


def test_autocast_does_not_round_it():
    codes, label = draws(48, 30).float(), torch.arange(48) % 3
    with torch.autocast("cpu", torch.bfloat16):
        low = discrepancy(codes, label, 3)
    assert low.dtype == torch.float32 and torch.equal(low, discrepancy(codes, label, 3))


def test_the_loss_holds_it_at_its_weight():
    halo, action = build(tiny_config(model="halo-u"), 0).eval(), torch.tensor([0, 0, 1, 1])
    clips = 2 * torch.rand(4, 8, 3, 64, 64, generator=generator(0, "faces")) - 1
    bound, weighted = (
        halo.loss(clips, action, lambda name: generator(0, name), estimate=EXACT._replace(content_mmd=weight))
        for weight in (0.0, 7.0)
    )
    assert "content_mmd" not in bound and next(iter(weighted)) == "loss"
    assert torch.allclose(weighted["loss"], bound["loss"] + 7 * weighted["content_mmd"])
