"""Protocols: what they ask, how they are scored, and what they refuse."""

from __future__ import annotations

import math
from typing import ClassVar

import pytest
import torch
from coded_clips import CodedClips, Oracle, Perfect, read
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_config
from torch import nn

from hamrepro.controls import TRIVIAL, CopySource
from hamrepro.disentanglement import evaluate_protocols, run_protocol
from hamrepro.errors import ConfigError, DataError, JudgeError
from hamrepro.judges import Judge, heads_of
from hamrepro.models import build
from hamrepro.protocols import PROTOCOLS, balanced, make_task, partners, requests

ATTRIBUTES = ("skin", "pants", "tops", "hair")


@pytest.fixture(scope="module")
def clips():
    return CodedClips(people=9)


@pytest.fixture(scope="module")
def faces():
    return CodedClips(faces=True)


def everything(clip_set):
    return torch.arange(len(clip_set))


def run(protocol, model, clip_set, judge=None, **options):
    judges = {"": judge or Oracle(clip_set)}
    return run_protocol(protocol, model, clip_set, everything(clip_set), judges, **options)


def values(entries):
    return {key: entry["value"] for key, entry in entries.items()}


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 9))
def test_partners_are_a_bijection_without_a_clip_of_the_same_character(seed, people, each):
    groups = torch.arange(people).repeat(each)
    pairs = partners(groups, seed)
    assert sorted(pairs.tolist()) == list(range(len(groups)))
    assert (groups[pairs] != groups).all()


@given(st.integers(0, 1000), st.lists(st.integers(1, 7), min_size=3, max_size=8))
def test_partners_of_groups_of_different_sizes(seed, sizes):
    groups = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    if 2 * max(sizes) > sum(sizes):
        with pytest.raises(DataError, match="half"):
            partners(groups, seed)
    else:
        assert (groups[partners(groups, seed)] != groups).all()


def test_partners_show_other_labels_too(clips):
    task = make_task("C", Perfect(), clips, everything(clips))
    same = (clips.targets["action_view"][task.content] == clips.targets["action_view"]).double().mean()
    assert 0.02 < same < 0.25


def test_every_character_is_asked_for_every_action_equally_often(clips):
    wanted = requests(clips.targets["action"], clips.groups, 3)
    for character in range(9):
        assert torch.bincount(wanted[clips.groups == character]).tolist() == [3, 3, 3]
    joint = 3 * wanted + clips.targets["view"]
    assert torch.bincount(joint).tolist() == [9] * 9


def test_balanced_keeps_equal_counts_and_as_many_as_it_can():
    classes = torch.tensor([0] * 5 + [1] * 3 + [2] * 9)
    rows = balanced(classes, 3, seed=4)
    assert torch.bincount(classes[rows]).tolist() == [3, 3, 3]
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert balanced(classes, 3, seed=5).tolist() != rows.tolist()


@pytest.mark.parametrize("classes", [[0, 0, 2], [0, 1], [0, 1, 2, 3]])
def test_an_empty_or_unknown_class_is_refused(classes):
    with pytest.raises(DataError, match="clips per class"):
        balanced(torch.tensor(classes), 3)


@pytest.mark.parametrize("label", ["action", "action_view"])
@pytest.mark.parametrize("protocol", ["A", "C", "I", "R"])
def test_a_model_without_error_scores_one(clips, protocol, label):
    found = values(run(protocol, Perfect(label), clips))
    for reading in ("9way", "3way", "view", *ATTRIBUTES, "both"):
        assert found[f"accuracy/{protocol}/{reading}"] == 1.0, reading
    assert found[f"h_y_given_x/{protocol}/9way"] < 1e-12
    # Swapped views are nearly even: each clip lends its content once, but not once per action.
    assert found[f"h_y/{protocol}/9way"] == pytest.approx(math.log(9), abs=0.1 if protocol == "C" else 1e-9)


def test_late_frames_are_scored_apart(clips):
    class Fading(Perfect):
        def with_prior_motion(self, content, content_action, action, frames, noise):
            made = super().with_prior_motion(content, content_action, action, frames, noise)
            return torch.cat([made[:, :8], content], 1)

    found = values(run("A", Fading(), clips))
    assert found["accuracy/A/3way"] == found["accuracy/A/own-action"] == found["accuracy/A/other-action"] == 1.0
    assert found["accuracy-9-16/A/3way"] == pytest.approx(1 / 3)
    assert found["accuracy-9-16/A/skin"] == 1.0


