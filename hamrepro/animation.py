"""A trained model on anybody's clips, moving."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from hamrepro.checkpoint import write_atomically
from hamrepro.datasets import ClipSet
from hamrepro.errors import ConfigError
from hamrepro.figures import LONG, chosen, image_to_sequence, swapping
from hamrepro.strips import loop


def animate(model: nn.Module, clip_set: ClipSet, folder: Path, *, count: int = 4, frames: int = LONG) -> list[Path]:
    """Loops of any model and clips: `swap.gif`, pairs and their motions exchanged; `operators.gif`, one image moved by
    every operator, a line an image.

    Args:
        count: of pairs, and of images; chosen by rule. frames: of the moved images.

    Raises:
        ConfigError: a model that can keep nothing of a real clip.
    """
    if not hasattr(model, "swap"):
        reason = getattr(model, "inapplicable", {}).get("swap", "it has no encoder")
        raise ConfigError(f"nothing to animate: {reason}", "a model that encodes clips", "--model halo-sp")
    moved = image_to_sequence(model, clip_set, chosen(clip_set, count), frames)
    pictures = {
        "swap": loop(swapping(model, clip_set, chosen(clip_set, 2 * count)), columns=4),
        "operators": loop(moved, columns=len(clip_set.classes["action"])),
    }
    for name, picture in pictures.items():
        write_atomically(folder / f"{name}.gif", picture)
    return [folder / f"{name}.gif" for name in pictures]
