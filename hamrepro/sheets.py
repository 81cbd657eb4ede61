"""Sheets: the 26 LPC sprite sheets of the Sprites data, located, verified, fetched. Paper: Section 4, reference [31]."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from hamrepro.errors import DataError

ATTRIBUTES = ("skin", "pants", "tops", "hair")

# Sheets of each attribute value, 0 to 5; a value made of two sheets has the second composited over the first.
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


def locate() -> Path:
    """Folder of the sheets: `HAMREPRO_LPC`.

    Raises:
        DataError: not set or not a folder.
    """
    given = os.environ.get("HAMREPRO_LPC", "")
    if not given or not Path(given).is_dir():
        raise DataError(f"no LPC sheets: HAMREPRO_LPC={given!r}", "a folder with body/ hair/ ...", "python -m hamrepro data fetch sprites")
    return Path(given)


def read(root: Path, paths: tuple[str, ...]) -> np.ndarray:
    """One layer's sheet, uint8 RGBA (1344, 832, 4); later paths are composited over earlier ones."""
    image: Image.Image | None = None
    for path in paths:
        with Image.open(root / path) as opened:
            sheet = opened.convert("RGBA")
        image = sheet if image is None else Image.alpha_composite(image, sheet)
    return np.asarray(image)