def test_protocol_b_scores_motion_alone(clips):
    found = values(run("B", Perfect(), clips, draws=3))
    assert found["accuracy/B/3way"] == 1.0
    assert 0.2 < found["accuracy/B/view"] < 0.5  # the view is drawn with the content
    assert not any(key.startswith("accuracy/B/skin") for key in found)
    assert values(run("B", Perfect("action_view"), clips))["accuracy/B/9way"] == 1.0


def test_a_bank_of_training_clips_stands_for_a_prior_that_takes_no_request(clips):
    with pytest.raises(ConfigError, match="without a bank"):
        run("A-bank", Perfect(supervised=False), clips)
    found = values(run("A-bank", Perfect(supervised=False), clips, bank=CodedClips(people=4)))
    assert found["accuracy/A-bank/9way"] == found["accuracy/A-bank/both"] == 1.0


def test_categories(clips):
    found = values(run("A-category", Perfect("action_view"), clips))
    assert found["accuracy/A-category/9way"] == 1.0
    assert found["h_y/A-category/9way"] == pytest.approx(math.log(9))
    found = values(run("A-category", Perfect(), clips))
    assert found["accuracy/A-category/3way"] == 1.0
    assert "accuracy/A-category/9way" not in found


def test_what_was_not_requested_has_no_accuracy(clips):
    found = values(run("A", Perfect("action_view", supervised=False), clips))
    assert not any(f"accuracy/A/{reading}" in found for reading in ("9way", "3way", "view", "both"))
    assert found["accuracy/A/hair"] == 1.0
    assert "h_y_given_x/A/9way" in found


def test_copying_the_source_is_chance_where_it_should_be(clips):
    found = values(run("A", CopySource(), clips))
    assert found["accuracy/A/3way"] == pytest.approx(1 / 3)
    assert (found["accuracy/A/own-action"], found["accuracy/A/other-action"]) == (1.0, 0.0)
    assert found["accuracy/A/view"] == found["accuracy/A/skin"] == 1.0
    found = values(run("C", CopySource(), clips))
    assert found["accuracy/C/3way"] == found["accuracy/C/view-of-motion"] == 1.0
    assert found["accuracy/C/skin"] < 0.5 and found["accuracy/C/view"] < 0.6


@pytest.mark.parametrize(("supervised", "content"), [(True, True), (False, False)])
def test_the_view_of_a_swap_is_read_both_ways(clips, supervised, content):
    found = values(run("C", Perfect(supervised=supervised), clips))
    assert (found["accuracy/C/view-of-content"] == 1.0) == content
    assert (found["accuracy/C/view-of-motion"] == 1.0) != content
    assert found["accuracy/C/view"] == 1.0


def test_who_takes_no_request_is_not_asked_for_one(clips):
    with pytest.raises(ConfigError, match="takes no request"):
        run("I", Perfect(supervised=False), clips)


def test_the_entropy_of_even_answers_lies_in_its_interval(faces):
    found = run("C", CopySource(), faces, Oracle(faces, margin=6.0))
    for name in ("h_y/C/6way", "is/C/6way"):
        low, high = found[name]["ci95"]
        assert low <= found[name]["value"] <= high, name


class Overruled(Perfect):
    """Tells the action of the content wherever the two clips are seen from different sides."""

    def swap(self, motion, motion_action, content, content_action):
        made = super().swap(motion, motion_action, content, content_action)
        agree = read(motion, "view") == read(content, "view")
        return torch.where(agree[:, None, None, None, None], made, content)


@pytest.mark.parametrize(("label", "supervised"), [("action", True), ("action_view", True), ("action", False)])
def test_swaps_are_read_apart_by_whether_the_views_agree(clips, label, supervised):
    found = values(run("C", Overruled(label, supervised), clips))
    assert found["accuracy/C/own-view"] == 1.0 > found["accuracy/C/other-view"]
    assert not any("-view" in key for key in values(run("A", Overruled(label, supervised), clips)))


def test_faces(faces):
    found = values(run("A", CopySource(), faces))
    assert found["accuracy/A/6way"] == pytest.approx(1 / 6, abs=0.05)
    assert (found["accuracy/A/own-action"], found["accuracy/A/other-action"]) == (1.0, 0.0)
    assert found["accuracy/A/identity"] == 1.0
    found = values(run("R", TRIVIAL["ground-truth"](), faces))
    assert found["accuracy/R/both"] == 1.0
    assert found["is/R/6way"] == pytest.approx(6)


@pytest.mark.parametrize("margin", [0.0, 0.5, 2.0])
def test_inception_score_is_the_exponential_of_the_difference(clips, margin):
    found = values(run("R", Perfect(), clips, Oracle(clips, margin)))
    for reading in ("9way", "3way"):
        entropies = found[f"h_y/R/{reading}"] - found[f"h_y_given_x/R/{reading}"]
        assert found[f"is/R/{reading}"] == pytest.approx(math.exp(entropies), rel=1e-12)
    if margin == 0:
        assert found["h_y_given_x/R/9way"] == pytest.approx(math.log(9), rel=1e-12)


