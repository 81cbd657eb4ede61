"""The two-second calibration: what it times is the networks, and the faster arithmetic is what it chooses."""

from __future__ import annotations

import time

import pytest
import torch

import hamrepro.precision as precision

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only where the networks run: one of float32, half or twice that of bfloat16, and noise."""

    def install(low_seconds, noise=()):
        now, noises = [0.0], iter(noise)

        class Network(torch.nn.Module):
            def __init__(self, *sizes):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.ones(()))

            def forward(self, frames):
                low = torch.is_autocast_enabled("cpu")
                now[0] += (low_seconds if low else 1.0) / 2 + next(noises, 0.0)
                return frames * self.weight

        monkeypatch.setattr(precision, "Encoder", Network)
        monkeypatch.setattr(precision, "Decoder", Network)
        monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])

    return install


@pytest.mark.parametrize(("low_seconds", "choice"), [(0.5, "bfloat16"), (0.95, "float32"), (16.0, "float32")])
def test_the_faster_one_is_chosen(clock, low_seconds, choice):
    clock(low_seconds)
    assert precision.choose_precision("auto", CPU) == choice


def test_the_first_turn_and_a_noisy_one_do_not_count(clock):
    clock(0.5, noise=[0, 0, 9, 9, 0, 0, 7, 0])  # bfloat16 is slow at first, and disturbed in the second turn
    assert precision.calibrate(CPU) == pytest.approx({"float32": 1.0, "bfloat16": 0.5})


def test_a_slow_machine_is_asked_only_a_few_times(clock):
    clock(16.0)
    began = time.perf_counter()
    precision.calibrate(CPU)
    assert time.perf_counter() - began <= (precision.TRIALS + 1) * 17.0


def test_real_networks_are_timed_and_the_generator_is_left_alone():
    before = torch.get_rng_state()
    seconds = precision.calibrate(CPU)
    assert seconds.keys() == {"float32", "bfloat16"} and all(0 < value < 60 for value in seconds.values())
    assert torch.equal(before, torch.get_rng_state())
