"""Procedural Sprites: the same bytes everywhere, every attribute visible in every frame, actions that are cycles."""

from __future__ import annotations

import json
from hashlib import sha256
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest

from hamrepro.pixelart import ACTIONS, LAYERS, NAMES, VALUES, draw_cell, draw_layers
from hamrepro.pixelart.raster import GRID, capsule, ellipse, stencil, turned, wedge
from hamrepro.pixelart.skeleton import FRAMES, bent, front, profile

DATA = Path(__file__).resolve().parent.parent / "data"
KINDS = ("skin", "pants", "tops", "hair")
LABELS = [f"{action} {view}" for action in ACTIONS for view in ("front", "left", "right")]


@pytest.fixture(scope="module")
def layers():
    return draw_layers()


@pytest.fixture(scope="module")
def pinned():
    return json.loads((DATA / "procedural.json").read_text(encoding="utf-8"))


def over(top, bottom):
    return np.where(top[..., 3:] > 0, top[..., :3], bottom)


def character(layers, skin, pants, tops, hair, cells=slice(None)):
    picture = layers[skin, cells, ..., :3]
    for layer in (VALUES + pants, 2 * VALUES + tops, 3 * VALUES + hair, LAYERS - 1):
        picture = over(layers[layer, cells], picture)
    return picture


def characters(layers, cells):
    """Every character in the order of ids, composited from the bottom up, so that shared layers are laid once."""
    for skin, pants in product(range(VALUES), repeat=2):
        dressed = over(layers[VALUES + pants, cells], layers[skin, cells, ..., :3])
        for tops in range(VALUES):
            clothed = over(layers[2 * VALUES + tops, cells], dressed)
            for hair in range(VALUES):
                yield over(layers[-1, cells], over(layers[3 * VALUES + hair, cells], clothed))


def test_layers_are_the_pinned_bytes(layers, pinned):
    assert layers.shape == (LAYERS, len(LABELS) * FRAMES, GRID, GRID, 4)
    assert layers.dtype == np.uint8
    assert sha256(np.ascontiguousarray(layers)).hexdigest() == pinned["layers"]


def test_a_block_of_all_characters_is_the_pinned_bytes(layers, pinned):
    assert list(pinned["blocks"]) == LABELS
    label = LABELS.index("slash left")
    digest = sha256()
    for clip in characters(layers, slice(label * FRAMES, (label + 1) * FRAMES)):
        digest.update(np.ascontiguousarray(clip))
    assert digest.hexdigest() == pinned["blocks"]["slash left"]


def test_the_data_check_has_the_same_pins(pinned):
    known = json.loads((DATA / "pins.json").read_text(encoding="utf-8"))["sprites-procedural"]
    assert {block: known[block] for block in LABELS} == pinned["blocks"]


def test_colours_are_opaque_or_clear_and_never_black(layers):
    alpha = layers[..., 3]
    assert np.isin(alpha, (0, 255)).all()
    coloured = layers[..., 0] | layers[..., 1] | layers[..., 2]
    np.testing.assert_array_equal(coloured > 0, alpha > 0, "an opaque black pixel would be lost in the background")


def test_drawn_once_and_read_only(layers):
    assert draw_layers() is layers
    with pytest.raises(ValueError, match="read-only"):
        layers[0, 0, 0, 0, 0] = 1


def test_drawing_a_cell_again_gives_the_same(layers):
    np.testing.assert_array_equal(draw_cell(profile("slash", 3)), layers[:, LABELS.index("slash left") * FRAMES + 3])


@pytest.mark.parametrize("action", ACTIONS)
def test_right_is_left_mirrored(layers, action):
    left, right = (LABELS.index(f"{action} {view}") * FRAMES for view in ("left", "right"))
    np.testing.assert_array_equal(layers[:, right : right + FRAMES], layers[:, left : left + FRAMES, :, ::-1])


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_every_value_of_an_attribute_shows_in_every_frame_whatever_else_is_worn(layers, kind):
    """Pixels in which two values differ and which no value of any layer above can cover."""
    covered = (layers[(kind + 1) * VALUES :, ..., 3] > 0).any(0)
    for a, b in combinations(range(kind * VALUES, (kind + 1) * VALUES), 2):
        differ = (layers[a] != layers[b]).any(-1) & ~covered
        assert differ.sum((1, 2)).min() >= 4, f"{KINDS[kind]} {a % VALUES} and {b % VALUES}"


