"""Seconds of training until a quality is reached on held-out characters, over several runs."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from torch import nn

from hamrepro.config import RunConfig
from hamrepro.datasets import load
from hamrepro.errors import ConfigError
from hamrepro.evaluate import CONDITIONINGS, SPANS, of_model, score_frames, subset
from hamrepro.models import build
from hamrepro.presets import configure, first_cycle
from hamrepro.timing import quartiles
from hamrepro.train import train

METRICS = ("ssim", "psnr")


class _Reached(Exception):
    pass


def _parsed(target: str) -> tuple[str, str, str, float]:
    try:
        key, least = target.split(">=")
        metric, conditioning, span = key.strip().split("/")
        if metric in METRICS and conditioning in CONDITIONINGS and span in SPANS and isfinite(float(least)):
            return metric, conditioning, span, float(least)
    except ValueError:
        pass
    raise ConfigError(f"target {target!r}", "as in ssim/clip/1-8>=0.95")


def one(config: RunConfig, seed: int, target: str, device: str, every: int, clips: int) -> dict[str, Any]:
    """One run: trained on the split `fit`, looked at on `validation` every so many steps; looking is not counted.

    Args:
        every: steps between looks. clips: how many are looked at.

    Returns:
        `seconds` of training and `steps` when the target was first met, None where it was not; `best` of all looks.
    """
    metric, conditioning, span, least = _parsed(target)
    clip_set = load(config.dataset, "validation")
    index = subset(clip_set)[:clips]
    looks: list[float] = []
    spent, began = 0.0, 0.0
    end: dict[str, Any] = {"seconds": None, "steps": None}

    def look(step: int, model: nn.Module) -> None:
        nonlocal spent
        if step % every and step != config.training.steps:
            return
        paused = time.monotonic()
        frames = SPANS[span].stop
        generate = of_model(model.eval())
        label = config.network.label
        scores = score_frames(generate, clip_set, index, conditioning, frames=frames, device=device, label=label)
        model.train()
        looks.append(float(scores[metric][:, SPANS[span]].mean()))
        spent += time.monotonic() - paused
        if looks[-1] >= least:
            end.update(seconds=time.monotonic() - began - spent, steps=step)
            raise _Reached

    fit = load(config.dataset, "fit")
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with suppress(_Reached):
            train(config, seed, fit, Path(folder) / "run", device=device, on_step=look)
    return end | {"best": max(looks)}


def time_to_quality(
    preset: str,
    dataset: str,
    model: str,
    target: str = "ssim/clip/1-8>=0.95",
    runs: int = 3,
    *,
    device: str = "cpu",
    every: int = 100,
    clips: int = 50,
    steps: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Seeds 0, 1, ... one after another, from nothing (the first cycle): the entry of a benchmark's record.

    Its `value` is the median over the runs, or None where one of them did not get there; every run is kept.

    Args:
        steps: updates of a run, and the length of its learning rate's cycle, where not the preset's.

    Raises:
        ConfigError: an unknown name or target. DataError: no data.
    """
    _parsed(target)
    config = first_cycle(configure(preset, dataset, model))
    if not hasattr(build(config, 0), "generate"):
        raise ConfigError(
            f"{model} has no {target.partition('>=')[0]}", "a model that encodes clips", "--model halo-sp"
        )
    if steps is not None:
        config = replace(config, training=replace(config.training, steps=steps))
    found = [one(config, seed, target, device, every, clips) for seed in range(runs)]
    seconds = [run["seconds"] for run in found]
    if None in seconds:
        entry: dict[str, Any] = {"value": None, "n": runs, "unit": "s", "why": "not reached by every run"}
    else:
        entry = quartiles(seconds, "s")
    entry |= {"runs": found, "steps": config.training.steps, "every": every, "clips": clips}
    schedule = f", {steps} steps" if steps is not None else ""
    return {f"quality/{target} {preset} {dataset} {model}{schedule}": entry}
