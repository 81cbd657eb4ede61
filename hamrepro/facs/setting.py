"""What surrounds the person: wall, shirt and spectacles."""

from __future__ import annotations

import numpy as np
import torch

from hamrepro.facs.canvas import profile, smoothstep, texture
from hamrepro.facs.identities import Identity


def surroundings(who: Identity, x: np.ndarray, y: np.ndarray, chance: torch.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wall (3, H, W) and clothes, premultiplied RGBA (4, H, W); coordinates x, y (H, W) in face units."""
    wall = np.array([0.36, 0.44, 0.56], np.float64).reshape(3, 1, 1)
    scene = wall * (1.02 - 0.10 * np.hypot(x - who.light[0], y + 0.5)) * (1 + 0.004 * texture(x.shape[0], 3, chance))
    shoulder = profile(np.abs(x), [(0.0, 1.19), (0.30, 1.13), (0.42, 1.02), (0.80, 1.10), (1.28, 1.24)])
    body = smoothstep((y - shoulder) / 0.02 + 0.5)
    fold = 0.86 + 0.10 * np.cos(5 * x + 2 * y) * np.abs(x) - 0.25 * np.clip(0.5 - np.abs(x), 0, 1) * (y < 1.2)
    cloth = np.asarray(who.shirt, np.float64).reshape(3, 1, 1) * fold * (1 + 0.03 * texture(x.shape[0], 1.0, chance))
    collar = np.exp(-0.5 * ((y - shoulder - 0.02) / 0.012) ** 2) * (np.abs(x) < 0.45)
    cloth = cloth * (1 - 0.35 * collar)
    return scene, np.concatenate([cloth * body, body[None]])


def spectacles(who: Identity, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The person's glasses, premultiplied RGBA (4, H, W); coordinates x, y (H, W) in face units."""
    rim = np.zeros_like(x)
    lens = np.zeros_like(x)
    square = 2.4 + 2.6 * who.age
    for side in (-1, 1):
        radius = (
            (np.abs(x - side * (who.eye_spacing + 0.005)) / 0.185) ** square
            + (np.abs(y - who.eye_height - 0.025) / 0.135) ** square
        ) ** (1 / square)
        rim = np.maximum(rim, np.exp(-0.5 * ((radius - 1) / 0.06) ** 2))
        lens = np.maximum(lens, smoothstep((1 - radius) / 0.05))
    rim = np.maximum(
        rim,
        np.exp(-0.5 * ((y - who.eye_height + 0.02 - 0.25 * x**2) / 0.010) ** 2) * (np.abs(x) < who.eye_spacing - 0.18),
    )
    rim = np.maximum(
        rim,
        np.exp(-0.5 * ((y - who.eye_height + 0.03) / 0.011) ** 2)
        * (np.abs(x) > who.eye_spacing + 0.19)
        * (np.abs(x) < who.cheek_width - 0.01),
    )
    glint = 0.10 * lens * np.exp(-0.5 * ((x - y * 0.8 - 0.30) / 0.03) ** 2)
    colour = np.array([0.07, 0.06, 0.06] if who.subject % 2 else [0.36, 0.22, 0.12], np.float64).reshape(3, 1, 1)
    light = np.clip(0.9 * rim, 0, 1)
    return np.concatenate([colour * light + glint * (1 - light), np.clip(light + glint, 0, 1)[None]])
