"""Batch norms end with the statistics of many batches, the same ones however often a run was stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import TinyClips, run_tiny, state_bytes, tiny_config
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from hamrepro.distributed import Processes
from hamrepro.models import build
from hamrepro.population import population_statistics
from hamrepro.presets import configure

CPU, BATCHES = torch.device("cpu"), 3


def taken(model: nn.Module, batches: int) -> None:
    config = tiny_config(steps=4, population_batches=batches)
    population_statistics(model, config, 0, TinyClips(), CPU, Processes())


@pytest.fixture
def model():
    return build(tiny_config(), 0).train()


def norms(model):
    return {name: part for name, part in model.named_modules() if isinstance(part, _BatchNorm)}


def test_they_are_the_mean_over_the_batches_of_what_each_norm_saw(model):
    seen = {name: [] for name in norms(model)}

    def look(name):
        return lambda _, given: seen[name].append(given[0].double().transpose(0, 1).flatten(1))

    for name, norm in norms(model).items():
        norm.register_forward_pre_hook(look(name))
    taken(model, BATCHES)
    for name, norm in norms(model).items():
        assert len(seen[name]) == BATCHES
        # torch sums float32 in float32
        for found, of in ((norm.running_mean, "mean"), (norm.running_var, "var")):
            expected = torch.stack([getattr(x, of)(1) for x in seen[name]]).mean(0).float()
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_nothing_else_is_touched(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    momenta = [norm.momentum for norm in norms(model).values()]
    taken(model, BATCHES)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}
    assert [norm.momentum for norm in norms(model).values()] == momenta
    assert model.training and all(parameter.grad is None for parameter in model.parameters())


def test_what_the_running_averages_were_does_not_matter(model):
    other = build(tiny_config(), 0).train()
    for norm in norms(other).values():
        norm.running_mean += 1
    taken(model, 1), taken(other, 1)
    for name, norm in norms(model).items():
        torch.testing.assert_close(norm.running_mean, norms(other)[name].running_mean)


def test_no_batches_leave_the_running_averages(model):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    taken(model, 0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_run_that_was_stopped_ends_with_the_same_ones(tmp_path):
    config = tiny_config(steps=4, population_batches=BATCHES)
    assert run_tiny(tmp_path / "whole", config)
    while not run_tiny(tmp_path / "stopped", config, stop_after=0):
        pass
    assert state_bytes(tmp_path / "stopped") == state_bytes(tmp_path / "whole")
    assert run_tiny(tmp_path / "without", tiny_config(steps=4))
    assert state_bytes(tmp_path / "without") != state_bytes(tmp_path / "whole")


def test_on_faces_the_last_cycle_ends_with_them():
    given = {name: configure("laptop", "mug", f"halo-sp{name}").training.population_batches
             for name in ("", "+running-averages", "+second-cycle", "+first-cycle", "+unshifted")}  # fmt: skip
    assert given == {"": 100, "+running-averages": 0, "+second-cycle": 0, "+first-cycle": 0, "+unshifted": 0}
    without, usual = (configure("laptop", "mug", f"halo-sp{name}").training for name in ("+running-averages", ""))
    assert replace(without, population_batches=100) == usual
    assert configure("laptop", "sprites", "halo-sp").training.population_batches == 0
