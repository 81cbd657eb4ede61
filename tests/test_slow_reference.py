"""Every fast path against the slow reference, in float64, on random inputs."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import tiny_config

from hamrepro.batches import draw_batch
from hamrepro.benchmarks import reference
from hamrepro.dynamics import HamiltonianOperators
from hamrepro.elbo import EXACT, Estimate
from hamrepro.evaluate import of_model, score_frames
from hamrepro.halo import Halo
from hamrepro.layers import pack
from hamrepro.lever_benchmarks import SubPixel
from hamrepro.pixelart import draw_layers
from hamrepro.randomness import generator
from hamrepro.sprites import Sprites, load_sprites
from hamrepro.symplectic import flow_powers, sp_element, u_element

slow = reference()
ESTIMATES = [EXACT, Estimate(2, "window", 0.5), Estimate(kl_frames="all")]


def close(one, other, limit=1e-10):
    return bool(((one - other).abs() <= limit * (1 + other.abs().max())).all())


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 6), st.integers(2, 16))
def test_flow_and_its_gradient(seed, actions, d, frames):
    noise = generator(seed, "init")
    free = (0.3 * torch.randn(actions, 2 * d, 2 * d, generator=noise, dtype=torch.float64)).requires_grad_()
    weight = torch.randn(actions, 2 * frames - 1, 2 * d, 2 * d, generator=noise, dtype=torch.float64)
    results = []
    for powers in (flow_powers, slow.powers):
        value = powers(u_element(free[:, :d, :d], free[:, d:, d:]), frames)
        results.append((value, *torch.autograd.grad((value * weight).sum(), free)))
    for one, other in zip(*results, strict=True):
        assert close(one, other)


@pytest.mark.parametrize(("actions", "d"), [(1, 1), (3, 6), (6, 12)])
def test_blocks_are_the_whole_matrix(draw, actions, d):
    h = sp_element(0.1 * draw(1, actions, 2 * d, 2 * d).double())
    whole = flow_powers(slow.whole_generator(h)[None], 4)[0]
    blocks = flow_powers(h, 4)
    for offset in range(7):
        assert close(slow.whole_generator(blocks[:, offset]), whole[offset])


@pytest.fixture
def in_double(monkeypatch):
    """`float()` means at least float32: what the networks hold in single precision is compared in double, too."""
    single = torch.Tensor.float
    monkeypatch.setattr(torch.Tensor, "float", lambda x: x if x.dtype == torch.float64 else single(x))


@pytest.fixture
def twins(in_double):
    """The same weights in both, float64."""
    config = tiny_config().network
    torch.manual_seed(0)
    fast, obvious = Halo(config).double(), slow.SlowHalo(config).double()
    obvious.load_state_dict(fast.state_dict())
    return fast, obvious


@pytest.fixture(scope="module")
def clip_set():
    return load_sprites("sprites-procedural", "test")


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_loss_and_every_gradient(twins, estimate):
    noise = generator(5, "init")
    clips = torch.rand(3, 5, 3, 64, 64, generator=noise, dtype=torch.float64) * 2 - 1
    action, cyclic = torch.tensor([2, 0, 1]), torch.tensor([True, False, True])
    results = []
    for model in twins:
        model.train().zero_grad()
        terms = model.loss(clips, action, lambda stream: generator(1, stream), cyclic=cyclic, estimate=estimate)
        terms["loss"].backward()
        results.append((terms, {name: p.grad for name, p in model.named_parameters() if p.grad is not None}))
    (terms, gradients), (expected, expected_gradients) = results
    assert all(close(terms[name], expected[name]) for name in expected)
    assert gradients.keys() == expected_gradients.keys()
    assert all(close(gradients[name], value, 1e-8) for name, value in expected_gradients.items())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_transposed_convolutions_as_convolutions(layout):
    torch.manual_seed(0)
    usual = torch.nn.ConvTranspose2d(3, 5, 5, 2, 2, output_padding=1).double()
    ours = SubPixel(3, 5, 5, 2, 2, output_padding=1).double()
    ours.load_state_dict(usual.state_dict())
    results = []
    for layer in (usual, ours):
        maps = torch.rand(2, 3, 4, 6, dtype=torch.float64, generator=generator(0, "init"))
        maps = maps.contiguous(memory_format=layout).requires_grad_()
        value = layer(maps)
        results.append((value, *torch.autograd.grad(value.sin().sum(), [maps, *layer.parameters()])))
    for one, other in zip(*results, strict=True):
        assert close(one, other, 1e-12)


@torch.inference_mode()
def test_samples_and_generated_clips(twins, clip_set):
    index = torch.tensor([0, 300, 2000])
    clips = clip_set.clips(index).double() / 127.5 - 1
    action = clip_set.targets["action"][index]
    fast, obvious = (model.eval() for model in twins)
    assert close(fast.generate(clips, action, 16), obvious.generate(clips, action, 16))
    assert close(*(model.double().sample(action, 12, generator(3, "prior")) for model in twins))


@torch.inference_mode()
def test_scores(twins, clip_set):
    index = torch.tensor([1, 900])
    fast, obvious = (model.eval() for model in twins)

    found = score_frames(of_model(fast.to(torch.float32)), clip_set, index, "clip")
    expected = slow.score(obvious.to(torch.float32), clip_set, index)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-3 if name == "psnr" else 1e-4, atol=1e-5)


def test_clips_are_pillows_to_the_byte():
    """Also where layers are translucent, which the drawn ones are not."""
    layers = draw_layers().copy()
    layers[..., 3] = np.random.default_rng(0).integers(0, 256, layers.shape[:-1], np.uint8)
    clip_set = Sprites(pack(layers), "test")
    index = torch.tensor([0, 777, 2663])
    drawn = slow.draw_clips(clip_set, clip_set.groups[index], clip_set.targets["action_view"][index])
    assert torch.equal(clip_set.clips(index), torch.from_numpy(drawn).movedim(-1, 2))


@pytest.mark.parametrize("windows", ["first", "cyclic", "random"])
def test_batches_are_those_of_the_array(clip_set, windows):
    training = replace(tiny_config().training, batch=4, windows=windows)
    clips = torch.arange(0, len(clip_set), 333)
    array = slow.ArrayClips(clip_set, clips)

    class Few:
        frames, cyclic = clip_set.frames, True
        starts = staticmethod(clip_set.starts)

        def __init__(self):
            self.targets = {"action": clip_set.targets["action"][clips]}

        def __len__(self):
            return len(clips)

        def clips(self, index, *rest):
            return clip_set.clips(clips[index], *rest)

    for step in range(3):
        ours = draw_batch(Few(), training, 2, step, torch.device("cpu"))
        expected = array.batch(training, 2, step, clip_set)
        assert close(ours.clips.double(), expected.clips.double(), 1e-6)
        assert torch.equal(ours.action, expected.action) and torch.equal(ours.cyclic, expected.cyclic)


def test_a_roll_out_in_single_precision_stays_near_double():
    torch.manual_seed(0)
    operators = HamiltonianOperators(3, 6, "u")
    h = operators.generators().detach()
    single, double = flow_powers(h, 1000), flow_powers(h.double(), 1000)
    assert (single - double).abs().max() < 1e-3
    assert close(double[:, -1], torch.linalg.matrix_exp(999 * h.double()), 1e-9)


def test_the_package_does_not_import_it():
    source = Path(importlib.util.find_spec("hamrepro").origin).parent
    assert not [path for path in source.rglob("*.py") if "import slow_reference" in path.read_text()]
