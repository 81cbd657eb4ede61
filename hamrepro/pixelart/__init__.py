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
from .raster import GRID, Canvas, grown
from .skeleton import FRAMES, Pose, front, profile

ACTIONS = ("walk", "spellcast", "slash")
VALUES = 6
LAYERS = 4 * VALUES + 1


def draw_cell(pose: Pose) -> NDArray[np.uint8]:
    """All layers of one cell, RGBA, uint8 (25, 64, 64, 4)."""
    out = np.zeros((LAYERS, GRID, GRID, 4), np.uint8)
    bodies = {pointed: Canvas() for pointed in (False, True)}
    covers = {}
    for part in pose.order:
        for pointed, canvas in bodies.items():
            covers[part] = paint_body(canvas, pose, part, pointed)
    for skin, pointed in enumerate(POINTED_EARS):
        out[skin] = colours(skin)[bodies[pointed].index]
    for layer in range(VALUES, LAYERS):
        kind, style = divmod(layer, VALUES)
        canvas = Canvas()
        for part in pose.order:
            cover = covers[part]
            if cover is not None:
                canvas.clear(grown(cover) if kind == 3 and part != "head" else cover)
            if kind == 1:
                paint_pants(canvas, pose, part, style)
            elif kind == 2:
                paint_tops(canvas, pose, part, style)
            elif kind == 3:
                paint_hair(canvas, pose, part, style)
            else:
                paint_shoes(canvas, pose, part)
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