@pytest.mark.parametrize("label", ["walk left", "spellcast front", "slash front"])
def test_one_frame_tells_all_characters_apart(layers, label):
    cell = LABELS.index(label) * FRAMES + 4
    seen = {picture.tobytes() for picture in characters(layers, slice(cell, cell + 1))}
    assert len(seen) == VALUES ** len(KINDS)


@pytest.mark.parametrize("values", [(0, 0, 0, 0), (3, 2, 4, 1), (5, 4, 5, 3)])
def test_clips_differ_and_all_eight_frames_of_each(layers, values):
    clips = character(layers, *values).reshape(len(LABELS), FRAMES, -1)
    assert len({clip.tobytes() for clip in clips}) == len(LABELS)
    for label, clip in zip(LABELS, clips, strict=True):
        assert len({frame.tobytes() for frame in clip}) == FRAMES, label


def test_actions_are_closed_cycles(layers):
    """The step from the last frame to the first is at most a tenth above the largest step inside the clip."""
    clips = character(layers, 0, 0, 0, 0).reshape(len(LABELS), FRAMES, -1, 3)
    steps = (clips != np.roll(clips, -1, 1)).any(-1).sum(-1)
    assert (steps[:, -1] <= 1.1 * steps[:, :-1].max(1)).all(), dict(zip(LABELS, steps.tolist(), strict=True))


def test_figures_fill_the_cell_as_a_sprite_does(layers):
    for value in range(VALUES):
        shown = character(layers, *[value] * len(KINDS)).any(-1)
        assert shown.sum((1, 2)).min() >= 600 and shown.sum((1, 2)).max() <= 1200
        assert not shown[:, :, [0, -1]].any() and not shown[:, [0, -1]].any(), "cut off at the cell's edge"
        lowest = np.flatnonzero(shown.any((0, 2))).max()
        assert 60 <= lowest <= 62


def test_hands_are_up_at_the_peak_of_a_spell_and_down_at_its_start():
    for skeleton in (front, profile):
        down, up = skeleton("spellcast", 0), skeleton("spellcast", 5)
        assert all(arm.tip[1] > arm.root[1] + 8 for arm in down.arms)
        assert all(arm.tip[1] < arm.root[1] - 8 for arm in up.arms)


def test_a_strike_crosses_the_body():
    tips = [front("slash", phase).arms[0].tip[0] for phase in range(FRAMES)]
    assert min(tips) < 20 and max(tips) > 42


def test_legs_swap_half_a_period_later():
    for phase in range(FRAMES):
        now, later = profile("walk", phase), profile("walk", (phase + 4) % FRAMES)
        for limb, other in zip(now.legs, reversed(later.legs), strict=True):
            assert limb.tip == other.tip


def test_bones_keep_their_lengths_within_reach():
    joint = bent((0.0, 0.0), (6.0, 7.0), 6.4, 6.2, 1.0)
    assert np.hypot(*joint) == pytest.approx(6.4)
    assert np.hypot(joint[0] - 6, joint[1] - 7) == pytest.approx(6.2)
    stretched = bent((0.0, 0.0), (20.0, 0.0), 6.0, 4.0, 1.0)
    assert stretched == pytest.approx((12.0, 0.0))


def test_shapes_cover_what_they_say():
    assert stencil(ellipse((31.5, 31.5), 4, 4)).sum() == 52
    assert stencil(capsule((10, 10), (20, 10), 2, 2))[8:13, 8:23].sum() == 63
    assert stencil(turned([(10, 20, 3), (14, 20, 3)])).sum() == 5 * 7
    np.testing.assert_array_equal(wedge((20, 10), 1.0, 0.0, 2).sum(1)[10:14], (1, 3, 5, 0))


def test_every_value_has_a_name():
    assert tuple(NAMES) == KINDS
    assert all(len(set(names)) == VALUES for names in NAMES.values())
