"""Shaded shapes on a 64x64 indexed-colour canvas: no antialiasing, the same bytes on every platform.

Only IEEE additions, products, quotients and square roots are used, element by element, so that no
library's sine or order of summation can move a pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GRID = 64
TONES = 5  # outline, shadow, base, light, highlight
LIGHT = (-0.42, -0.62, 0.66)  # towards the light: from above, slightly left of the picture, in front
CUTS = (0.18, 0.62, 0.93)  # brightness at which shadow, base, light and highlight meet

Point = tuple[float, float]
Mask = NDArray[np.bool_]
ROW, COLUMN = np.mgrid[0:GRID, 0:GRID].astype(np.float64)


class Shape(NamedTuple):
    """A shape inside a window of the canvas: mask (h, w) bool and brightness (h, w), about -1..1."""

    window: tuple[slice, slice]
    mask: Mask
    light: NDArray[np.float64]


def lerp(a: Point, b: Point, t: float) -> Point:
    """The point at fraction t of the way from a to b."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t


def shifted(a: Point, dx: float, dy: float) -> Point:
    """a moved by (dx, dy) pixels."""
    return a[0] + dx, a[1] + dy


def box(left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
    """The window of whole pixels around a rectangle, clipped to the canvas."""
    x, y = max(int(left), 0), max(int(top), 0)
    return slice(y, max(min(int(bottom) + 2, GRID), y)), slice(x, max(min(int(right) + 2, GRID), x))


def brightness(nx: NDArray[np.float64], ny: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lambert's cosine for a surface whose normal has the picture components nx, ny."""
    nz = np.sqrt(np.maximum(1.0 - nx * nx - ny * ny, 0.0))
    return LIGHT[0] * nx + LIGHT[1] * ny + LIGHT[2] * nz


def capsule(a: Point, b: Point, ra: float, rb: float) -> Shape:
    """A tapered limb from a to b: all points within a radius that runs from ra to rb."""
    r = max(ra, rb) + 1.0
    window = box(min(a[0], b[0]) - r, min(a[1], b[1]) - r, max(a[0], b[0]) + r, max(a[1], b[1]) + r)
    x, y = COLUMN[window], ROW[window]
    ux, uy = b[0] - a[0], b[1] - a[1]
    length = ux * ux + uy * uy
    t = np.clip(((x - a[0]) * ux + (y - a[1]) * uy) / length, 0.0, 1.0) if length else np.zeros_like(x)
    dx, dy, radius = x - (a[0] + t * ux), y - (a[1] + t * uy), ra + (rb - ra) * t
    return Shape(window, dx * dx + dy * dy <= radius * radius, brightness(dx / radius, dy / radius))


def ellipse(centre: Point, rx: float, ry: float) -> Shape:
    """A ball of half-axes rx, ry."""
    window = box(centre[0] - rx - 1, centre[1] - ry - 1, centre[0] + rx + 1, centre[1] + ry + 1)
    nx, ny = (COLUMN[window] - centre[0]) / rx, (ROW[window] - centre[1]) / ry
    return Shape(window, nx * nx + ny * ny <= 1.0, brightness(nx, ny))


def turned(rows: Sequence[tuple[float, float, float]]) -> Shape:
    """A body turned on a lathe: rows (y, centre x, half width) from top to bottom, joined by straight lines."""
    top, bottom = rows[0][0], rows[-1][0]
    left, right = min(x - w for _, x, w in rows), max(x + w for _, x, w in rows)
    window = box(left - 1, top - 1, right + 1, bottom + 1)
    y = ROW[window][:, :1]
    centre, half = np.full_like(y, rows[0][1]), np.full_like(y, rows[0][2])
    for (y0, x0, w0), (y1, x1, w1) in pairwise(rows):
        t = np.clip((y - y0) / (y1 - y0), 0.0, 1.0)
        centre, half = np.where(y > y0, x0 + (x1 - x0) * t, centre), np.where(y > y0, w0 + (w1 - w0) * t, half)
    nx = (COLUMN[window] - centre) / np.maximum(half, 0.5)
    ny = 0.9 * ((y - top) / (bottom - top) - 0.5)
    inside = (np.abs(nx) <= 1.0) & (y >= top) & (y <= bottom)
    return Shape(window, inside, brightness(0.9 * np.clip(nx, -1, 1), ny + np.zeros_like(nx)))


def stencil(shape: Shape) -> Mask:
    """The shape's mask on the whole canvas, (64, 64) bool."""
    mask = np.zeros((GRID, GRID), bool)
    mask[shape.window] = shape.mask
    return mask


def stripe(y: float, height: int = 1) -> Mask:
    """Rows of the canvas, from the one nearest to y down."""
    top = np.floor(y + 0.5)
    return (top <= ROW) & (top + height > ROW)


def around(windows: Sequence[tuple[slice, slice]]) -> tuple[slice, slice]:
    """The window that holds all windows and one pixel more on every side."""
    rows, columns = (
        slice(max(min(s.start for s in axis) - 1, 0), max(s.stop for s in axis) + 1)
        for axis in zip(*windows, strict=True)
    )
    return rows, columns


def neighbours(mask: Mask) -> tuple[Mask, Mask, Mask, Mask]:
    """mask as seen from each pixel's upper, lower, left and right neighbour; outside the canvas is False."""
    framed = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), bool)
    framed[1:-1, 1:-1] = mask
    return framed[:-2, 1:-1], framed[2:, 1:-1], framed[1:-1, :-2], framed[1:-1, 2:]


