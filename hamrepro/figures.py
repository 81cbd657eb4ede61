"""Figures 2, 3, 4, 6-9: clips as strips and loops, drawn from a model and a test set."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image, PngImagePlugin
from torch import Tensor, nn

from hamrepro._torchvision import import_torchvision
from hamrepro.batches import normalise
from hamrepro.checkpoint import write_atomically
from hamrepro.datasets import ClipSet, load
from hamrepro.errors import ConfigError, DataError, ShapeError
from hamrepro.randomness import generator
from hamrepro.records import ROOT
from hamrepro.shipping import load_shipped

FOLDER = ROOT / "book" / "_static" / "figures"
LONG = 16
CREDITS = {
    "sprites": "Sprites: Liberated Pixel Cup artists (data/README.md), CC-BY-SA 3.0 / GPL 3.0",
    "sprites-procedural": "Procedural Sprites: hamrepro's own drawing, a stand-in",
    "faces-procedural": "Procedural faces: hamrepro's own drawing, a stand-in for MUG",
}


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


def chosen(clip_set: ClipSet, count: int, page: int = 0) -> Tensor:
    """Clip numbers by rule, not by eye: spread evenly over the set, the classes of the action by turns.

    Args:
        count: number of clips. page: 0, 1, 2, ... for further, different choices.
    """
    action = clip_set.targets["action"]
    kinds = action.unique()
    rows = []
    for number in range(count):
        own = (action == kinds[number % len(kinds)]).nonzero()[:, 0]
        rows.append(own[(page * count + number) * 347 % len(own)])
    return torch.stack(rows)


def _unit(clips: Tensor) -> Tensor:
    return (clips + 1) / 2


@torch.inference_mode()
def generation(model: nn.Module, clip_set: ClipSet, index: Tensor, frames: int = LONG) -> list[Tensor]:
    """Original, reconstruction and generation from the starting frame, three rows a clip. Paper: Figures 2, 6.

    The reconstruction takes z and the state from the clip, the state at its middle frame; the generation
    takes everything from frame 1 (`strict`).
    """
    clips, action = clip_set.clips(index), clip_set.targets["action"][index]
    truth = clip_set.clips(index, frames=frames).float() / 255
    inputs = normalise(clips)
    posterior = model.infer(model.features(inputs), action, torch.full_like(action, clips.shape[1] // 2))
    positions = model.positions(posterior.mean_state(), action, posterior.reference, frames)
    rebuilt = _unit(model.decode(posterior.content.mean, positions))
    made = _unit(model.generate(inputs, action, frames, conditioning="strict"))
    return [row for number in range(len(index)) for row in (truth[number], rebuilt[number], made[number])]


@torch.inference_mode()
def swapping(model: nn.Module, clip_set: ClipSet, index: Tensor) -> list[Tensor]:
    """Pairs of clips and the same with their motions exchanged, four rows a pair. Paper: Figures 3, 9."""
    clips, action = clip_set.clips(index), clip_set.targets["action"][index]
    inputs, rows = normalise(clips), []
    for a, b in zip(range(0, len(index), 2), range(1, len(index), 2), strict=True):
        one, two = inputs[[a]], inputs[[b]]
        rows += [clips[a].float() / 255, clips[b].float() / 255]
        rows.append(_unit(model.swap(two, action[[b]], one, action[[a]]))[0])
        rows.append(_unit(model.swap(one, action[[a]], two, action[[b]]))[0])
    return rows


@torch.inference_mode()
def image_to_sequence(model: nn.Module, clip_set: ClipSet, index: Tensor, frames: int = LONG) -> list[Tensor]:
    """One image moved by every operator in turn, K rows an image. Paper: Figures 4, 7, 8."""
    rows = []
    for number in index:
        first = normalise(clip_set.clips(number[None]))[:, :1].expand(-1, clip_set.frames, -1, -1, -1)
        for k in range(len(clip_set.classes["action"])):
            rows.append(_unit(model.generate(first, torch.tensor([k]), frames, conditioning="strict"))[0])
    return rows


@torch.inference_mode()
def unconditional(model: nn.Module, clip_set: ClipSet, count: int, frames: int = LONG, seed: int = 0) -> list[Tensor]:
    """Clips from the prior, actions by turns. Paper: Figure 4 (b), (d)."""
    action = torch.arange(count) % len(clip_set.classes["action"])
    return list(_unit(model.sample(action, frames, generator(seed, "prior"))))


def save(picture: Image.Image | bytes, path: Path, credit: str, *, scale: int = 1) -> Path:
    """Write a strip as PNG, with its credit inside, or a loop as GIF.

    Args:
        scale: enlargement of a strip, without blur.
    """
    if isinstance(picture, bytes):
        write_atomically(path, picture)
        return path
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Copyright", credit)
    data = BytesIO()
    large = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    large.quantize(256, dither=Image.Dither.NONE).save(data, "PNG", pnginfo=notes, optimize=True)
    write_atomically(path, data.getvalue())
    return path


def draw(model: nn.Module, clip_set: ClipSet) -> dict[str, tuple[list[Tensor], dict[str, Any]]]:
    """Rows of every figure of a model, with the keyword arguments of its `strip`."""
    return {
        "figure-2": (generation(model, clip_set, chosen(clip_set, 3)), {"gaps": (2, 5)}),
        "figure-3": (swapping(model, clip_set, chosen(clip_set, 4)), {"gaps": (3,)}),
        "figure-4": (image_to_sequence(model, clip_set, chosen(clip_set, 2)), {"gaps": (2,)}),
        "figure-4-prior": (unconditional(model, clip_set, 6), {}),
        "figure-6": (generation(model, clip_set, chosen(clip_set, 6, page=1)), {"gaps": range(2, 17, 3)}),
        "figure-7": (image_to_sequence(model, clip_set, chosen(clip_set, 3, page=1)), {"gaps": (2, 5)}),
        "figure-8": (image_to_sequence(model, clip_set, chosen(clip_set, 3, page=2)), {"gaps": (2, 5)}),
        "figure-9": (swapping(model, clip_set, chosen(clip_set, 8, page=1)), {"gaps": (3, 7, 11)}),
    }


def render(preset: str = "laptop", model: str = "halo-sp", seed: int = 0) -> list[Path]:
    """Draw every committed figure again, strips and loops, for each data set that is at hand."""
    made = []
    for dataset in ("sprites", "sprites-procedural"):
        try:
            clip_set = load(dataset, "test")
        except DataError as error:
            print(f"skipped {dataset}: {error.given}")
            continue
        network = load_shipped(preset, dataset, model, seed)[0]
        for name, (rows, options) in draw(network, clip_set).items():
            path = FOLDER / f"{name}-{dataset}.png"
            made.append(save(strip(rows, **options), path, CREDITS[dataset]))
            made.append(save(loop(rows, columns=6 if len(rows) % 4 else 4), path.with_suffix(".gif"), CREDITS[dataset]))
    return made


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
    credit = CREDITS.get(clip_set.name, "")
    return [save(picture, folder / f"{name}.gif", credit) for name, picture in pictures.items()]
