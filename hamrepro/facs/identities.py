"""Who is drawn: the factors of the 52 people of faces-procedural, each a function of (seed, subject)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hamrepro.errors import DataError
from hamrepro.randomness import generator

SUBJECTS = 52  # Paper: Section 4, MUG has 52 people
Colour = tuple[float, float, float]

SKINS: tuple[Colour, ...] = (
    (0.96, 0.83, 0.75),
    (0.93, 0.77, 0.66),
    (0.90, 0.72, 0.60),
    (0.84, 0.65, 0.50),
    (0.76, 0.56, 0.42),
    (0.64, 0.45, 0.33),
    (0.50, 0.34, 0.25),
    (0.40, 0.27, 0.20),
)
HAIRS: tuple[Colour, ...] = (
    (0.08, 0.07, 0.07),
    (0.17, 0.11, 0.08),
    (0.30, 0.19, 0.11),
    (0.45, 0.30, 0.16),
    (0.70, 0.54, 0.32),
    (0.52, 0.22, 0.10),
    (0.55, 0.54, 0.53),
)
IRISES: tuple[Colour, ...] = (
    (0.26, 0.15, 0.08),
    (0.16, 0.09, 0.05),
    (0.28, 0.42, 0.56),
    (0.30, 0.42, 0.27),
    (0.40, 0.42, 0.44),
)
SHIRTS: tuple[Colour, ...] = (
    (0.15, 0.17, 0.22),
    (0.72, 0.72, 0.74),
    (0.50, 0.12, 0.14),
    (0.14, 0.33, 0.24),
    (0.78, 0.62, 0.22),
    (0.33, 0.22, 0.42),
    (0.24, 0.45, 0.62),
    (0.55, 0.42, 0.33),
)
HAIRSTYLES = ("short", "side", "buzz", "bald", "fringe", "long", "bob", "bun", "curly")


@dataclass(frozen=True)
class Identity:
    """One drawn person. Lengths are in head units: 1 unit = 100 pixels of the 256x256 portrait; y points down.

    Attributes:
        subject: number 1..52, the folder `subjects3/<NNN>`.
        light: unit vector towards the key light (x right, y down, z to the viewer).
    """

    subject: int
    skin: Colour
    hair: Colour
    iris: Colour
    shirt: Colour
    hairstyle: str
    beard: float
    glasses: bool
    freckles: float
    age: float
    cheek_width: float
    jaw_width: float
    chin_width: float
    chin: float
    hairline: float
    eye_spacing: float
    eye_height: float
    eye_length: float
    eye_opening: float
    eye_slant: float
    brow_height: float
    brow_thickness: float
    brow_arch: float
    nose_width: float
    nose_length: float
    mouth_width: float
    mouth_height: float
    upper_lip: float
    lower_lip: float
    lip_red: float
    light: tuple[float, float, float]
    fill: float


def identity(subject: int, seed: int = 0) -> Identity:
    """The person with number `subject` (1..52).

    Discrete factors walk through their palettes with strides prime to the palette sizes, so that two people
    never share skin, hair, iris, shirt, hairstyle and glasses alike; continuous ones are uniform draws.

    Raises:
        DataError: `subject` outside 1..52.

    >>> identity(3) == identity(3), identity(3) == identity(4)
    (True, False)
    """
    if not 1 <= subject <= SUBJECTS:
        raise DataError(f"subject {subject}", f"1..{SUBJECTS}", "faces-procedural has the paper's 52 people")
    draws = iter(torch.rand(64, generator=generator(seed, "faces", subject)).tolist())

    def between(low: float, high: float) -> float:
        return low + (high - low) * next(draws)

    masculine, tone = subject % 2, (subject * 5) % 8
    style = HAIRSTYLES[(0, 1, 2, 3, 8)[(subject // 2) % 5] if masculine else (4, 5, 6, 7, 8)[(subject // 2) % 5]]
    side = 1.0 if between(0, 1) < 0.5 else -1.0
    x, y = side * between(0.15, 0.6), -between(0.25, 0.6)
    norm = (x * x + y * y + 1.0) ** 0.5
    return Identity(
        subject=subject,
        skin=SKINS[tone],
        hair=HAIRS[(subject * 3 + subject // 7) % (7 if tone < 4 else 3)],
        iris=IRISES[(subject * 2 + subject // 5) % 5],
        shirt=SHIRTS[(subject * 3 + subject // 8) % 8],
        hairstyle=style,
        beard=between(0.45, 1.0) if masculine and subject % 3 == 1 else 0.0,
        glasses=subject % 4 == 2 or subject % 9 == 4,
        freckles=between(0.5, 1.0) if subject % 5 == 3 else 0.0,
        age=between(0.0, 1.0),
        cheek_width=between(0.58, 0.68) + 0.01 * masculine,
        jaw_width=between(0.40, 0.49) + 0.05 * masculine,
        chin_width=between(0.16, 0.24) + 0.05 * masculine,
        chin=between(0.77, 0.87) + 0.02 * masculine,
        hairline=-between(0.56, 0.70),
        eye_spacing=between(0.255, 0.305),
        eye_height=-between(0.10, 0.16),
        eye_length=between(0.110, 0.135),
        eye_opening=between(0.048, 0.066) - 0.004 * masculine,
        eye_slant=between(-0.02, 0.012),
        brow_height=between(0.135, 0.185),
        brow_thickness=between(0.018, 0.030) + 0.012 * masculine,
        brow_arch=between(0.01, 0.045) - 0.01 * masculine,
        nose_width=between(0.075, 0.120),
        nose_length=between(0.30, 0.38),
        mouth_width=between(0.20, 0.26),
        mouth_height=between(0.44, 0.49),
        upper_lip=between(0.035, 0.060) - 0.008 * masculine,
        lower_lip=between(0.050, 0.085) - 0.010 * masculine,
        lip_red=between(0.25, 0.55) + (0.0 if masculine else 0.25),
        light=(x / norm, y / norm, 1.0 / norm),
        fill=between(0.45, 0.65),
    )
