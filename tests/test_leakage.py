"""Readers of the action: what they find in content that tells it, and in content that does not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_config

from hamrepro import leakage as leaking
from hamrepro.errors import ConfigError, NonFiniteError
from hamrepro.gaussian import Gaussian
from hamrepro.models import build

COUNT = 600
ACTION = torch.arange(COUNT) % 3
CLIPS = SimpleNamespace(targets={"action": ACTION}, groups=torch.arange(COUNT) // 3)


class Clips(SimpleNamespace):
    def __len__(self):
        return COUNT


@pytest.fixture
def read(monkeypatch):
    def run(codes, model=None):
        clips = Clips(**vars(CLIPS))
        halo = build(tiny_config(), 0) if model is None else model
        monkeypatch.setattr(leaking, "posteriors", lambda model, clips, index, device: (codes(index), None))
        found = leaking.leakage(halo, clips, clips, torch.arange(COUNT))
        return {name.removeprefix("leakage/content/"): entry for name, entry in found.items()}

    return run


def codes(mean):
    return lambda index: Gaussian(mean[index], torch.full_like(mean[index], -1.5))


def noise(width=8):
    return torch.randn(COUNT, width, generator=torch.Generator().manual_seed(1))


def test_content_that_does_not_tell_leaves_both_readers_at_chance(read):
    found = read(codes(torch.zeros(COUNT, 8)))
    assert set(found) == {"linear", "mlp"}
    for entry in found.values():
        low, high = entry["ci95"]
        assert low <= entry["value"] <= high and entry["value"] == pytest.approx(1 / 3, abs=0.04)
        assert (entry["n"], entry["draws"]) == (COUNT, leaking.DRAWS)


def test_a_mean_of_its_own_is_read_by_both(read):
    shifted = noise() + 4 * torch.nn.functional.one_hot(ACTION, 8)
    assert all(entry["value"] > 0.9 for entry in read(codes(shifted)).values())


def test_a_ring_of_its_own_is_read_by_the_deep_one_alone(read):
    angle = 6.283 * torch.rand(COUNT, generator=torch.Generator().manual_seed(2))
    rings = torch.stack([angle.cos(), angle.sin()], 1) * (1 + 2 * ACTION)[:, None]
    found = read(codes(torch.cat([rings, torch.zeros(COUNT, 2)], 1)))
    assert found["linear"]["value"] < 0.5 and found["mlp"]["value"] > 0.9


def test_the_same_twice(read):
    assert read(codes(noise())) == read(codes(noise()))


def test_a_model_without_content_is_refused(read):
    with pytest.raises(ConfigError, match="content of Linear"):
        read(codes(noise()), torch.nn.Linear(2, 2))


def test_a_posterior_that_is_not_finite_is_refused(read):
    with pytest.raises(NonFiniteError):
        read(codes(noise() * float("nan")))
