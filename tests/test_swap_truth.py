"""Swaps against the clips they should be: found by their factors, and read pose by pose."""

from __future__ import annotations

import pytest
import torch
from coded_clips import CodedClips, Perfect

from hamrepro.errors import ConfigError, DataError
from hamrepro.swap_truth import swap_fidelity, true_swaps


class Waving(CodedClips):
    """Coded clips in which something moves: a bright row a frame, further down in another view."""

    def clips(self, index, start=None, frames=None):
        made = super().clips(index, start, frames)
        for row, view in enumerate(self.targets["view"][index].tolist()):
            for time in range(made.shape[1]):
                made[row, time, :, 20 + 5 * time + view] = 255
        return made


class Late(Perfect):
    """Right in everything, but some frames behind where the views of the two clips differ."""

    behind = 0

    def swap(self, motion, motion_action, content, content_action):
        made, other = super().swap(motion, motion_action, content, content_action), []
        for clip, one, two in zip(made, motion, content, strict=True):
            other.append(clip if torch.equal(one[..., 8:16], two[..., 8:16]) else clip.roll(self.behind, 0))
        return torch.stack(other)


@pytest.fixture(scope="module")
def clips():
    return Waving(people=9)


@pytest.mark.parametrize(("label", "supervised"), [("action", True), ("action_view", True), ("action", False)])
def test_the_true_clip_has_the_contents_character_and_the_motions_action(clips, label, supervised):
    motion, content = torch.randint(len(clips), (2, 50), generator=torch.Generator().manual_seed(0))
    found = true_swaps(clips, Perfect(label, supervised), motion, content)
    assert torch.equal(clips.groups[found], clips.groups[content])
    assert torch.equal(clips.targets["action"][found], clips.targets["action"][motion])
    whose = content if supervised and label == "action" else motion
    assert torch.equal(clips.targets["view"][found], clips.targets["view"][whose])


def test_a_perfect_swap_is_the_true_clip(clips):
    found = swap_fidelity(Perfect(), clips, torch.arange(len(clips)))
    assert found["ssim/swap/1-8"]["value"] == pytest.approx(1.0) and found["in-phase/C/all"]["value"] == 1.0
    assert found["mse/swap/1-8"]["value"] < 1e-6 and found["in-phase/C/all"]["n"] == 81


def test_a_late_swap_is_seen_and_where(clips):
    model = Late()
    model.behind = 2
    found = {key: entry["value"] for key, entry in swap_fidelity(model, clips, torch.arange(len(clips))).items()}
    assert found["ssim/swap/1-8"] < found["ssim/swap-shifted/1-8"] == pytest.approx(1.0)
    assert found["in-phase/C/all"] < 1.0


def test_what_has_no_truth_is_refused(clips):
    with pytest.raises(DataError, match="no clip is another's swap"):
        true_swaps(CodedClips(faces=True), Perfect(), torch.arange(3), torch.arange(3))
    few = Waving(people=9)
    few.groups, few.targets = few.groups[:30], {name: target[:30] for name, target in few.targets.items()}
    with pytest.raises(DataError, match="swaps without a clip"):
        true_swaps(few, Perfect(), torch.tensor([29]), torch.tensor([5]))
    with pytest.raises(ConfigError, match="no verb swap"):
        swap_fidelity(torch.nn.Identity(), clips, torch.arange(9))
