"""Training in more than one cycle of the learning rate: a run that goes on where another one ended."""

from __future__ import annotations

import time
from pathlib import Path

from torch import nn

from hamrepro import checkpoint, records
from hamrepro.config import RunConfig
from hamrepro.datasets import ClipSet
from hamrepro.errors import CheckpointError
from hamrepro.presets import continued
from hamrepro.provenance import trained_on
from hamrepro.shipping import last_weights
from hamrepro.train import run_folder, train


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
    """`train`, and before it the run that this one continues, unless that is finished or shipped. Deviations D19, D24.

    Weights that were trained on other data than these clips are not continued.

    Args:
        runs: every run has its folder there. weights: shipped ones. stop_after: seconds, of all cycles together.

    Returns:
        The model, in training mode, and whether all steps of the last cycle are done.

    Raises:
        As `train`. CheckpointError: shipped weights are damaged, or the run before was trained on other data.
    """
    began, first, folder = time.monotonic(), None, run_folder(runs, config, seed)
    if config.training.continues and checkpoint.load_latest(folder, config.sha256) is None:
        before = continued(config)
        shipped = records.weights_path(before.preset, before.dataset, before.model, seed, weights)
        there = run_folder(runs, before, seed)
        saved = checkpoint.load_latest(there, before.sha256)
        if saved is not None and saved[2]["data_sha256"] != clip_set.sha256:
            given, expected = (f"data {digest[:12]}" for digest in (saved[2]["data_sha256"], clip_set.sha256))
            raise CheckpointError(f"{there} was trained on {given}", expected, "another --runs folder")
        if not shipped.exists() or not trained_on(checkpoint.load_weights(shipped)[1], clip_set):
            options = {"weights": weights, "device": device, "stop_after": stop_after}
            model, done = train_all_cycles(before, seed, clip_set, runs, **options)
            if not done:
                return model, False
        first = last_weights(before, seed, runs, weights)[0]
    left = None if stop_after is None else max(0.0, stop_after - (time.monotonic() - began))
    return train(config, seed, clip_set, folder, device=device, first=first, stop_after=left)
