"""Table 2 for one model: what judges see in the clips it makes under each protocol. Paper: Section 4.1, Table 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from hamrepro import metrics
from hamrepro.controls import TRIVIAL
from hamrepro.datasets import ClipSet
from hamrepro.errors import JudgeError
from hamrepro.evaluate import subset
from hamrepro.judges import Judge
from hamrepro.protocols import DRAWN, PROTOCOLS, Task, balanced, lacking, make_clips, make_task, supervised
from hamrepro.randomness import generator

BATCH = 48
FRAMES = 8  # a judge's clip
LATE = "-9-16"  # suffix of a metric read on frames 9-16 instead of 1-8
DRAWS = 5
Entries = dict[str, Any]
Answers = dict[str, NDArray[np.float64]]


@torch.inference_mode()
def judge_clips(
    protocol: str,
    model: nn.Module,
    task: Task,
    clip_set: ClipSet,
    judges: dict[str, Judge],
    *,
    noise: torch.Generator,
    frames: int = FRAMES,
    bank: ClipSet | None = None,
    device: str = "cpu",
    precision: str = "float32",
) -> dict[str, Answers]:
    """Answers of every judge to the clips of one draw of the random code.

    Returns:
        judge's suffix -> reading -> probabilities (N, C); with 16 frames also under suffix + "-9-16".
    """
    found: dict[str, dict[str, list[NDArray[np.float64]]]] = {}
    order, quiet = torch.arange(len(task.groups)), None if sys.stderr.isatty() else True
    if PROTOCOLS[protocol].verb in getattr(model, "mixes", ()):  # neighbours share their action
        order = torch.randperm(len(order), generator=generator(0, "order"))
    for rows in tqdm(order.split(BATCH), desc=f"protocol {protocol}", file=sys.stderr, disable=quiet):
        part = task.take(rows)
        with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bfloat16"):
            clips = make_clips(protocol, model, part, clip_set, frames=frames, noise=noise, bank=bank, device=device)
        for suffix, judge in judges.items():
            for late in range(clips.shape[1] // FRAMES):
                answers = judge.probabilities(clips[:, late * FRAMES : (late + 1) * FRAMES])
                for reading, answer in answers.items():
                    found.setdefault(suffix + late * LATE, {}).setdefault(reading, []).append(answer)
    back = order.argsort().numpy()
    return {
        suffix: {name: np.concatenate(parts)[back] for name, parts in each.items()} for suffix, each in found.items()
    }


def _strata(task: Task) -> Tensor | None:
    """Classes as strata where no group has clips of two; else a group is resampled with all its classes."""
    pairs = torch.unique(torch.stack([task.groups, task.balance]), dim=1)
    return task.balance if pairs.shape[1] == len(task.groups.unique()) else None


def scores(
    protocol: str, suffix: str, task: Task, draws: list[Answers], agreeing: dict[str, Tensor]
) -> Iterator[tuple[str, Any]]:
    """Entries `<metric>/<protocol>/<reading>`: accuracies of what has a target, entropies and IS of the motion.

    `both`: motion and every attribute right at once. `own-action`, `other-action`: the accuracy of the motion among
    the clips where the content's own action is asked for, and among all others; a model whose content tells the
    action fails at the latter. `own-view`, `other-view`: the same for the view, under C. Accuracies are averaged
    over the draws per clip; the interval resamples characters or people. Entropies in nats.

    Args:
        agreeing: of the action and of the view, where motion and content are of clips that share it, bool (N,).
    """
    strata, right = _strata(task), {}
    for reading, target in task.targets.items():
        answers = np.stack([answer[reading.partition("-of-")[0]] for answer in draws])
        right[reading] = (answers.argmax(-1) == target.numpy()).T.astype(np.float64)
    motion = "3way" if "3way" in right else "6way"
    attributes = [name for name in right if name not in ("9way", "3way", "6way") and not name.startswith("view")]
    if motion in right and attributes:
        right["both"] = np.prod([right[name] for name in (motion, *attributes)], 0)
    for reading, values in right.items():
        entry = metrics.summary(values, task.groups, strata)
        yield f"accuracy{suffix}/{protocol}/{reading}", entry | {"draws": len(draws)}
    for name, same in agreeing.items() if motion in right else ():
        for whose, rows in (("own", same), ("other", ~same)):
            if rows.any():
                few = right[motion][rows.numpy()], task.groups[rows], None if strata is None else strata[rows]
                yield f"accuracy{suffix}/{protocol}/{whose}-{name}", metrics.summary(*few) | {"draws": len(draws)}
    for reading in ("9way", "3way", "6way") if suffix in ("", LATE) else ():
        if reading not in draws[0]:
            continue
        stacked = np.concatenate([answer[reading] for answer in draws])
        groups, layers = task.groups.repeat(len(draws)), None if strata is None else strata.repeat(len(draws))
        for name in ("h_y_given_x", "h_y", "is"):
            entry = metrics.summary(stacked, groups, layers, statistic=metrics.STATISTICS[name])
            yield f"{name}{suffix}/{protocol}/{reading}", entry | {"n": len(task.groups), "draws": len(draws)}


def run_protocol(
    protocol: str,
    model: nn.Module,
    clip_set: ClipSet,
    index: Tensor,
    judges: dict[str, Judge],
    *,
    seed: int = 0,
    draws: int = 1,
    bank: ClipSet | None = None,
    device: str = "cpu",
    precision: str = "float32",
) -> Entries:
    """All entries of one protocol, on equally many clips of every class of `index` (N,).

    A, A-fitted and I are also read on frames 9-16, after a second pass of the training length.

    Raises:
        ConfigError: the model cannot follow this protocol. DataError: an empty class. JudgeError: see `Judge`.
    """
    for judge in judges.values():
        judge.require(clip_set)
    plan = PROTOCOLS[protocol]
    task = make_task(protocol, model, clip_set, index, seed=seed, bank=bank)
    task = task.take(balanced(task.balance, task.classes, seed))
    frames = 2 * FRAMES if plan.verb == "with_prior_motion" or plan.motion == "frame" else FRAMES
    options = {"frames": frames, "bank": bank, "device": device, "precision": precision}
    found = [
        judge_clips(protocol, model, task, clip_set, judges, noise=generator(seed, "prior", draw), **options)
        for draw in range(draws if {*DRAWN} & {*plan[1:]} else 1)
    ]
    entries: Entries = {}
    wanted, agreeing = task.targets.get("3way", task.targets.get("6way")), {}
    if wanted is not None and plan.content not in DRAWN and protocol != "R":
        agreeing["action"] = clip_set.targets["action"][task.content] == wanted
    if plan.content == "other" and "view" in clip_set.targets:
        views = clip_set.targets["view"]
        agreeing["view"] = views[task.content] == views[task.motion]
    for suffix in found[0]:
        entries |= scores(protocol, suffix, task, [answers[suffix] for answers in found], agreeing)
    return entries


def evaluate_protocols(
    model: nn.Module,
    clip_set: ClipSet,
    judges: dict[str, Judge],
    *,
    seed: int = 0,
    quick: bool = False,
    draws: int = DRAWS,
    bank: ClipSet | None = None,
    fitted: nn.Module | None = None,
    device: str = "cpu",
    precision: str = "float32",
) -> dict[str, Entries]:
    """All of Table 2 for one model: `metrics` over every clip (unless quick), `subset` over the fixed share, one draw.

    Controls, reconstruction and unconditional clips, are scored on the share alone where the model can do more.

    Args:
        judges: suffix of the metric -> judge; "" is the judge, "-blur" the one for sensitivity.
        bank: training clips for `A-bank`, which only models that take no request need.
        fitted: the same model with a prior fitted after training, for `A-fitted` and `B-fitted`; None: without them.
        precision: of the model; judges answer in float32 always.

    A protocol the model cannot follow leaves one entry without a value that says why.

    Raises:
        JudgeError: no judge with suffix "", or see `Judge`.
    """
    if "" not in judges:
        raise JudgeError(f"judges {sorted(judges)}", 'one with suffix ""', "load_judge(dataset)")
    result: dict[str, Entries] = {"subset": {}} if quick else {"metrics": {}, "subset": {}}
    reading = "9way" if "view" in clip_set.targets else "6way"
    for protocol in PROTOCOLS:
        why = lacking(model, protocol)
        subject = fitted if "fitted" in PROTOCOLS[protocol] else model
        if subject is None and not why:
            continue
        if protocol == "A-bank" and (why or bank is None or (supervised(model) and not lacking(model, "A"))):
            continue
        if why and isinstance(model, tuple(TRIVIAL.values())):
            continue
        control = (protocol, lacking(model, "C")) == ("R", "") or (protocol, lacking(model, "A")) == ("A-category", "")
        for part, entries in result.items():
            if control and part == "metrics":
                continue
            index, count = (subset(clip_set), 1) if part == "subset" else (torch.arange(len(clip_set)), draws)
            if why:
                entries[f"accuracy/{protocol}/{reading}"] = {"value": None, "ci95": None, "n": 0, "why": why}
            else:
                entries |= run_protocol(
                    protocol,
                    subject,
                    clip_set,
                    index,
                    judges,
                    seed=seed,
                    draws=count,
                    bank=bank,
                    device=device,
                    precision=precision,
                )
    return result
