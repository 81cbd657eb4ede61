"""Data sets by name: one Protocol, one `load`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ConfigError

NAMES = ("sprites", "sprites-procedural", "faces-procedural", "mug")


class ClipSet(Protocol):
    """What every data set is: clips by number, made on demand."""

    name: str
    split: str
    frames: int
    cyclic: bool
    targets: dict[str, Tensor]
    classes: dict[str, tuple[str, ...]]
    groups: Tensor

    @property
    def sha256(self) -> str: ...

    def __len__(self) -> int: ...

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor: ...

    def starts(self, index: Tensor, generator: torch.Generator, policy: str = "first") -> Tensor: ...


def load(name: str, split: str) -> ClipSet:
    """A split of a data set.

    Raises:
        ConfigError: unknown data set or split.
        DataError: its files are missing or damaged.
    """
    if name == "sprites":
        from hamrepro.sheets import ATTRIBUTES, SHEETS, SHOES, locate, read
        from hamrepro.sprites import Sprites, cells

        root = locate()
        values = [paths for attribute in ATTRIBUTES for paths in SHEETS[attribute]]
        return Sprites(np.stack([cells(read(root, paths)) for paths in [*values, SHOES]]), split)
    if name == "sprites-procedural":
        from hamrepro.pixelart import draw_layers
        from hamrepro.sprites import Sprites

        return Sprites(draw_layers(), split, name)
    if name in NAMES:
        from hamrepro.faces import load_faces

        return load_faces(name, split)
    raise ConfigError(f"unknown data set {name!r}", f"one of {', '.join(NAMES)}")
