"""Scores of generation: rows with known answers, spans, the fixed share, and nothing that hangs on the batch."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import TinyClips, tiny_config
from torch import nn

from hamrepro import evaluate, shipping
from hamrepro.batches import normalise
from hamrepro.errors import ConfigError
from hamrepro.evaluate import SPANS, evaluate_generation, generation_metrics, of_model, score_frames, subset, trivial
from hamrepro.models import build
from hamrepro.tuning import in_tune

METRICS = ("ssim", "psnr", "mse")


class Grouped(TinyClips):
    """Clips of characters 30, 10, 20, in an order of their own: by label, or by character."""

    def __init__(self, groups):
        super().__init__(len(groups))
        self.groups = torch.tensor(groups)


@pytest.fixture(scope="module")
def clips():
    return TinyClips()


@pytest.fixture(scope="module")
def model():
    config = tiny_config()
    network = build(replace(config, network=replace(config.network, contrast=1.0, background=0.0)), 0).train()
    for layer in network.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = None
    everything = TinyClips()
    with torch.no_grad():
        network.features(normalise(everything.clips(torch.arange(6))))
    return network.eval()


def everything(clip_set):
    return torch.arange(len(clip_set))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([30, 10, 20] * 4, [0, 4, 8]),  # label by label, as Sprites: character i in action-view i
        ([30] * 2 + [10] * 3 + [20], [0, 3, 5]),  # character by character, as faces
        ([7] * 5, [0]),
        ([1, 2, 3], [0, 1, 2]),
    ],
)
def test_the_share_has_every_character_once_its_clips_by_turns(groups, expected):
    chosen = subset(Grouped(groups))
    assert chosen.tolist() == expected
    assert torch.equal(chosen, subset(Grouped(groups)))


def test_the_share_of_sprites_is_296_clips_over_all_labels():
    groups = list(range(296)) * 9
    chosen = subset(Grouped(groups))
    assert len(set(np.array(groups)[chosen.numpy()])) == 296 == len(chosen)
    assert np.bincount(chosen.numpy() // 296, minlength=9).min() >= 32


def test_the_spans_are_seen_extrapolated_and_both():
    frames = np.arange(1, 17)
    assert frames[SPANS["1-8"]].tolist() == list(range(1, 9))
    assert frames[SPANS["9-16"]].tolist() == list(range(9, 17))
    assert frames[SPANS["1-16"]].tolist() == list(range(1, 17))


def test_the_truth_is_perfect(clips):
    scores = score_frames(trivial("ground-truth"), clips, everything(clips), "clip")
    assert (scores["ssim"] == 1).all() and (scores["mse"] == 0).all() and np.isinf(scores["psnr"]).all()
    entries = generation_metrics(scores, clips.groups, "clip")
    assert entries["ssim/clip/1-16"] == {"value": 1.0, "ci95": [1.0, 1.0], "n": len(clips)}
    assert entries["mse/clip/1-16"]["value"] == 0
    assert entries["psnr/clip/1-16"]["value"] is None and entries["psnr/clip/1-16"]["ci95"] is None
    json.dumps(entries, allow_nan=False)


class Onset(TinyClips):
    """Takes that get brighter from frame to frame and never come back: no cycle, as faces."""

    cyclic = False

    def clips(self, index, start=None, frames=None):
        first = torch.zeros_like(index) if start is None else start
        bright = first[:, None] + torch.arange(self.frames if frames is None else frames)
        return (10 * bright).to(torch.uint8)[..., None, None, None].expand(-1, -1, 3, 64, 64)


def test_the_truth_of_what_is_no_cycle_goes_on_after_the_frames_seen():
    takes = Onset()
    scores = score_frames(trivial("ground-truth"), takes, everything(takes), "clip")
    assert scores["mse"].shape == (len(takes), 16) and (scores["mse"] == 0).all() and (scores["ssim"] == 1).all()
    late = score_frames(trivial("ground-truth"), takes, everything(takes), "clip", skip=8)
    assert (late["mse"] == 0).all()
    still = score_frames(trivial("copy-first"), takes, everything(takes), "clip")["mse"][0]
    assert np.allclose(still, (np.arange(16) * 10 / 255) ** 2)
    mean = score_frames(trivial("mean-frame"), takes, everything(takes), "clip")["mse"][0]
    assert np.allclose(mean, ((np.arange(16) - 1.5) * 10 / 255) ** 2)


def test_the_first_frame_repeated_is_right_once_a_cycle(clips):
    error = score_frames(trivial("copy-first"), clips, everything(clips), "clip")["mse"]
    assert (error[:, :: clips.frames] == 0).all()
    assert (error[:, 1] > 0).all()


def test_the_mean_frame_has_the_least_error_of_all_constant_ones(clips):
    mean, first = (
        score_frames(trivial(name), clips, everything(clips), "clip")["mse"].mean(1)
        for name in ("mean-frame", "copy-first")
    )
    assert (mean < first).all()
    truth = clips.clips(everything(clips)).numpy() / 255.0
    assert np.allclose(mean, truth.var(1).mean((1, 2, 3)), atol=1e-7)


def test_trivial_rows_have_the_truth_s_shape(clips):
    given = clips.clips(torch.tensor([1, 2]))
    assert trivial("ground-truth") is None
    for name in set(evaluate.TRIVIAL) - {"ground-truth"}:
        made = trivial(name)(given, torch.tensor([1, 2]), 16, 3, "clip")
        assert made.shape == (2, 13, 3, 64, 64)


def test_entries_are_means_over_clips_and_frames(clips):
    generator = np.random.default_rng(0)
    scores = {"ssim": generator.random((6, 16))}
    entries = generation_metrics(scores, clips.groups, "strict")
    assert set(entries) == {f"ssim/strict/{span}" for span in SPANS}
    assert entries["ssim/strict/9-16"]["value"] == pytest.approx(scores["ssim"][:, 8:].mean())
    low, high = entries["ssim/strict/9-16"]["ci95"]
    assert low <= entries["ssim/strict/9-16"]["value"] <= high


@pytest.mark.parametrize("conditioning", ["clip", "strict"])
def test_scores_do_not_hang_on_the_batch(clips, model, conditioning):
    whole = score_frames(of_model(model), clips, everything(clips), conditioning)
    for batch in (1, 4):
        parts = score_frames(of_model(model), clips, everything(clips), conditioning, batch=batch)
        assert all(np.allclose(whole[name], parts[name], atol=1e-5) for name in METRICS)


def test_scores_come_in_the_order_asked_for(clips, model):
    whole = score_frames(of_model(model), clips, everything(clips), "clip")
    some = score_frames(of_model(model), clips, torch.tensor([4, 1]), "clip")
    assert all(np.allclose(whole[name][[4, 1]], some[name], atol=1e-5) for name in METRICS)


@pytest.mark.parametrize("row", ["model", "mean-frame", "copy-first", "ground-truth"])
def test_late_frames_are_the_end_of_a_long_row(clips, model, row):
    generate = of_model(model) if row == "model" else trivial(row)
    index = torch.tensor([0, 3])
    whole = score_frames(generate, clips, index, "clip", frames=22)
    late = score_frames(generate, clips, index, "clip", frames=22, skip=17)
    assert all(np.allclose(whole[name][:, 17:], late[name], atol=1e-5) for name in METRICS)


def test_only_the_frames_scored_are_made():
    """Frames 993-1,000 of 48 clips would otherwise be 590 MB of truth alone."""
    asked = []

    class Watched(TinyClips):
        def clips(self, index, start=None, frames=None):
            asked.append(frames or self.frames)
            return super().clips(index, start, frames)

    score_frames(trivial("copy-first"), Watched(), torch.tensor([0]), "clip", frames=1000, skip=992)
    assert max(asked) == 8


def test_an_evaluation_has_every_key_of_table_1(clips, model, monkeypatch):
    monkeypatch.setattr(evaluate, "HORIZONS", (24, 40))
    result = evaluate_generation(of_model(model), clips)
    keys = {
        f"{metric}/{conditioning}/{span}" for metric in METRICS for conditioning in ("clip", "strict") for span in SPANS
    }
    assert set(result["metrics"]) == keys
    far = {f"{metric}/clip/{span}" for metric in METRICS for span in ("17-24", "33-40")}
    assert set(result["subset"]) == keys | far
    assert {entry["n"] for entry in result["metrics"].values()} == {len(clips)}
    assert {entry["n"] for entry in result["subset"].values()} == {len(subset(clips))}
    tuned = evaluate_generation(of_model(model), clips, tuned=of_model(in_tune(model, clips.frames)))
    assert set(tuned["subset"]) - set(result["subset"]) == {key.replace("clip", "tuned") for key in far}
    near, later = (tuned["subset"][f"ssim/tuned/{span}"]["value"] for span in ("17-24", "33-40"))
    assert near == pytest.approx(later, abs=1e-6), "what is in tune comes round"
    quick = evaluate_generation(of_model(model), clips, quick=True)
    assert set(quick) == {"subset"} and set(quick["subset"]) == keys
    for key in keys:
        assert quick["subset"][key]["value"] == pytest.approx(result["subset"][key]["value"], abs=1e-4)


def test_what_is_no_cycle_has_no_frame_1000(clips, model):
    still = TinyClips()
    still.cyclic = False
    result = evaluate_generation(trivial("copy-first"), still, conditionings=("clip",))
    assert set(result["subset"]) == {f"{metric}/clip/{span}" for metric in (*METRICS, "ssim-gain") for span in SPANS}
    assert all(result["metrics"][f"ssim-gain/clip/{span}"]["value"] == 0 for span in SPANS)
    made = evaluate_generation(of_model(model), still)["metrics"]
    for key in (f"{conditioning}/1-16" for conditioning in ("clip", "strict")):
        lead = made[f"ssim/{key}"]["value"] - result["metrics"]["ssim/clip/1-16"]["value"]
        assert made[f"ssim-gain/{key}"]["value"] == pytest.approx(lead)


def test_evaluating_leaves_no_gradient(clips, model):
    score_frames(of_model(model), clips, torch.tensor([0]), "clip")
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "names", [("lapto", "sprites", "halo-sp"), ("laptop", "sprite", "halo-sp"), ("laptop", "sprites", "halo-spp"),
              ("any", "../sprites", "copy-first"), ("lapto", "sprites", "ground-truth")]
)  # fmt: skip
def test_a_slip_of_the_pen_makes_no_folder(tmp_path, names):
    with pytest.raises(ConfigError):
        shipping.require_room(*names, 0, results=tmp_path / "results")
    assert not (tmp_path / "results").exists()
