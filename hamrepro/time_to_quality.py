"""Seconds of training until a quality is reached on held-out characters, over several runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
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


def one(
    config: RunConfig,
    seed: int,
    targets: Sequence[str],
    device: str,
    every: int,
    clips: int,
    stop_after: float | None = None,
) -> dict[str, dict[str, Any]]:
    """One run: trained on the split `fit`, looked at on `validation` every so many steps; looking is not counted.

    Args:
        every: steps between looks. clips: how many are looked at. stop_after: seconds, with those of looking.

    Returns:
        For every target `seconds` of training and `steps` when it was first met, None where it was not, and `best` of
        all looks. The run ends when all are met.
    """
    parsed = {target: _parsed(target) for target in targets}
    furthest: dict[str, int] = {}
    for _, conditioning, span, _ in parsed.values():
        furthest[conditioning] = max(SPANS[span].stop, furthest.get(conditioning, 0))
    clip_set = load(config.dataset, "validation")
    index = subset(clip_set)[:clips]
    found: dict[str, dict[str, Any]] = {target: {"seconds": None, "steps": None, "best": None} for target in targets}
    spent, began = 0.0, 0.0

    def look(step: int, model: nn.Module) -> None:
        nonlocal spent
        if step % every and step != config.training.steps:
            return
        paused = time.monotonic()
        generate, options = of_model(model.eval()), {"device": device, "label": config.network.label}
        scores = {
            given: score_frames(generate, clip_set, index, given, frames=last, **options)
            for given, last in furthest.items()
        }
        model.train()
        for target, (metric, conditioning, span, least) in parsed.items():
            now, run = float(scores[conditioning][metric][:, SPANS[span]].mean()), found[target]
            run["best"] = now if run["best"] is None else max(now, run["best"])
            if now >= least and run["steps"] is None:
                run.update(seconds=paused - began - spent, steps=step)
        spent += time.monotonic() - paused
        if all(run["steps"] is not None for run in found.values()):
            raise _Reached

    fit = load(config.dataset, "fit")
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with suppress(_Reached):
            where = Path(folder) / "run"
            done = train(config, seed, fit, where, device=device, on_step=look, stop_after=stop_after)[1]
            if not done and (stop_after is None or time.monotonic() - began < stop_after):
                raise KeyboardInterrupt  # a signal stopped it: nothing was measured
    return found


def time_to_quality(
    preset: str,
    dataset: str,
    model: str,
    targets: Sequence[str] = ("ssim/clip/1-8>=0.95",),
    runs: int = 3,
    *,
    device: str = "cpu",
    every: int = 100,
    clips: int = 50,
    steps: int | None = None,
    stop_after: float | None = None,
) -> dict[str, dict[str, Any]]:
    """Seeds 0, 1, ... one after another, from nothing (the first cycle): an entry of a benchmark's record a target.

    Its `value` is the median over the runs, or None where one of them did not get there; every run is kept.

    Args:
        steps: updates of a run, and the length of its learning rate's cycle, where not the preset's.
        stop_after: seconds after which a run is given up.

    Raises:
        ConfigError: an unknown name or target. DataError: no data.
    """
    wanted = [_parsed(target)[0] for target in targets]
    config = first_cycle(configure(preset, dataset, model))
    if not hasattr(build(config, 0), "generate"):
        raise ConfigError(f"{model} has no {wanted[0]}", "a model that encodes clips", "--model halo-sp")
    if steps is not None:
        config = replace(config, training=replace(config.training, steps=steps))
    every_run = [one(config, seed, targets, device, every, clips, stop_after) for seed in range(runs)]
    schedule, entries = f", {steps} steps" if steps is not None else "", {}
    for target in targets:
        found = [run[target] for run in every_run]
        seconds = [run["seconds"] for run in found]
        if None in seconds:
            entry: dict[str, Any] = {"value": None, "n": runs, "unit": "s", "why": "not reached by every run"}
        else:
            entry = quartiles(seconds, "s")
        entry |= {"runs": found, "steps": config.training.steps, "every": every, "clips": clips}
        entry |= {} if stop_after is None else {"stop_after": stop_after}
        entries[f"quality/{target} {preset} {dataset} {model}{schedule}"] = entry
    return entries
