"""The neutral portrait: a height field of the head, lit by one key light, painted with skin, brows and hair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hamrepro.facs.canvas import SIZE, blob, curve, grid, halve, over, profile, smoothstep, stroke, texture
from hamrepro.facs.hair import hair_layers
from hamrepro.facs.identities import Identity
from hamrepro.facs.setting import spectacles, surroundings
from hamrepro.randomness import generator

FINE = 2 * SIZE  # painted at twice the size, then averaged


@dataclass(frozen=True)
class Portrait:
    """Pictures of one person at rest, eyes and lips left out.

    Attributes:
        head: float32 (4, 256, 256), red, green, blue, alpha in [0, 1] (colour premultiplied).
        depth: float32 (256, 256), nearness to the camera, 0 (ears) .. 1 (tip of the nose); parallax follows it.
        scene: float32 (3, 256, 256), wall behind the person.
        shirt: float32 (4, 256, 256), premultiplied, in front of the neck.
        frame: float32 (4, 256, 256) premultiplied spectacles, or None.
    """

    head: np.ndarray
    depth: np.ndarray
    scene: np.ndarray
    shirt: np.ndarray
    frame: np.ndarray | None


def face_width(who: Identity, y: np.ndarray) -> np.ndarray:
    """Half-width of the face at height y."""
    c = who.chin
    return profile(
        y,
        [
            (-0.99, 0.0),
            (-0.985, 0.13),
            (-0.965, 0.24),
            (-0.925, 0.35),
            (-0.84, 0.46),
            (-0.55, who.cheek_width - 0.03),
            (-0.10, who.cheek_width),
            (0.20, who.cheek_width - 0.04),
            (0.50, who.jaw_width + 0.02),
            (c - 0.13, who.chin_width + 0.14),
            (c - 0.05, who.chin_width + 0.03),
            (c - 0.015, 0.72 * who.chin_width),
            (c, 0.02),
        ],
    )


def relief(who: Identity, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height of the skin towards the camera and the mask of the face."""
    width = face_width(who, y)
    across = np.clip(np.abs(x) / np.maximum(width, 1e-3), 0, 1)
    down = np.clip(np.abs(y + 0.05) / np.where(y < -0.05, 1.0, who.chin + 0.06), 0, 1)
    height = 0.62 * np.sqrt(np.clip(1 - 0.93 * across**2.6, 0, 1)) * np.sqrt(np.clip(1 - 0.8 * down**4, 0, 1))
    eye, top = who.eye_height, who.eye_height - 0.02
    tip = top + who.nose_length
    bridge = np.clip((y - top) / who.nose_length, 0, 1) * smoothstep((tip + 0.075 - y) / 0.06)
    w = who.nose_width
    height += (0.02 + 0.125 * bridge**1.3) * np.exp(-0.5 * (x / (0.045 + 0.35 * w * bridge)) ** 2)
    height -= 0.02 * smoothstep((top - y) / 0.25) * np.exp(-0.5 * (x / 0.045) ** 2)
    height += 0.035 * blob(x, y, (0, tip), (0.055, 0.05))
    for side in (-1, 1):
        height += 0.055 * blob(x, y, (side * w, tip + 0.025), (0.032, 0.035))
        height -= 0.085 * blob(x, y, (side * (who.eye_spacing - 0.02), eye - 0.01), (0.14, 0.075))
        height += 0.030 * blob(x, y, (side * 0.25, eye - who.brow_height + 0.01), (0.17, 0.05))
        height += 0.050 * blob(x, y, (side * 0.36, eye + 0.27), (0.13, 0.11))
        height -= 0.012 * blob(x, y, (side * 0.22, eye + 0.13), (0.08, 0.03))
    m = who.mouth_height
    height += 0.045 * blob(x, y, (0, m), (0.17, 0.10)) - 0.030 * blob(x, y, (0, m + 0.125), (0.12, 0.03))
    height += 0.050 * blob(x, y, (0, who.chin - 0.10), (0.11, 0.07))
    height -= 0.012 * blob(x, y, (0, (m + tip) / 2 + 0.01), (0.018, 0.04))
    inside = smoothstep((width - np.abs(x)) / 0.012 + 0.5) * (y < who.chin) * (y > -0.99)
    return height, inside


