"""Sprites: attribute layers to clips, composited per batch. Paper: Section 4; the recipe of DSVAE's generator.

A character is four attributes of six values. Its clip is five layers (skin, pants, tops, hair, shoes) composited over
opaque black with an integer rule whose bytes are Pillow's, so no array of the whole set (1.15 GB) is ever made.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cached_property
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ConfigError, ShapeError
from hamrepro.layers import (
    ACTIONS,
    COLUMNS,
    FRAMES,
    ROWS,
    SIZE,
    VIEWS,
    composite,
    pack,
    sheet_layers,
    translucent,
    unpack,
)
from hamrepro.sheets import ATTRIBUTES, SHEETS, SHOES, locate, verify
from hamrepro.windows import numbers

__all__ = ["ACTIONS", "ATTRIBUTES", "COLUMNS", "ROWS", "SHEETS", "SHOES", "VIEWS", "Sprites", "load_sprites"]

LABELS = tuple(f"{action} {view}" for action in ACTIONS for view in VIEWS)
SPLITS = {"train": (0, 1000), "fit": (0, 900), "validation": (900, 1000), "test": (1000, 1296)}
VALUES = 6
CHARACTERS = VALUES ** len(ATTRIBUTES)
SHOES_LAYER = VALUES * len(ATTRIBUTES)
CACHED_FRAMES = 32

VALUE_NAMES = {
    "skin": ("light", "tanned", "dark elf", "dark elf 2", "dark", "dark 2"),
    "pants": ("white trousers", "golden greaves", "red trousers", "metal greaves", "teal trousers", "formal trousers"),
    "tops": ("maroon shirt", "teal shirt", "white shirt", "plate armour", "leather armour", "shirt and tie"),
    "hair": ("green messy", "blue long knot", "blonde messy", "white bangs", "red plain", "purple afro"),
}


def characters_of(split: str) -> Tensor:
    """Character ids of a split, in split order: int64 (n,).

    DSVAE's rule: the first 1,000 of a fixed permutation are `train`, the other 296 `test`. `fit` and `validation` cut
    `train` into its first 900 and last 100, so that no choice is made on the test set.

    Raises:
        ConfigError: unknown split.

    >>> characters_of("train")[:4].tolist(), len(characters_of("test"))
    ([1116, 1135, 17, 469], 296)
    """
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}", f"one of {', '.join(SPLITS)}")
    order = np.random.RandomState(423).permutation(CHARACTERS)
    return torch.from_numpy(order[slice(*SPLITS[split])].astype(np.int64))


def attributes_of(characters: Tensor) -> Tensor:
    """Ids (n,) to values of skin, pants, tops, hair, int64 (n, 4); id = 216 skin + 36 pants + 6 tops + hair."""
    return characters[:, None] // torch.tensor([216, 36, 6, 1]) % VALUES


class Sprites:
    """Nine action-views of every character of a split, composited on demand. Obeys `datasets.ClipSet`.

    Clip `n label + i` shows action-view `label` (3 action + view) of character i of the split's n.

    Args:
        layers: packed int32 (25, 72, 64, 64) from `pack`: six skins, pants, tops, hairs, then the shoes; 9 action-views
            of 8 cells. Where it lives is where clips are made.
        split: "train", "fit", "validation" or "test".
        name: of the data set. value_names: of the six values of each attribute.

    Raises:
        ShapeError: layers of another shape or type.
        ConfigError: unknown split.
    """

    frames = FRAMES
    cyclic = True

    def __init__(
        self,
        layers: Tensor,
        split: str,
        name: str = "sprites",
        value_names: Mapping[str, tuple[str, ...]] = VALUE_NAMES,
    ) -> None:
        expected = (SHOES_LAYER + 1, len(LABELS) * FRAMES, SIZE, SIZE)
        if layers.shape != expected or layers.dtype != torch.int32:
            raise ShapeError(f"layers {layers.dtype} {tuple(layers.shape)}", f"packed int32 {expected}")
        self.layers, self.split, self.name = layers, split, name
        self.blended = torch.stack([translucent(layer).any() for layer in layers]).cpu()
        characters = characters_of(split)
        label = torch.arange(len(LABELS)).repeat_interleave(len(characters))
        self.groups = characters.repeat(len(LABELS))
        self.targets = {"action": label // len(VIEWS), "view": label % len(VIEWS), "action_view": label}
        self.targets |= dict(zip(ATTRIBUTES, attributes_of(self.groups).unbind(1), strict=True))
        self.classes = {"action": ACTIONS, "view": VIEWS, "action_view": LABELS, **value_names}

    @cached_property
    def sha256(self) -> str:
        """Identity of the data: the layers, and the order of the characters (train, then test)."""
        digest = sha256(self.layers.cpu().numpy())
        digest.update(torch.cat([characters_of("train"), characters_of("test")]).numpy())
        return digest.hexdigest()

    def to(self, device: torch.device | str) -> Sprites:
        """The same clips, made on another device."""
        moved = copy(self)
        moved.layers = self.layers.to(device)
        return moved

    def __len__(self) -> int:
        return len(self.groups)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """Clips by number: uint8 (B, T, 3, 64, 64) on the device of the layers.

        Args:
            index: int64 (B,), 0 <= index < len(self).
            start: int64 (B,), each clip's first frame, >= 0; frames wrap modulo 8. None: 0.
            frames: T, 8 when None.

        Raises:
            ShapeError: an index or start out of range, or T < 1.
        """
        index = numbers(index, len(self))
        return self.compose(self.groups[index], self.targets["action_view"][index], start, frames)

    def compose(
        self, characters: Tensor, labels: Tensor, start: Tensor | None = None, frames: int | None = None
    ) -> Tensor:
        """Any characters (B,) in any action-views (B,), whatever the split: uint8 (B, T, 3, 64, 64); see `clips`."""
        frames = FRAMES if frames is None else frames
        first = torch.zeros_like(labels) if start is None else start.cpu()
        for name, number, count in (("characters", characters, CHARACTERS), ("action-views", labels, len(LABELS))):
            wrong = number.dtype != torch.int64 or number.shape != (len(labels),)
            if wrong or bool(((number < 0) | (number >= count)).any()):
                raise ShapeError(f"{name} {number.tolist()}"[:80], f"int64 (B,), as many of each, 0 to {count - 1}")
        whole = isinstance(frames, int) and frames >= 1 and first.dtype == torch.int64
        if not whole or first.shape != labels.shape or bool((first < 0).any()):
            raise ShapeError(f"{frames} frames from {first.tolist()}"[:80], "T >= 1 from one start >= 0 a clip")
        cell = labels[:, None] * FRAMES + (first[:, None] + torch.arange(frames)) % FRAMES
        shoes = torch.full_like(characters[:, None], SHOES_LAYER)
        layer = torch.cat([attributes_of(characters) + VALUES * torch.arange(len(ATTRIBUTES)), shoes], 1)
        layer = layer.repeat_interleave(frames, 0)
        number = layer * self.layers.shape[1] + cell.flatten()[:, None]
        # On a processor some frames at a time stay in its cache, which is faster than the whole batch at once.
        share = CACHED_FRAMES if self.layers.device.type == "cpu" else max(len(number), 1)
        flat = self.layers.flatten(0, 1).flatten(1)
        packed = [
            composite([flat.index_select(0, column) for column in part.to(flat.device).unbind(1)], blended)
            for part, blended in zip(number.split(share), self.blended[layer].split(share), strict=True)
        ]
        return unpack(torch.cat(packed).view(-1, frames, SIZE, SIZE))

    def starts(
        self, index: Tensor, generator: torch.Generator, policy: str = "first", frames: int | None = None
    ) -> Tensor:
        """First frames of the training windows: int64 (B,), the same whatever their length.

        "first": 0. "cyclic": 0 with probability 1/2, else uniform on 1..7 of the clip shown twice (Deviation D13).
        "random": uniform on 0..7.

        Raises:
            ConfigError: unknown policy.
        """
        shape = (len(index),)
        if policy == "first":
            return torch.zeros(shape, dtype=torch.int64)
        if policy == "cyclic":  # of 14 equally likely draws, the lower seven fall to 0
            return (torch.randint(0, 2 * (FRAMES - 1), shape, generator=generator) - (FRAMES - 2)).clamp(min=0)
        if policy == "random":
            return torch.randint(0, FRAMES, shape, generator=generator)
        raise ConfigError(f"unknown windows {policy!r}", "first, cyclic or random")


def load_sprites(name: str, split: str) -> Sprites:
    """A split of "sprites", the LPC sheets verified on every call, or of "sprites-procedural".

    Raises:
        ConfigError: unknown name or split. DataError: a sheet is missing, damaged or another.
    """
    if name == "sprites":
        root = locate()
        verify(root)
        return Sprites(sheet_layers(root), split)
    if name == "sprites-procedural":
        from hamrepro.pixelart import NAMES, draw_layers

        return Sprites(pack(draw_layers()), split, name, NAMES)
    raise ConfigError(f"unknown data set {name!r}", "sprites or sprites-procedural")
