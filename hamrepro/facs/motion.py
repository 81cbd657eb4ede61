"""How action units move and fold the skin: one displacement field and one shading map per unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hamrepro.facs.canvas import blob, curve, grid, smoothstep, stroke
from hamrepro.facs.expressions import UNITS
from hamrepro.facs.identities import Identity

COARSE = 64  # displacement is smooth
MEDIUM = 128  # folds are two pixels wide


@dataclass(frozen=True)
class Musculature:
    """Linear response of one person's skin to the action units, left half of the picture and right half apart.

    Attributes:
        motion: float64 (30, 2, 64, 64), displacement in head units of 15 units x (left, right).
        folds: float64 (30, 128, 128), relative change of brightness.
    """

    motion: torch.Tensor
    folds: torch.Tensor


def musculature(who: Identity) -> Musculature:
    """Displacement fields and folds of every action unit for one person."""
    moves, folds = _motion(who, *grid(COARSE)), _folds(who, *grid(MEDIUM))
    coarse, medium = (np.stack([smoothstep(0.5 - s * grid(n)[0] / 0.16) for s in (1, -1)]) for n in (COARSE, MEDIUM))
    motion = np.stack([moves[u] * h for u in UNITS for h in coarse])
    shade = np.stack([folds[u] * h for u in UNITS for h in medium])
    return Musculature(torch.from_numpy(motion), torch.from_numpy(shade))


def _pair(
    x: np.ndarray, y: np.ndarray, centre: tuple[float, float], spread: tuple[float, float], shift: tuple[float, float]
) -> np.ndarray:
    """Mirrored Gaussian displacement (2, H, W); `shift` is (outwards, down)."""
    left, right = (blob(x, y, (s * centre[0], centre[1]), spread) for s in (-1, 1))
    return np.stack([shift[0] * (right - left), shift[1] * np.maximum(left, right)])


def _motion(who: Identity, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    brow, eye, mouth = who.eye_height - who.brow_height, who.eye_height, who.mouth_height
    tip, w = eye - 0.02 + who.nose_length, who.mouth_width
    jaw = smoothstep((y - mouth + 0.03) / 0.24) * (1 - smoothstep((y - who.chin - 0.06) / 0.30))
    jaw = jaw * np.exp(-((np.abs(x) / (who.jaw_width + 0.10)) ** 4))
    down = np.stack([np.zeros_like(x), jaw])
    nose = np.stack([np.zeros_like(x), blob(x, y, (0, tip), (0.13, 0.09))])
    chin = np.stack([np.zeros_like(x), blob(x, y, (0, who.chin - 0.11), (0.17, 0.10))])
    return {
        "AU1": _pair(x, y, (0.14, brow), (0.095, 0.11), (-0.012, -0.090))
        + _pair(x, y, (0.12, brow - 0.2), (0.2, 0.14), (0, -0.03)),
        "AU2": _pair(x, y, (0.40, brow), (0.14, 0.11), (0.0, -0.085))
        + _pair(x, y, (0.35, brow - 0.2), (0.2, 0.14), (0, -0.03)),
        "AU4": _pair(x, y, (0.12, brow), (0.11, 0.09), (-0.035, 0.080))
        + _pair(x, y, (0.34, brow), (0.13, 0.08), (-0.01, 0.025)),
        "AU5": _pair(x, y, (who.eye_spacing, eye - 0.08), (0.12, 0.03), (0, -0.012)),
        "AU6": _pair(x, y, (0.36, eye + 0.25), (0.17, 0.12), (0.015, -0.060)),
        "AU7": _pair(x, y, (who.eye_spacing, eye + 0.09), (0.12, 0.04), (0, -0.018)),
        "AU9": -0.055 * nose
        + _pair(x, y, (0.13, brow), (0.12, 0.09), (-0.015, 0.045))
        + _pair(x, y, (0.17, tip - 0.02), (0.10, 0.12), (0.015, -0.045)),
        "AU10": _pair(x, y, (0.15, mouth - 0.10), (0.12, 0.09), (0.01, -0.050)) - 0.015 * nose,
        "AU12": _pair(x, y, (w + 0.07, mouth - 0.03), (0.13, 0.13), (0.070, -0.070))
        + _pair(x, y, (0.37, eye + 0.33), (0.13, 0.10), (0.015, -0.030)),
        "AU15": _pair(x, y, (w + 0.03, mouth + 0.06), (0.11, 0.12), (0.005, 0.060)),
        "AU17": -0.050 * chin,
        "AU20": _pair(x, y, (w + 0.07, mouth + 0.03), (0.14, 0.15), (0.075, 0.020)),
        "AU23": _pair(x, y, (w, mouth), (0.11, 0.09), (-0.030, 0.0)),
        "AU25": 0.020 * down,
        "AU26": 0.170 * down + _pair(x, y, (0.44, mouth + 0.02), (0.13, 0.20), (-0.030, 0.02)),
    }


def _folds(who: Identity, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    brow, eye, mouth = who.eye_height - who.brow_height, who.eye_height, who.mouth_height
    tip, w, nw = eye - 0.02 + who.nose_length, who.mouth_width, who.nose_width
    depth = 0.75 + 0.5 * who.age

    def crease(points: list[tuple[float, float]], width: float, strength: float, lift: float = 0.020) -> np.ndarray:
        # A fold is a dark line with the raised skin beside it catching light.
        dark = sum(stroke(x, y, curve([(s * a, b) for a, b in points], 10), width) for s in (-1, 1))
        bright = sum(
            stroke(x, y, curve([(s * (a + lift), b - lift) for a, b in points], 10), width * 1.6) for s in (-1, 1)
        )
        return strength * depth * (0.45 * bright - dark)

    def lines(heights: list[float], reach: float, bend: float, strength: float) -> np.ndarray:
        total = np.zeros_like(x)
        for h in heights:
            row = h + bend * (x / reach) ** 2
            window = np.exp(-((np.abs(x) / reach) ** 4))
            total += window * (
                0.5 * np.exp(-0.5 * ((y - row + 0.03) / 0.014) ** 2) - np.exp(-0.5 * ((y - row) / 0.010) ** 2)
            )
        return strength * depth * total

    none = np.zeros_like(x)
    labial = [(nw + 0.05, tip - 0.02), (w - 0.01, mouth - 0.12), (w + 0.055, mouth + 0.0)]
    glabella = np.maximum(
        stroke(x, y, [(-0.045, brow - 0.05), (-0.050, brow + 0.07)], 0.012),
        stroke(x, y, [(0.045, brow - 0.05), (0.050, brow + 0.07)], 0.012),
    )
    between = blob(x, y, (0, brow + 0.01), (0.025, 0.06))
    root = lines([eye - 0.015, eye + 0.03, eye - 0.06], 0.085, -0.010, 0.26)
    return {
        "AU1": lines([brow - 0.14, brow - 0.21], 0.20, -0.012, 0.15),
        "AU2": lines([brow - 0.13, brow - 0.20, brow - 0.27], 0.42, 0.020, 0.15),
        "AU4": depth * (0.15 * between - 0.48 * glabella)
        - 0.22 * sum(blob(x, y, (s * (who.eye_spacing - 0.07), eye - 0.085), (0.09, 0.03)) for s in (-1, 1)),
        "AU5": none,
        "AU6": crease([(who.eye_spacing + 0.16, eye - 0.01), (who.eye_spacing + 0.25, eye - 0.05)], 0.008, 0.20)
        + crease([(who.eye_spacing + 0.16, eye + 0.03), (who.eye_spacing + 0.24, eye + 0.05)], 0.008, 0.20)
        + crease([(0.17, eye + 0.09), (0.29, eye + 0.13), (0.42, eye + 0.10)], 0.013, 0.22, -0.02)
        + 0.16 * sum(blob(x, y, (s * 0.36, eye + 0.22), (0.10, 0.06)) for s in (-1, 1)),
        "AU7": crease([(0.18, eye + 0.07), (0.29, eye + 0.09), (0.40, eye + 0.06)], 0.010, 0.16, -0.01),
        "AU9": root
        + crease(labial[:2], 0.014, 0.34)
        + crease([(nw * 1.05, tip - 0.10), (nw * 1.4, tip - 0.03), (nw * 1.5, tip + 0.03)], 0.011, 0.26),
        "AU10": crease(labial, 0.015, 0.36),
        "AU12": crease([(a + 0.03, b - 0.01) for a, b in labial], 0.016, 0.42)
        + 0.12 * sum(blob(x, y, (s * 0.36, eye + 0.26), (0.09, 0.07)) for s in (-1, 1)),
        "AU15": crease([(w + 0.02, mouth + 0.03), (w + 0.05, mouth + 0.10), (w + 0.04, mouth + 0.17)], 0.014, 0.32),
        "AU17": 0.14 * blob(x, y, (0, who.chin - 0.12), (0.09, 0.05))
        - 0.26 * stroke(x, y, curve([(-0.11, mouth + 0.16), (0, mouth + 0.125), (0.11, mouth + 0.16)], 10), 0.015),
        "AU20": crease([(w + 0.07, mouth - 0.04), (w + 0.10, mouth + 0.03), (w + 0.09, mouth + 0.10)], 0.014, 0.26),
        "AU23": crease([(w + 0.01, mouth - 0.03), (w + 0.02, mouth + 0.04)], 0.013, 0.22)
        - 0.10 * blob(x, y, (0, mouth + 0.12), (0.12, 0.025)),
        "AU25": none,
        "AU26": crease([(a - 0.01, b + 0.02) for a, b in labial], 0.016, 0.20)
        - 0.12 * sum(blob(x, y, (s * 0.40, mouth + 0.05), (0.07, 0.12)) for s in (-1, 1)),
    }
