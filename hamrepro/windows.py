"""Windows of takes and clips: which are asked for, where each begins, and that it lies inside. Paper: Section 4."""

from __future__ import annotations

import torch
from torch import Tensor

from hamrepro.errors import ConfigError, ShapeError


def numbers(index: Tensor, count: int) -> Tensor:
    """Numbers of clips, int64 (B,) on the CPU.

    Raises:
        ShapeError: of another type or rank, or out of 0..count-1.
    """
    index = index.cpu()
    whole = index.dtype == torch.int64 and index.ndim == 1
    if not whole or (len(index) and not 0 <= int(index.min()) <= int(index.max()) < count):
        raise ShapeError(f"clips {index.tolist()}"[:80], f"one dimension of numbers from 0 to {count - 1}")
    return index


def first_frames(lengths: Tensor, start: Tensor | None, frames: int) -> Tensor:
    """First frames (B,) of windows of so many frames, on the CPU.

    Args:
        lengths: frames of each clip (B,). start: int64 (B,); None: 0.

    Raises:
        ShapeError: a window that leaves its clip, or starts of another type or number.
    """
    first = torch.zeros_like(lengths) if start is None else start.cpu()
    whole = isinstance(frames, int) and frames >= 1 and first.dtype == torch.int64 and first.shape == lengths.shape
    if not whole or bool(((first < 0) | (first + frames > lengths)).any()):
        inside = f"{int(lengths.min())}..{int(lengths.max())}" if len(lengths) else "no"
        raise ShapeError(f"{frames} frames from {first.tolist()}"[:80], f"windows inside clips of {inside} frames")
    return first


def draw_starts(lengths: Tensor, frames: int, generator: torch.Generator, policy: str) -> Tensor:
    """First frames of training windows, int64 (B,): "random", uniform over each clip's windows; "first", 0.

    Raises:
        ConfigError: another policy; "cyclic" is none, these clips are no cycles.
    """
    if policy not in ("random", "first"):
        raise ConfigError(f"unknown windows {policy!r} for takes and own clips", "random or first")
    room = lengths - frames + 1
    chance = torch.rand(len(lengths), generator=generator, dtype=torch.float64) if policy == "random" else 0.0
    return (chance * room).long()
