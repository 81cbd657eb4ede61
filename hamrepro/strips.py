"""Clips as pictures: strips, one frame beside the other, and loops, one after the other; pixels stay crisp."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from hamrepro._torchvision import import_torchvision
from hamrepro.errors import ShapeError

LINE = 8  # frames of a line of a folded strip
FOLDED, ENLARGED, SCALE = 9, 18, 3  # rows up to which strips of two lines are folded, and strips enlarged; by how much


def strip(rows: Sequence[Tensor], *, pad: int = 1, gaps: Sequence[int] = ()) -> Image.Image:
    """Clips under each other, one a row, through torchvision's image grid.

    Args:
        rows: float (T, 3, H, W) in [0, 1] each. pad: pixels between frames.
        gaps: rows followed by a wider gap, the wider the more often they are named.

    Raises:
        ShapeError: rows of different lengths.
    """
    if not rows or len({row.shape for row in rows}) != 1:
        raise ShapeError(f"rows of shapes {[tuple(row.shape) for row in rows]}", "one shape (T, 3, H, W)")
    utils = import_torchvision().utils
    parts = []
    for number, row in enumerate(rows):
        parts.append(utils.make_grid(row.clamp(0, 1), nrow=len(row), padding=pad, pad_value=0.25))
        parts.append(torch.ones(3, 3 * pad * list(gaps).count(number), parts[-1].shape[-1]))
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


def grouped(rows: Sequence[Tensor], group: int) -> Image.Image:
    """The rows of a figure as one strip, groups set apart; of up to nine long rows the last half stands below.

    Args:
        rows: float (T, 3, H, W) in [0, 1] each. group: rows that belong together; it divides their number.
    """
    if len(rows) > FOLDED or len(rows[0]) != 2 * LINE:
        return strip(rows, gaps=range(group - 1, len(rows) - 1, group))
    groups = [[row.split(LINE) for row in rows[start : start + group]] for start in range(0, len(rows), group)]
    lines = [line for halves in groups for half in zip(*halves, strict=True) for line in half]
    apart = range(2 * group - 1, len(lines) - 1, 2 * group)
    return strip(lines, gaps=[*range(group - 1, len(lines) - 1, group), *apart, *apart])


def still(rows: Sequence[Tensor], group: int, credit: str) -> bytes:
    """The rows of a figure as PNG, enlarged unless there are many, so that a page that scales it drops no pixel.

    Args:
        rows, group: as in `grouped`. credit: whose art it is, kept inside.
    """
    return png(grouped(rows, group), credit, scale=SCALE if len(rows) <= ENLARGED else 1)


def moving(rows: Sequence[Tensor], group: int, *, scale: int = 1) -> bytes:
    """The rows of a figure as one loop, a group a line, or six clips where that leaves no gap."""
    return loop(rows, columns=group if len(rows) % 6 else 6, scale=scale)
