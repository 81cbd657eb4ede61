"""Figures 1 and 5 say what the code is: its names, its sizes, and who depends on whom."""

from __future__ import annotations

import re

import pytest
import torch
from tiny import tiny_config

from hamrepro import schematics
from hamrepro.dynamics import PhaseSpace
from hamrepro.figures import FOLDER
from hamrepro.halo import Halo
from hamrepro.presets import configure


def words(svg):
    """What an SVG of matplotlib writes; it keeps each text as a comment beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", svg.decode())


@pytest.fixture(scope="module")
def framework():
    return words(schematics.framework())


def test_the_parts_are_the_model_s():
    config = tiny_config().network
    made = {name: type(part).__name__ for name, part in Halo(config).named_children()}
    assert schematics.parts(config) == made and len(made) == 6


def test_the_framework_names_every_part(framework):
    for name in schematics.parts(configure("paper", "sprites", "halo-sp").network).values():
        assert any(word.split(".")[0] == name for word in framework), name


def test_sizes_are_the_preset_s(framework):
    assert {"2,048 each", "256 + 18 numbers each", "$H_k$ one of 3, 12 × 12"} <= set(framework)
    other = set(words(schematics.framework("laptop", "faces-procedural")))
    assert {"256 each", "256 + 72 numbers each", "$H_k$ one of 6, 24 × 24"} <= other


@pytest.mark.parametrize(("number", "draw"), [(1, schematics.framework), (5, schematics.graphs)])
def test_the_committed_drawing_is_this_one(number, draw):
    drawn = draw()
    assert words((FOLDER / f"paper-figure-{number}.svg").read_bytes()) == words(drawn), "python -m hamrepro render"
    assert drawn == draw() and len(drawn) < 150_000


def test_the_graph_of_inference_is_the_code_s():
    """Every arrow carries a gradient, and what has no arrow carries none; t = 2 of 3 frames, u as an input."""
    model = Halo(tiny_config().network).eval()
    clips = torch.rand(1, 3, 3, 64, 64, requires_grad=True)
    action = torch.tensor([1])
    posterior = model.infer(model.features(clips), action, torch.tensor([1]))
    states = model.operators.flow(posterior.mean_state(), action, posterior.reference, 3)
    found = {"z": posterior.content.mean, "q_t": posterior.position.mean, "p_t": posterior.momentum.mean}
    names = ("x_{t-1}", "x_t", "x_{t+1}")
    seen = set()
    for end, value in found.items():
        (slope,) = torch.autograd.grad(value.sum(), clips, retain_graph=True)
        seen |= {(start, end) for start, part in zip(names, slope[0], strict=True) if part.abs().max() > 0}
    for end, frame in (("s_{t-1}", 0), ("s_{t+1}", 2)):
        slopes = torch.autograd.grad(states.q[0, frame].sum(), posterior.mean_state(), retain_graph=True)
        seen |= {(start, end) for start, part in zip(("q_t", "p_t"), slopes, strict=True) if part.abs().max() > 0}
    told = {(u, v) for u, v in schematics.INFERENCE if u != "u"}
    assert seen == told
    other = model.infer(model.features(clips), torch.tensor([2]), torch.tensor([1]))
    changed = {end for end, value in zip(("z", "q_t", "p_t"), other[:3], strict=True)
               if not torch.equal(value.mean, found[end])}  # fmt: skip
    assert changed == {end for start, end in schematics.INFERENCE if start == "u"}


def test_the_graph_of_generation_is_the_code_s():
    """Frame t depends on z and on the position of frame t; the states on the first one and on u."""
    model = Halo(tiny_config().network).eval()
    z = torch.randn(1, 8, requires_grad=True)
    q = torch.randn(1, 3, 6, requires_grad=True)
    seen, frames = set(), model.decode(z, q)
    for number, end in enumerate(("x_1", "x_2", "x_T")):
        of_z, of_q = torch.autograd.grad(frames[0, number].sum(), (z, q), retain_graph=True)
        seen |= {("z", end)} if of_z.abs().max() > 0 else set()
        states = ("s_1", "s_2", "s_T")
        seen |= {(start, end) for start, part in zip(states, of_q[0], strict=True) if part.abs().max() > 0}
    action, first = torch.tensor([1]), torch.tensor([0])
    for start, end in (("s_1", "s_2"), ("s_2", "s_T")):
        state = torch.randn(1, 4, requires_grad=True)
        step = model.operators.flow(PhaseSpace.from_state(state), action, first, 2).q[0, 1]
        seen |= {(start, end)} if torch.autograd.grad(step.sum(), state)[0].abs().max() > 0 else set()
    one, two = (model.positions(PhaseSpace(*torch.ones(2, 1, 2)), torch.tensor([k]), first, 1) for k in (0, 1))
    seen |= {("u", "s_1")} if not torch.equal(one, two) else set()
    assert seen == set(schematics.GENERATION)
