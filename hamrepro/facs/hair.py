"""Hairstyles: what lies behind the head, what lies on it, and the colour of the strands."""

from __future__ import annotations

import numpy as np
import torch

from hamrepro.facs.canvas import profile, smoothstep, texture
from hamrepro.facs.identities import Identity


def hair_layers(
    who: Identity, x: np.ndarray, y: np.ndarray, chance: torch.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks of the hair behind and in front of the head, and its colour.

    Returns:
        behind, front: (H, W) in [0, 1]; colour: (3, H, W).
    """
    size = x.shape[0]
    style, width, line = who.hairstyle, who.cheek_width, who.hairline
    rough = texture(size, 5, chance)
    fine = texture(size, 1.5, chance)
    volume = {
        "short": 0.06,
        "side": 0.09,
        "buzz": 0.02,
        "bald": 0.0,
        "fringe": 0.09,
        "long": 0.10,
        "bob": 0.12,
        "bun": 0.04,
        "curly": 0.16,
    }[style]
    ragged = {"curly": 0.030, "buzz": 0.003, "bun": 0.004}.get(style, 0.009)

    # The scalp: the head's outline grown by the hair's volume, down to the ears.
    crown = -0.98 - volume
    outline = profile(
        y,
        [
            (crown, 0.02),
            (crown + 0.05, 0.27),
            (crown + 0.16, 0.46),
            (-0.55, width + volume * 0.7),
            (-0.15, width + 0.02 + volume * 0.8),
            (0.05, width + 0.01 + volume * 0.7),
        ],
    )
    scalp = smoothstep((outline - np.abs(x) + ragged * rough) / 0.02 + 0.5) * smoothstep((y - crown) / 0.03)
    # The face left free: below the hairline and inside the temples.
    ax = np.abs(x)
    brow_line = line + 0.10 * (ax / width) ** 2 + 0.016 * fine
    parting = 0.35 if who.subject % 4 < 2 else -0.35
    if style == "side":
        brow_line = line - 0.05 + 0.17 * np.abs(x / width - parting) ** 1.3 + 0.016 * fine
    elif style in ("fringe", "bob"):
        brow_line = who.eye_height - who.brow_height - 0.105 + 0.05 * (ax / width) ** 2 + 0.030 * fine
        if style == "bob":
            brow_line = line + 0.02 + 0.42 * np.clip(np.abs(x / width - 0.5 * parting), 0, 1) ** 1.6 + 0.012 * fine
    elif style in ("long", "bun"):
        brow_line = line - 0.02 + 0.30 * (ax / width) ** 2.2 + 0.008 * fine
    elif style == "curly":
        brow_line = line + 0.05 + 0.12 * (ax / width) ** 2 + 0.035 * rough
    temples = width - profile(y, [(-0.8, 0.20), (-0.45, 0.10), (-0.20, 0.065), (0.05, 0.03), (0.12, -0.05)])
    if style in ("long", "bob", "fringe"):
        temples = width - profile(y, [(-0.7, 0.16), (-0.3, 0.09), (0.3, 0.05), (0.8, 0.02)])
    free = smoothstep((y - brow_line) / 0.03 + 0.5) * smoothstep((temples + 0.008 * fine - ax) / 0.03 + 0.5)
    front = scalp * (1 - free) * smoothstep((0.10 - y) / 0.05)
    behind = np.zeros_like(x)
    if style == "bald":
        front = np.zeros_like(x)
    elif style == "buzz":
        front = front * 0.72
    elif style in ("long", "bob", "fringe"):
        length = {"long": 1.28, "bob": 0.62, "fringe": 0.95}[style]
        sides = profile(
            y,
            [
                (-0.2, width + 0.02 + volume * 0.8),
                (0.3, width + volume),
                (0.7, width + 0.10 + volume * 0.3),
                (1.28, width + 0.05),
            ],
        )
        behind = smoothstep((sides - ax + 0.012 * rough) / 0.02 + 0.5) * (y > -0.3) * smoothstep((length - y) / 0.06)
        lock = smoothstep((ax - temples) / 0.03) * smoothstep((sides - ax) / 0.02 + 0.5)
        front = np.maximum(front, lock * (y > -0.2) * smoothstep((min(length, 1.1) - y) / 0.10))
    elif style == "bun":
        behind = smoothstep((1 - np.hypot(x / 0.24, (y + 1.10) / 0.17)) / 0.08)
    elif style == "curly":
        behind = smoothstep((width + 0.17 + 0.035 * rough - np.hypot(x, (y + 0.35) * 0.95)) / 0.02) * (y < 0.25)

    # Strands run away from the crown: noise that is fine across and long along the radius.
    angle = np.arctan2(x - 0.1 * parting, -(y + 0.55))
    radius = np.hypot(x, y + 0.55)
    lookup = texture(size, 1.2, chance)
    columns = ((angle / np.pi * 0.5 + 0.5) * (size - 1) + 3 * rough * (2 if style == "curly" else 0.7)).astype(
        int
    ) % size
    rows = (radius * 26).astype(int) % size
    strands = lookup[rows, columns]
    shine = np.exp(-0.5 * ((radius - 0.40 + 0.05 * rough) / 0.09) ** 2) * np.clip(-y, 0, 1)
    light = 0.80 + 0.10 * strands + 0.45 * shine * (0.6 + 0.4 * who.fill) + 0.20 * who.light[0] * x - 0.10 * ax
    if style == "curly":
        light = light + 0.12 * rough
    colour = np.asarray(who.hair, np.float64).reshape(3, 1, 1) * np.clip(light, 0.3, 1.7) + 0.02
    return behind, front, np.clip(colour, 0, 1)
