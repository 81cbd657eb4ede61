"""Clips as pictures: strips, one frame beside the other, and loops, one after the other; pixels stay crisp."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from hamrepro._torchvision import import_torchvision
from hamrepro.errors import ShapeError


def strip(rows: Sequence[Tensor], *, pad: int = 1, gaps: Sequence[int] = ()) -> Image.Image:
    """Clips under each other, one a row, through torchvision's image grid.

    Args:
        rows: float (T, 3, H, W) in [0, 1] each. pad: pixels between frames. gaps: rows followed by a wider gap.

    Raises:
        ShapeError: rows of different lengths.
    """
    if not rows or len({row.shape for row in rows}) != 1:
        raise ShapeError(f"rows of shapes {[tuple(row.shape) for row in rows]}", "one shape (T, 3, H, W)")
    utils = import_torchvision().utils
    parts = []
    for number, row in enumerate(rows):
        parts.append(utils.make_grid(row.clamp(0, 1), nrow=len(row), padding=pad, pad_value=0.25))
        if number in gaps:
            parts.append(torch.ones(3, 3 * pad, parts[-1].shape[-1]))
    pixels = (torch.cat(parts, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).numpy())


def loop(rows: Sequence[Tensor], *, scale: int = 2, columns: int = 6, milliseconds: int = 120) -> bytes:
    """The same clips side by side, moving: an endless GIF, pixels enlarged without blur.

    Args:
        rows: float (T, 3, H, W) in [0, 1] each. scale: enlargement. columns: clips a line.
    """
    utils = import_torchvision().utils
    pictures = []
    for frames in zip(*rows, strict=True):
        grid = utils.make_grid(torch.stack(frames).clamp(0, 1), nrow=columns, padding=1, pad_value=0.25)
        picture = Image.fromarray((grid * 255).round().to(torch.uint8).permute(1, 2, 0).numpy())
        pictures.append(picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST))
    data = BytesIO()
    pictures[0].save(data, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0)
    return data.getvalue()


def png(picture: Image.Image, credit: str, *, scale: int = 1) -> bytes:
    """A strip as PNG of 256 colours, its credit inside.

    Args:
        scale: enlargement, without blur.
    """
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Copyright", credit)
    data = BytesIO()
    large = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    large.quantize(256, dither=Image.Dither.NONE).save(data, "PNG", pnginfo=notes, optimize=True)
    return data.getvalue()
