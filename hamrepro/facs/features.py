"""Eyes and mouth, drawn anew in every frame from the action units: lids, irises, lips, teeth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hamrepro.facs.canvas import SIZE, UNIT, grid
from hamrepro.facs.expressions import UNITS
from hamrepro.facs.identities import Identity

_X, _Y = grid(SIZE)
_INDEX = {name: number for number, name in enumerate(UNITS)}


@dataclass(frozen=True)
class Window:
    """Part of the picture (rows, columns) with the coordinates of its pixels."""

    place: tuple[slice, slice]
    x: np.ndarray
    y: np.ndarray


def window(centre: tuple[float, float], reach: tuple[float, float]) -> Window:
    """Window around `centre` reaching `reach` head units to either side, clipped to the picture."""
    columns, rows = (
        slice(max(0, int((c - r) * UNIT + SIZE / 2)), min(SIZE, int((c + r) * UNIT + SIZE / 2) + 1))
        for c, r in zip(centre, reach, strict=True)
    )
    return Window((rows, columns), _X[rows, columns], _Y[rows, columns])


def _edge(distance: np.ndarray, softness: float = 0.010) -> np.ndarray:
    """Coverage of a pixel at signed distance (head units, inside > 0) from an edge."""
    return np.clip(distance / softness + 0.5, 0, 1)


def _mix(picture: np.ndarray, colour: np.ndarray | float, alpha: np.ndarray) -> None:
    picture += (colour - picture) * alpha


def draw_eye(
    picture: np.ndarray, who: Identity, side: int, w: Window, units: np.ndarray, blink: float, gaze: np.ndarray
) -> None:
    """Paint one eye into `picture` (3, H, W), values [0, 1]; `side` is -1 (left of the picture) or 1."""
    view = picture[:, w.place[0], w.place[1]]
    a = {name: float(units[k]) for name, k in _INDEX.items()}
    light = 0.70 + 0.30 * who.fill + 0.12 * side * who.light[0]
    lift = 0.45 * a["AU5"] - 0.22 * a["AU7"] - 0.12 * a["AU6"] - 0.15 * a["AU9"] - 0.10 * a["AU4"]
    up = who.eye_opening * max(0.05, (1 + lift) * (1 - blink))
    low = who.eye_opening * 0.50 * (1 - 0.45 * a["AU7"] - 0.85 * a["AU6"] - 0.35 * a["AU9"] + 0.15 * a["AU5"])
    low = max(low, -0.25 * who.eye_opening) * (1 - 0.3 * blink)
    low = max(low, 0.004 - up)
    length = who.eye_length
    x = (w.x - side * who.eye_spacing) * side  # outwards positive
    s = np.clip(x / length, -1, 1)
    bow = np.sqrt(1 - s * s + 1e-6)
    tilt = who.eye_height + who.eye_slant * s
    # Sadness and fear (AU1 + AU4) pull the inner part of the lid up and let the outer part hang.
    sag = 0.30 * min(a["AU1"], a["AU4"] + 0.2) * s - 0.12 * a["AU4"] * (1 - a["AU1"]) * s
    top = tilt - up * (bow**0.9) * (1 - sag + 0.12 * s)
    bottom = tilt + low * bow * (1 + 0.15 * s)
    within = np.abs(x) < length
    open_ = _edge(w.y - top) * _edge(bottom - w.y) * within

    ball = np.empty_like(view)
    shade = light * (0.90 - 0.22 * np.abs(s) ** 2) * (1 - 0.40 * np.exp(-((w.y - top) / 0.018)))
    ball[:] = np.array([0.95, 0.92, 0.90], np.float64).reshape(3, 1, 1) * np.clip(shade, 0.1, 1)
    pink = np.clip((-s - 0.72) * 4, 0, 1)
    _mix(ball, np.array([0.75, 0.45, 0.42], np.float64).reshape(3, 1, 1) * light, 0.8 * pink)
    ix = w.x - side * who.eye_spacing - float(gaze[0])
    iy = w.y - who.eye_height + 0.012 - float(gaze[1])
    radius = np.sqrt(ix * ix + iy * iy)
    iris = np.asarray(who.iris, np.float64).reshape(3, 1, 1) * (0.55 + 0.75 * np.clip(iy / 0.05 + 0.4, 0, 1))
    iris = iris * (1 - 0.65 * np.clip((radius - 0.040) / 0.012, 0, 1)) * (1 - 0.35 * np.exp(-((w.y - top) / 0.018)))
    _mix(ball, iris, _edge(0.054 - radius))
    _mix(ball, 0.02, _edge(0.023 - radius))
    glint = _edge(0.011 - np.hypot(ix - 0.018 * np.sign(who.light[0]), iy + 0.018), 0.012)
    _mix(ball, 0.97, 0.9 * glint)
    _mix(view, ball, open_)

    # Crease of the upper lid, shadowed lid, lashes, rim of the lower lid.
    crease = tilt - (who.eye_opening * (0.62 + 0.15 * a["AU5"] - 0.25 * a["AU4"]) + 0.55 * up) * bow**0.7 - 0.004
    fade = np.clip((length + 0.02 - np.abs(x)) / 0.05, 0, 1)
    _mix(view, view * 0.55, 0.60 * fade * np.exp(-0.5 * ((w.y - crease) / 0.008) ** 2))
    _mix(view, view * 0.80, 0.5 * fade * _edge(top - w.y) * _edge(w.y - crease))
    lash = 0.010 + 0.006 * np.clip(s, 0, 1) + (0.004 if who.subject % 2 == 0 else 0.0)
    line = np.exp(-0.5 * ((w.y - top + 0.004) / lash) ** 2) * np.clip((length + 0.015 - np.abs(x)) / 0.03, 0, 1)
    _mix(view, 0.06, 0.85 * line)
    rim = np.exp(-0.5 * ((w.y - bottom - 0.004) / 0.008) ** 2) * np.clip((length - np.abs(x)) / 0.03, 0, 1)
    _mix(view, view * np.array([0.62, 0.48, 0.46], np.float64).reshape(3, 1, 1), 0.55 * rim)


def draw_mouth(picture: np.ndarray, who: Identity, w: Window, units: np.ndarray, left: np.ndarray) -> None:
    """Paint lips, teeth, tongue and the dark of the mouth into `picture` (3, H, W), values [0, 1].

    Args:
        units: intensities of the right half; `left` multiplies them on the left half.
    """
    view = picture[:, w.place[0], w.place[1]]
    a = {name: float(units[k] * (1 + left[k]) / 2) for name, k in _INDEX.items()}
    skew = {name: float(units[k] * (1 - left[k]) / 2) for name, k in _INDEX.items()}
    corner = (
        who.mouth_width
        + 0.080 * a["AU12"]
        + 0.070 * a["AU20"]
        - 0.035 * a["AU23"]
        - 0.045 * a["AU26"]
        - 0.020 * a["AU17"]
    )
    s = np.clip(w.x / corner, -1, 1)
    bow = np.sqrt(1 - s * s + 1e-6)
    pull = -0.085 * a["AU12"] + 0.075 * a["AU15"] + 0.020 * a["AU20"] + 0.05 * a["AU26"] + 0.012 * a["AU10"]
    tilt = (-0.085 * skew["AU12"] + 0.075 * skew["AU15"] - 0.05 * skew["AU10"]) * s
    centre = who.mouth_height - 0.020 * a["AU10"] - 0.028 * a["AU17"] + 0.010 * a["AU12"]
    seam = centre + pull * np.abs(s) ** (1.7 + 0.5 * a["AU15"]) + tilt

    jaw = 0.170 * a["AU26"] + 0.020 * a["AU25"]
    raise_ = 0.042 * a["AU10"] * (0.6 + 0.8 * np.abs(s)) * (1 - s**4) + 0.012 * a["AU25"] + 0.02 * a["AU26"]
    part = a["AU25"] * (1 - 0.35 * a["AU17"])
    flat = bow ** (1.0 - 0.35 * min(1.0, a["AU20"] + 0.6 * a["AU12"]))
    inner_top = seam - (raise_ * min(1.0, 0.25 + part) + 0.010 * part * a["AU12"]) * flat
    inner_low = (
        seam + (0.055 * part + 0.030 * part * (a["AU12"] + 0.7 * a["AU20"]) + 0.95 * jaw * min(1.0, part * 2)) * flat
    )
    press = 1 - 0.55 * a["AU23"] * (1 - 0.5 * part) - 0.20 * a["AU12"] - 0.25 * a["AU20"]
    cupid = 1 - 0.16 * np.exp(-0.5 * (s / 0.10) ** 2) + 0.10 * np.exp(-0.5 * ((np.abs(s) - 0.24) / 0.12) ** 2)
    upper = who.upper_lip * max(0.3, press - 0.1 * a["AU17"]) * (1 - np.abs(s) ** 1.6) * cupid
    outer_top = inner_top - upper - 0.3 * raise_ * flat
    lower = who.lower_lip * max(0.35, press + 0.25 * a["AU17"]) * (1 - np.abs(s) ** 2.4)
    outer_low = inner_low + lower
    inside = np.abs(w.x) < corner

    skin = np.asarray(who.skin, np.float64).reshape(3, 1, 1)
    light = 0.62 + 0.38 * who.fill + 0.10 * s * who.light[0]
    lip = skin * np.array([0.86, 0.62, 0.62], np.float64).reshape(3, 1, 1)
    lip = lip + (np.array([0.72, 0.22, 0.24], np.float64).reshape(3, 1, 1) - lip) * who.lip_red * 0.6
    # Shadow of the lower lip, then lips from dark (upper) to glossy (lower).
    drop = np.exp(-0.5 * ((w.y - outer_low - 0.022) / 0.018) ** 2) * np.clip(1 - (w.x / corner) ** 2, 0, 1)
    _mix(view, view * 0.66, 0.55 * drop)
    depth_up = np.clip((w.y - outer_top) / np.maximum(upper + 0.3 * raise_ * flat, 1e-3), 0, 1)
    depth_low = np.clip((w.y - inner_low) / np.maximum(lower, 1e-3), 0, 1)
    body = np.where(
        w.y < (inner_top + inner_low) / 2,
        0.86 - 0.22 * depth_up,
        0.80 + 0.30 * np.exp(-0.5 * ((depth_low - 0.42) / 0.22) ** 2) - 0.28 * depth_low**3,
    )
    lips = lip * (body * light)
    gloss = 0.22 * np.exp(-0.5 * ((depth_low - 0.40) / 0.14) ** 2 - 0.5 * ((s - 0.25 * who.light[0]) / 0.28) ** 2)
    lips = lips + gloss * (depth_low > 0)
    _mix(view, lips, 0.92 * _edge(w.y - outer_top, 0.016) * _edge(outer_low - w.y, 0.016) * inside)

    gap = inner_low - inner_top
    opened = _edge(w.y - inner_top) * _edge(inner_low - w.y) * inside * np.clip(gap / 0.012, 0, 1)
    cave = np.empty_like(view)
    cave[:] = np.array([0.20, 0.055, 0.055], np.float64).reshape(3, 1, 1) * (0.5 + 0.5 * bow)
    # Tongue and lower teeth ride on the jaw, upper teeth on the skull.
    floor = who.mouth_height + 0.035 + 0.80 * jaw
    _mix(
        cave,
        np.array([0.62, 0.24, 0.24], np.float64).reshape(3, 1, 1) * light,
        0.8 * _edge(w.y - floor - 0.010 - 0.03 * s * s, 0.05) * bow,
    )
    arc = 0.020 * (w.x / 0.2) ** 2
    column = 0.93 + 0.07 * np.cos(2 * np.pi * w.x / 0.075) ** 2
    enamel = (
        np.array([0.93, 0.90, 0.84], np.float64).reshape(3, 1, 1)
        * column
        * light
        * np.clip(1.08 - 2.6 * np.abs(w.x), 0.25, 1)
    )
    lower_teeth = _edge(w.y - floor - 0.005 + arc, 0.014) * _edge(floor + 0.055 - w.y - arc, 0.02)
    _mix(cave, enamel * 0.85, lower_teeth * _edge(0.17 - np.abs(w.x), 0.03) * min(1.0, 2 * a["AU20"] + 1.5 * a["AU10"]))
    upper_teeth = _edge(who.mouth_height + 0.036 - arc - w.y - 0.35 * 0.042 * a["AU10"], 0.014)
    _mix(cave, enamel, upper_teeth * _edge(0.21 - np.abs(w.x), 0.04))
    cave *= 1 - 0.45 * np.exp(-np.clip(w.y - inner_top, 0, None) / 0.014)
    _mix(view, cave, opened)
    seam_line = np.exp(-0.5 * ((w.y - (inner_top + inner_low) / 2) / 0.007) ** 2) * np.clip(1 - gap / 0.02, 0, 1)
    seam_line = seam_line * _edge(corner + 0.012 - np.abs(w.x), 0.025)
    _mix(view, lip * 0.26, 0.85 * seam_line)
    pit = np.exp(-0.5 * (((np.abs(w.x) - corner) / 0.018) ** 2 + ((w.y - centre - pull - tilt) / 0.014) ** 2))
    _mix(view, view * 0.55, 0.6 * pit)