def shading(who: Identity, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse (fill + key, wrapped as skin scatters light) and specular light on a height field."""
    dy, dx = np.gradient(height, 2 * 1.28 / FINE)
    norm = 1 / np.sqrt(dx**2 + dy**2 + 1)
    lx, ly, lz = who.light
    facing = (-dx * lx - dy * ly + lz) * norm
    half = np.array([lx, ly, lz + 1.0]) / np.sqrt(lx**2 + ly**2 + (lz + 1) ** 2)
    gloss = np.clip((-dx * half[0] - dy * half[1] + half[2]) * norm, 0, 1)
    diffuse = who.fill * (0.72 + 0.28 * norm) + (1.06 - who.fill) * np.clip(0.2 + 0.8 * facing, 0, None)
    return diffuse, (0.12 * gloss**24)


def paint(who: Identity, seed: int = 0) -> Portrait:
    """Paint the person's neutral portrait (about half a second)."""
    x, y = grid(FINE)
    chance = generator(seed, "faces", 500 + who.subject)
    height, mask = relief(who, x, y)
    diffuse, gloss = shading(who, height)
    skin = _complexion(who, x, y, chance)
    lit = skin * diffuse + gloss * (0.6 + 0.4 * float(np.mean(who.skin)))
    # Light scattered in skin turns the half-shadow warm.
    lit *= np.array([1.0, 0.97, 0.95], np.float64).reshape(3, 1, 1) ** (6 * np.clip(0.95 - diffuse, 0, 1))

    neck_width = 0.36 + 0.25 * (who.jaw_width - 0.40)
    neck = smoothstep((neck_width + 0.05 * smoothstep((y - 0.9) / 0.3) - np.abs(x)) / 0.015) * (y > 0.4)
    under = 0.50 + 0.32 * smoothstep((y - who.chin - 0.02) / 0.30) - 0.25 * (np.abs(x) / neck_width) ** 3
    ears = np.zeros_like(x)
    for side in (-1, 1):
        ears = np.maximum(
            ears, smoothstep((1 - np.hypot((x - side * (who.cheek_width + 0.015)) / 0.065, (y - 0.04) / 0.17)) / 0.12)
        )
    flat = np.asarray(who.skin, np.float64).reshape(3, 1, 1)
    picture = np.zeros((3, FINE, FINE), np.float64)
    picture = over(
        picture, flat * (0.62 * who.fill + 0.42) * np.array([1, 0.93, 0.9], np.float64).reshape(3, 1, 1), ears
    )
    picture = over(picture, flat * under * np.array([1, 0.92, 0.88], np.float64).reshape(3, 1, 1), neck)
    picture = over(picture, lit, mask)
    alpha = np.maximum(np.maximum(neck, ears), mask)
    picture = _nostrils_and_brows(who, picture, x, y, chance)
    picture, alpha = _hair(who, picture, alpha, mask, x, y, chance)
    head = np.concatenate([picture * alpha, alpha[None]])
    scene, shirt = surroundings(who, x, y, chance)
    depth = np.clip(height / 0.75, 0, 1.2) * mask
    frame = spectacles(who, x, y) if who.glasses else None
    return Portrait(
        halve(np.clip(head, 0, 1)), halve(depth), halve(scene), halve(shirt), None if frame is None else halve(frame)
    )


def _complexion(who: Identity, x: np.ndarray, y: np.ndarray, chance: torch.Generator) -> np.ndarray:
    """Albedo of the skin (3, H, W): blotches, flushed cheeks and nose, freckles, beard, shadows round the eyes."""
    skin = np.asarray(who.skin, np.float64).reshape(3, 1, 1) * np.ones((1, *x.shape), np.float64)
    skin *= 1 + 0.012 * texture(FINE, 1.3, chance) + 0.018 * texture(FINE, 14, chance)
    flush = 0.5 * blob(x, y, (0, who.eye_height + who.nose_length), (0.09, 0.08))
    for side in (-1, 1):
        flush = flush + blob(x, y, (side * 0.38, who.eye_height + 0.33), (0.14, 0.12))
    skin = over(skin, skin * np.array([1.02, 0.87, 0.86], np.float64).reshape(3, 1, 1), 0.75 * np.clip(flush, 0, 1))
    shade = sum(blob(x, y, (s * (who.eye_spacing - 0.02), who.eye_height + 0.02), (0.13, 0.075)) for s in (-1, 1))
    skin *= 1 - (0.10 + 0.08 * who.age) * shade
    if who.freckles:
        spots = np.clip(texture(FINE, 1.6, chance) - 1.5, 0, 1) * np.exp(-0.5 * ((y - 0.1) / 0.16) ** 2)
        skin = over(skin, skin * np.array([0.72, 0.55, 0.45], np.float64).reshape(3, 1, 1), who.freckles * spots)
    if who.beard:
        jaw = smoothstep((y - 0.30 + 0.35 * np.exp(-(((np.abs(x) - who.cheek_width) / 0.16) ** 2))) / 0.16)
        bare = blob(x, y, (0, who.mouth_height), (who.mouth_width * 0.55, 0.05)) + 1.3 * np.exp(
            -0.5 * ((np.abs(x) - 0.34) / 0.10) ** 2
        ) * smoothstep((0.50 - y) / 0.2)
        grain = 0.80 + 0.20 * texture(FINE, 1.2, chance)
        weight = who.beard * np.clip(jaw - bare, 0, 1) * np.clip(grain, 0, 1)
        skin = over(skin, np.asarray(who.hair, np.float64) * 0.9 + 0.04, 0.85 * weight)
    return skin


def _nostrils_and_brows(
    who: Identity, picture: np.ndarray, x: np.ndarray, y: np.ndarray, chance: torch.Generator
) -> np.ndarray:
    tip = who.eye_height - 0.02 + who.nose_length
    dark = picture * np.array([0.35, 0.24, 0.22], np.float64).reshape(3, 1, 1)
    for side in (-1, 1):
        hole = blob(x, y, (side * who.nose_width * 0.56, tip + 0.058), (0.026, 0.011))
        wing = stroke(
            x,
            y,
            curve(
                [
                    (side * who.nose_width * 1.15, tip - 0.03),
                    (side * who.nose_width * 1.38, tip + 0.03),
                    (side * who.nose_width * 1.05, tip + 0.062),
                ],
                8,
            ),
            0.010,
        )
        picture = over(picture, dark, np.clip(1.0 * hole + 0.35 * wing, 0, 1))
        base = who.eye_height - who.brow_height
        spine = [
            (0.105, base + 0.018),
            (0.24, base - 0.6 * who.brow_arch),
            (0.36, base - who.brow_arch),
            (0.47, base + 0.025),
        ]
        knots = [(0.0, 0.0), (0.105, 0.75), (0.22, 1.0), (0.36, 0.8), (0.48, 0.15), (0.5, 0.0)]
        middle = profile(np.abs(x), spine)
        thick = who.brow_thickness * profile(np.abs(x), knots)
        inside = smoothstep((thick - np.abs(y - middle)) / 0.018 + 0.45) * (np.abs(x) > 0.09) * (x * side > 0)
        hairs = np.clip(0.92 + 0.16 * texture(FINE, 1.4, chance), 0.5, 1)
        colour = np.asarray(who.hair, np.float64) * 0.75 * min(1.0, 0.5 / float(np.mean(who.hair)) ** 0.5)
        picture = over(picture, colour, 0.88 * inside * hairs * np.clip(thick / 0.012, 0, 1))
    return picture


def _hair(
    who: Identity,
    picture: np.ndarray,
    alpha: np.ndarray,
    face: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    chance: torch.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    behind, front, colour = hair_layers(who, x, y, chance)
    bare = np.clip(1 - alpha, 0, 1)
    picture = over(picture, colour * 0.75, behind * bare)
    alpha = np.maximum(alpha, behind)
    shadow = np.clip(_shifted(front, 10) - front, 0, 1)
    picture = picture * (1 - 0.30 * shadow * face)
    return over(picture, colour, front), np.maximum(alpha, front)


def _shifted(mask: np.ndarray, pixels: int) -> np.ndarray:
    return np.concatenate([np.repeat(mask[:1], pixels, axis=0), mask[:-pixels]])
