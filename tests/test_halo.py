"""HALO's verbs: what they see, what they give, and what they refuse before torch would."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import tiny_config
from torch import nn

from hamrepro.errors import ShapeError
from hamrepro.models import build
from hamrepro.randomness import generator

BATCH, FRAMES = 3, 5


def clips_of(*shape, seed=0):
    """Noise over a colour that differs from frame to frame."""
    shape, draw = shape or (BATCH, FRAMES, 3, 64, 64), generator(seed, "faces")
    return torch.rand(*shape[:-2], 1, 1, generator=draw) + torch.rand(shape, generator=draw) - 1


CLIPS, ACTION = clips_of(), torch.tensor([0, 1, 2])


def noise(stream):
    return generator(0, stream, 7)


@pytest.fixture(scope="module")
def halo():
    config = tiny_config(model="halo-sp")
    visible = replace(
        config.network, contrast=1.0, background=0.0, log_std=0.0
    )  # frames far from black and from noiseless
    model = build(replace(config, network=visible), 0)
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = None  # running statistics are those of the batches seen, so that inputs matter
    for step in range(3):
        model.loss(clips_of(seed=step), ACTION, noise)
    return model.eval()


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def motion_after_frame_one(seed):
    other = clips_of(seed=seed)
    other[:, 0] = CLIPS[:, 0]
    return other


@pytest.mark.parametrize("frames", [1, 5, 16])
@pytest.mark.parametrize("conditioning", ["clip", "strict"])
def test_generated_frames(halo, frames, conditioning):
    made = halo.generate(CLIPS, ACTION, frames, conditioning=conditioning)
    assert made.shape == (BATCH, frames, 3, 64, 64) and made.dtype == torch.float32
    assert made.abs().max() <= 1


def test_strict_never_looks_beyond_frame_one(halo):
    made = halo.generate(CLIPS, ACTION, 8, conditioning="strict")
    assert torch.equal(made, halo.generate(motion_after_frame_one(9), ACTION, 8, conditioning="strict"))
    changed = CLIPS.clone()
    changed[:, 0] = -changed[:, 0]
    assert not torch.allclose(made, halo.generate(changed, ACTION, 8, conditioning="strict"), atol=1e-4)


def test_strict_is_the_image_alone(halo):
    """Later frames are no part of it: the strict content of a clip is that of its first frame repeated."""
    tiled = CLIPS[:, :1].expand(-1, FRAMES, -1, -1, -1).contiguous()
    strict = halo.encode(CLIPS, ACTION, conditioning="strict").content.mean
    assert torch.allclose(strict, halo.encode(tiled, ACTION, conditioning="clip").content.mean, atol=1e-5)


def test_the_state_never_sees_beyond_frame_one(halo):
    one, other = (halo.encode(clips, ACTION) for clips in (CLIPS, motion_after_frame_one(9)))
    assert torch.equal(one.position.mean, other.position.mean)
    assert torch.equal(one.momentum.mean, other.momentum.mean)
    assert not torch.equal(one.content.mean, other.content.mean)


@pytest.mark.parametrize("conditioning", ["clip", "strict"])
@pytest.mark.parametrize("skip", [0, 1, 8, 15])
def test_skipped_frames_are_the_ones_left_out(halo, conditioning, skip):
    whole = halo.generate(CLIPS, ACTION, 16, conditioning=conditioning)
    rest = halo.generate(CLIPS, ACTION, 16, conditioning=conditioning, skip=skip)
    assert torch.allclose(whole[:, skip:], rest, atol=1e-5)


@pytest.mark.parametrize("conditioning", ["clip", "strict"])
def test_a_longer_clip_begins_with_the_shorter(halo, conditioning):
    short, long = (halo.generate(CLIPS, ACTION, frames, conditioning=conditioning) for frames in (4, 12))
    assert torch.allclose(short, long[:, :4], atol=1e-5)


@pytest.mark.parametrize("conditioning", ["clip", "strict"])
def test_what_is_drawn_does_not_hang_on_the_batch(halo, conditioning):
    together = halo.generate(CLIPS, ACTION, 6, conditioning=conditioning)
    alone = [halo.generate(CLIPS[[row]], ACTION[[row]], 6, conditioning=conditioning) for row in range(BATCH)]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


def test_the_batch_may_be_in_any_order(halo):
    turn = torch.tensor([2, 0, 1])
    assert torch.allclose(halo.generate(CLIPS, ACTION, 6)[turn], halo.generate(CLIPS[turn], ACTION[turn], 6), atol=1e-5)


def test_generating_changes_nothing(halo):
    before = {name: value.clone() for name, value in halo.state_dict().items()}
    halo.generate(CLIPS, ACTION, 4)
    halo.swap(CLIPS, ACTION, CLIPS, ACTION)
    assert all(torch.equal(value, before[name]) for name, value in halo.state_dict().items())


def test_a_clip_swapped_with_itself_is_itself(halo):
    swapped = halo.swap(CLIPS, ACTION, CLIPS, ACTION)
    assert torch.allclose(swapped, halo.generate(CLIPS, ACTION, FRAMES), atol=1e-5)


def test_more_motions_than_contents_are_refused(halo):
    with pytest.raises(ShapeError, match="as many of each"):
        halo.swap(CLIPS, ACTION, CLIPS[:-1], ACTION[:-1])


def test_a_sample_is_a_function_of_its_generator(halo):
    one, again, other = (halo.sample(ACTION, 4, generator(seed, "prior")) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == (BATCH, 4, 3, 64, 64)


def test_prior_motion_keeps_the_content_and_prior_content_the_motion(halo):
    made = halo.with_prior_motion(CLIPS, ACTION, ACTION, 4, generator(0, "prior"))
    assert made.shape == (BATCH, 4, 3, 64, 64)
    assert halo.with_prior_content(CLIPS, ACTION, 4, generator(0, "prior")).shape == made.shape


def test_the_loss_is_a_function_of_its_streams(halo):
    one, again = (halo.loss(CLIPS, ACTION, noise) for _ in range(2))
    assert one == again
    assert one["loss"] != halo.loss(CLIPS, ACTION, lambda stream: generator(1, stream, 7))["loss"]


def test_weights_are_a_function_of_the_seed_alone():
    before = torch.get_rng_state()
    one, again, other = (build(tiny_config(), seed).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert any(not torch.equal(value, other[name]) for name, value in one.items())


GOOD = {"clips": CLIPS, "action": ACTION, "frames": 4}
BAD = {
    "odd size": {"clips": clips_of(BATCH, FRAMES, 3, 63, 63)},
    "another size": {"clips": clips_of(BATCH, FRAMES, 3, 128, 128)},
    "grey": {"clips": clips_of(BATCH, FRAMES, 1, 64, 64)},
    "with alpha": {"clips": clips_of(BATCH, FRAMES, 4, 64, 64)},
    "channels last": {"clips": clips_of(BATCH, FRAMES, 64, 64, 3)},
    "one clip without batch": {"clips": CLIPS[0]},
    "one image": {"clips": CLIPS[0, 0], "action": ACTION[:1]},
    "a number": {"clips": torch.tensor(0.5)},
    "rank 6": {"clips": CLIPS[None]},
    "no clips": {"clips": CLIPS[:0], "action": ACTION[:0]},
    "no frames": {"clips": CLIPS[:, :0]},
    "bytes": {"clips": ((CLIPS + 1) * 127).to(torch.uint8)},
    "float64": {"clips": CLIPS.double()},
    "float16": {"clips": CLIPS.half()},
    "integers": {"clips": CLIPS.long()},
    "0 to 255": {"clips": (CLIPS + 1) * 127.5},
    "not a number": {"clips": CLIPS * float("nan")},
    "infinite": {"clips": CLIPS / 0},
    "action too large": {"action": ACTION + 1},
    "negative action": {"action": ACTION - 1},
    "action of another length": {"action": ACTION[:2]},
    "one action for all": {"action": torch.tensor(1)},
    "one-hot action": {"action": torch.eye(3, dtype=torch.int64)},
    "float action": {"action": ACTION.float()},
    "int32 action": {"action": ACTION.int()},
    "boolean action": {"action": ACTION > 0},
}
BAD_FRAMES = {
    "no frames asked": {"frames": 0},
    "minus one frame": {"frames": -1},
    "nothing left": {"skip": 4},
    "negative skip": {"skip": -1},
    "unknown conditioning": {"conditioning": "frame"},
    "no conditioning": {"conditioning": None},
}


@pytest.mark.parametrize("kind", [*BAD, *BAD_FRAMES])
def test_generate_refuses(halo, kind):
    with pytest.raises(ShapeError) as caught:
        halo.generate(**GOOD | (BAD | BAD_FRAMES)[kind])
    assert caught.value.given and caught.value.expected


@pytest.mark.parametrize("kind", [kind for kind in BAD if kind not in ("0 to 255", "not a number", "infinite")])
def test_loss_refuses(halo, kind):
    """A range is not looked for in training, where pixels come from bytes and losses are watched."""
    given = GOOD | BAD[kind]
    with pytest.raises(ShapeError):
        halo.loss(given["clips"], given["action"], noise)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("verb", ["swap", "with_prior_motion", "with_prior_content"])
def test_the_other_verbs_refuse(halo, kind, verb):
    given = GOOD | BAD[kind]
    arguments = {
        "swap": (CLIPS, ACTION, given["clips"], given["action"]),
        "with_prior_motion": (given["clips"], given["action"], ACTION, 4, noise("prior")),
        "with_prior_content": (given["clips"], given["action"], 4, noise("prior")),
    }
    with pytest.raises(ShapeError):
        getattr(halo, verb)(*arguments[verb])


def test_a_model_in_training_mode_generates_nothing():
    model = build(tiny_config(), 0).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ShapeError, match="training mode"):
        model.generate(CLIPS, ACTION, 8)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_more_requests_than_contents_are_refused(halo):
    with pytest.raises(ShapeError, match="of motion"):
        halo.with_prior_motion(CLIPS, ACTION, ACTION[:1], 4, noise("prior"))


@pytest.mark.parametrize("kind", [kind for kind in BAD if "action" in kind and "length" not in kind])
def test_sample_refuses(halo, kind):
    with pytest.raises(ShapeError):
        halo.sample(BAD[kind]["action"], 4, noise("prior"))


@pytest.mark.parametrize("frames", [0, -3])
def test_sample_refuses_no_frames(halo, frames):
    with pytest.raises(ShapeError):
        halo.sample(ACTION, frames, noise("prior"))


def test_one_frame_has_no_motion_to_learn(halo):
    with pytest.raises(ShapeError, match="T >= 2"):
        halo.loss(CLIPS[:, :1], ACTION, noise)


def test_one_clip_has_no_batch_statistics():
    model = build(tiny_config(), 0).train()
    with pytest.raises(ShapeError, match="B >= 2"):
        model.loss(CLIPS[:1], ACTION[:1], noise)


def test_one_image_is_enough_to_begin_from(halo):
    assert halo.generate(CLIPS[:, :1], ACTION, 8, conditioning="strict").shape == (BATCH, 8, 3, 64, 64)
