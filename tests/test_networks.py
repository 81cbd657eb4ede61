"""Tables 3, 4, 5 as golden tables, and what batch normalisation must not do."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from hamrepro.halo import Halo
from hamrepro.networks import ContentNetwork, Decoder, Encoder, GaussianHead, MomentumNetwork, PositionNetwork
from hamrepro.presets import configure
from hamrepro.randomness import generator

# layer, output shape of one clip or frame, number of parameters; batch norms stand with their layers.
TABLE_3 = """
Conv2d 256x64x64 19456
BatchNorm2d 256x64x64 512
LeakyReLU 256x64x64 0
Conv2d 256x32x32 1638656
BatchNorm2d 256x32x32 512
LeakyReLU 256x32x32 0
Conv2d 256x16x16 1638656
BatchNorm2d 256x16x16 512
LeakyReLU 256x16x16 0
Conv2d 256x8x8 1638656
BatchNorm2d 256x8x8 512
LeakyReLU 256x8x8 0
Conv2d 256x8x8 1638656
BatchNorm2d 256x8x8 512
LeakyReLU 256x8x8 0
Flatten 16384 0
Linear 4096 67112960
BatchNorm1d 4096 8192
LeakyReLU 4096 0
Linear 2048 8390656
BatchNorm1d 2048 4096
LeakyReLU 2048 0
Linear 2048 4196352
BatchNorm1d 2048 4096
LeakyReLU 2048 0
"""
TABLE_4_END = """
ConvTranspose2d 256x16x16 1638656
BatchNorm2d 256x16x16 512
LeakyReLU 256x16x16 0
ConvTranspose2d 256x32x32 1638656
BatchNorm2d 256x32x32 512
LeakyReLU 256x32x32 0
ConvTranspose2d 256x64x64 1638656
BatchNorm2d 256x64x64 512
LeakyReLU 256x64x64 0
ConvTranspose2d 3x64x64 19203
BatchNorm2d 3x64x64 6
Tanh 3x64x64 0
"""
TABLE_4 = """
Linear 4096 1126400
BatchNorm1d 4096 8192
LeakyReLU 4096 0
Linear 4096 16781312
BatchNorm1d 4096 8192
LeakyReLU 4096 0
Unflatten 256x4x4 0
ConvTranspose2d 256x8x8 1638656
BatchNorm2d 256x8x8 512
LeakyReLU 256x8x8 0
""" + TABLE_4_END.lstrip()
TABLE_4_OFFICIAL = """
Linear 4096 1126400
BatchNorm1d 4096 8192
LeakyReLU 4096 0
Linear 16384 67125248
BatchNorm1d 16384 32768
LeakyReLU 16384 0
Unflatten 256x8x8 0
""" + TABLE_4_END.lstrip()
TABLE_5 = {
    "content.lstm.weight_ih_l0": (1024, 2048), "content.lstm.weight_hh_l0": (1024, 256),
    "content.lstm.bias_ih_l0": (1024,), "content.lstm.bias_hh_l0": (1024,),
    "content.head.mean.weight": (256, 256), "content.head.mean.bias": (256,),
    "content.head.log_std.weight": (256, 256), "content.head.log_std.bias": (256,),
    "position.trunk.0.weight": (18, 2051), "position.trunk.0.bias": (18,),
    "position.trunk.1.weight": (18,), "position.trunk.1.bias": (18,),
    "position.trunk.3.weight": (18, 18), "position.trunk.3.bias": (18,),
    "position.trunk.4.weight": (18,), "position.trunk.4.bias": (18,),
    "position.head.mean.weight": (18, 18), "position.head.mean.bias": (18,),
    "position.head.log_std.weight": (18, 18), "position.head.log_std.bias": (18,),
    "momentum.trunk.0.weight": (18, 2051), "momentum.trunk.0.bias": (18,),
    "momentum.trunk.1.weight": (18,), "momentum.trunk.1.bias": (18,),
    "momentum.trunk.3.weight": (18, 18), "momentum.trunk.3.bias": (18,),
    "momentum.trunk.4.weight": (18,), "momentum.trunk.4.bias": (18,),
    "momentum.tcn.weight": (18, 18, 4), "momentum.tcn.bias": (18,),
    "momentum.head.mean.weight": (18, 18), "momentum.head.mean.bias": (18,),
    "momentum.head.log_std.weight": (18, 18), "momentum.head.log_std.bias": (18,),
}  # fmt: skip
TOTALS = {  # parameters of encoder, decoder, content, position, momentum, operators
    "paper": (86_292_992, 24_499_977, 2_492_928, 38_034, 39_348, 432),
    "fast": (86_292_992, 24_499_977, 2_492_928, 38_034, 39_348, 432),
    "official": (86_292_992, 73_229_321, 2_492_928, 38_034, 39_348, 432),
    "laptop": (2_764_928, 939_721, 657_920, 5_778, 7_092, 432),
    "smoke": (46_512, 18_049, 3_744, 1_746, 3_060, 432),
}
OPERATORS = {"halo-sp": 432, "halo-u": 216, "halo-u+u_sym": 108, "halo-sp+elliptic": 432}


def network(preset, model="halo-sp", dataset="sprites"):
    return configure(preset, dataset, model).network


def on_paper(preset, **names):
    """A model without storage: shapes alone."""
    with torch.device("meta"):
        return Halo(network(preset, **names))


def layer_table(layers, *shape):
    rows, x = [], torch.empty(2, *shape, device="meta")
    for layer in layers:
        x = layer(x)
        size = "x".join(map(str, x.shape[1:]))
        rows.append(f"{type(layer).__name__} {size} {sum(p.numel() for p in layer.parameters())}")
    return "\n".join(rows)


def test_table_3():
    assert layer_table(on_paper("paper").encoder, 3, 64, 64) == TABLE_3.strip()


def test_table_4():
    assert layer_table(on_paper("paper").decoder, 256 + 3 * 6) == TABLE_4.strip()


def test_table_4_of_the_release():
    assert layer_table(on_paper("official").decoder, 256 + 3 * 6) == TABLE_4_OFFICIAL.strip()


def test_table_4_on_mug():
    decoder = on_paper("paper", dataset="mug").decoder
    assert decoder[0].in_features == 512 + 6 * 12
    assert layer_table(decoder, 584).splitlines()[1:] == TABLE_4.strip().splitlines()[1:]


def test_table_5():
    named = {name: tuple(p.shape) for name, p in on_paper("paper").named_parameters()}
    found = {name: shape for name, shape in named.items() if name.split(".")[0] in ("content", "position", "momentum")}
    assert found == TABLE_5


def test_table_5_runs():
    config = network("paper")
    features, action = torch.randn(2, 8, 2048), torch.tensor([0, 2])
    for gaussian, size in (
        (ContentNetwork(config)(features), 256),
        (PositionNetwork(config)(features[:, 0], action), 6),
        (MomentumNetwork(config)(features[:, :4], action), 6),
    ):
        assert gaussian.mean.shape == gaussian.log_std.shape == (2, size)


@pytest.mark.parametrize("preset", TOTALS)
def test_totals(preset):
    model = on_paper(preset)
    names = ("encoder", "decoder", "content", "position", "momentum", "operators")
    assert tuple(sum(p.numel() for p in getattr(model, name).parameters()) for name in names) == TOTALS[preset]
    assert sum(p.numel() for p in model.parameters()) == sum(TOTALS[preset])


@pytest.mark.parametrize("model", OPERATORS)
def test_only_the_operators_differ_between_families(model):
    parts = dict(on_paper("paper", model=model).named_children())
    assert sum(p.numel() for p in parts["operators"].parameters()) == OPERATORS[model]
    rest = [part for name, part in parts.items() if name != "operators"]
    assert sum(p.numel() for part in rest for p in part.parameters()) == sum(TOTALS["paper"][:5])


@pytest.mark.parametrize("preset", TOTALS)
def test_hyperparameters_of_the_layers(preset):
    model = on_paper(preset)
    convolutions = [layer for layer in model.encoder if isinstance(layer, nn.Conv2d)]
    assert [layer.stride[0] for layer in convolutions] == [1, 2, 2, 2, 1]
    assert all(layer.kernel_size == (5, 5) and layer.padding == (2, 2) for layer in convolutions)
    upward = [layer for layer in model.decoder if isinstance(layer, nn.ConvTranspose2d)]
    assert [layer.stride[0] for layer in upward] == [2] * (len(upward) - 1) + [1]
    assert [layer.output_padding[0] for layer in upward] == [1] * (len(upward) - 1) + [0]
    assert all(layer.kernel_size == (5, 5) and layer.padding == (2, 2) for layer in upward)
    slopes = {layer.negative_slope for layer in model.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.2}
    last = list(model.decoder)[-3:]
    assert [type(layer) for layer in last] == [nn.ConvTranspose2d, nn.BatchNorm2d, nn.Tanh]
    assert last[0].out_channels == last[1].num_features == 3
    assert model.momentum.tcn.kernel_size == (4,) and model.momentum.window == 4


def test_log_sigma_keeps_within_bounds():
    head = GaussianHead(4, 3, log_std=-3.0)
    for scale in (1e-3, 1, 1e4):
        log_std = head(scale * torch.randn(50, 4)).log_std
        assert log_std.min() >= -8 and log_std.max() <= 4
    assert abs(head(torch.zeros(1, 4)).log_std.mean() + 3) <= 0.5, "it starts where it is told to"


def test_half_precision_features_give_single_precision_gaussians():
    config = network("smoke")
    content = ContentNetwork(config)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = torch.randn(2, 8, config.features).bfloat16()
        posteriors = (content(features), PositionNetwork(config)(features[:, 0], torch.tensor([0, 1])))
    assert all(part.dtype == torch.float32 for gaussian in posteriors for part in gaussian)


def clips(count, frames=8):
    return torch.rand(count, frames, 3, 64, 64, generator=generator(0, "augment")) * 2 - 1


@pytest.fixture(scope="module")
def trained():
    """A small HALO whose batch norms have seen data, in evaluation mode."""
    torch.manual_seed(0)
    model = Halo(network("smoke"))
    action = torch.arange(6) % 3
    for step in range(3):
        model.loss(clips(6), action, lambda name, step=step: generator(0, name, step))
    return model.eval()


def test_training_moves_the_statistics_evaluation_does_not(trained):
    model = Halo(network("smoke"))
    before = {name: value.clone() for name, value in model.named_buffers()}
    action = torch.arange(6) % 3
    model.loss(clips(6), action, lambda name: generator(0, name))
    assert all(not torch.equal(before[name], value) for name, value in model.named_buffers())
    before = {name: value.clone() for name, value in trained.named_buffers()}
    with torch.no_grad():
        trained.loss(clips(6), action, lambda name: generator(0, name))
        trained.generate(clips(6), action, 16)
        trained.sample(action, 8, generator(0, "prior"))
        trained.swap(clips(6), action, clips(6).flip(0), action.flip(0))
    assert all(torch.equal(before[name], value) for name, value in trained.named_buffers())


@torch.no_grad()
@pytest.mark.parametrize("conditioning", ["clip", "strict"])
def test_generation_does_not_depend_on_the_batch(trained, conditioning):
    whole, action = clips(24, frames=4), torch.arange(24) % 3
    every = trained.generate(whole, action, 4, conditioning=conditioning)
    assert every.shape == (24, 4, 3, 64, 64) and every.abs().max() <= 1
    for size in (1, 7):
        parts = [
            trained.generate(x, u, 4, conditioning=conditioning)
            for x, u in zip(whole[:7].split(size), action[:7].split(size), strict=True)
        ]
        assert (torch.cat(parts) - every[:7]).abs().max() <= 1e-5
    order = torch.randperm(24, generator=generator(0, "order"))
    shuffled = trained.generate(whole[order], action[order], 4, conditioning=conditioning)
    assert (shuffled - every[order]).abs().max() <= 1e-5


@torch.no_grad()
def test_the_strict_start_sees_frame_one_alone(trained):
    whole, action = clips(3), torch.arange(3)
    changed = whole.clone()
    changed[:, 1:] = 0
    strict, clip = (
        [trained.generate(x, action, 8, conditioning=conditioning) for x in (whole, changed)]
        for conditioning in ("strict", "clip")
    )
    assert torch.equal(*strict) and not torch.equal(*clip)


@torch.no_grad()
def test_lengths_of_generation_agree(trained):
    whole, action = clips(3), torch.arange(3)
    long = trained.generate(whole, action, 16)
    assert (trained.generate(whole, action, 5) - long[:, :5]).abs().max() <= 1e-4
    assert (trained.generate(whole, action, 16, skip=10) - long[:, 10:]).abs().max() <= 1e-5


@torch.no_grad()
def test_swapping_with_oneself_is_reconstruction(trained):
    whole, action = clips(3), torch.arange(3)
    assert torch.equal(trained.swap(whole, action, whole, action), trained.generate(whole, action, 8))


@torch.no_grad()
def test_starting_point_of_training():
    """A fresh network's loss is finite and of the size of the data, in every preset small enough to run."""
    for preset in ("smoke", "laptop"):
        torch.manual_seed(0)
        terms = Halo(network(preset)).loss(clips(3), torch.arange(3), lambda name: generator(0, name))
        assert all(math.isfinite(term) for term in terms.values())
        assert 0 < -terms["reconstruction"] < 0.5 * 4 * 8 * 3 * 64 * 64


def test_inputs_of_the_small_networks_fit():
    config = network("smoke")
    frames = Encoder(config)(torch.zeros(2, 3, 64, 64))
    assert frames.shape == (2, config.features)
    assert Decoder(config, 34)(torch.zeros(2, 34)).shape == (2, 3, 64, 64)
