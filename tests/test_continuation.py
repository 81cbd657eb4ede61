"""A run of several cycles: one is trained where it is missing, taken where it is not, and never trained twice."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
import torch
from tiny import TinyClips, tiny_config

from hamrepro import checkpoint, continuation, judging, records, shipping
from hamrepro.cycles import FIRST_CYCLE, NO_MMD, SECOND_CYCLE, SHORT
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.models import build
from hamrepro.presets import configure, continued, first_cycle
from hamrepro.train import run_folder, train

FIRST = replace(tiny_config(model="halo-u", steps=3), model="halo-u+first-cycle")
SECOND = replace(
    FIRST, model="halo-u", training=replace(FIRST.training, continues=FIRST.model, steps=2, prior_states=0.5, periods=3)
)


def before(config):
    return FIRST if config.training.continues else None


@pytest.fixture
def go(monkeypatch, tmp_path):
    for module in (continuation, shipping):
        monkeypatch.setattr(module, "continued", before)

    def run(config=SECOND, seed=0, runs=tmp_path / "runs", clips=None, **options):
        options = {"weights": tmp_path / "weights"} | options
        return continuation.train_all_cycles(config, seed, clips or TinyClips(), runs, **options)

    return run


def weights(folder, config=SECOND):
    return checkpoint.load_latest(folder, config.sha256)[0]


def test_both_cycles_are_trained_and_the_first_only_once(go, tmp_path, monkeypatch):
    assert go()[1]
    first = run_folder(tmp_path / "runs", FIRST, 0)
    assert checkpoint.load_latest(first, FIRST.sha256)[2]["step"] == 3
    made = weights(run_folder(tmp_path / "runs", SECOND, 0))
    monkeypatch.setattr(continuation, "last_weights", lambda *given: pytest.fail("read again"))
    again, done = go()
    assert done and all(torch.equal(value, made[name]) for name, value in again.state_dict().items())


def test_shipped_weights_stand_for_the_run(go, tmp_path):
    go()
    ran = run_folder(tmp_path / "runs", FIRST, 0)
    path = records.weights_path(FIRST.preset, FIRST.dataset, FIRST.model, 0, tmp_path / "weights")
    card = {"config": FIRST.as_dict(), "clips_seen": 24, "train_seconds": 1}
    checkpoint.save_weights(path, weights(ran, FIRST), card)
    _, done = go(runs=tmp_path / "other")
    one, other = (weights(run_folder(tmp_path / runs, SECOND, 0)) for runs in ("runs", "other"))
    assert done and not run_folder(tmp_path / "other", FIRST, 0).exists()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_shipped_weights_of_other_data_do_not_stand_for_the_run(go, tmp_path):
    path = records.weights_path(FIRST.preset, FIRST.dataset, FIRST.model, 0, tmp_path / "weights")
    card = {"config": FIRST.as_dict(), "data_sha256": "0" * 64}
    checkpoint.save_weights(path, build(FIRST, 1).state_dict(), card)
    assert go()[1] and checkpoint.load_latest(run_folder(tmp_path / "runs", FIRST, 0), FIRST.sha256)[2]["step"] == 3


def test_a_card_counts_the_clips_and_seconds_of_both_cycles(go, tmp_path, monkeypatch):
    go()
    monkeypatch.setattr(shipping, "configure", lambda *names: SECOND)
    path = shipping.ship(SECOND.preset, SECOND.dataset, SECOND.model, 0, tmp_path / "runs", tmp_path / "weights")
    assert json.loads(path.with_suffix(".json").read_text())["clips_seen"] == (3 + 2) * FIRST.training.batch


def test_damaged_shipped_weights_are_refused(go, tmp_path):
    path = records.weights_path(FIRST.preset, FIRST.dataset, FIRST.model, 0, tmp_path / "weights")
    path.parent.mkdir()
    path.write_bytes(b"\0" * 64)
    path.with_suffix(".json").write_text("{}")
    with pytest.raises(CheckpointError):
        go()


def test_a_first_cycle_stopped_early_stops_the_whole(go, tmp_path):
    _, done = go(stop_after=0.0)
    assert not done and not run_folder(tmp_path / "runs", SECOND, 0).exists()


def test_no_run_continues_from_nothing(tmp_path):
    with pytest.raises(ConfigError, match="first-cycle"):
        train(SECOND, 0, TinyClips(), tmp_path / "run")


@pytest.mark.parametrize("model", ["halo-sp", "halo-u", "halo-linear", "halo-sp+adam", "halo-u+k9"])
def test_laptop_trains_halo_on_cycles_in_three(model):
    third = configure("laptop", "sprites", model)
    second, first = (configure("laptop", "sprites", f"{model}+{name}") for name in (SECOND_CYCLE, FIRST_CYCLE))
    assert (continued(third), continued(second), continued(first)) == (second, first, None)
    assert first_cycle(third) == first_cycle(second) == first_cycle(first) == first
    rates = third.training.learning_rate, second.training.learning_rate
    assert rates == (first.training.learning_rate / 2,) * 2
    assert [cycle.training.steps for cycle in (first, second, third)] == [3000, 1800, 500]
    assert [cycle.training.prior_states for cycle in (first, second, third)] == [0.0, 0.5, 0.5]
    assert [cycle.training.content_mmd for cycle in (first, second, third)] == [0.0, 4000.0, 0.0]
    assert [cycle.training.content_adversary for cycle in (first, second, third)] == [0.0, 0.0, 1000.0]
    short, without = (configure("laptop", "sprites", f"{model}+{variant}") for variant in (SHORT, NO_MMD))
    assert short.training == replace(second.training, steps=second.training.steps // 2)
    assert without.training == replace(short.training, content_mmd=0.0)


@pytest.mark.parametrize(
    "names",
    [("paper", "sprites", "halo-sp"), ("smoke", "sprites", "halo-sp"), ("laptop", "faces-procedural", "dsvae"),
     ("laptop", "faces-procedural", "halo-sp+unshifted"), ("laptop", "mug", "halo-sp+first-cycle"),
     ("laptop", "sprites", "halo-sp+brief"), ("laptop", "sprites", "dsvae"),
     ("laptop", "sprites", "halo-sp+windows-first")],
)  # fmt: skip
def test_nothing_else_is_continued(names):
    assert configure(*names).training.continues == ""


@pytest.mark.parametrize("preset", ["paper", "laptop", "smoke"])
def test_brief_is_a_quarter_of_the_first_cycle_in_every_preset(preset):
    brief, whole = (first_cycle(configure(preset, "sprites", name)) for name in ("halo-sp+brief", "halo-sp"))
    assert brief.training == replace(whole.training, steps=whole.training.steps // 4)


def test_long_is_three_times_the_first_cycle_with_content_that_must_not_tell_the_action():
    long, first = (configure("laptop", "sprites", f"halo-sp+{name}").training for name in ("long", "first-cycle"))
    assert not long.continues and long.content_mmd > 0
    changed = {"content_frames": "apart", "content_mmd": long.content_mmd}
    assert long == replace(first, steps=3 * first.steps, **changed)


@pytest.mark.parametrize("names", [("laptop", "faces-procedural", "halo-sp"), ("fast", "mug", "halo-u")])
def test_on_faces_two_cycles_follow_on_windows_as_long_as_what_is_scored(names):
    third = configure(*names)
    second, first = (configure(*names[:2], f"{names[2]}+{name}") for name in (SECOND_CYCLE, FIRST_CYCLE))
    assert (continued(third), continued(second), continued(first)) == (second, first, None)
    steps = first.training.steps
    assert [cycle.training.steps for cycle in (second, third)] == [steps * 5 // 18, steps // 3]
    assert [cycle.training.frames for cycle in (first, second, third)] == [None, 16, 16]
    assert [cycle.training.shift for cycle in (first, second, third)] == [2, 2, 2]
    rates = [cycle.training.muon_learning_rate for cycle in (second, third)]
    assert rates == [first.training.muon_learning_rate / 2] * 2
    for plain in ("unshifted", "narrow") if names[0] == "laptop" else ("unshifted",):
        config = configure(*names[:2], f"{names[2]}+{plain}")
        assert not config.training.shift and continued(config) is None


def test_after_the_long_cycle_comes_the_usual_second_one():
    config, usual = (configure("laptop", "sprites", f"halo-sp{name}+second-cycle") for name in ("+long", ""))
    assert config.training == replace(usual.training, continues="halo-sp+long")
    assert first_cycle(config).training == configure("laptop", "sprites", "halo-sp+long").training


@pytest.mark.parametrize(
    "names",
    [("laptop", "sprites", "dsvae+second-cycle"), ("paper", "sprites", "halo-sp+long+second-cycle"),
     ("laptop", "sprites", "dsvae+long+second-cycle"), ("laptop", "faces-procedural", "halo-u+long+second-cycle"),
     ("laptop", "sprites", "halo-u+first-cycle+second-cycle"), ("laptop", "faces-procedural", "halo-u+short"),
     ("paper", "sprites", "halo-u+no-mmd"),
     ("laptop", "faces-procedural", "halo-u+unshifted+second-cycle"), ("laptop", "mug", "dsvae+second-cycle")],
)  # fmt: skip
def test_a_second_cycle_is_refused_where_there_is_none(names):
    with pytest.raises(ConfigError, match="second-cycle"):
        configure(*names)


def test_recompute_goes_through_all_cycles_and_leaves_weights_and_record(monkeypatch, tmp_path):
    for module in (continuation, shipping):
        monkeypatch.setattr(module, "continued", before)
    for module in (judging, shipping):
        monkeypatch.setattr(module, "configure", lambda *names: SECOND)
        monkeypatch.setattr(module, "load", lambda *names: TinyClips())
    places = {"runs": tmp_path / "runs", "weights": tmp_path / "weights", "results": tmp_path / "results"}
    places["judges"] = tmp_path
    names = (SECOND.preset, SECOND.dataset, SECOND.model, 0)
    assert judging.recompute(*names, **places)
    assert run_folder(places["runs"], FIRST, 0).exists()
    assert records.weights_path(*names, places["weights"]).exists()
    assert records.read(*names, places["results"])["provenance"]["clips_seen"] > 0


def test_a_run_on_other_data_is_not_continued(go, tmp_path):
    assert go()[1]
    second = run_folder(tmp_path / "runs", SECOND, 0)
    shutil.rmtree(second)
    with pytest.raises(CheckpointError, match="was trained on data"):
        go(clips=TinyClips(identity="other"))
