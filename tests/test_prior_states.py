"""How the bound is estimated in training: states from the prior, further periods, content from frames apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import tiny_config

from hamrepro.elbo import EXACT, Estimate
from hamrepro.models import build
from hamrepro.optimiser import estimate
from hamrepro.prior_states import best_phase
from hamrepro.randomness import generator

ACTION = torch.tensor([0, 1, 2])


def clips(count=3, seed=0):
    return 2 * torch.rand(count, 8, 3, 64, 64, generator=generator(seed, "faces")) - 1


def streams(name):
    return generator(0, name, 7)


@pytest.fixture
def halo():
    return build(tiny_config(model="halo-sp"), 0).eval()


@pytest.mark.parametrize("shift", range(8))
def test_the_best_phase_is_found(shift):
    real = clips()
    columns = torch.tensor([[0, 3, 5], [7, 1, 2], [4, 6, 0]])
    rows = torch.arange(3)[:, None]
    drawn = real[rows, (columns + shift) % 8] + 0.01 * torch.rand(3, 3, 3, 64, 64)
    assert torch.equal(best_phase(drawn, real, columns), (columns + shift) % 8)


def test_the_phase_is_chosen_in_float32_whatever_the_run_computes_in():
    real = clips(64)
    columns = torch.rand(64, 8, generator=generator(1, "faces")).argsort(1)[:, :3]
    drawn = 0.02 * real[torch.arange(64)[:, None], columns] + clips(64, 2)[:, :3]
    exact = best_phase(drawn, real, columns)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(best_phase(drawn, real, columns), exact)


def test_more_frames_asked_for_than_there_are(halo):
    few = clips()[:, :4]
    one, other = (halo.loss(few, ACTION, streams, estimate=EXACT._replace(decoded_frames=n)) for n in (4, 8))
    assert torch.equal(one["loss"], other["loss"])


def test_states_from_the_prior_teach_the_decoder_and_the_operators_not_the_heads(halo):
    terms = halo.loss(clips(), ACTION, streams, estimate=Estimate(3, "apart", 0.5, prior_states=1.0))
    terms["loss"].backward()
    assert terms["kl_position"] == terms["kl_momentum"] == 0
    silent = {n for n, p in halo.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent and all(name.startswith(("position", "momentum")) for name in silent)


def test_no_states_from_the_prior_leave_the_bound_as_it_is(halo):
    one, other = (halo.loss(clips(), ACTION, streams, estimate=e) for e in (EXACT, EXACT._replace(decoded_frames=8)))
    assert one["kl_position"] > 0 and torch.allclose(one["loss"], other["loss"], rtol=1e-5)


def test_further_periods_of_an_exact_cycle_change_nothing(halo):
    with torch.no_grad():
        for part in halo.operators.parameters():
            part.zero_()  # at rest every period is the same
    one, other = (halo.loss(clips(), ACTION, streams, estimate=EXACT._replace(periods=n)) for n in (1, 5))
    assert torch.allclose(one["reconstruction"], other["reconstruction"], rtol=1e-5)


def test_content_apart_never_sees_the_frames_of_the_motion_alone(halo):
    still = clips()[:, :1].expand(-1, 8, -1, -1, -1).contiguous()
    estimates = (EXACT, EXACT._replace(content_frames="apart"))
    whole, apart = (halo.loss(still, ACTION, streams, estimate=e)["kl_content"] for e in estimates)
    assert torch.allclose(whole, apart, rtol=1e-5)  # of a clip that does not move any two frames are as good as all


def test_priors_and_periods_come_in_by_and_by_and_stay():
    config = replace(tiny_config().training, steps=200, prior_states=0.4, periods=9, windows="cyclic")
    found = [estimate(config, step) for step in range(200)]
    shares, periods = ([getattr(each, name) for each in found] for name in ("prior_states", "periods"))
    assert shares[9] == pytest.approx(0.2) and shares == sorted(shares) and set(shares[19:]) == {0.4}
    assert periods[0] == 1 and periods == sorted(periods) and set(periods[99:]) == {9}
