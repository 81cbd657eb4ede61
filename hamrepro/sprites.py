"""Sprites: LPC sheets to attribute layers, layers to clips. Paper: Section 4."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

ATTRIBUTES = ("skin", "pants", "tops", "hair")
ACTIONS = ("walk", "spellcast", "slash")
VIEWS = ("front", "left", "right")

SHEETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "skin": tuple((f"body/male/{n}.png",) for n in ("light", "tanned2", "darkelf", "darkelf2", "dark", "dark2")),
    "pants": (
        ("legs/pants/male/white_pants_male.png",),
        ("legs/armor/male/golden_greaves_male.png",),
        ("legs/pants/male/red_pants_male.png",),
        ("legs/armor/male/metal_pants_male.png",),
        ("legs/pants/male/teal_pants_male.png",),
        ("formal_male_no_th-sh/pants.png",),
    ),
    "tops": (
        ("torso/shirts/longsleeve/male/maroon_longsleeve.png",),
        ("torso/shirts/longsleeve/male/teal_longsleeve.png",),
        ("torso/shirts/longsleeve/male/white_longsleeve.png",),
        ("torso/plate/chest_male.png",),
        ("torso/leather/chest_male.png",),
        ("formal_male_no_th-sh/shirt.png", "formal_male_no_th-sh/tie.png"),
    ),
    "hair": tuple(
        (f"hair/male/{n}.png",)
        for n in ("messy2/green2", "longknot/blue2", "messy1/light-blonde", "bangs/white", "plain/ruby-red", "jewfro/purple")
    ),
}
SHOES = ("feet/armor/male/golden_boots_male.png",)
ROWS = {"walk": (10, 9, 11), "spellcast": (2, 1, 3), "slash": (14, 13, 15)}  # front, left, right
COLUMNS = {"walk": (8, 1, 2, 3, 4, 5, 6, 7), "spellcast": (0, 1, 2, 3, 4, 5, 4, 6), "slash": (0, 1, 2, 3, 4, 5, 4, 0)}
