"""Training in more than one cycle of the learning rate: a run that goes on where another one ended."""

from __future__ import annotations

import time
from pathlib import Path

from torch import Tensor, nn

from hamrepro import checkpoint, records
from hamrepro.config import RunConfig
from hamrepro.datasets import ClipSet
from hamrepro.presets import configure
from hamrepro.shipping import finished
from hamrepro.train import run_folder, train


def _last_weights(config: RunConfig, seed: int, runs: Path, weights: Path) -> dict[str, Tensor] | None:
    """Weights of a finished run, in float16 as they are shipped, or the shipped ones: the same numbers either way."""
    saved = checkpoint.load_latest(run_folder(runs, config, seed), config.sha256)
    if saved is not None and saved[2]["step"] == config.training.steps:
        exact = finished(config, seed, runs)[0].items()
        return {name: value.half().float() if value.is_floating_point() else value for name, value in exact}
    shipped = records.weights_path(config.preset, config.dataset, config.model, seed, weights)
    return checkpoint.load_weights(shipped)[0] if shipped.exists() else None


def train_all_cycles(
    config: RunConfig,
    seed: int,
    clip_set: ClipSet,
    runs: Path,
    *,
    weights: Path = records.WEIGHTS,
    device: str = "cpu",
    stop_after: float | None = None,
) -> tuple[nn.Module, bool]:
    """`train`, and before it the run that this one continues, where that is neither finished nor shipped. D19.

    Args:
        runs: every run has its folder there. weights: shipped ones. stop_after: seconds, of all cycles together.

    Returns:
        The model, in training mode, and whether all steps of the last cycle are done.

    Raises:
        As `train`. CheckpointError: shipped weights are damaged.
    """
    began, first, folder = time.monotonic(), None, run_folder(runs, config, seed)
    if config.training.continues and checkpoint.load_latest(folder, config.sha256) is None:
        before = configure(config.preset, config.dataset, config.training.continues, config.network.actions)
        first = _last_weights(before, seed, runs, weights)
        if first is None:
            model, done = train_all_cycles(
                before, seed, clip_set, runs, weights=weights, device=device, stop_after=stop_after
            )
            if not done:
                return model, False
            first = _last_weights(before, seed, runs, weights)
    left = None if stop_after is None else max(0.0, stop_after - (time.monotonic() - began))
    return train(config, seed, clip_set, folder, device=device, first=first, stop_after=left)
