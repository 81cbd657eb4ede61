"""What the face does: six expressions as facial action units with onset, apex and offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from hamrepro.errors import DataError
from hamrepro.facs.canvas import smoothstep
from hamrepro.randomness import generator

EXPRESSIONS: Final = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")  # Paper: Section 4, K = 6
# Action units of the Facial Action Coding System that the renderer knows.
UNITS: Final = (
    "AU1",
    "AU2",
    "AU4",
    "AU5",
    "AU6",
    "AU7",
    "AU9",
    "AU10",
    "AU12",
    "AU15",
    "AU17",
    "AU20",
    "AU23",
    "AU25",
    "AU26",
)
# Prototypes: intensity 0..1 of each unit at the apex; two ways to show an expression, each person leans to one.
PROTOTYPES: Final[dict[str, tuple[dict[str, float], dict[str, float]]]] = {
    "anger": (
        {"AU4": 1.0, "AU5": 0.45, "AU7": 0.55, "AU23": 1.0, "AU17": 0.4, "AU9": 0.15},
        {"AU4": 1.0, "AU5": 0.55, "AU7": 0.45, "AU10": 0.35, "AU25": 0.75, "AU23": 0.4, "AU9": 0.3},
    ),
    "disgust": (
        {"AU9": 1.0, "AU10": 1.0, "AU4": 0.4, "AU7": 0.7, "AU17": 0.8, "AU15": 0.35, "AU6": 0.4},
        {"AU9": 1.0, "AU10": 0.9, "AU4": 0.45, "AU7": 0.7, "AU25": 0.45, "AU15": 0.3, "AU6": 0.4},
    ),
    "fear": (
        {"AU1": 1.0, "AU2": 0.35, "AU4": 0.45, "AU5": 1.0, "AU20": 1.0, "AU25": 0.6},
        {"AU1": 1.0, "AU2": 0.45, "AU4": 0.4, "AU5": 1.0, "AU20": 0.85, "AU25": 0.6, "AU26": 0.25},
    ),
    "happiness": ({"AU6": 0.9, "AU12": 1.0, "AU25": 0.75, "AU7": 0.15}, {"AU6": 0.75, "AU12": 0.9, "AU25": 0.3}),
    "sadness": (
        {"AU1": 0.95, "AU4": 0.5, "AU15": 1.0, "AU17": 0.6, "AU7": 0.25},
        {"AU1": 1.0, "AU4": 0.35, "AU15": 0.9, "AU17": 0.9, "AU6": 0.2},
    ),
    "surprise": (
        {"AU1": 1.0, "AU2": 1.0, "AU5": 0.9, "AU25": 0.6, "AU26": 1.0},
        {"AU1": 0.95, "AU2": 1.0, "AU5": 0.8, "AU25": 0.5, "AU26": 0.75},
    ),
}
TAKE_STEP: Final = 1_000  # steps below belong to the identities


@dataclass(frozen=True)
class Performance:
    """One take as numbers, before any pixel.

    Attributes:
        units: float32 (T, 15), intensity of each action unit, 0..1.2.
        left: float32 (15,), share of the intensity on the left half of the face, around 1 (asymmetry).
        blink: float32 (T,), 0 open .. 1 closed.
        gaze: float32 (T, 2), iris offset in head units.
        pose: float32 (T, 6): x, y (head units), roll (radians), scale, yaw, pitch (parallax, head units).
    """

    units: np.ndarray
    left: np.ndarray
    blink: np.ndarray
    gaze: np.ndarray
    pose: np.ndarray

    def __len__(self) -> int:
        return len(self.units)


def take_frames(subject: int, expression: str, take: int, seed: int = 0) -> int:
    """Number of raw frames of a take, 50..160, mean about 80."""
    draw = torch.rand(1, generator=_generator(subject, expression, take, seed)).item()
    return 50 + int(111 * draw**2.6)


def perform(subject: int, expression: str, take: int, seed: int = 0) -> Performance:
    """The take's performance: neutral, onset, apex with small pulses, offset, neutral; mild head motion.

    The person's manner (which prototype, gain of each unit, asymmetry, speed, pose) is drawn once per person and
    expression, so that a person's takes resemble each other; each take varies it a little.

    Raises:
        DataError: unknown expression.
    """
    manner = torch.rand(64, generator=_generator(subject, expression, 99, seed)).numpy()
    chance = _generator(subject, expression, take, seed)
    frames = 50 + int(111 * torch.rand(1, generator=chance).item() ** 2.6)
    draws = torch.rand(64, generator=chance).numpy()
    time = np.arange(frames, dtype=np.float64)

    lead, tail = 2 + 3 * draws[0], 2 + 3 * draws[1]
    onset = 7 + 6 * manner[0] + 3 * draws[2]
    offset = 9 + 8 * manner[1] + 4 * draws[3]
    rise = smoothstep((time - lead) / onset)
    fall = 1 - smoothstep((time - (frames - 1 - tail - offset)) / offset)
    pulse = 1 - 0.16 * (0.5 - 0.5 * np.cos(2 * np.pi * np.maximum(time - lead - onset, 0) / (26 + 20 * manner[2])))
    envelope = rise * fall * pulse

    prototype = PROTOTYPES[expression][int(manner[3] > 0.55)]
    units = np.zeros((frames, len(UNITS)))
    for name, apex in prototype.items():
        column = UNITS.index(name)
        lag = 2.5 * (manner[40 + column % 20] - 0.5)
        gain = apex * (0.82 + 0.30 * manner[8 + column]) * (0.92 + 0.16 * draws[8 + column])
        units[:, column] = gain * np.interp(time - lag, time, envelope)
    left = 1 + 0.24 * (manner[24 : 24 + len(UNITS)] - 0.5)

    blink = np.zeros(frames)
    for centre in (frames * (0.2 + 0.25 * draws[30]), frames * (0.6 + 0.3 * draws[31]))[: 1 + int(frames > 80)]:
        blink = np.maximum(blink, np.clip(1.25 - np.abs(time - centre) / 2.2, 0, 1))
    gaze = np.stack([0.012 * _drift(time, draws[32:36], 55), 0.006 * _drift(time, draws[36:40], 70)], axis=1)
    pose = np.stack(
        [
            0.006 * _drift(time, draws[40:44], 90) + 0.08 * (draws[60] - 0.5),
            0.004 * _drift(time, draws[44:48], 80) + _nod(expression) * envelope + 0.06 * (draws[61] - 0.5),
            0.007 * _drift(time, draws[48:52], 100) + 0.06 * (manner[60] - 0.5) * envelope,
            1 + 0.003 * _drift(time, draws[52:56], 110) + 0.05 * (draws[62] - 0.5),
            0.007 * _drift(time, draws[56:60], 85),
            0.004 * _drift(time, draws[4:8], 75) - 0.6 * _nod(expression) * envelope,
        ],
        axis=1,
    )
    return Performance(*(a.astype(np.float32) for a in (units, left, blink, gaze, pose)))


def _nod(expression: str) -> float:
    # Sadness lowers the head, surprise and fear pull it back: the sign is that of y, pointing down.
    return {"sadness": 0.035, "surprise": -0.03, "fear": -0.015, "disgust": -0.01}.get(expression, 0.0)


def _drift(time: np.ndarray, phases: np.ndarray, period: float) -> np.ndarray:
    """Smooth wandering in about [-1, 1]: two sines of incommensurate periods."""
    slow = np.sin(2 * np.pi * (time / (period * (0.8 + 0.5 * phases[0])) + phases[1]))
    fast = np.sin(2 * np.pi * (time / (period * 0.41 * (0.8 + 0.5 * phases[2])) + phases[3]))
    return 0.7 * slow + 0.3 * fast


def _generator(subject: int, expression: str, take: int, seed: int) -> torch.Generator:
    if expression not in EXPRESSIONS:
        raise DataError(f"expression {expression!r}", f"one of {', '.join(EXPRESSIONS)}")
    return generator(
        seed, "faces", TAKE_STEP + (subject * len(EXPRESSIONS) + EXPRESSIONS.index(expression)) * 100 + take
    )
