"""Scores of Tables 1 and 2: SSIM, PSNR, MSE per frame, entropies of a judge, and their intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hamrepro.errors import DataError, ShapeError
from hamrepro.randomness import generator

Array = NDArray[np.float64]
Values = Tensor | NDArray[np.generic]
EPSILON = 1e-16  # inside the logarithms of the entropies, as in the code of C-DSVAE


def _array(values: Values) -> NDArray[np.generic]:
    if isinstance(values, Tensor):
        values = (values.detach().double() if values.is_floating_point() else values.detach()).cpu().numpy()
    return np.asarray(values)


def unit_frames(frames: Values) -> Array:
    """Frames as float64 (..., 3, H, W) in [0, 1], the range of every metric.

    Args:
        frames: uint8 in 0..255, or floating in [0, 1]; (..., 3, H, W).

    Raises:
        ShapeError: another rank, number of channels, type or range, or a value that is not a number.
    """
    frames = _array(frames)
    if frames.ndim < 3 or frames.shape[-3] != 3 or 0 in frames.shape:
        raise ShapeError(f"frames of shape {frames.shape}", "(..., 3, H, W), not empty")
    if frames.dtype == np.uint8:
        return frames / np.float64(255)
    if not np.issubdtype(frames.dtype, np.floating):
        raise ShapeError(f"frames of type {frames.dtype}", "uint8 in 0..255 or floating in [0, 1]")
    low, high = float(frames.min()), float(frames.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ShapeError(f"frames in [{low:g}, {high:g}]", "[0, 1]", "map x in [-1, 1] by (x + 1) / 2")
    return frames.astype(np.float64)


def _pair(frames: Values, truth: Values) -> tuple[Array, Array]:
    if tuple(frames.shape) != tuple(truth.shape):
        raise ShapeError(f"frames {tuple(frames.shape)}, truth {tuple(truth.shape)}", "two (..., 3, H, W) of one shape")
    return unit_frames(frames), unit_frames(truth)


def mse(frames: Values, truth: Values) -> Array:
    """Mean squared error of each frame (...,) on [0, 1]. Paper: Table 1. Inputs as `unit_frames`."""
    x, y = _pair(frames, truth)
    return np.square(x - y).mean((-3, -2, -1))


def psnr(frames: Values, truth: Values) -> Array:
    """Peak signal-to-noise ratio of each frame (...,) in dB, peak 1; infinite where the two are equal.

    Paper: Table 1, whose four rows agree with the range [0, 1] and frame averages alone.
    """
    return decibel(mse(frames, truth))


def decibel(error: Array) -> Array:
    """-10 log10 of a mean squared error; infinite at 0. Of the mean error of many frames: their pooled PSNR."""
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)


def ssim(frames: Values, truth: Values) -> Array:
    """Structural similarity of each frame (...,), at most 1. Paper: Table 1.

    It is scikit-image's `structural_similarity(channel_axis=-1, data_range=1)` with its other defaults:
    7x7 uniform windows, sample covariance, mean over pixels and channels.

    Raises:
        ShapeError: see `unit_frames`; also frames below 7x7.
    """
    from skimage.metrics import structural_similarity

    x, y = _pair(frames, truth)
    if min(x.shape[-2:]) < 7:
        raise ShapeError(f"frames of {x.shape[-2]}x{x.shape[-1]}", "7x7 at least, the window of SSIM")
    pairs = zip(x.reshape(-1, *x.shape[-3:]), y.reshape(-1, *y.shape[-3:]), strict=True)
    scores = [structural_similarity(a, b, channel_axis=0, data_range=1) for a, b in pairs]
    return np.asarray(scores, dtype=np.float64).reshape(x.shape[:-3])


class Statistic(NamedTuple):
    """A function of sample means, so that resampling needs sums alone.

    `mean`: of values (N, ...). The others take probabilities p (N, C) of a judge, in nats:
    `conditional_entropy` H(y|x) = -mean_i sum_c p log p, `marginal_entropy` H(y), the entropy of the mean p, and
    `inception_score` = exp(H(y) - H(y|x)). Paper: Table 2.

    Attributes:
        terms: per-sample terms, values (N, ...) -> (N, m).
        combine: means of the terms (..., m) -> the statistic (...,).
        most: of a concave statistic, m -> the most it can be; None: it is a mean.
    """

    terms: Callable[[Array], Array]
    combine: Callable[[Array], Array]
    most: Callable[[int], float] | None = None

    def __call__(self, values: Values) -> float:
        """The statistic of all samples, values (N, ...)."""
        return float(self.combine(self.terms(_array(values).astype(np.float64)).mean(0)))


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1).mean(1, keepdims=True)


def _probabilities(values: Array) -> Array:
    if values.ndim != 2 or values.shape[1] < 2:
        raise ShapeError(f"probabilities of shape {values.shape}", "(N, C), C >= 2 classes")
    if not (values.min() >= 0 and np.allclose(values.sum(1), 1, atol=1e-3)):
        raise ShapeError(f"rows with sums {values.sum(1).min():g}..{values.sum(1).max():g}", "probabilities, sums of 1")
    return values


def _entropy(p: Array) -> Array:
    return -(p * np.log(p + EPSILON)).sum(-1)


def _entropies(values: Array) -> Array:
    return _entropy(_probabilities(values))[:, None]


mean = Statistic(_flat, lambda m: m[..., 0])
conditional_entropy = Statistic(_entropies, lambda m: m[..., 0])
marginal_entropy = Statistic(_probabilities, _entropy, np.log)
inception_score = Statistic(
    lambda p: np.hstack([_probabilities(p), _entropies(p)]),
    lambda m: np.exp(_entropy(m[..., :-1]) - m[..., -1]),
    lambda columns: columns - 1,
)
STATISTICS = {
    "mean": mean,
    "h_y_given_x": conditional_entropy,
    "h_y": marginal_entropy,
    "is": inception_score,
}


Index = NDArray[np.intp]


def _clusters(groups: NDArray[np.generic], strata: NDArray[np.generic] | None) -> tuple[Index, list[Index]]:
    """Number of each sample's group, and the groups of each stratum."""
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    if strata is None:
        return member, [np.arange(len(first))]
    level = np.unique(strata, return_inverse=True)[1]
    if (level != level[first][member]).any():
        raise DataError("a group with members in several strata", "every group inside one stratum")
    return member, [np.flatnonzero(level[first] == value) for value in np.unique(level)]


