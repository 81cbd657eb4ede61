"""Figures 2-4 and 6-9: what their rows are, on moving squares and the smallest network."""

from __future__ import annotations

import pytest
import torch
from tiny import TinyClips, tiny_config

from hamrepro import figures
from hamrepro.errors import ShapeError
from hamrepro.models import build

CLIPS = TinyClips(12)


@pytest.fixture(scope="module")
def model():
    return build(tiny_config(), 0).eval()


@pytest.fixture(scope="module")
def index():
    return figures.chosen(CLIPS, 4)


def moved(rows, like):
    return [not torch.equal(a, b) for a, b in zip(rows, like, strict=True)]


def test_clips_are_chosen_by_rule():
    first, second = figures.chosen(CLIPS, 6), figures.chosen(CLIPS, 6, page=1)
    assert CLIPS.targets["action"][first].tolist() == [0, 1, 2, 0, 1, 2]
    assert first.tolist() == figures.chosen(CLIPS, 6).tolist() != second.tolist()


def test_generation_shows_truth_reconstruction_and_generation(model, index):
    rows = figures.generation(model, CLIPS, index, frames=6)
    assert len(rows) == 3 * len(index) and {row.shape for row in rows} == {(6, 3, 64, 64)}
    assert torch.equal(rows[3], CLIPS.clips(index[1:2], frames=6)[0].float() / 255)
    assert all(moved(rows[1::3], rows[2::3])), "read from the middle, and from frame 1"


def test_swapping_keeps_the_originals_and_exchanges_the_motion(model, index):
    rows = figures.swapping(model, CLIPS, index)
    assert len(rows) == 2 * len(index)
    assert torch.equal(rows[0], CLIPS.clips(index[:1])[0].float() / 255)
    same = figures.swapping(model, CLIPS, index[[0, 0]])
    assert torch.equal(same[2], same[3]), "a clip exchanged with itself"


def test_one_image_under_every_operator(model, index):
    rows = figures.image_to_sequence(model, CLIPS, index[:2], frames=5)
    assert len(rows) == 2 * 3 and all(moved(rows[:2], rows[1:3])), "each operator draws something else"


def test_unconditional_clips_are_a_function_of_the_seed(model):
    one, same, other = (figures.unconditional(model, CLIPS, 3, 5, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.stack(one), torch.stack(same)) and all(moved(one, other))


def test_strips_and_loops_hold_every_frame(model, index):
    rows = figures.generation(model, CLIPS, index[:1], frames=4)
    strip = figures.strip(rows)
    assert strip.size == (4 * 65 + 1, 3 * 66) and figures.strip(rows, gaps=(0,)).height == strip.height + 3
    assert figures.loop(rows).startswith(b"GIF8")
    with pytest.raises(ShapeError):
        figures.strip([rows[0], rows[1][:2]])
