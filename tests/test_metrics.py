"""SSIM, PSNR, MSE, entropies and intervals: Tables 1 and 2 of the paper."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from hamrepro import metrics
from hamrepro.errors import DataError, HamreproError, ShapeError

SEEDS = st.integers(0, 10**6)


def pictures(seed, *lead, side=16):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 256, (*lead, 3, side, side), dtype=np.uint8)
    frames = np.clip(truth + rng.normal(0, 40, truth.shape), 0, 255).astype(np.uint8)
    return frames, truth


def chances(seed, count, classes, sharpness=2.0):
    logits = sharpness * np.random.default_rng(seed).standard_normal((count, classes))
    p = np.exp(logits - logits.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


@given(SEEDS, st.integers(7, 24))
def test_every_frame_equals_scikit_image(seed, side):
    frames, truth = pictures(seed, 2, 3, side=side)
    scores = [metric(frames, truth) for metric in (metrics.ssim, metrics.psnr, metrics.mse)]
    assert all(score.shape == (2, 3) and score.dtype == np.float64 for score in scores)
    for place in np.ndindex(2, 3):
        x, y = (np.moveaxis(clip[place], 0, -1) / 255 for clip in (frames, truth))
        expected = (
            structural_similarity(x, y, channel_axis=-1, data_range=1),
            peak_signal_noise_ratio(y, x, data_range=1),
            mean_squared_error(x, y),
        )
        assert np.allclose([score[place] for score in scores], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("metric", [metrics.ssim, metrics.psnr, metrics.mse])
def test_kinds_of_input_agree(metric):
    frames, truth = pictures(0, 4)
    score = metric(frames, truth)
    assert np.array_equal(score, metric(torch.from_numpy(frames), truth))
    assert np.array_equal(score, metric(torch.from_numpy(frames).double() / 255, truth / 255))
    single = metric(torch.from_numpy(frames).float().div(255).requires_grad_(), truth)
    assert single.dtype == np.float64 and np.allclose(score, single, rtol=1e-5)
    rounded = metric(torch.from_numpy(frames).bfloat16() / 255, truth)
    assert np.allclose(score, rounded, rtol=0.02)


def test_the_truth_scores_one_and_infinity():
    _, truth = pictures(0, 2)
    assert np.allclose(metrics.ssim(truth, truth), 1, atol=1e-15)
    assert (metrics.mse(truth, truth) == 0).all() and np.isposinf(metrics.psnr(truth, truth)).all()


def test_black_against_white():
    black, white = np.zeros((1, 3, 8, 8), np.uint8), np.full((1, 3, 8, 8), 255, np.uint8)
    assert metrics.mse(black, white) == 1 and metrics.psnr(black, white) == 0
    assert metrics.ssim(black, white) == pytest.approx(1e-4 / (1 + 1e-4), rel=1e-9), "C1 / (1 + C1)"


def test_symmetry_and_bounds():
    frames, truth = pictures(3, 20)
    for metric in (metrics.ssim, metrics.psnr, metrics.mse):
        assert np.allclose(metric(frames, truth), metric(truth, frames), rtol=1e-12)
    assert (np.abs(metrics.ssim(frames, truth)) < 1).all() and (metrics.mse(frames, truth) < 1).all()


def test_frame_averages_of_psnr_exceed_the_pooled_one():
    frames, truth = pictures(0, 6)
    frames[0] = truth[0] // 2
    error = metrics.mse(frames, truth)
    assert metrics.mean(metrics.psnr(frames, truth)) > -10 * math.log10(error.mean()) + 0.1


def test_a_frame_costs_a_few_milliseconds():
    frames, truth = pictures(0, 32, side=64)
    metrics.ssim(frames[:2], truth[:2])
    begin = time.process_time()
    metrics.ssim(frames, truth)
    assert (time.process_time() - begin) / 32 < 0.01, "about 0.6 ms on an idle core of 2024"


@pytest.mark.parametrize("metric", [metrics.ssim, metrics.psnr, metrics.mse])
@pytest.mark.parametrize(
    ("frames", "truth"),
    [
        (np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 9), np.uint8)),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)),
        (np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)),
        (np.zeros((0, 3, 8, 8), np.uint8), np.zeros((0, 3, 8, 8), np.uint8)),
        (np.zeros((3, 8, 8), np.int64), np.zeros((3, 8, 8), np.int64)),
        (np.zeros((3, 8, 8), bool), np.zeros((3, 8, 8), bool)),
        (torch.full((3, 8, 8), -0.5), torch.zeros(3, 8, 8)),
        (torch.full((3, 8, 8), 255.0), torch.zeros(3, 8, 8)),
        (torch.full((3, 8, 8), math.nan), torch.zeros(3, 8, 8)),
        (torch.zeros(3, 8, 8), torch.full((3, 8, 8), math.inf)),
    ],
)
def test_wrong_frames_are_named(metric, frames, truth):
    with pytest.raises(ShapeError) as caught:
        metric(frames, truth)
    assert caught.value.given and caught.value.expected


def test_frames_below_the_window_of_ssim():
    with pytest.raises(ShapeError, match="7x7"):
        metrics.ssim(np.zeros((3, 6, 8), np.uint8), np.zeros((3, 6, 8), np.uint8))


@given(SEEDS, st.integers(1, 40), st.integers(2, 9))
def test_entropies_against_loops(seed, count, classes):
    p = chances(seed, count, classes)
    conditional = -np.mean([sum(x * math.log(x + 1e-16) for x in row) for row in p])
    marginal = -sum(x * math.log(x + 1e-16) for x in p.mean(0))
    divergence = np.mean([sum(x * math.log(x / m) for x, m in zip(row, p.mean(0), strict=True)) for row in p])
    assert metrics.conditional_entropy(p) == pytest.approx(conditional, abs=1e-12)
    assert metrics.marginal_entropy(p) == pytest.approx(marginal, abs=1e-12)
    assert metrics.inception_score(p) == pytest.approx(math.exp(divergence), rel=1e-9)


@given(SEEDS, st.integers(1, 40), st.integers(2, 9), st.floats(0, 50))
def test_bounds_of_entropies(seed, count, classes, sharpness):
    p = chances(seed, count, classes, sharpness)
    conditional, marginal = metrics.conditional_entropy(p), metrics.marginal_entropy(p)
    assert -1e-12 <= conditional <= marginal + 1e-12 <= math.log(classes) + 2e-12
    assert metrics.inception_score(p) == pytest.approx(math.exp(marginal - conditional), rel=1e-12)
    assert 1 - 1e-12 <= metrics.inception_score(p) <= classes + 1e-9


@pytest.mark.parametrize("classes", [2, 3, 6, 9])
def test_entropies_of_the_extremes(classes):
    uniform, certain = np.full((30, classes), 1 / classes), np.eye(classes)
    constant = np.repeat(certain[:1], 30, 0)
    for p, conditional, marginal in (
        (uniform, math.log(classes), math.log(classes)),
        (certain, 0, math.log(classes)),
        (constant, 0, 0),
    ):
        assert metrics.conditional_entropy(p) == pytest.approx(conditional, abs=1e-12)
        assert metrics.marginal_entropy(p) == pytest.approx(marginal, abs=1e-12)
        assert metrics.inception_score(p) == pytest.approx(math.exp(marginal - conditional), rel=1e-12)


@pytest.mark.parametrize(
    "p", [np.ones(3) / 3, np.ones((4, 1)), np.ones((4, 3)), np.array([[1.5, -0.5]]), np.array([[math.nan, 1.0]])]
)
def test_what_is_no_probability_is_named(p):
    for statistic in (metrics.conditional_entropy, metrics.marginal_entropy, metrics.inception_score):
        with pytest.raises(HamreproError):
            statistic(p)


def clustered(seed, groups=40, members=9, between=1.0, within=0.2):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(groups), members)
    return between * rng.standard_normal(groups)[labels] + within * rng.standard_normal(len(labels)), labels


def test_interval_is_a_function_of_the_seed():
    values, groups = clustered(0)
    once = metrics.bootstrap(values, groups, seed=3)
    assert once == metrics.bootstrap(torch.from_numpy(values), torch.from_numpy(groups), seed=3)
    assert once != metrics.bootstrap(values, groups, seed=4)
    shuffled = np.random.default_rng(0).permutation(len(values))
    assert np.allclose(once, metrics.bootstrap(values[shuffled], groups[shuffled], seed=3), atol=1e-12)
    assert once == metrics.bootstrap(values, np.array([f"character {label:03d}" for label in groups]), seed=3)


def test_interval_equals_a_loop_over_groups():
    """The same resamples, drawn from the same stream, with every sample gathered by hand."""
    values, groups = clustered(1, groups=12, members=3)
    keep = np.ones(len(values), bool)
    keep[[0, 1, 7]] = False  # groups of unequal sizes
    values, groups = values[keep], groups[keep]
    draws = torch.randint(12, (200, 12), generator=metrics.generator(5, "bootstrap")).numpy()
    means = [np.concatenate([values[groups == label] for label in row]).mean() for row in draws]
    expected = np.quantile(means, [0.025, 0.975])
    assert np.allclose(metrics.bootstrap(values, groups, resamples=200, seed=5), expected, atol=1e-12)


def test_interval_of_entropies_equals_a_loop():
    p, groups = chances(0, 60, 5), np.repeat(np.arange(12), 5)
    draws = torch.randint(12, (100, 12), generator=metrics.generator(0, "bootstrap")).numpy()
    samples = [np.concatenate([p[groups == label] for label in row]) for row in draws]
    for statistic in (metrics.conditional_entropy, metrics.marginal_entropy, metrics.inception_score):
        found = np.array([statistic(sample) for sample in samples])
        expected = np.quantile(found, [0.025, 0.975])
        if statistic is not metrics.conditional_entropy:  # concave: moved back to the value of the whole
            expected = np.minimum(
                expected + statistic(p) - found.mean(),
                statistic.most(5 if statistic is metrics.marginal_entropy else 6),
            )
        assert np.allclose(metrics.bootstrap(p, groups, resamples=100, statistic=statistic), expected, atol=1e-12)


def test_whole_groups_widen_the_interval():
    values, groups = clustered(2)
    low, high = metrics.bootstrap(values, groups)
    alone = metrics.bootstrap(values, np.arange(len(values)))
    means = values.reshape(40, 9).mean(1)
    assert low < values.mean() < high
    assert high - low > 2 * (alone[1] - alone[0]), "nine clips of a character are not nine characters"
    assert high - low == pytest.approx(2 * 1.96 * means.std() / math.sqrt(40), rel=0.15)


def test_coverage():
    hits = 0
    for seed in range(200):
        values, groups = clustered(seed, groups=60, members=3)
        low, high = metrics.bootstrap(values, groups, resamples=300, seed=seed)
        hits += low <= 0 <= high
    assert 180 <= hits <= 199, "95 % of 200, minus the small sample's shortfall, give or take 3 sigma"


@pytest.mark.parametrize("seed", range(5))
def test_the_entropy_of_even_answers_lies_in_its_interval(seed):
    noise = np.random.default_rng(seed)
    classes = np.repeat(np.arange(6), 24)
    p = np.full((144, 6), 0.01) + 0.94 * np.eye(6)[classes]
    for groups in (np.arange(144) % 48, noise.permutation(144) % 48):
        for name, most in (("h_y", math.log(6)), ("is", 6.0)):
            entry = metrics.summary(p, groups, statistic=metrics.STATISTICS[name])
            low, high = entry["ci95"]
            assert low <= entry["value"] <= high <= most + 1e-9


def test_strata_keep_their_shares():
    values = np.repeat([0.0, 1.0], [90, 30]) + np.tile([-0.01, 0, 0.01], 40)
    groups, strata = np.repeat(np.arange(40), 3), np.repeat([0, 1], [90, 30])
    free, held = metrics.bootstrap(values, groups), metrics.bootstrap(values, groups, strata)
    assert free[1] - free[0] > 0.2 and held[1] - held[0] < 1e-9, "every group has the mean of its stratum"
    with pytest.raises(DataError, match="strata"):
        metrics.bootstrap(values, np.arange(120) % 40, strata)


def test_clips_of_many_frames_and_single_groups():
    values, groups = clustered(3)
    frames = np.stack([values - 1, values + 1], 1)
    assert np.allclose(metrics.bootstrap(frames, groups), metrics.bootstrap(values, groups), atol=1e-12)
    assert np.allclose(metrics.bootstrap(values, np.zeros_like(groups)), values.mean(), atol=1e-12)


def test_interval_of_the_test_set_is_quick():
    values, groups = clustered(0, groups=296, members=9)
    metrics.bootstrap(values, groups)
    begin = time.process_time()
    metrics.bootstrap(values, groups)
    assert time.process_time() - begin < 0.5, "about 0.02 s on an idle core of 2024"


def test_entry_of_a_results_file():
    values, groups = clustered(0)
    entry = metrics.summary(values, groups)
    assert entry["value"] == pytest.approx(values.mean()) and entry["n"] == len(values)
    assert entry["ci95"] == list(metrics.bootstrap(values, groups))
    frames, truth = pictures(0, 4)
    perfect = metrics.summary(metrics.psnr(truth, truth), np.arange(4))
    assert perfect == {"value": None, "ci95": None, "n": 4}, "the truth's PSNR is null, not a number"
    frames[0] = truth[0]
    assert metrics.summary(metrics.psnr(frames, truth), np.arange(4))["value"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"values": np.zeros(0), "groups": np.zeros(0)},
        {"values": np.zeros(3), "groups": np.zeros(4)},
        {"values": np.zeros(3), "groups": np.zeros((3, 1))},
        {"values": np.float64(1), "groups": np.zeros(1)},
        {"values": np.zeros(3), "groups": np.zeros(3), "strata": np.zeros(2)},
        {"values": np.zeros(3), "groups": np.zeros(3), "resamples": 0},
        {"values": np.array([0, math.nan, 1]), "groups": np.zeros(3)},
    ],
)
def test_wrong_samples_are_named(arguments):
    with pytest.raises(HamreproError) as caught:
        metrics.bootstrap(**arguments)
    assert caught.value.given and caught.value.expected
