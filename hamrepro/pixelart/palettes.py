"""Colour ramps of five tones: outline, shadow, base, light, highlight."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from .raster import TONES

RAMPS: dict[str, str] = {
    "skin": "000000 000000 000000 000000 000000",  # stands for one of SKINS, the next for one of EYES
    "eye": "000000 000000 000000 000000 000000",
    "boot": "3a1d0c 7a4516 b4721f e0a63c ffe08a",
    "linen": "4a3a2c 9c8a6c cbb98f e7dab4 fbf3d8",
    "gold": "4d2a08 a8690f dd9f22 f8cf4f fff3b0",
    "scarlet": "3d0812 861426 bf2436 e24b4a f78a6c",
    "teal": "06282e 0f5a5e 1b8c88 44bda8 95e6c8",
    "charcoal": "15131a 2e2b36 48444f 6a6672 918c98",
    "denim": "131c3e 27407c 3d64ad 6b95d2 a8c8ee",
    "crimson": "3a0a10 7c1722 b02a2e d4534a ee8e74",
    "forest": "0b2a14 1c5a2a 338540 62b156 a2da7c",
    "steel": "1c2430 4a5a70 7f92a8 b4c4d2 f2f8fc",
    "mail": "14181f 313a48 4c586a 6c7a8c 94a2b2",
    "leather": "2c160c 5e3218 8a5226 b4773a d9a560",
    "violet": "1c0f42 3a2282 5b3cb4 8464d8 b59cf2",
    "navy": "0c1226 1d2a4c 31436e 4f6592 7d93ba",
    "white": "4c5468 98a4ba ccd6e2 eef3f7 ffffff",
    "tie": "4a0818 941428 d02c3c f05a56 ff9a86",
    "green hair": "0a3018 14682c 28a03c 66cf4c b8f07c",
    "blue hair": "0c1c50 1a3c94 2c66d0 569cf0 a2d4ff",
    "blond hair": "54300c a06a1c dca038 f8d064 fff2ae",
    "white hair": "3c4258 8088a0 b6bed0 e0e6ee ffffff",
    "red hair": "46060c 8e1216 cc2a1e f05a30 ffa060",
    "purple hair": "2c0c44 5e1e84 9038b8 bc66dc e4a4f8",
}
SKINS = (
    "5a2a20 c07a58 eeb48c fbd6b0 fff0d8",  # fair
    "46200f 9a5a30 c98a52 e5b078 f7d4a2",  # tanned
    "24100c 542c1c 7e472c a3653f c58a5e",  # deep brown
    "16300e 3f7024 67a035 94c653 c6e888",  # orc green
    "0c2c48 2c6c9c 4e9ccc 86c8e8 c6f0fa",  # frost blue
    "2a1838 644a80 8f74ac b6a0cc dccef0",  # dusk violet
)
EYES = tuple(
    f"1a1426 {iris} f6fafc"
    for iris in (
        "27406b 3f7fc4 c9d6e6",
        "1e4a2c 3f9a5a d6e2d6",
        "3a2210 7c5028 dcd4c8",
        "7a3408 e08a1c f0e4b8",
        "3a2a6c 7c64d0 d2d0ee",
        "7a1420 d8384c f0d4dc",
    )
)
POINTED_EARS = (False, False, False, True, True, True)
RAMP = {name: i for i, name in enumerate(RAMPS)}


@cache
def colours(skin: int = 0) -> NDArray[np.uint8]:
    """RGBA of every colour index with the tones of one skin, (1 + 5 ramps, 4); entry 0 is clear."""
    ramps = [SKINS[skin], EYES[skin], *list(RAMPS.values())[2:]]
    table = np.zeros((1 + TONES * len(ramps), 4), np.uint8)
    for i, ramp in enumerate(ramps):
        for tone, code in enumerate(ramp.split()):
            table[1 + TONES * i + tone] = (*bytes.fromhex(code), 255)
    return table
