"""Procedural Sprites: a stand-in for the LPC sheets, drawn by this package's own code.

The same factors as the real set: 6 skins, 6 pants, 6 tops and 6 heads of hair, 3 actions, 3 views, 8 frames.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .body import paint_body
from .garments import paint_pants, paint_shoes, paint_tops
from .hair import paint_hair
from .palettes import POINTED_EARS, colours
from .raster import GRID, Canvas, Mask, grown
from .skeleton import FRAMES, Pose, front, profile

ACTIONS = ("walk", "spellcast", "slash")
VALUES = 6
LAYERS = 4 * VALUES + 1
NAMES: dict[str, tuple[str, ...]] = {
    "skin": ("fair", "tanned", "brown", "green", "blue", "violet"),
    "pants": ("linen trousers", "golden greaves", "scarlet harem pants", "teal shorts", "striped hose", "denim kilt"),
    "tops": ("crimson shirt", "forest tunic", "plate armour", "leather vest", "violet robe", "navy jacket"),
    "hair": ("green spikes", "long blue", "blond bob", "white topknot", "red mohawk", "purple curls"),
}
PAINTERS = (paint_pants, paint_tops, paint_hair, paint_shoes)  # of layers 6-11, 12-17, 18-23, 24


def draw_cell(pose: Pose) -> NDArray[np.uint8]:
    """All layers of one cell, RGBA, uint8 (25, 64, 64, 4)."""
    out = np.zeros((LAYERS, GRID, GRID, 4), np.uint8)
    bodies = {pointed: Canvas() for pointed in (False, True)}
    covers: dict[str, Mask | None] = {}
    for part in pose.order:
        for pointed, canvas in bodies.items():
            covers[part] = paint_body(canvas, pose, part, pointed)
    for skin, pointed in enumerate(POINTED_EARS):
        out[skin] = colours(skin)[bodies[pointed].index]
    for layer in range(VALUES, LAYERS):
        kind, style = divmod(layer - VALUES, VALUES)
        canvas = Canvas()
        for part in pose.order:
            cover = covers[part]
            if cover is not None:  # loose hair keeps a pixel's distance, so that wider clothes stay in front of it
                canvas.clear(grown(cover) if PAINTERS[kind] is paint_hair and part != "head" else cover)
            PAINTERS[kind](canvas, pose, part, style)
        out[layer] = colours()[canvas.index]
    return out


@lru_cache(maxsize=1)
def draw_layers() -> NDArray[np.uint8]:
    """Layers of all cells, RGBA with alpha 0 or 255, uint8 (25, 72, 64, 64, 4), read-only.

    Layers 0-5 skin, 6-11 pants, 12-17 tops, 18-23 hair, 24 shoes: the order in which they are laid on each
    other over black. Cells label * 8 + frame, label = 3 * action + view (walk, spellcast, slash; front, left, right).
    """
    out = np.zeros((LAYERS, 3 * len(ACTIONS) * FRAMES, GRID, GRID, 4), np.uint8)
    for a, action in enumerate(ACTIONS):
        for frame in range(FRAMES):
            cell = 3 * a * FRAMES + frame
            out[:, cell] = draw_cell(front(action, frame))
            out[:, cell + FRAMES] = draw_cell(profile(action, frame))
            out[:, cell + 2 * FRAMES] = out[:, cell + FRAMES, :, ::-1]
    out.setflags(write=False)
    return out
