"""Judges trained, examined and shipped; shipped models judged: the records of Table 2."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from hamrepro import checkpoint, provenance, records
from hamrepro.aggregate_posterior import prior_quality
from hamrepro.allocator import keep_freed_memory
from hamrepro.calibration import certify
from hamrepro.continuation import train_all_cycles
from hamrepro.controls import TRIVIAL
from hamrepro.datasets import ClipSet, load
from hamrepro.disentanglement import DRAWS, evaluate_protocols
from hamrepro.errors import JudgeError
from hamrepro.evaluate import subset
from hamrepro.fitted_prior import fit_prior, with_fitted_prior
from hamrepro.halo import Halo
from hamrepro.judges import SHARPENING, TRAINING, Judge, heads_of, judge_path, load_judge, train_judge
from hamrepro.leakage import leakage
from hamrepro.precision import choose_device
from hamrepro.presets import configure
from hamrepro.protocols import lacking
from hamrepro.shipping import evaluate_shipped, load_shipped, record, scored, ship
from hamrepro.swap_truth import swap_fidelity
from hamrepro.train import environment


def ship_judge(
    dataset: str, *, blur: bool = False, seed: int = 0, device: str = "cpu", weights: Path = records.WEIGHTS
) -> tuple[Path, dict[str, Any]]:
    """Train a judge on the split `train`, examine it on `test` as it will be stored, in float16, and write both.

    Returns:
        Where it lies, and its card. A judge below its gate is written too, and refuses to score.
    """
    clip_set = load(dataset, "train")
    heads_of(clip_set)
    records.require_folder(judge_path(dataset, blur, weights).parent)
    began = time.monotonic()
    judge = train_judge(clip_set, blur=blur, seed=seed, device=device)
    seconds = round(time.monotonic() - began)
    card = certify(judge, load(dataset, "test"), blur=blur)
    card |= {
        "blur": blur, "seed": seed, "train_seconds": seconds,
        "training": asdict(TRAINING), "sharpening": asdict(SHARPENING),
        "trained_on": environment("auto", torch.device(device)),
        "calibration": "none fitted: the temperature of every head is 1",
    }  # fmt: skip
    if dataset == "sprites":
        card["credit"] = "trained on Liberated Pixel Cup sprites, CC-BY-SA 3.0 / GPL 3.0, authors in data/README.md"
    path = judge_path(dataset, blur, weights)
    checkpoint.save_weights(path, checkpoint.tensors(judge), card)
    return path, card


def judges_of(clip_set: ClipSet, device: str = "cpu", weights: Path = records.WEIGHTS) -> dict[str, Judge]:
    """The judge of a data set under "", and the one for sensitivity to blur, where it is shipped, under "-blur".

    Raises:
        JudgeError: none, not what its card says, of other data, or below its gate.
    """
    judges = {"": load_judge(clip_set.name, weights=weights, device=device)}
    if judge_path(clip_set.name, True, weights).exists():
        judges["-blur"] = load_judge(clip_set.name, True, weights=weights, device=device)
    for judge in judges.values():
        judge.require(clip_set)
    return judges


def judge_shipped(
    preset: str,
    dataset: str,
    model: str,
    seed: int,
    *,
    quick: bool = False,
    draws: int = DRAWS,
    device: str = "cpu",
    precision: str = "float32",
    weights: Path = records.WEIGHTS,
    judges: Path = records.WEIGHTS,
) -> dict[str, Any]:
    """Every protocol for shipped weights, or for a trivial row (preset `any`): a record but its file.

    Args:
        quick: only the fixed share of the test clips, one draw of the random code. draws: on all clips.
        weights: folder of the model's. judges: folder of the judges'.

    Raises:
        JudgeError: see `judges_of`. CheckpointError, DataError: weights or data are not at hand.
    """
    place = choose_device(device)
    keep_freed_memory()
    test = load(dataset, "test")
    sworn = judges_of(test, device, judges)
    card: dict[str, Any] = {"config": {}, "sha256": None}
    if model in TRIVIAL:
        if (preset, seed) != ("any", 0):
            raise JudgeError(f"{model} of preset {preset}, seed {seed}", "a row without training: preset any, seed 0")
        network = TRIVIAL[model]()
    else:
        network, card = load_shipped(preset, dataset, model, seed, device=device, weights=weights)
        provenance.require_data(card, test)
    began = time.monotonic()
    train = load(dataset, "train") if model not in TRIVIAL else None
    fitted = fit_prior(network, train, device=device) if train else None
    scores = evaluate_protocols(
        network, test, sworn, seed=seed, quick=quick, draws=draws, bank=train,
        device=device, precision=precision, fitted=with_fitted_prior(network, fitted) if fitted else None,
    )  # fmt: skip
    for part, entries in scores.items():
        index = subset(test) if part == "subset" else torch.arange(len(test))
        entries |= prior_quality(network, test, index, device) if isinstance(network, Halo) else {}
        entries |= leakage(network, train, test, index, device=device) if fitted else {}
        if part == "subset" and "view" in test.targets and not lacking(network, "C"):
            entries |= swap_fidelity(network, test, index, seed=seed, device=device)
    names = {"preset": preset, "dataset": dataset, "model": model, "seed": seed}
    took, here = round(time.monotonic() - began), environment(precision, place)
    named = {f"judge{suffix.replace('-', '_')}_sha256": judge.card["sha256"] for suffix, judge in sworn.items()}
    return scored("judge", names, scores, card, test, here, took, quick=quick, **named)


def recompute(
    preset: str,
    dataset: str,
    model: str,
    seed: int,
    *,
    runs: Path = records.RUNS,
    weights: Path = records.WEIGHTS,
    results: Path = records.RESULTS,
    judges: Path = records.WEIGHTS,
    device: str = "cpu",
    stop_after: float | None = None,
    keep: bool = False,
) -> bool:
    """Train one model, or go on with its training; once it is finished, ship it and write its record.

    Tables 1 and 2 both, the latter where the data set has a judge.

    Args:
        weights, results: where to. judges: folder of the judges'. stop_after: seconds of training.
        keep: what its record holds already, rather than score it again.

    Returns:
        Whether the training is finished.
    """
    config, names, scores = configure(preset, dataset, model), (preset, dataset, model, seed), {}
    options = {"weights": weights, "device": device, "stop_after": stop_after}
    if not train_all_cycles(config, seed, load(dataset, "train"), runs, **options)[1]:
        return False
    if keep and records.record_path(*names, results).exists():
        scores = records.read(*names, results)["metrics"]
    else:
        ship(*names, runs, weights)
        record(evaluate_shipped(*names, device=device, weights=weights), results=results)
    if judge_path(dataset, weights=judges).exists() and not any(key.startswith("accuracy/") for key in scores):
        record(judge_shipped(*names, device=device, weights=weights, judges=judges), results=results)
    return True