def interior(mask: Mask) -> Mask:
    """The pixels all four of whose neighbours are in the mask."""
    up, down, left, right = neighbours(mask)
    return up & down & left & right


def wedge(apex: Point, slope: float, half: float, height: float) -> Mask:
    """An opening in a garment: from apex down over `height` rows, half width `half`, wider by `slope` a row."""
    x, y = apex
    return (np.abs(COLUMN - x) <= half + slope * (ROW - y)) & (y <= ROW) & (y + height >= ROW)


def grown(mask: Mask) -> Mask:
    """mask and its four-neighbours."""
    up, down, left, right = neighbours(mask)
    return mask | up | down | left | right


class Canvas:
    """A layer of one cell in indexed colours: 0 is clear, 1 + 5 ramp + tone is a colour."""

    def __init__(self) -> None:
        self.index: NDArray[np.uint8] = np.zeros((GRID, GRID), np.uint8)

    def paint(
        self,
        shapes: Sequence[Shape],
        ramp: int,
        inner: int | None = 0,
        dim: float = 0.0,
        within: Mask | None = None,
    ) -> Mask:
        """Paints the union of shapes, later ones in front, shaded, with a one-pixel inner outline.

        Args:
            ramp: number of the colour ramp.
            inner: tone of the outline where the union borders what this layer already shows; None draws none there.
            dim: taken from the brightness, for limbs on the far side.
            within: what lies outside this mask is not painted.

        Returns:
            The painted pixels, (64, 64) bool.
        """
        full, light = np.zeros((GRID, GRID), bool), np.zeros((GRID, GRID))
        for shape in shapes:
            full[shape.window] |= shape.mask
            light[shape.window] = np.where(shape.mask, shape.light, light[shape.window])
        if within is not None:
            full &= within
        window = around([shape.window for shape in shapes])
        mask, index, bright = full[window], self.index[window], light[window] - dim
        tone = 1 + (bright > CUTS[0]).astype(np.uint8) + (bright > CUTS[1]) + (bright > CUTS[2])
        if inner is not None:
            tone[mask & ~interior(mask)] = inner
        tone[mask & ~interior(mask | (index > 0))] = 0
        index[mask] = 1 + TONES * ramp + tone[mask]
        return full

    def dot(self, x: float, y: float, ramp: int, tone: int, width: int = 1, height: int = 1) -> None:
        """Sets a block of pixels whose upper left one is nearest to (x, y)."""
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        rows, columns = slice(max(row, 0), max(row + height, 0)), slice(max(column, 0), max(column + width, 0))
        self.index[rows, columns] = 1 + TONES * ramp + tone

    def recolour(self, mask: Mask, ramp: int) -> None:
        """Gives the pixels of the mask that are already painted another ramp and keeps their tones."""
        there = mask & (self.index > 0)
        self.index[there] = 1 + TONES * ramp + (self.index[there] - 1) % TONES

    def clear(self, mask: Mask) -> None:
        """Makes pixels transparent, where a body part in front hides this layer."""
        self.index[mask] = 0
