"""What a judge is worth: its answers on real clips, its calibration, its gate. Deviation D10."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hamrepro import metrics
from hamrepro.augmentation import box_blur
from hamrepro.batches import normalise
from hamrepro.datasets import ClipSet
from hamrepro.judges import READINGS, Judge, heads_of
from hamrepro.randomness import generator

BATCH = 48  # clips scored at a time
BINS = 15  # of confidence, in the calibration error

# Bounds on real test clips, of every head; a judge that misses one refuses to score. Faces are reported, not gated.
GATES = {"plain": {"accuracy": 0.999, "h_y_given_x": 0.002}, "blur": {"accuracy": 0.995}}


def calibration_error(probabilities: NDArray[np.float64], target: NDArray[np.int64]) -> float:
    """Expected calibration error: |accuracy - confidence| averaged over 15 equal bins of confidence."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == target
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(sum(gaps))


def examine(
    judge: Judge, clip_set: ClipSet, *, phases: bool = False, blurred: bool = False
) -> Iterator[tuple[str, dict[str, Any]]]:
    """A judge on real clips: per reading accuracy, entropies (nats), IS, calibration error, confusion matrix.

    Args:
        phases: windows that begin at any frame of the cycle, or of the take. blurred: after a 3x3 box blur.
    """
    answers: dict[str, list[NDArray[np.float64]]] = {}
    place = next(judge.parameters()).device
    for number, part in enumerate(torch.arange(len(clip_set)).split(BATCH)):
        start = clip_set.starts(part, generator(0, "window", number), "random") if phases else None
        clips = normalise(clip_set.clips(part, start)).to(place)
        for name, answer in judge.probabilities(box_blur(clips) if blurred else clips).items():
            answers.setdefault(name, []).append(answer)
    for name, parts in answers.items():
        p, target = np.concatenate(parts), clip_set.targets[READINGS[name]].numpy()
        confusion = np.zeros((p.shape[1], p.shape[1]), int)
        np.add.at(confusion, (target, p.argmax(1)), 1)
        yield (
            name,
            {
                "accuracy": float((p.argmax(1) == target).mean()),
                "h_y_given_x": metrics.conditional_entropy(p),
                "h_y": metrics.marginal_entropy(p),
                "is": metrics.inception_score(p),
                "calibration_error": calibration_error(p, target),
                "n": len(p),
                "confusion": confusion.tolist(),
            },
        )


def certify(judge: Judge, clip_set: ClipSet, *, blur: bool = False) -> dict[str, Any]:
    """A judge's card: what it is worth on the real test clips, what it must reach, what it misses."""
    tests = {"test": dict(examine(judge, clip_set)), "test, blurred 3x3": dict(examine(judge, clip_set, blurred=True))}
    tests["test, any phase" if clip_set.cyclic else "test, any window"] = dict(examine(judge, clip_set, phases=True))
    for name, readings in tests.items():
        for values in readings.values() if name != "test" else ():
            del values["confusion"]
    gate = GATES["blur" if blur else "plain"] if "view" in clip_set.targets else {}
    below = []
    for head in heads_of(clip_set):
        for score, bound in gate.items():
            value = tests["test"][head][score]
            if value < bound if score == "accuracy" else value > bound:
                below.append(f"{score} of {head} {value:.5f}, not {bound}")
    names = {"dataset": clip_set.name, "data_sha256": clip_set.sha256, "heads": heads_of(clip_set)}
    return {**names, "gate": gate, "below_gate": below, **tests}
