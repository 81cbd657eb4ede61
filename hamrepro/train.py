"""Training: one loop for every model, resumable bit for bit."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm

from hamrepro import checkpoint
from hamrepro.allocator import keep_freed_memory
from hamrepro.batches import draw_batch
from hamrepro.config import RunConfig
from hamrepro.datasets import ClipSet
from hamrepro.distributed import Processes, processes, share_batch_norms
from hamrepro.errors import CheckpointError, ConfigError, NonFiniteError
from hamrepro.models import build
from hamrepro.optimiser import Optimiser, estimate, rate
from hamrepro.population import population_statistics
from hamrepro.precision import choose_device, choose_precision
from hamrepro.randomness import generator
from hamrepro.signals import Stop

LOG_EVERY = 25


def run_folder(runs: Path, config: RunConfig, seed: int) -> Path:
    """Where a run lives: runs/<preset>/<dataset>/<model>/seed<k>."""
    return runs / config.preset / config.dataset / config.model / f"seed{seed}"


def environment(precision: str, device: torch.device) -> dict[str, Any]:
    """What a run ran on: hardware, versions, precision, threads."""
    cores = f"{os.cpu_count()} x {platform.machine()}"
    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {cores}"
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    return {"hardware": hardware, "versions": versions, "precision": precision, "threads": torch.get_num_threads()}


def _prepare(
    folder: Path, config: RunConfig, device: torch.device, saved: dict[str, Any] | None, size: int
) -> dict[str, Any]:
    """The run's environment, decided once: a resumed run keeps the precision it began with."""
    if saved:
        made = saved["environment"]
    else:
        made = environment(choose_precision(config.training.precision, device), device) | {"processes": size}
    for name, content in (("config.json", config.as_dict()), ("environment.json", made)):
        checkpoint.write_atomically(folder / name, json.dumps(content, indent=1).encode())
    _forget_rows_after(saved["step"] if saved else 0, folder / "stats.jsonl")
    return made


def _forget_rows_after(step: int, path: Path) -> None:
    """Drop what was logged after the saved step: it is about to be logged again. A torn line goes too."""
    rows = []
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            rows += [line + b"\n"] if json.loads(line)["step"] <= step else []
    checkpoint.write_atomically(path, b"".join(rows))


def _restore(
    saved: checkpoint.State,
    model: nn.Module,
    optimiser: Optimiser,
    seed: int,
    clip_set: ClipSet,
    folder: Path,
    size: int,
) -> None:
    weights, moments, meta = saved
    if (before := meta["environment"].get("processes", 1)) != size:
        command = f"torchrun --nproc-per-node {before} -m hamrepro train ..." if before > 1 else "one process"
        raise CheckpointError(
            f"{folder} was trained by {before} processes, not {size}", f"{before}, as before", command
        )
    held = meta["seed"], meta.get("clips", len(clip_set)), meta["data_sha256"][:12]
    if held != (wanted := (seed, len(clip_set), clip_set.sha256[:12])):
        given, expected = ("seed {} on {} clips of data {}".format(*part) for part in (held, wanted))
        raise CheckpointError(f"{folder} holds {given}", expected, "use another folder")
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{folder}: {error}", "the weights of this model", "delete this run") from error
    optimiser.load(moments)


def _guard(terms: Tensor, names: list[str], steps: list[int], folder: Path) -> None:
    finite = torch.isfinite(terms).all(1)
    if not finite.all():
        bad = int((~finite).nonzero()[0])
        states = sorted(folder.glob(checkpoint.STATES))
        raise NonFiniteError(
            f"step {steps[bad]}: {dict(zip(names, terms[bad].tolist(), strict=True))}",
            "finite terms",
            f"last good checkpoint: {states[-1] if states else 'none'}; lower the learning rate, or use float32",
        )


def train(
    config: RunConfig,
    seed: int,
    clip_set: ClipSet,
    folder: Path,
    *,
    device: str = "cpu",
    first: dict[str, Tensor] | None = None,
    stop_after: float | None = None,
    on_step: Callable[[int, nn.Module], None] | None = None,
) -> tuple[nn.Module, bool]:
    """Train a model, or go on with it: weights, optimiser and draws are a function of (settings, seed, step).

    Leaves `config.json`, `environment.json`, `stats.jsonl` and `state-*` in the folder. SIGTERM and SIGINT
    finish the step, save and return. Under `torchrun` the clips of a step are shared out (`hamrepro.distributed`).

    Args:
        first: the first weights, for a run that continues another one (`hamrepro.continuation`).
        stop_after: seconds after which to save and return. on_step: called after every step.

    Returns:
        The model, in training mode, and whether all steps are done.

    Raises:
        NonFiniteError: a term of the loss, a weight or a moment was NaN or infinite; nothing of it is saved.
        CheckpointError: no saved state can be used, it is of another seed, other data or another number of processes,
        or another process trains in this folder. ConfigError: no such device; clips that cannot be shared out; a run
        that continues another one, without its weights.
    """
    group, own = processes(device)
    place = choose_device(own)
    with checkpoint.lock(folder) if group.first else nullcontext():
        return _train(config, seed, clip_set, folder, group, place, first, stop_after, on_step)


