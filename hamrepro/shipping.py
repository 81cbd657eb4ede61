"""From finished runs to shipped weights, and from shipped weights to records."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from hamrepro import checkpoint, controls, evaluate, provenance, records
from hamrepro.allocator import keep_freed_memory
from hamrepro.config import RunConfig
from hamrepro.curves import as_csv, curve_path
from hamrepro.datasets import ClipSet, load
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.halo import Halo
from hamrepro.models import build
from hamrepro.places import restore
from hamrepro.precision import choose_device
from hamrepro.presets import OWN, configure, continued
from hamrepro.train import environment, run_folder
from hamrepro.tuning import in_tune

Result = dict[str, Any]


def finished(config: RunConfig, seed: int, runs: Path) -> checkpoint.State:
    """Weights, moments and origin of a finished run.

    Raises:
        CheckpointError: no finished run in the folder.
    """
    folder = run_folder(runs, config, seed)
    saved = checkpoint.load_latest(folder, config.sha256)
    if saved is None or saved[2]["step"] < config.training.steps:
        given = "no run" if saved is None else f"a run at step {saved[2]['step']} of {config.training.steps}"
        data = f"{OWN}<its folder>" if config.dataset.startswith(OWN) else config.dataset
        names = f"--preset {config.preset} --dataset {data} --model {config.model} --seed {seed} --runs '{runs}'"
        raise CheckpointError(f"{given} in {folder}", "a finished run", f"python -m hamrepro train {names}")
    return saved


def load_run(config: RunConfig, seed: int, runs: Path, clip_set: ClipSet) -> nn.Module:
    """The model of a finished run, in evaluation mode.

    Raises:
        CheckpointError: no finished run, or one on other data than these clips.
    """
    weights, _, meta = finished(config, seed, runs)
    if meta["data_sha256"] != clip_set.sha256:
        given = f"{run_folder(runs, config, seed)} was trained on data {meta['data_sha256'][:12]}"
        raise CheckpointError(given, f"{config.dataset} as it is now, {clip_set.sha256[:12]}", "train again elsewhere")
    network = build(config, seed)
    network.load_state_dict(weights)
    return network.eval()


def last_weights(
    config: RunConfig, seed: int, runs: Path, weights: Path = records.WEIGHTS
) -> tuple[dict[str, Tensor], int, int]:
    """Weights a run ended with, rounded to float16 as they are shipped; clips it had seen, seconds it had taken.

    From the run's folder, else from shipped weights: the same numbers either way. Clips and seconds: of all cycles.

    Raises:
        CheckpointError: the run is not finished and nothing of it is shipped, or what is shipped is damaged.
    """
    shipped = records.weights_path(config.preset, config.dataset, config.model, seed, weights)
    try:
        exact, _, meta = finished(config, seed, runs)
    except CheckpointError:
        if not shipped.exists():
            raise
        tensors, card = checkpoint.load_weights(shipped)
        made = _settings(shipped, card)
        if (made.network, made.training) != (config.network, config.training):
            again = f"python -m hamrepro train --model {config.model}, in a --runs folder of its own"
            raise CheckpointError(f"{shipped.name} is of other settings", f"{config.model} of today", again) from None
        return tensors, card.get("clips_seen", 0), card.get("train_seconds", 0)
    half = {name: value.half().float() if value.is_floating_point() else value for name, value in exact.items()}
    before = continued(config)
    clips, seconds = last_weights(before, seed, runs, weights)[1:] if before else (0, 0)
    return half, clips + meta["step"] * config.training.batch, seconds + round(meta["train_seconds"])


def ship(preset: str, dataset: str, model: str, seed: int, runs: Path, weights: Path = records.WEIGHTS) -> Path:
    """Write the weights of a finished run as float16, with a card: settings, seed, data, hardware, clips and time.

    Beside the folder of weights, the curve of its training: `curve_path`. A `CheckpointError` without a finished run.
    """
    config = configure(preset, dataset, model)
    saved = finished(config, seed, runs)
    _, clips, seconds = last_weights(config, seed, runs, weights)
    names = preset, dataset, model, seed
    card = dict(zip(("preset", "dataset", "model", "seed"), names, strict=True)) | {
        "config": config.as_dict(),
        "data_sha256": saved[2]["data_sha256"],
        "steps": saved[2]["step"],
        "clips_seen": clips,
        "train_seconds": seconds,
        "trained_on": saved[2]["environment"],
    }
    if dataset == "sprites":
        card["credit"] = "trained on Liberated Pixel Cup sprites, CC-BY-SA 3.0 / GPL 3.0, authors in data/README.md"
    path, curve = records.weights_path(*names, weights), as_csv(run_folder(runs, config, seed) / "stats.jsonl")
    checkpoint.save_weights(path, saved[0], card)
    checkpoint.write_atomically(curve_path(preset, dataset, model, seed, weights), curve)
    return path


def load_shipped(
    preset: str, dataset: str, model: str, seed: int, *, device: str = "cpu", weights: Path = records.WEIGHTS
) -> tuple[nn.Module, dict[str, Any]]:
    """A shipped model in evaluation mode, and its card.

    Raises:
        ConfigError: unknown names. CheckpointError: not shipped, or damaged.
    """
    path = records.weights_path(preset, dataset, model, seed, weights)
    configure(preset, dataset, model)
    if not os.path.exists(path):
        shipped = [p.stem for p in sorted(weights.glob("*.safetensors"))]
        alike = [name for name in shipped if name.startswith(f"{preset}-{dataset}-")]
        names = f"--preset {preset} --dataset {dataset} --model {model} --seed {seed}"
        known, again = ", ".join(alike or shipped) or "none", f"python -m hamrepro train {names}, then ship"
        raise CheckpointError(f"no weights {path.stem}", f"one of {known}", again)
    tensors, card = checkpoint.load_weights(path)
    config = _settings(path, card)
    if (config.preset, config.dataset, config.model, card.get("seed")) != (preset, dataset, model, seed):
        given = f"the card of {path.name} says {config.preset} {config.dataset} {config.model} seed {card.get('seed')}"
        raise CheckpointError(given, f"{preset} {dataset} {model} seed {seed}", restore(path))
    try:
        network = build(config, seed)
        network.load_state_dict(tensors)
    except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError) as error:
        given = f"{path.name} does not fit {model}: {error}"
        raise CheckpointError(given, "weights of this model", restore(path)) from error
    return network.to(choose_device(device)).eval(), card


def _settings(path: Path, card: dict[str, Any]) -> RunConfig:
    """The settings on a card whose other entries are of the kinds they should be."""
    kinds = {"data_sha256": str, "trained_on": dict, "clips_seen": int, "train_seconds": int}
    wrong = [name for name, kind in kinds.items() if not isinstance(card.get(name, kind()), kind)]
    if wrong or not isinstance(card.get("trained_on", {"hardware": ""}).get("hardware"), str):
        given = f"the card of {path.name}: {wrong[0] if wrong else 'trained_on'}"
        raise CheckpointError(given, "settings, data, what it was trained on and for how long", restore(path))
    return RunConfig.from_dict(card.get("config", {}))


def evaluate_shipped(
    preset: str,
    dataset: str,
    model: str,
    seed: int,
    *,
    quick: bool = False,
    device: str = "cpu",
    weights: Path = records.WEIGHTS,
) -> Result:
    """Score shipped weights, or one of the trivial rows (preset `any`), on the test set: the record but its file.

    Raises:
        ConfigError: unknown names or device. DataError, CheckpointError: data or weights are not at hand.
    """
    place = choose_device(device)
    keep_freed_memory()
    if model in evaluate.TRIVIAL and (preset, seed) != ("any", 0):
        given = f"{model} of preset {preset}, seed {seed}"
        raise ConfigError(given, "no training: preset any, seed 0", "--preset any --seed 0")
    test = load(dataset, "test")
    if model in evaluate.TRIVIAL:
        generate, card = evaluate.trivial(model), {"config": {}, "sha256": None}
        conditionings, on_share, label, tuned = ("clip",), (), "action", None
    else:
        network, card = load_shipped(preset, dataset, model, seed, device=device, weights=weights)
        provenance.require_data(card, test)
        generate, label = evaluate.of_model(network), network.config.label
        tuned = in_tune(network, test.frames) if test.cyclic and not quick else None
        conditionings = evaluate.CONDITIONINGS if hasattr(network, "generate") else ()
        on_share = ("frame-4",) if isinstance(network, Halo) and test.cyclic and not quick else ()
    began = time.monotonic()
    scores = evaluate.evaluate_generation(
        generate, test, quick=quick, device=device, conditionings=conditionings, label=label,
        tuned=evaluate.of_model(tuned) if tuned else None, on_share=on_share,
    )  # fmt: skip
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    took = round(time.monotonic() - began)
    return scored("evaluate", names, scores, card, test, environment("float32", place), took, quick=quick)


def scored(
    verb: str,
    names: dict[str, Any],
    scores: dict[str, Any],
    card: dict[str, Any],
    test: ClipSet,
    here: dict[str, Any],
    seconds: int,
    *,
    quick: bool,
    **more: Any,
) -> Result:
    """A record of what was just measured.

    Args:
        verb: `evaluate` or `judge`. names: of the run. card: of the weights. here: the environment of the measuring.
        seconds: it took. quick: on the fixed share only. more: of the provenance.
    """
    made = provenance.origin(
        config=card["config"], data_sha256=test.sha256, weights_sha256=card["sha256"], **more,
        hardware=card.get("trained_on", here)["hardware"], versions=here["versions"],
        train_seconds=card.get("train_seconds", 0), clips_seen=card.get("clips_seen", 0),
        **{f"{verb.removesuffix('e')}ed_on": here["hardware"], f"{verb}_seconds{'_subset' * quick}": seconds},
    )  # fmt: skip
    return {**names, "metrics": {}, **scores, "provenance": made}


def require_room(
    preset: str, dataset: str, model: str, seed: int, out: Path | None = None, results: Path = records.RESULTS
) -> None:
    """Before long work: `records.require_room` for where `record` would put it."""
    if dataset.startswith(OWN):
        raise ConfigError(f"{dataset} here", "a data set of tables", f"python -m hamrepro animate --dataset {dataset}")
    trivial = model in {*evaluate.TRIVIAL, *controls.TRIVIAL}
    known = ("smoke", dataset, "halo-sp") if trivial else (preset, dataset, model)
    configure(*known)  # no folder is made for a slip of the pen
    if trivial and preset != "any":
        raise ConfigError(f"{model} of preset {preset}", "no training: preset any", "--preset any --seed 0")
    path = out or records.record_path(preset, dataset, model, seed, results)
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    records.require_room(path, names, results if out is None else None)


def record(result: Result, out: Path | None = None, results: Path = records.RESULTS) -> Path:
    """Write a result to its place under the results folder and list its hash, or to a file of one's own."""
    names = (result["preset"], result["dataset"], result["model"], result["seed"])
    path = out or records.record_path(*names, results)
    records.write(path, result, results if out is None else None)
    return path
