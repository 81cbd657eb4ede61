"""Drawing in head units: coordinate grids, soft shapes, splines and textures.

Everything is computed in float64 and rounded once at the end: the last bits of exp or sin differ between processors,
and drawn this way the rounding removes them, so that the same pixels come out of any x86-64 machine with AVX2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter

SIZE = 256  # pixels of a frame, height and width
UNIT = 100.0  # pixels per head unit
HALF = SIZE / UNIT / 2
Points = Sequence[tuple[float, float]]


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y (head units) at the pixel centres of a size x size picture, each (size, size)."""
    axis = ((np.arange(size, dtype=np.float64) + 0.5) / size * 2 - 1) * HALF
    x, y = np.meshgrid(axis, axis)
    return x, y


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, 3x^2 - 2x^3 between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def blob(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], spread: tuple[float, float]) -> np.ndarray:
    """Gaussian of height 1 at `centre` with standard deviations `spread`."""
    return np.exp(-0.5 * (((x - centre[0]) / spread[0]) ** 2 + ((y - centre[1]) / spread[1]) ** 2))


def stroke(x: np.ndarray, y: np.ndarray, points: Points, width: float) -> np.ndarray:
    """Soft line of height 1 along a polyline, Gaussian profile of standard deviation `width`, tapered ends."""
    best = np.zeros_like(x)
    segments = list(pairwise(points))
    for number, ((ax, ay), (bx, by)) in enumerate(segments):
        dx, dy = bx - ax, by - ay
        along = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
        distance = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
        taper = np.sin(np.pi * np.clip((number + along + 0.35) / (len(segments) + 0.7), 0, 1))
        best = np.maximum(best, taper * np.exp(-0.5 * distance / width**2))
    return best


def curve(points: Points, samples: int = 40, closed: bool = False) -> list[tuple[float, float]]:
    """Cubic spline through the points, as a polyline."""
    knots = np.array([*points, points[0]] if closed else points, dtype=np.float64)
    spline = CubicSpline(np.arange(len(knots)), knots, bc_type="periodic" if closed else "natural")
    return [(float(a), float(b)) for a, b in spline(np.linspace(0, len(knots) - 1, samples))]


def profile(values: np.ndarray, knots: Points) -> np.ndarray:
    """Monotone piecewise cubic through (position, value) knots, constant outside."""
    places, heights = (np.array(k, dtype=np.float64) for k in zip(*knots, strict=True))
    return PchipInterpolator(places, heights)(np.clip(values, places[0], places[-1]))


def texture(size: int, sigma: float, generator: torch.Generator) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1, (size, size), correlation length `sigma` pixels."""
    noise = torch.rand(size, size, generator=generator).double().numpy() - 0.5
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def over(below: np.ndarray, colour: np.ndarray | tuple[float, float, float], alpha: np.ndarray) -> np.ndarray:
    """Colour (C, 1, 1) or picture (C, H, W) laid over `below` (C, H, W) with weight `alpha` (H, W)."""
    above = np.asarray(colour, dtype=np.float64)
    above = above.reshape(-1, 1, 1) if above.ndim == 1 else above
    return below + (above - below) * alpha


def halve(picture: np.ndarray) -> np.ndarray:
    """Mean over 2x2 pixels of the last two axes, float32."""
    even, odd = picture[..., ::2, :], picture[..., 1::2, :]
    return ((even[..., ::2] + even[..., 1::2] + odd[..., ::2] + odd[..., 1::2]) / 4).astype(np.float32)