def _train(
    config: RunConfig,
    seed: int,
    clip_set: ClipSet,
    folder: Path,
    group: Processes,
    place: torch.device,
    first: dict[str, Tensor] | None,
    stop_after: float | None,
    on_step: Callable[[int, nn.Module], None] | None,
) -> tuple[nn.Module, bool]:
    training = config.training
    rows = group.rows(training.batch)
    keep_freed_memory()
    clip_set = clip_set.to(place) if hasattr(clip_set, "to") else clip_set  # layers are composited where they are
    model, saved = build(config, seed), checkpoint.load_latest(folder, config.sha256)
    if first is not None:
        new = {name: value for name, value in model.state_dict().items() if name.startswith("adversary.")}
        model.load_state_dict(new | first)
    elif training.continues and saved is None:
        raise ConfigError(f"{config.model} without first weights", f"those of {training.continues}", "hamrepro train")
    if group.size > 1:
        share_batch_norms(model)
    model.to(place).train()
    optimiser = Optimiser(model, training)
    done, seconds = 0, 0.0
    if saved is not None:
        _restore(saved, model, optimiser, seed, clip_set, folder, group.size)
        done, seconds = saved[2]["step"], saved[2]["train_seconds"]
    made = group.same(_prepare(folder, config, place, saved and saved[2], group.size) if group.first else None)
    loss = group.loss(model)
    low = optimiser.low = made["precision"] == "bfloat16"
    window, began = [], time.monotonic()
    bar = tqdm(
        total=training.steps, initial=done, desc=f"{config.model} seed {seed}", unit="step", file=sys.stderr,
        mininterval=2, disable=None if group.first and sys.stderr.isatty() else True,
    )  # fmt: skip

    def save() -> None:
        checkpoint.save_state(
            folder,
            done,
            checkpoint.tensors(model),
            optimiser.state(),
            {
                "config_sha256": config.sha256,
                "data_sha256": clip_set.sha256,
                "clips": len(clip_set),
                "seed": seed,
                "train_seconds": seconds + time.monotonic() - began,
                "environment": made,
            },
        )

    with Stop() as stop, bar:
        while done < training.steps:
            batch = draw_batch(clip_set, training, seed, done, place, config.network.label, rows)
            with torch.autocast(place.type, torch.bfloat16, enabled=low), group.draws():
                terms = loss(
                    batch.clips,
                    batch.action,
                    lambda stream, step=done: generator(seed, stream, step),
                    cyclic=batch.cyclic,
                    estimate=estimate(training, done),
                )
            optimiser.update(terms["loss"], done)
            window.append(torch.stack([term.detach().float() for term in terms.values()]))
            done += 1
            bar.update()
            late = stop_after is not None and time.monotonic() - began > stop_after
            ending = done == training.steps or group.any(stop.signal is not None or late)
            logging, saving = done % LOG_EVERY == 0 or ending, done % training.checkpoint_every == 0 or ending
            if logging or saving:
                log = group.mean(torch.stack(window).cpu())
                _guard(log, list(terms), list(range(done - len(log), done)), folder)
            if logging:
                window.clear()
            if logging and group.first:
                means, spent = dict(zip(terms, log.mean(0).tolist(), strict=True)), seconds + time.monotonic() - began
                _write_stats(folder, done, means, model, rate(training, done - 1), spent)
                bar.set_postfix(loss=f"{log[:, 0].mean():.0f} nats", refresh=False)
            if done == training.steps:
                population_statistics(model, config, seed, clip_set, place, group)
            if on_step is not None:
                on_step(done, model)
            if saving and group.first:
                save()
            if saving:
                group.any(False)  # the others wait: a next cycle begins with what was saved
            if ending:
                break
    return model, done >= training.steps


def _write_stats(
    folder: Path, step: int, terms: dict[str, float], model: nn.Module, factor: float, seconds: float
) -> None:
    row = {"step": step, "seconds": round(seconds, 2), "rate": factor, **terms, **model.diagnostics()}
    try:
        with open(folder / "stats.jsonl", "a") as file:
            file.write(json.dumps(row) + "\n")
    except OSError as error:
        raise checkpoint.unwritable(folder / "stats.jsonl", error) from error
