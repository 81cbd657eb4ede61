"""Sequence generation scored frame by frame. Paper: Section 4.1, Table 1."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from hamrepro import metrics
from hamrepro.batches import normalise
from hamrepro.datasets import ClipSet

FRAMES = 16
SPANS = {"1-8": slice(0, 8), "9-16": slice(8, 16), "1-16": slice(0, 16)}
HORIZONS = (32, 64, 1000)  # on the share of a cycle, the eight frames up to each: past what any clip shows
CONDITIONINGS = ("clip", "strict")
TRIVIAL = ("ground-truth", "copy-first", "mean-frame")

Generate = Callable[[Tensor, Tensor, int, int, str], Tensor]
Scores = dict[str, NDArray[np.float64]]


def of_model(model: nn.Module) -> Generate:
    """A model as a generator: (clips uint8 (B, T, 3, 64, 64), u (B,), frames, skip, conditioning) -> float [0, 1]."""

    def generate(clips: Tensor, action: Tensor, frames: int, skip: int, conditioning: str) -> Tensor:
        made = model.generate(normalise(clips), action, frames, conditioning=conditioning, skip=skip)
        return (made + 1) / 2

    return generate


def trivial(name: str) -> Generate | None:
    """Rows any model must beat, or cannot: the first frame repeated, the mean of the frames seen, the truth (None)."""

    def generate(clips: Tensor, action: Tensor, frames: int, skip: int, conditioning: str) -> Tensor:
        seen = clips.double() / 255  # exactly the truth as the metrics see it
        frame = seen[:, :1] if name == "copy-first" else seen.mean(1, keepdim=True)
        return frame.expand(-1, frames - skip, -1, -1, -1)

    return None if name == "ground-truth" else generate


def subset(clip_set: ClipSet) -> Tensor:
    """A fixed share for quick looks: every character of the split once, its action-view by turns (296 on Sprites)."""
    members: dict[int, list[int]] = {}
    for number, group in enumerate(clip_set.groups.tolist()):
        members.setdefault(group, []).append(number)
    return torch.tensor([own[turn % len(own)] for turn, own in enumerate(members.values())])


@torch.inference_mode()
def score_frames(
    generate: Generate | None,
    clip_set: ClipSet,
    index: Tensor,
    conditioning: str,
    *,
    frames: int = FRAMES,
    skip: int = 0,
    batch: int = 48,
    device: str = "cpu",
    label: str = "action",
    progress: str | None = None,
) -> Scores:
    """SSIM, PSNR and MSE of every frame on [0, 1], frames skip+1..frames of each clip. Paper: Table 1.

    Args:
        generate: it sees the clips' training length; None: the truth of the frames scored, of a cycle or not.
        label: the target that u is, `ModelConfig.label`.

    Returns:
        `ssim`, `psnr`, `mse`: float64 (len(index), frames - skip).
    """
    rows: dict[str, list[NDArray[np.float64]]] = {"ssim": [], "psnr": [], "mse": []}
    parts = tqdm(
        index.split(batch), desc=progress, file=sys.stderr, disable=None if progress and sys.stderr.isatty() else True
    )
    for part in parts:
        start = torch.full_like(part, skip) if skip else None
        truth = clip_set.clips(part, start, frames - skip)
        if generate is None:
            made = truth.double() / 255
        else:
            clips, action = clip_set.clips(part).to(device), clip_set.targets[label][part].to(device)
            made = generate(clips, action, frames, skip, conditioning).clamp(0, 1).cpu()
        for name, row in rows.items():
            row.append(getattr(metrics, name)(made, truth))
    return {name: np.concatenate(row) for name, row in rows.items()}


def generation_metrics(
    scores: Scores, groups: Tensor, conditioning: str, spans: dict[str, slice] = SPANS
) -> dict[str, Any]:
    """Entries `<metric>/<conditioning>/<span>` of a results file: mean over clips, interval over characters."""
    entries = {}
    for metric, values in scores.items():
        for span, frames in spans.items():
            entries[f"{metric}/{conditioning}/{span}"] = metrics.summary(values[:, frames].mean(1), groups)
    return entries


def evaluate_far(
    generate: Generate | None, clip_set: ClipSet, name: str, device: str = "cpu", label: str = "action"
) -> dict[str, Any]:
    """Entries `<metric>/<name>/<span>` on the fixed share of a cycle, conditioned by the clip, for every horizon."""
    share, entries = subset(clip_set), {}
    for end in HORIZONS:
        late = score_frames(generate, clip_set, share, "clip", frames=end, skip=end - 8, device=device, label=label)
        entries |= generation_metrics(late, clip_set.groups[share], name, {f"{end - 7}-{end}": slice(None)})
    return entries


def evaluate_generation(
    generate: Generate | None,
    clip_set: ClipSet,
    *,
    quick: bool = False,
    device: str = "cpu",
    conditionings: tuple[str, ...] = CONDITIONINGS,
    label: str = "action",
    tuned: Generate | None = None,
    on_share: tuple[str, ...] = (),
) -> dict[str, dict[str, Any]]:
    """All of Table 1 for one model: `metrics` over every clip (unless quick) and `subset` over the fixed share.

    Also, unless quick, frames 25-32, 57-64 and 993-1,000 on the share of a cycle, where a growing mode of the flow
    would show, and under the name `tuned` the same by the model in tune (Deviation D22); of other clips `ssim-gain`,
    SSIM less that of the first frame repeated, clip by clip. `on_share`: conditionings scored on the share alone.
    """
    share = subset(clip_set)
    index = share if quick else torch.arange(len(clip_set))
    result: dict[str, dict[str, Any]] = {"metrics": {}, "subset": {}}
    still = None if clip_set.cyclic else score_frames(trivial("copy-first"), clip_set, index, "clip")["ssim"]
    for conditioning in conditionings:
        scores = score_frames(
            generate, clip_set, index, conditioning, device=device, label=label, progress=conditioning
        )
        if still is not None:
            scores["ssim-gain"] = scores["ssim"] - still
        part = scores if quick else {name: values[share.numpy()] for name, values in scores.items()}
        result["subset"] |= generation_metrics(part, clip_set.groups[share], conditioning)
        if not quick:
            result["metrics"] |= generation_metrics(scores, clip_set.groups[index], conditioning)
    for conditioning in on_share:
        scores = score_frames(generate, clip_set, share, conditioning, device=device, label=label)
        result["subset"] |= generation_metrics(scores, clip_set.groups[share], conditioning)
    if not quick and clip_set.cyclic and "clip" in conditionings:
        result["subset"] |= evaluate_far(generate, clip_set, "clip", device, label)
        if tuned is not None:
            result["subset"] |= evaluate_far(tuned, clip_set, "tuned", device, label)
    return {name: entries for name, entries in result.items() if entries}