def test_draws_are_averaged_per_clip_and_n_counts_clips(clips):
    one, three = run("B", Perfect(), clips), run("B", Perfect(), clips, draws=3)
    assert one["accuracy/B/9way"]["n"] == three["accuracy/B/9way"]["n"] == three["is/B/9way"]["n"] == 81
    assert three["h_y/B/3way"]["draws"] == 3
    assert one["accuracy/B/9way"]["value"] != three["accuracy/B/9way"]["value"]
    assert three == run("B", Perfect(), clips, draws=3)
    assert three != run("B", Perfect(), clips, draws=3, seed=1)
    low, high = three["accuracy/B/9way"]["ci95"]
    assert low < three["accuracy/B/9way"]["value"] < high


def test_a_model_without_the_verb_is_refused_alone_and_explained_in_a_table(clips):
    class Generator(nn.Module):
        inapplicable: ClassVar = {"with_prior_content": "no encoder"}

        def sample(self, action, frames, noise):
            return Perfect().sample(action, frames, noise)

    with pytest.raises(ConfigError, match="no encoder"):
        run("B", Generator(), clips)
    found = evaluate_protocols(Generator(), clips, {"": Oracle(clips)}, quick=True)["subset"]
    assert found["accuracy/B/9way"] == {"value": None, "ci95": None, "n": 0, "why": "no encoder"}
    assert "no verb swap" in found["accuracy/C/9way"]["why"]
    assert found["accuracy/A-category/3way"]["value"] == 1.0


def test_trivial_rows_leave_no_reasons(clips):
    for trivial in TRIVIAL.values():
        found = evaluate_protocols(trivial(), clips, {"": Oracle(clips)}, quick=True)["subset"]
        assert found and all(entry["value"] is not None for entry in found.values())


def test_quick_scores_the_share_alone(clips):
    found = evaluate_protocols(Perfect(), clips, {"": Oracle(clips), "-blur": Oracle(clips)}, draws=1)
    assert set(found) == {"metrics", "subset"}
    assert found["metrics"]["accuracy/A/9way"]["n"] == 81
    assert found["subset"]["accuracy/A/9way"]["n"] == 9
    assert found["metrics"]["accuracy-blur/C/both"]["value"] == 1.0
    assert not any("/R/" in key or "/A-category/" in key for key in found["metrics"])  # controls: on the share alone
    assert found["subset"]["accuracy/R/both"]["value"] == 1.0
    assert not any(key.startswith("h_y-blur") for key in found["metrics"])
    quick = evaluate_protocols(Perfect(), clips, {"": Oracle(clips), "-blur": Oracle(clips)}, quick=True)
    assert quick == {"subset": found["subset"]}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("variant", ["halo-sp", "halo-u+k9"])
def test_halo_follows_every_protocol(clips, protocol, variant):
    judge = Judge(heads_of(clips), base=2, features=4, hidden=4).eval()
    judge.card = Oracle(clips).card
    model = build(tiny_config(model=variant), 0).eval()
    found = run(protocol, model, clips, judge, bank=clips)
    assert all(math.isfinite(entry["value"]) for entry in found.values())


def test_a_diverged_model_is_reported_not_scored(clips):
    class Diverged(Perfect):
        def sample(self, action, frames, noise):
            return super().sample(action, frames, noise) * math.nan

    with pytest.raises(JudgeError, match="diverged"):
        run("A-category", Diverged(), clips)


def test_judges_and_clips_of_different_sets(clips, faces):
    with pytest.raises(JudgeError, match="judge and clips of one data set"):
        run("R", Perfect(), faces, Oracle(clips))
    with pytest.raises(JudgeError, match="one with suffix"):
        evaluate_protocols(Perfect(), clips, {"-blur": Oracle(clips)})


def test_unknown_protocol(clips):
    with pytest.raises(ConfigError, match="A-bank"):
        make_task("D", Perfect(), clips, everything(clips))


def test_a_model_that_mixes_a_batch_gets_a_random_one_and_every_answer_its_own_clip(clips):
    class Mixing(Perfect):
        mixes = ("with_prior_content",)
        asked: ClassVar = []

        def with_prior_content(self, motion, action, frames, noise):
            self.asked.append(action)
            return super().with_prior_content(motion, action, frames, noise)

    assert values(run("B", Mixing(), clips))["accuracy/B/3way"] == 1
    assert not torch.equal(Mixing.asked[0], clips.targets["action"][: len(Mixing.asked[0])])
