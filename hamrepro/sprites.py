"""Sprites: attribute layers to clips, composited per batch. Paper: Section 4; recipe of DSVAE's generator.

A character is four attributes of six values. Its clip is five layers composited over opaque black (skin, pants, tops,
hair, shoes), with an integer rule whose bytes are Pillow's, so no array of the whole set (1.15 GB) is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from hamrepro.errors import ConfigError, ShapeError
from hamrepro.sheets import ATTRIBUTES, SHEETS, SHOES

__all__ = ["ACTIONS", "ATTRIBUTES", "COLUMNS", "ROWS", "SHEETS", "SHOES", "VIEWS", "Sprites", "composite", "pack", "split"]

ACTIONS = ("walk", "spellcast", "slash")
VIEWS = ("front", "left", "right")
VALUES = 6
FRAMES = 8
SIZE = 64
CHARACTERS = VALUES ** len(ATTRIBUTES)
LABELS = tuple(f"{action} {view}" for action in ACTIONS for view in VIEWS)
SHOES_LAYER = VALUES * len(ATTRIBUTES)

# Row (front, left, right, back) and columns of the sheet, in cells of 64 pixels from the top left corner.
ROWS = {"walk": (10, 9, 11), "spellcast": (2, 1, 3), "slash": (14, 13, 15)}
BACK_ROWS = {"walk": (8,), "spellcast": (0,), "slash": (12,)}
COLUMNS = {"walk": (8, 1, 2, 3, 4, 5, 6, 7), "spellcast": (0, 1, 2, 3, 4, 5, 4, 6), "slash": (0, 1, 2, 3, 4, 5, 4, 0)}

OPAQUE_BLACK = -(1 << 24)  # R = G = B = 0, A = 255 as a packed little-endian int32


def cells(sheet: np.ndarray, rows: dict[str, tuple[int, ...]] = ROWS) -> np.ndarray:
    """Cells of one sheet in the order of the labels: uint8 (1344, 832, 4) to (actions * views * 8, 64, 64, 4)."""
    grid = sheet.reshape(sheet.shape[0] // SIZE, SIZE, sheet.shape[1] // SIZE, SIZE, 4)
    row = [r for action in ACTIONS for r in rows[action] for _ in range(FRAMES)]
    column = [c for action in ACTIONS for _ in rows[action] for c in COLUMNS[action]]
    return grid.swapaxes(1, 2)[row, column]


def pack(layers: np.ndarray) -> Tensor:
    """RGBA uint8 (..., 4) to one int32 a pixel (...): alpha is the top byte, so an opaque pixel is negative."""
    if layers.dtype != np.uint8 or layers.shape[-1:] != (4,):
        raise ShapeError(f"layers {layers.dtype} {layers.shape}", "uint8 RGBA (..., 4)")
    return torch.from_numpy(np.ascontiguousarray(layers).view("<i4")[..., 0])


def has_partial(packed: Tensor) -> Tensor:
    """Which pixels are neither transparent nor opaque: bool, shape of `packed`."""
    alpha = packed >> 24 & 255
    return (alpha > 0) & (alpha < 255)


def blend(below: Tensor, above: Tensor) -> Tensor:
    """Pillow's alpha_composite of packed pixels over opaque ones, in integers.

    Pillow rounds ``(above * a + below * (255 - a)) / 255`` in fixed point with 7 extra bits; over an opaque pixel its
    two coefficients are exactly 128 a and 128 (255 - a).
    """
    alpha = above >> 24 & 255
    result = torch.full_like(below, OPAQUE_BLACK)
    for shift in (0, 8, 16):
        value = 128 * ((above >> shift & 255) * alpha + (below >> shift & 255) * (255 - alpha) + 128)
        result |= ((value >> 8) + value >> 15) << shift
    return result


def composite(layers: Sequence[Tensor], partial: Sequence[bool] | None = None) -> Tensor:
    """Layers, bottom to top, over opaque black; bytes equal to Pillow's.

    Args:
        layers: packed int32 tensors of one shape.
        partial: per layer, whether it can have pixels that are neither transparent nor opaque; looked up when None.

    Returns:
        packed int32, opaque.
    """
    below = torch.full_like(layers[0], OPAQUE_BLACK)
    for number, above in enumerate(layers):
        result = torch.where(above < 0, above, below)
        if partial is None or partial[number]:
            mask = has_partial(above)
            result[mask] = blend(below[mask], above[mask])
        below = result
    return below


def planes(packed: Tensor) -> Tensor:
    """Packed int32 (..., H, W) to RGB uint8 (..., 3, H, W), contiguous."""
    return torch.stack([(packed >> shift).to(torch.uint8) for shift in (0, 8, 16)], dim=-3)


def split(name: str) -> Tensor:
    """Character ids of a split, in split order: int64 (n,).

    `train` is the first 1,000 of the permutation, `test` the other 296 (DSVAE's rule); `fit` and `validation` cut
    `train` into its first 900 and last 100, so that no choice is ever made on the test set.

    Raises:
        ConfigError: unknown split.

    >>> split("train")[:4].tolist(), len(split("test"))
    ([1116, 1135, 17, 469], 296)
    """
    spans = {"train": (0, 1000), "test": (1000, 1296), "fit": (0, 900), "validation": (900, 1000)}
    if name not in spans:
        raise ConfigError(f"unknown split {name!r}", f"one of {', '.join(spans)}")
    order = np.random.RandomState(423).permutation(CHARACTERS)
    return torch.from_numpy(order[slice(*spans[name])].astype(np.int64))


def attributes(characters: Tensor) -> Tensor:
    """Character ids (n,) to values of skin, pants, tops, hair, int64 (n, 4); id = 216 skin + 36 pants + 6 tops + hair."""
    weights = torch.tensor([216, 36, 6, 1])
    return characters[:, None] // weights % VALUES


class Sprites:
    """The nine action-views of every character of a split, composited on demand. Obeys `datasets.ClipSet`.

    Clip `label * n + i` shows action-view `label` (3 action + view) of character i of the split's n.

    Args:
        layers: uint8 RGBA (25, 72, 64, 64, 4): six skins, pants, tops, hairs, then the shoes; 9 action-views x 8 cells.
        split_name: "train", "fit", "validation" or "test".
        name: name of the data set.
        device: where the layers live and the clips are made.

    Raises:
        ShapeError: layers of another shape or type.
        ConfigError: unknown split.
    """

    frames = FRAMES
    cyclic = True

    def __init__(self, layers: np.ndarray, split_name: str, name: str = "sprites", device: torch.device | str = "cpu") -> None:
        expected = (SHOES_LAYER + 1, len(LABELS) * FRAMES, SIZE, SIZE, 4)
        if layers.shape != expected:
            raise ShapeError(f"layers of shape {layers.shape}", f"{expected}")
        self.name, self.split = name, split_name
        self.groups = split(split_name).repeat(len(LABELS))
        packed = pack(layers)
        self.partial = has_partial(packed).flatten(1).any(1)
        self.layers = packed.to(device)
        label = torch.arange(len(LABELS)).repeat_interleave(len(self.groups) // len(LABELS))
        values = attributes(self.groups)
        self.targets = {"action": label // len(VIEWS), "view": label % len(VIEWS), "action_view": label}
        self.targets |= {attribute: values[:, column] for column, attribute in enumerate(ATTRIBUTES)}
        numbers = tuple(str(value) for value in range(VALUES))
        self.classes = {"action": ACTIONS, "view": VIEWS, "action_view": LABELS} | dict.fromkeys(ATTRIBUTES, numbers)

    @cached_property
    def sha256(self) -> str:
        """Identity of the data: the layers and the order of the characters (train, then test)."""
        digest = hashlib.sha256(self.layers.cpu().numpy().astype("<i4", copy=False).tobytes())
        digest.update(torch.cat([split("train"), split("test")]).numpy().astype("<i8").tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.groups)

    def clips(self, index: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """Clips by number.

        Args:
            index: int64 (B,), 0 <= index < len(self).
            start: int64 (B,), first frame of each; frames wrap modulo 8. None: the clip's first frame.
            frames: T, 8 when None.

        Returns:
            uint8 (B, T, 3, 64, 64) on the device of the layers.

        Raises:
            ShapeError: index out of range, or T < 1.
        """
        index = index.cpu()
        if index.ndim != 1 or (len(index) and not 0 <= int(index.min()) <= int(index.max()) < len(self)):
            raise ShapeError(f"index {index.tolist()[:8]}", f"one dimension, 0 to {len(self) - 1}")
        return self.compose(self.groups[index], self.targets["action_view"][index], start, frames)

    def compose(self, characters: Tensor, labels: Tensor, start: Tensor | None = None, frames: int | None = None) -> Tensor:
        """Clips of any characters (B,) and action-views (B,), whatever the split: uint8 (B, T, 3, 64, 64)."""
        frames = FRAMES if frames is None else frames
        if frames < 1:
            raise ShapeError(f"{frames} frames", "at least 1")
        time = torch.arange(frames) + (0 if start is None else start.cpu()[:, None])
        cell = (labels[:, None] * FRAMES + time % FRAMES).expand(len(labels), frames)
        flat = self.layers.flatten(0, 1).flatten(1)
        stack, partial = [], []
        for layer in self._layer_numbers(characters):
            number = (layer[:, None] * self.layers.shape[1] + cell).flatten().to(flat.device)
            stack.append(flat.index_select(0, number))
            partial.append(bool(self.partial[layer].any()))
        return planes(composite(stack, partial).view(-1, frames, SIZE, SIZE))

    @staticmethod
    def _layer_numbers(characters: Tensor) -> Iterator[Tensor]:
        """Layers of each character, bottom to top: five times int64 (B,)."""
        values = attributes(characters)
        for column in range(len(ATTRIBUTES)):
            yield values[:, column] + VALUES * column
        yield torch.full_like(characters, SHOES_LAYER)

    def starts(self, index: Tensor, generator: torch.Generator, policy: str = "first") -> Tensor:
        """First frames of the training windows, int64 (B,).

        "first": 0. "cyclic": 0 with probability 1/2, else uniform on 1..7, a window of the clip shown twice
        (Deviation D13). "random": uniform on 0..7.

        Raises:
            ConfigError: unknown policy.
        """
        shape = (len(index),)
        if policy == "first":
            return torch.zeros(shape, dtype=torch.int64)
        if policy == "cyclic":
            return (torch.randint(0, 2 * (FRAMES - 1), shape, generator=generator) - (FRAMES - 2)).clamp(min=0)
        if policy == "random":
            return torch.randint(0, FRAMES, shape, generator=generator)
        raise ConfigError(f"unknown windows {policy!r}", "first, cyclic or random")
