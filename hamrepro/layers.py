"""Layers: sheets to packed pixels, and the one rule that composites them. Paper: Section 4.

A layer is the 72 cells a clip can show of one sheet, 9 action-views of 8 frames, with transparency. All 25 of them
(six skins, pants, tops and heads of hair, then the shoes) take 29 MB, and hold everything the Sprites data shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ShapeError
from hamrepro.sheets import SHEETS, SHOES, compose

ACTIONS = ("walk", "spellcast", "slash")
VIEWS = ("front", "left", "right")
FRAMES, SIZE = 8, 64

# Where an action's cells are in a sheet, rows of 64 pixels from the top for front, left, right, and their columns.
ROWS = {"walk": (10, 9, 11), "spellcast": (2, 1, 3), "slash": (14, 13, 15)}
BACK_ROWS = {"walk": (8,), "spellcast": (0,), "slash": (12,)}  # a view outside the data set
COLUMNS = {"walk": (8, 1, 2, 3, 4, 5, 6, 7), "spellcast": (0, 1, 2, 3, 4, 5, 4, 6), "slash": (0, 1, 2, 3, 4, 5, 4, 0)}

BLACK = -(1 << 24)  # R = G = B = 0 and A = 255 as a packed little-endian int32


def cells(sheet: np.ndarray, rows: Mapping[str, Sequence[int]] = ROWS) -> np.ndarray:
    """The cells a clip shows, in the order of the labels: RGBA (1344, 832, 4) to (actions * views * 8, 64, 64, 4)."""
    grid = sheet.reshape(sheet.shape[0] // SIZE, SIZE, sheet.shape[1] // SIZE, SIZE, 4).swapaxes(1, 2)
    row = [row for action in ACTIONS for row in rows[action] for _ in COLUMNS[action]]
    column = [column for action in ACTIONS for _ in rows[action] for column in COLUMNS[action]]
    return grid[row, column]


def pack(layers: np.ndarray) -> Tensor:
    """RGBA uint8 (..., 4) to one int32 a pixel; alpha is the top byte, so an opaque pixel is negative.

    Raises:
        ShapeError: not uint8, or not four channels.
    """
    if layers.dtype != np.uint8 or layers.shape[-1:] != (4,):
        raise ShapeError(f"layers {layers.dtype} {layers.shape}", "uint8 RGBA (..., 4)")
    return torch.from_numpy(np.require(layers, requirements=["C", "W"]).view("<i4")[..., 0])


def unpack(packed: Tensor) -> Tensor:
    """Packed int32 (..., H, W) to RGB uint8 (..., 3, H, W), contiguous."""
    return packed[..., None].view(torch.uint8)[..., :3].movedim(-1, -3).contiguous()


def translucent(packed: Tensor) -> Tensor:
    """Pixels neither transparent nor opaque: bool, shape of `packed`."""
    alpha = (packed >> 24) & 255
    return (alpha > 0) & (alpha < 255)


def blend(below: Tensor, above: Tensor) -> Tensor:
    """Packed pixels over opaque ones, the bytes of Pillow's alpha_composite.

    Pillow's weights are 128 a and 128 (255 - a) once the lower pixel is opaque; their sum over 255 is rounded in
    integers as (v + v // 256) // 256.
    """
    alpha = (above >> 24) & 255
    result = torch.full_like(below, BLACK)
    for shift in (0, 8, 16):
        colour, under = (above >> shift) & 255, (below >> shift) & 255
        value = 128 * (colour * alpha + under * (255 - alpha) + 128)
        result |= (((value >> 8) + value) >> 15) << shift
    return result


def composite(layers: Sequence[Tensor], blended: Tensor | None = None) -> Tensor:
    """Layers, bottom to top, over opaque black.

    Args:
        layers: packed int32 (N, P), L of them.
        blended: bool (N, L), which rows of which layers may hold translucent pixels; None: all.

    Returns:
        packed int32 (N, P), opaque.
    """
    below = torch.full_like(layers[0], BLACK)
    for number, above in enumerate(layers):
        result = torch.where(above < 0, above, below)
        rows = torch.arange(len(above)) if blended is None else blended[:, number].nonzero()[:, 0]
        if len(rows):
            rows = rows.to(above.device)
            row, pixel = translucent(above[rows]).nonzero(as_tuple=True)
            row = rows[row]
            result[row, pixel] = blend(below[row, pixel], above[row, pixel])
        below = result
    return below


@lru_cache(maxsize=1)
def sheet_layers(root: Path) -> Tensor:
    """Packed layers of the folder of the pinned sheets: int32 (25, 72, 64, 64), shared by who asks again.

    Raises:
        DataError: a sheet is missing, damaged or another.
    """
    values = [paths for attribute in SHEETS.values() for paths in attribute] + [SHOES]
    layers = np.empty((len(values), len(ACTIONS) * len(VIEWS) * FRAMES, SIZE, SIZE, 4), np.uint8)
    for number, paths in enumerate(values):
        layers[number] = cells(np.asarray(compose(root, paths)))
    return pack(layers)


def character(root: Path, sheets: Sequence[tuple[str, ...]], rows: Mapping[str, Sequence[int]] = ROWS) -> Tensor:
    """Clips of one character of any sheets, for tests outside the distribution.

    Args:
        root: folder of the sheets.
        sheets: paths of each layer from the lowest up, as in `SHEETS`; any LPC sheet of the usual size will do.
        rows: `ROWS`, or `BACK_ROWS` for the view the data set leaves out.

    Returns:
        uint8 (9, 8, 3, 64, 64) in the order of the labels; (3, 8, 3, 64, 64) seen from the back.

    Raises:
        DataError: a sheet is missing or damaged.

    """
    layers = [pack(cells(np.asarray(compose(root, paths)), rows)) for paths in sheets]
    return unpack(composite([layer.flatten(1) for layer in layers]).view(-1, FRAMES, SIZE, SIZE))
