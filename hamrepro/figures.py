"""Figures 2, 3, 4, 6-9: which clips each one shows, drawn from a model and a test set; and how a chapter shows them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from hamrepro.batches import normalise
from hamrepro.checkpoint import write_atomically
from hamrepro.datasets import ClipSet, load
from hamrepro.errors import CheckpointError, DataError
from hamrepro.fitted_prior import fit_prior, with_fitted_prior
from hamrepro.places import ROOT
from hamrepro.protocols import label_of
from hamrepro.randomness import generator
from hamrepro.shipping import load_shipped
from hamrepro.strips import moving, png, still

FOLDER = ROOT / "book" / "figures"
LONG = 16
CREDITS = {
    "sprites": "Sprites: Liberated Pixel Cup artists (data/README.md), CC-BY-SA 3.0 / GPL 3.0",
    "sprites-procedural": "Procedural Sprites: hamrepro's own drawing, a stand-in",
    "faces-procedural": "Procedural faces: hamrepro's own drawing, a stand-in for MUG",
}
LIVE = ("sprites", "sprites-procedural")  # faces would first have to be drawn and cropped: minutes
MOVING = ("figure-2", "figure-3", "figure-4", "figure-4-prior")  # shown as loops, too
RENDERED = ("laptop", "halo-sp", 0)  # preset, model, seed of the committed renderings


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


def _operators(model: nn.Module, clip_set: ClipSet) -> int:
    return len(clip_set.classes[label_of(model)])


@torch.inference_mode()
def generation(model: nn.Module, clip_set: ClipSet, index: Tensor, frames: int = LONG) -> list[Tensor]:
    """Original, reconstruction and generation from the starting frame, three rows a clip. Paper: Figures 2, 6.

    The reconstruction takes z and the state from the clip, the state at its middle frame; the generation
    takes everything from frame 1 (`strict`).
    """
    clips, action = clip_set.clips(index), clip_set.targets[label_of(model)][index]
    truth = clip_set.clips(index, frames=frames).float() / 255
    inputs = normalise(clips)
    posterior = model.infer(model.features(inputs), action, torch.full_like(action, clips.shape[1] // 2))
    positions = model.positions(posterior.mean_state(), action, posterior.reference, frames)
    rebuilt = _unit(model.decode(posterior.content.mean, positions))
    made = _unit(model.generate(inputs, action, frames, conditioning="strict"))
    return [row for number in range(len(index)) for row in (truth[number], rebuilt[number], made[number])]


@torch.inference_mode()
def swapping(model: nn.Module, clip_set: ClipSet, index: Tensor) -> list[Tensor]:
    """Pairs of clips i, j, then i with the motion of j and j with that of i, four rows a pair. Paper: Figures 3, 9."""
    clips, action = clip_set.clips(index), clip_set.targets[label_of(model)][index]
    inputs, rows = normalise(clips), []
    for a, b in zip(range(0, len(index), 2), range(1, len(index), 2), strict=True):
        one, two = inputs[[a]], inputs[[b]]
        rows += [clips[a].float() / 255, clips[b].float() / 255]
        rows.append(_unit(model.swap(two, action[[b]], one, action[[a]]))[0])
        rows.append(_unit(model.swap(one, action[[a]], two, action[[b]]))[0])
    return rows


@torch.inference_mode()
def image_to_sequence(model: nn.Module, clip_set: ClipSet, index: Tensor, frames: int = LONG) -> list[Tensor]:
    """One image moved by every operator in turn, K rows an image. Paper: Figures 4 (a), (c), 7, 8."""
    every, rows = torch.arange(_operators(model, clip_set)), []
    for number in index:
        first = normalise(clip_set.clips(number[None]))[:, :1].expand(len(every), clip_set.frames, -1, -1, -1)
        rows += list(_unit(model.generate(first, every, frames, conditioning="strict")))
    return rows


def every_third(model: nn.Module, clip_set: ClipSet, index: Tensor) -> list[Tensor]:
    """Frames 1, 4, 7 and 10 of `image_to_sequence`, three images side by side, K rows a line of them."""
    rows = torch.stack(image_to_sequence(model, clip_set, index))[:, :10:3]
    lines = rows.unflatten(0, (-1, 3, _operators(model, clip_set))).transpose(1, 2)
    return list(lines.flatten(2, 3).flatten(0, 1))


@torch.inference_mode()
def unconditional(model: nn.Module, clip_set: ClipSet, index: Tensor, frames: int = LONG) -> list[Tensor]:
    """As many clips from the prior as there are numbers, actions by turns. Paper: Figure 4 (b), (d)."""
    action = torch.arange(len(index)) % _operators(model, clip_set)
    return list(_unit(model.sample(action, frames, generator(0, "prior"))))


def unconditional_fitted(model: nn.Module, clip_set: ClipSet, index: Tensor) -> list[Tensor]:
    """The same noise through a prior fitted to 600 training clips (Deviation D23)."""
    fitted = fit_prior(model, load(clip_set.name, "train"), clips=600)
    return unconditional(with_fitted_prior(model, fitted), clip_set, index)


@torch.inference_mode()
def under_protocols(model: nn.Module, clip_set: ClipSet, index: Tensor) -> list[Tensor]:
    """What a judge is shown, for one pair of clips i, j: i, j, then R of i, A, B, C and A-category, a row each.

    A asks for the action after that of j, with the content of j.
    """
    i, j = normalise(clip_set.clips(index))[:, None]
    told = clip_set.targets[label_of(model)][index]
    of_i, of_j, asked = told[:1], told[1:], (told[1:] + 1) % _operators(model, clip_set)
    frames = clip_set.frames
    made = (
        i, j,
        model.generate(i, of_i, frames),
        model.with_prior_motion(j, of_j, asked, frames, generator(0, "prior")),
        model.with_prior_content(i, of_i, frames, generator(0, "prior", 1)),
        model.swap(i, of_i, j, of_j),
        model.sample(asked, frames, generator(0, "prior", 2)),
    )  # fmt: skip
    return [_unit(clips[0]) for clips in made]


class Plan(NamedTuple):
    """A figure: its rows, drawn from `count` clips of a page of `chosen`; rows of a `group` belong together (0: K)."""

    rows: Callable[[nn.Module, ClipSet, Tensor], list[Tensor]]
    count: int
    page: int
    group: int


PLANS = {
    "figure-2": Plan(generation, 3, 0, 3),
    "figure-3": Plan(swapping, 4, 0, 4),
    "figure-4": Plan(image_to_sequence, 2, 0, 0),
    "figure-4-prior": Plan(unconditional, 6, 0, 0),
    "figure-4-fitted": Plan(unconditional_fitted, 6, 0, 0),
    "figure-6": Plan(generation, 6, 1, 3),
    "figure-7": Plan(image_to_sequence, 3, 1, 0),
    "figure-8": Plan(image_to_sequence, 3, 2, 0),
    "figure-9": Plan(swapping, 8, 1, 4),
    "protocols": Plan(under_protocols, 2, 0, 7),
    "every-image": Plan(every_third, 36, 1, 0),
    "every-pair": Plan(swapping, 24, 2, 4),
}


def draw(name: str, model: nn.Module, clip_set: ClipSet) -> tuple[list[Tensor], int]:
    """Rows of a figure of `PLANS`, and how many of them belong together."""
    rows, count, page, group = PLANS[name]
    return rows(model, clip_set, chosen(clip_set, count, page)), group or _operators(model, clip_set)


def exhibit(
    name: str,
    picture: Callable[[str], Image.Image | bytes],
    datasets: Sequence[str] = tuple(CREDITS),
    *,
    kind: str = "png",
    scale: int = 1,
    committed: bool = True,
    keep: bool = False,
) -> None:
    """Show a figure in a chapter, one picture a data set, the credit under it.

    Drawn here and now where that can be, else the committed rendering; where neither is, the cell says why.

    Args:
        name: file of the committed rendering, before `-<data set>.<kind>`.
        picture: data set -> strip or GIF; raises `DataError` or `CheckpointError` where it cannot be drawn here.
        kind: `png` or `gif`. scale: enlargement of a strip. committed: whether the rendering is of this very model.
        keep: also write what is drawn of the real Sprites over the committed rendering.
    """
    from IPython.display import Image as Shown
    from IPython.display import Markdown, display

    for dataset in datasets:
        path, credit = FOLDER / f"{name}-{dataset}.{kind}", CREDITS[dataset]
        try:
            drawn = picture(dataset)
            data = drawn if isinstance(drawn, bytes) else png(drawn, credit, scale=scale)
            if keep and dataset == "sprites":
                write_atomically(path, data)
        except (DataError, CheckpointError) as error:
            if not (committed and path.exists()):
                display(Markdown(f"*{credit.partition(':')[0]}: not run: {error.given}.*"))
                continue
            data = path.read_bytes()
        display(Shown(data, format=kind), Markdown(f"*{credit}*"))


def show(name: str, preset: str, model: str, seed: int, datasets: Sequence[str] = LIVE, kind: str = "png") -> None:
    """Show a figure of `PLANS` as shipped weights draw it, a strip (`png`) or a loop (`gif`); see `exhibit`."""

    def picture(dataset: str) -> Image.Image | bytes:
        network = load_shipped(preset, dataset, model, seed)[0]
        if dataset not in LIVE:
            raise DataError(f"no committed rendering of {name}", "one", "python -m hamrepro render")
        rows, group = draw(name, network, load(dataset, "test"))
        return moving(rows, group) if kind == "gif" else still(rows, group, CREDITS[dataset])

    exhibit(name, picture, datasets, kind=kind, committed=(preset, model, seed) == RENDERED)


def render(names: Sequence[str] = tuple(PLANS)) -> list[Path]:
    """Draw committed figures again, strips and loops, for each data set whose weights and clips are at hand."""
    made, (preset, model, seed) = [], RENDERED
    for dataset in ("sprites", "faces-procedural"):  # procedural Sprites are drawn on the spot
        credit = CREDITS[dataset]
        try:
            network, clip_set = load_shipped(preset, dataset, model, seed)[0], load(dataset, "test")
        except (DataError, CheckpointError) as error:
            print(f"skipped {dataset}: {error.given}")
            continue
        for name in names:
            if name.startswith(("every", "protocols")) and dataset != "sprites":
                continue  # no chapter shows it
            rows, group = draw(name, network, clip_set)
            path = FOLDER / f"{name}-{dataset}.png"
            write_atomically(path, still(rows, group, credit))
            made.append(path)
            if name in MOVING and dataset == "sprites":
                write_atomically(path.with_suffix(".gif"), moving(rows, group, scale=2))
                made.append(path.with_suffix(".gif"))
    return made