def bootstrap(
    values: Values,
    groups: Values,
    strata: Values | None = None,
    resamples: int = 1000,
    seed: int = 0,
    statistic: Statistic = mean,
) -> tuple[float, float]:
    """95 % percentile interval from resampling whole groups (characters, subjects), not single clips.

    Args:
        values: (N,) or (N, ...), averaged over the rest, for means; probabilities (N, C) for entropies.
        groups: (N,) labels. strata: (N,) labels; groups are resampled inside each stratum.
        resamples: number of resamples. seed: of the stream `bootstrap`. statistic: one of this module.

    Returns:
        (low, high); (nan, nan) where a value is infinite.

    Raises:
        ShapeError: lengths that differ, nothing to resample. DataError: a value that is not a number.
    """
    data, member = _array(values).astype(np.float64), _array(groups)
    layer = None if strata is None else _array(strata)
    shapes = [member.shape] if layer is None else [member.shape, layer.shape]
    if not data.size or any(shape != data.shape[:1] for shape in shapes) or resamples < 1:
        given = f"values {data.shape}, labels {shapes}, {resamples} resamples"
        raise ShapeError(given, "values (N, ...), labels (N,), N >= 1, resamples >= 1")
    if np.isnan(data).any():
        raise DataError(f"{int(np.isnan(data).sum())} values are not numbers", "numbers", "look at the frames scored")
    if np.isinf(data).any():
        return float("nan"), float("nan")
    number, blocks = _clusters(member, layer)
    terms = statistic.terms(data)
    sums = np.zeros((number.max() + 1, terms.shape[1]))
    np.add.at(sums, number, terms)
    sizes = np.bincount(number)
    noise, total, count = generator(seed, "bootstrap"), np.zeros((resamples, terms.shape[1])), np.zeros((resamples, 1))
    for block in blocks:
        draws = torch.randint(len(block), (resamples, len(block)), generator=noise).numpy()
        rows = np.arange(resamples)[:, None] * len(block)
        weights = np.bincount((rows + draws).ravel(), minlength=resamples * len(block)).reshape(resamples, -1)
        total += weights @ sums[block]
        count += weights @ sizes[block][:, None]
    resampled = statistic.combine(total / count)
    low, high = np.quantile(resampled, [0.025, 0.975])
    if statistic.most is not None:  # concave: resamples fall short of the whole, and are moved back to it
        whole = statistic.combine(terms.mean(0))
        short = whole - resampled.mean()
        low, high = min(low + short, whole), max(whole, min(high + short, statistic.most(terms.shape[1])))
    return float(low), float(high)


def summary(
    values: Values,
    groups: Values,
    strata: Values | None = None,
    resamples: int = 1000,
    seed: int = 0,
    statistic: Statistic = mean,
) -> dict[str, float | int | list[float] | None]:
    """One entry of a results file: `value`, `ci95` and `n`; an infinite value (PSNR of the truth) is null.

    Arguments and errors as `bootstrap`.
    """
    low, high = bootstrap(values, groups, strata, resamples, seed, statistic)
    value = statistic(values)
    finite = bool(np.isfinite([value, low, high]).all())
    return {"value": value if finite else None, "ci95": [low, high] if finite else None, "n": len(values)}
