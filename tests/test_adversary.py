"""The adversary of Deviation D24: what it sees, what the encoder gets back, and where in a run it is."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tiny import TinyClips, tiny_config

from hamrepro.adversary import Adversary, reversed_gradient
from hamrepro.curves import as_csv
from hamrepro.discrepancy import discrepancy
from hamrepro.elbo import EXACT
from hamrepro.gaussian import Gaussian
from hamrepro.models import build
from hamrepro.randomness import generator
from hamrepro.train import run_folder, train

ACTION = torch.arange(240) % 2


def hidden_in_a_product(action=ACTION, content=12):
    """Codes that tell an action only by the sign of a product of three: neither mean nor covariance does."""
    draw = generator(0, "posterior")
    codes = torch.randn(len(action), content, generator=draw)
    signs = torch.sign(torch.randn(len(action), 2, generator=draw))
    codes[:, 0] = 1.5 * signs[:, 0]
    codes[:, 1] = 1.5 * signs[:, 1]
    codes[:, 2] = 1.5 * signs.prod(1) * (1 - 2 * action)
    return codes


def posterior(mean):
    return Gaussian(mean, torch.full_like(mean, -1.5))


def fit(mean, steps, weight=1.0, optimised=(), rate=1e-2):
    torch.manual_seed(0)
    critic, found = Adversary(mean.shape[1], 2, width=32), []
    optimiser = torch.optim.Adam([{"params": critic.parameters()}, *optimised], rate)
    for step in range(steps):
        found.append(critic(posterior(mean), ACTION, weight, generator(0, "adversary", step)))
        optimiser.zero_grad()
        found[-1].backward()
        optimiser.step()
    return found[-1].item()


@pytest.mark.parametrize("weight", [0.0, 1.0, 1000.0])
def test_the_gradient_comes_back_reversed_and_the_value_goes_through_exactly(weight):
    x = torch.randn(5, requires_grad=True)
    y = reversed_gradient(x, weight)
    (3 * y).sum().backward()
    assert torch.equal(y, x) and torch.allclose(x.grad, torch.full_like(x, -3 * weight))


def test_it_sees_what_the_discrepancy_does_not():
    codes = hidden_in_a_product()
    assert abs(discrepancy(codes, ACTION, 2)) < 0.02
    assert fit(codes, 200) < 0.1


def test_of_codes_that_do_not_tell_it_learns_nothing_that_lasts():
    codes = torch.zeros(240, 4)
    assert fit(codes, 200) == pytest.approx(math.log(2), abs=0.02)


def test_codes_that_get_its_gradient_stop_telling():
    codes = hidden_in_a_product().requires_grad_()
    fit(codes, 400, weight=30.0, optimised=[{"params": [codes], "lr": 2e-2}])
    assert fit(codes.detach(), 200) > 5 * fit(hidden_in_a_product(), 200)


def test_autocast_does_not_round_it():
    torch.manual_seed(0)
    critic = Adversary(12, 2)
    given = posterior(hidden_in_a_product()), ACTION, 1.0
    with torch.autocast("cpu", torch.bfloat16):
        low = critic(*given, generator(0, "adversary"))
    assert low.dtype == torch.float32 and torch.equal(low, critic(*given, generator(0, "adversary")))


def with_adversary(weight=7.0, **changes):
    config = tiny_config(model="halo-u", **changes)
    return replace(config, training=replace(config.training, content_adversary=weight))


def test_it_is_part_of_the_model_only_where_it_is_asked_for_and_changes_no_other_weight():
    plain, armed = build(tiny_config(model="halo-u"), 0), build(with_adversary(), 0)
    assert plain.adversary is None and not any("adversary" in name for name in plain.state_dict())
    assert all(torch.equal(value, armed.state_dict()[name]) for name, value in plain.state_dict().items())
    assert not any("adversary" in name for name in armed.matrices())


def test_the_loss_holds_its_cross_entropy_and_every_weight_gets_a_gradient():
    halo, action = build(with_adversary(), 0), torch.tensor([0, 0, 1, 1])
    clips = 2 * torch.rand(4, 8, 3, 64, 64, generator=generator(0, "faces")) - 1
    terms = halo.loss(clips, action, lambda name: generator(0, name), estimate=EXACT._replace(content_adversary=7.0))
    bound = halo.loss(clips, action, lambda name: generator(0, name))
    assert bound["content_adversary"] == 0 and next(iter(terms)) == "loss"
    assert torch.allclose(terms["loss"], bound["loss"] + terms["content_adversary"])
    terms["loss"].backward()
    assert all(p.grad is not None for p in halo.parameters())


def test_without_a_weight_it_is_not_asked():
    halo, action = build(with_adversary(), 0), torch.tensor([0, 0, 1, 1])
    clips = 2 * torch.rand(4, 8, 3, 64, 64, generator=generator(0, "faces")) - 1
    halo.loss(clips, action, lambda name: generator(0, name))["loss"].backward()
    assert all(p.grad is None for p in halo.adversary.parameters())


def test_its_onset_may_fall_between_two_rows_of_the_log(tmp_path):
    config = with_adversary(steps=6)
    config = replace(config, training=replace(config.training, onset=0.5))
    assert train(config, 0, TinyClips(), tmp_path)[1]
    assert b"content_adversary" in as_csv(tmp_path / "stats.jsonl").splitlines()[0]


def test_with_the_prior_among_its_classes_it_is_even_only_where_contents_are_draws_of_it():
    """Ln 3 for two actions and the prior; contents that tell no action but are elsewhere are told from the prior."""
    like, elsewhere = Gaussian(*torch.zeros(2, 240, 12)), posterior(torch.ones(240, 12))
    for given, low, high in ((like, math.log(3) - 0.02, math.log(3) + 0.05), (elsewhere, 0.0, 0.8)):
        torch.manual_seed(0)
        critic = Adversary(12, 2, prior=True, width=32)
        optimiser = torch.optim.Adam(critic.parameters(), 1e-2)
        for step in range(200):
            optimiser.zero_grad()
            told = critic(given, ACTION, 1.0, generator(0, "adversary", step))
            told.backward()
            optimiser.step()
        assert low < told.item() < high
    assert critic.layers[-1].out_features == 3


def test_its_gradient_moves_contents_to_the_prior():
    mean = torch.full((240, 12), 1.5, requires_grad=True)
    torch.manual_seed(0)
    critic = Adversary(12, 2, prior=True, width=32)
    optimiser = torch.optim.Adam([{"params": critic.parameters()}, {"params": [mean], "lr": 3e-2}], 1e-2)
    for step in range(200):
        optimiser.zero_grad()
        critic(Gaussian(mean, torch.full_like(mean, -0.2)), ACTION, 30.0, generator(0, "adversary", step)).backward()
        optimiser.step()
    assert mean.detach().mean(0).abs().max() < 1.0  # from 1.5


def test_a_run_that_continues_one_without_it_begins_with_a_new_one(tmp_path):
    before = tiny_config(model="halo-u", steps=2)
    first = train(before, 0, TinyClips(), run_folder(tmp_path, before, 0))[0].state_dict()
    config = with_adversary(steps=1)
    config = replace(config, training=replace(config.training, continues=before.model))
    model, done = train(config, 0, TinyClips(), tmp_path / "next", first=first)
    assert done and model.adversary is not None
    assert any(not torch.equal(value, first[name]) for name, value in model.state_dict().items() if name in first)
