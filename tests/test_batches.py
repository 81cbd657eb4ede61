"""Batches: which clips and windows are a function of (seed, step), every clip once an epoch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import TinyClips, tiny_config

from hamrepro.batches import draw_batch, normalise, order, shifted
from hamrepro.errors import DataError, ShapeError
from hamrepro.randomness import generator

CPU = torch.device("cpu")
TRAINING = tiny_config().training


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 5), st.integers(1, 6))
def test_every_clip_is_seen_once_before_any_is_seen_twice(count, batch, seed, epochs):
    steps = -(-epochs * count // batch)
    seen = torch.cat([order(count, batch, seed, step) for step in range(steps)])
    assert len(seen) == steps * batch
    for epoch in seen[: len(seen) // count * count].split(count):
        assert sorted(epoch.tolist()) == list(range(count))


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 5), st.integers(0, 50))
def test_a_step_is_drawn_alone(count, batch, seed, step):
    every = torch.cat([order(count, batch, seed, s) for s in range(step + 1)])
    assert torch.equal(every[step * batch :], order(count, batch, seed, step))


def test_seeds_and_epochs_shuffle_differently():
    orders = {tuple(order(20, 20, seed, step).tolist()) for seed in range(3) for step in range(3)}
    assert len(orders) == 9


@pytest.mark.parametrize("count", [0, -1])
def test_a_set_of_no_clips_is_refused(count):
    with pytest.raises(DataError, match="no clips"):
        order(count, 4, 0, 0)


def test_pixels_become_minus_one_to_one():
    clips = torch.arange(256, dtype=torch.uint8)
    made = normalise(clips)
    assert made.dtype == torch.float32
    assert (made[0], made[-1]) == (-1, 1)
    assert torch.equal(((made + 1) * 127.5).round().to(torch.uint8), clips)
    assert clips[0] == 0  # the pixels given are left alone


@pytest.mark.parametrize("kind", [torch.float32, torch.int64, torch.int8, torch.bool])
def test_pixels_of_another_type_are_refused(kind):
    with pytest.raises(ShapeError, match="uint8"):
        normalise(torch.zeros(2, dtype=kind))


def test_a_batch_is_what_it_says():
    clips = TinyClips()
    batch = draw_batch(clips, replace(TRAINING, batch=4), 0, 3, CPU)
    assert batch.clips.shape == (4, clips.frames, 3, 64, 64)
    assert torch.equal(batch.action, clips.targets["action"][batch.index])
    assert batch.action.dtype == torch.int64 and batch.cyclic.dtype == torch.bool
    assert torch.equal(batch.index, order(len(clips), 4, 0, 3))


def test_a_batch_is_a_function_of_seed_and_step():
    clips = TinyClips()
    draws = [draw_batch(clips, TRAINING, seed, step, CPU) for seed, step in ((0, 3), (0, 3), (0, 4), (1, 3))]
    assert torch.equal(draws[0].clips, draws[1].clips)
    assert not torch.equal(draws[0].clips, draws[2].clips)
    assert not torch.equal(draws[0].clips, draws[3].clips)


def test_first_windows_are_never_cut_open():
    clips = TinyClips()
    batch = draw_batch(clips, replace(TRAINING, windows="first", batch=6), 0, 0, CPU)
    assert not batch.cyclic.any()
    assert torch.equal(batch.clips, normalise(clips.clips(batch.index)))


def test_only_cycles_cut_open_after_frame_one_wrap():
    clips = TinyClips(60)
    training = replace(TRAINING, windows="random", batch=60)
    batch = draw_batch(clips, training, 0, 0, CPU)
    opened = (batch.clips != normalise(clips.clips(batch.index))).flatten(1).any(1)
    assert 0 < int(batch.cyclic.sum()) < 60
    assert torch.equal(opened, batch.cyclic)
    clips.cyclic = False
    assert not draw_batch(clips, training, 0, 0, CPU).cyclic.any()


def test_u_is_the_target_asked_for():
    clips = TinyClips()
    batch = draw_batch(clips, TRAINING, 0, 0, CPU, "view")
    assert torch.equal(batch.action, clips.targets["view"][batch.index])


def test_a_shifted_clip_is_moved_as_a_whole_and_its_edges_are_repeated():
    clips = torch.arange(8 * 8).view(1, 1, 1, 8, 8).expand(40, 2, 3, 8, 8)
    made = shifted(clips, 2, generator(0, "shift"), 40)
    padded = torch.nn.functional.pad(clips[:, 0, 0].double(), (2, 2, 2, 2), mode="replicate").long()
    windows = {(y, x): padded[0, y : y + 8, x : x + 8] for y in range(5) for x in range(5)}
    found = {next(place for place, window in windows.items() if torch.equal(window, clip[0, 0])) for clip in made}
    assert len(found) > 15 and torch.equal(made, made[:, :1, :1].expand_as(made))


def test_a_shift_is_a_function_of_seed_and_step_and_of_no_other_row():
    clips, moving = TinyClips(), replace(TRAINING, shift=2, batch=6)
    whole, part = (draw_batch(clips, moving, 0, 3, CPU, rows=rows) for rows in (slice(None), slice(2, 4)))
    assert torch.equal(whole.clips[2:4], part.clips)
    assert not torch.equal(whole.clips, draw_batch(clips, replace(moving, shift=0), 0, 3, CPU).clips)


def test_a_window_may_be_longer_than_the_data_sets():
    clips = TinyClips()
    batch = draw_batch(clips, replace(TRAINING, frames=clips.frames + 3), 0, 3, CPU)
    assert batch.clips.shape[1] == clips.frames + 3
