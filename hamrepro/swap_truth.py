"""Swaps beside what they should be: the sprite of one clip's character in another clip's action, pose by pose."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hamrepro import metrics
from hamrepro.batches import normalise
from hamrepro.datasets import ClipSet
from hamrepro.errors import ConfigError, DataError
from hamrepro.protocols import VIEWS, balanced, label_of, lacking, make_clips, make_task, supervised

BATCH = 48


def true_swaps(clip_set: ClipSet, model: nn.Module, motion: Tensor, content: Tensor) -> Tensor:
    """Numbers of the clips (N,) that show the content's character in the motion's action.

    Their view is the content's where the model is told an action, else the motion's, as protocol C asks for.

    Raises:
        DataError: no such clip: a set without views, or a part of one.
    """
    if "view" not in clip_set.targets:
        raise DataError(f"{clip_set.name}, where no clip is another's swap", "Sprites")
    action, view = clip_set.targets["action"], clip_set.targets["view"]
    seen = view[content] if supervised(model) and label_of(model) == "action" else view[motion]
    keys = (clip_set.groups * len(clip_set.classes["action"]) + action) * VIEWS + view
    wanted = (clip_set.groups[content] * len(clip_set.classes["action"]) + action[motion]) * VIEWS + seen
    order = keys.argsort()
    found = order[torch.searchsorted(keys[order], wanted).clamp_max(len(keys) - 1)]
    if not torch.equal(keys[found], wanted):
        raise DataError(f"{int((keys[found] != wanted).sum())} swaps without a clip like them", "a whole set")
    return found


@torch.inference_mode()
def swap_fidelity(
    model: nn.Module, clip_set: ClipSet, index: Tensor, *, seed: int = 0, device: str = "cpu"
) -> dict[str, Any]:
    """Swaps of protocol C against the clips they should be: entries of a results file. Paper: Figures 3, 9.

    `ssim/swap/1-8` and `mse/swap/1-8` frame by frame, pixels on [0, 1]; `ssim/swap-shifted/1-8` with the true cycle
    begun where it fits best; `in-phase/C/<which>`, the share of swaps that no other beginning fits better, of all, and
    of pairs of one view and of two. A judge cannot tell: it knows an action by its poses, in any order.

    Args:
        index: numbers of the clips (N,), every character's or the fixed share. seed: of the pairing.

    Raises:
        ConfigError: a model that cannot swap. DataError: see `true_swaps`.
    """
    if why := lacking(model, "C"):
        raise ConfigError(why, "a model that can swap", "leave this out")
    task = make_task("C", model, clip_set, index, seed=seed)
    task = task.take(balanced(task.balance, task.classes, seed))
    truth, found = true_swaps(clip_set, model, task.motion, task.content), []
    for rows in torch.arange(len(truth)).split(BATCH):
        noise = torch.Generator()
        made = make_clips("C", model, task.take(rows), clip_set, frames=clip_set.frames, noise=noise, device=device)
        made, real = (made / 2 + 0.5).clamp(0, 1).cpu(), normalise(clip_set.clips(truth[rows])) / 2 + 0.5
        shifts = [(made - real.roll(-shift, 1)).square().mean((1, 2, 3, 4)) for shift in range(clip_set.frames)]
        best = torch.stack(shifts, 1).argmin(1)
        fitting = torch.stack([clip.roll(-int(shift), 0) for clip, shift in zip(real, best, strict=True)])
        same = (torch.from_numpy(metrics.ssim(made, other)).mean(1) for other in (real, fitting))
        found.append(torch.stack([*same, shifts[0], (best == 0).float()], 1))
    ssim, shifted, mse, phase = torch.cat(found).double().unbind(1)
    views = clip_set.targets["view"]
    alike = views[task.motion] == views[task.content]

    def entry(values: Tensor, rows: Tensor | None = None) -> dict[str, Any]:
        rows = torch.ones_like(alike) if rows is None else rows
        return metrics.summary(values[rows], task.groups[rows])

    entries = {"ssim/swap/1-8": entry(ssim), "ssim/swap-shifted/1-8": entry(shifted), "mse/swap/1-8": entry(mse)}
    parts = {"all": None, "same-view": alike, "other-view": ~alike}
    return entries | {f"in-phase/C/{name}": entry(phase, rows) for name, rows in parts.items()}
