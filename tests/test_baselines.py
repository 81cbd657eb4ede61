"""Baselines: each loss does what its paper says, every verb gives what its name promises."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from hamrepro import checkpoint
from hamrepro.baselines.cdsvae import Cdsvae, frozen_statistics
from hamrepro.baselines.contrastive import distort_colour, nt_xent, shuffle_frames
from hamrepro.baselines.discriminators import ClipDiscriminator, FrameDiscriminator
from hamrepro.baselines.dsvae import Dsvae
from hamrepro.baselines.information import mutual_information
from hamrepro.baselines.mocogan import Mocogan, Motion, fooled, is_real
from hamrepro.baselines.s3vae import S3vae, motion_cells, static_triplet
from hamrepro.baselines.sequential import Codes, MotionPrior
from hamrepro.baselines.skd import Skd, koopman_operator, spectral_loss, static_modes, static_projector
from hamrepro.batches import draw_batch, normalise
from hamrepro.config import TrainConfig
from hamrepro.datasets import load
from hamrepro.elbo import Estimate
from hamrepro.errors import ShapeError
from hamrepro.gaussian import Gaussian
from hamrepro.models import ARCHITECTURES, build
from hamrepro.optimiser import Optimiser
from hamrepro.presets import configure
from hamrepro.randomness import generator

B, T, Z = 4, 8, 5
CONFIG = replace(
    configure("smoke", "sprites", "dsvae").network,
    encoder_widths=(4,) * 5, decoder_widths=(4,) * 5, hidden=(16, 16), features=16, content=8, actions=9,
)  # fmt: skip
MAKE = {
    "dsvae": lambda: Dsvae(CONFIG, motion=Z, hidden=12),
    "dsvae-factorised": lambda: Dsvae(CONFIG, motion=Z, hidden=12, factorised=True),
    "s3vae": lambda: S3vae(CONFIG, motion=Z, hidden=12),
    "cdsvae": lambda: Cdsvae(CONFIG, motion=Z, hidden=12),
    "skd": lambda: Skd(CONFIG, codes=10, static=3),
    "mocogan": lambda: Mocogan(CONFIG),
}
SEQUENTIAL = ("dsvae", "dsvae-factorised", "s3vae", "cdsvae")
AUTOENCODERS = (*SEQUENTIAL, "skd")
ACTION = torch.tensor([0, 3, 8, 3])


def noise(stream):
    return generator(5, stream)


def draws(number, *shape):
    return torch.randn(shape, generator=generator(number, "posterior"))


@pytest.fixture(scope="module")
def clips():
    """Smooth moving blobs: float (B, T, 3, 64, 64) in [-1, 1]."""
    coarse = torch.rand(B, T * 3, 8, 8, generator=generator(0, "window"))
    fine = functional.interpolate(coarse, 64, mode="bilinear").unflatten(1, (T, 3))
    return 2 * fine - 1


def settled(name, clips):
    """A model whose batch norms have seen these clips, in evaluation mode: untrained ones draw one grey."""
    model = MAKE[name]().train()
    norms = [part for part in model.modules() if hasattr(part, "running_var")]
    for momentum in (1.0, 0.1):
        for norm in norms:
            norm.momentum = momentum
        with torch.no_grad():
            model.loss(clips, ACTION, noise)
    return model.eval()


@pytest.fixture(params=list(MAKE))
def any_model(request):
    return MAKE[request.param]()


def test_every_baseline_is_tested_and_registered():
    assert set(MAKE) == {name for name in ARCHITECTURES if not name.startswith("halo")}
    for name in ARCHITECTURES:
        config = configure("smoke", "sprites", name)
        assert isinstance(build(config, 0), nn.Module)


# What every model must do


def test_loss_is_finite_and_first(any_model, clips):
    terms = any_model.train().loss(clips, ACTION, noise)
    assert next(iter(terms)) == "loss"
    assert all(term.shape == () and term.isfinite() for term in terms.values())


def test_loss_is_a_function_of_its_noise(any_model, clips):
    any_model.train()
    first, again = (any_model.loss(clips, ACTION, noise)["loss"] for _ in range(2))
    other = any_model.loss(clips, ACTION, lambda stream: generator(6, stream))["loss"]
    assert first == again
    assert first != other or isinstance(any_model, Skd), "a deterministic model, dropout apart"


@pytest.mark.parametrize("kind", ["adam", "muon"])
def test_every_parameter_is_trained_and_saved(any_model, clips, kind):
    model = any_model.train()
    optimiser = Optimiser(model, TrainConfig(optimiser=kind, learning_rate=1e-3))
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimiser.update(model.loss(clips, ACTION, noise, estimate=Estimate(decoded_frames=4))["loss"], 0)
    assert {*optimiser.names, *optimiser.matrices} == set(before)
    assert set(before) <= set(checkpoint.tensors(model))
    still = [name for name, value in model.named_parameters() if torch.equal(value, before[name])]
    assert not still


def test_matrices_are_all_but_those_that_touch_pixels(any_model):
    shapes = {name: parameter.shape for name, parameter in any_model.named_parameters() if parameter.ndim > 1}
    pixels = {name for name, shape in shapes.items() if len(shape) == 4 and 3 in shape[:2]}
    wanted = set() if isinstance(any_model, Mocogan) else shapes.keys() - pixels
    assert set(any_model.matrices()) == wanted and len(pixels) > 1


def test_low_precision(any_model, clips):
    with torch.autocast("cpu", torch.bfloat16):
        terms = any_model.train().loss(clips, ACTION, noise)
    assert all(term.dtype == torch.float32 and term.isfinite() for term in terms.values())


# Golden shapes


VERBS = {
    "generate": (*AUTOENCODERS,),
    "sample": (*SEQUENTIAL, "mocogan"),
    "swap": AUTOENCODERS,
    "with_prior_motion": SEQUENTIAL,
    "with_prior_content": AUTOENCODERS,
}


@pytest.mark.parametrize("name", MAKE)
@torch.inference_mode()
def test_verbs(name, clips):
    model, draw = MAKE[name]().eval(), noise("prior")
    made = {
        "generate": lambda: (model.generate(clips, ACTION, 12, skip=2), 10),
        "sample": lambda: (model.sample(ACTION, 11, draw), 11),
        "swap": lambda: (model.swap(clips, ACTION, clips.flip(0), ACTION), T),
        "with_prior_motion": lambda: (model.with_prior_motion(clips, ACTION, ACTION, 9, draw), 9),
        "with_prior_content": lambda: (model.with_prior_content(clips, ACTION, T, draw), T),
    }
    for verb, call in made.items():
        assert hasattr(model, verb) == (name in VERBS[verb]), "what a model cannot do it does not define"
        assert (verb in getattr(model, "inapplicable", {})) == (name not in VERBS[verb]), "and says why"
        if name in VERBS[verb]:
            frames, count = call()
            assert frames.shape == (B, count, 3, 64, 64)
            assert frames.abs().max() <= 1


@pytest.mark.parametrize("name", AUTOENCODERS)
@torch.inference_mode()
def test_a_swap_with_itself_is_the_reconstruction(name, clips):
    model = settled(name, clips)
    if name == "skd":
        whole = model.decode(model.drawn(model.states(clips)))
    else:
        whole = model.generate(clips, ACTION, T, conditioning="reconstruction")
    torch.testing.assert_close(model.swap(clips, ACTION, clips, ACTION), whole, atol=1e-4, rtol=0)
    assert (model.swap(clips, ACTION, clips.roll(1, 0), ACTION) - whole).abs().max() > 1e-2


@pytest.mark.parametrize("name", SEQUENTIAL)
@torch.inference_mode()
def test_no_labels(name, clips):
    """Unsupervised models give the same whatever action they are told."""
    model = MAKE[name]().eval()
    assert not model.supervised
    one, two = (model.sample(action, T, noise("prior")) for action in (ACTION, ACTION.flip(0)))
    assert torch.equal(one, two)
    one, two = (model.loss(clips, action, noise)["loss"] for action in (ACTION, ACTION.flip(0)))
    assert one == two


@pytest.mark.parametrize("name", AUTOENCODERS)
@torch.inference_mode()
def test_strict_generation_sees_one_frame(name, clips):
    model = settled(name, clips)
    hidden = clips.clone()
    hidden[:, 1:] = 0
    strict, blind = (model.generate(x, ACTION, 10, conditioning="strict") for x in (clips, hidden))
    assert torch.equal(strict, blind)
    seeing, unseeing = (model.generate(x, ACTION, 10, conditioning="clip") for x in (clips, hidden))
    assert not torch.equal(seeing, unseeing)
    with pytest.raises(ShapeError, match="conditioning"):
        model.generate(clips, ACTION, 10, conditioning="all")


def test_bad_clips_are_refused(clips):
    with pytest.raises(ShapeError, match=r"\[-1, 1\]"):
        MAKE["dsvae"]().loss(clips[..., :32], ACTION, noise)
    with pytest.raises(ShapeError):
        MAKE["skd"]().loss(clips.to(torch.uint8), ACTION, noise)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("shape", [(0, T, 3, 64, 64), (B, 0, 3, 64, 64), (B, T, 3, 64, 63), (B, T, 1, 64, 64), (B, T)])
def test_clips_of_another_shape_are_refused(name, shape):
    with pytest.raises(ShapeError, match="clips"):
        MAKE[name]().loss(torch.zeros(shape), ACTION[: shape[0]], noise)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("kind", [torch.uint8, torch.float64])
def test_clips_of_another_type_are_refused(name, kind, clips):
    with pytest.raises(ShapeError, match="clips"):
        MAKE[name]().loss(clips.to(kind), ACTION, noise)


@pytest.mark.parametrize("category", [ACTION + 9, ACTION - 1, ACTION.float()])
def test_categories_there_are_not_are_refused(category, clips):
    with pytest.raises(ShapeError, match="category"):
        MAKE["mocogan"]().eval().sample(category, T, noise("prior"))
    with pytest.raises(ShapeError, match="action"):
        MAKE["mocogan"]().loss(clips, category, noise)


@pytest.mark.parametrize("name", AUTOENCODERS)
@pytest.mark.parametrize(("frames", "skip"), [(0, 0), (-1, 0), (8, 8), (8, 9), (8, -1)])
def test_nothing_left_to_generate_is_refused(name, frames, skip, clips):
    with pytest.raises(ShapeError, match="frames"):
        MAKE[name]().eval().generate(clips, ACTION, frames, skip=skip)


@pytest.mark.parametrize("name", [*SEQUENTIAL, "mocogan"])
@pytest.mark.parametrize("frames", [0, -1])
def test_nothing_left_to_sample_is_refused(name, frames):
    with pytest.raises(ShapeError, match="frames"):
        MAKE[name]().eval().sample(ACTION, frames, noise("prior"))


@pytest.mark.parametrize("name", AUTOENCODERS)
@pytest.mark.parametrize("change", [lambda c: c * torch.nan, lambda c: 127.5 * (c + 1)])
def test_pixels_out_of_range_are_refused(name, change, clips):
    model = MAKE[name]().eval()
    for verb in (lambda x: model.generate(x, ACTION, T), lambda x: model.swap(x, ACTION, x, ACTION)):
        with pytest.raises(ShapeError, match="pixels"):
            verb(change(clips))


@pytest.mark.parametrize("name", AUTOENCODERS)
@pytest.mark.parametrize("shape", [(0, T, 3, 64, 64), (B, 0, 3, 64, 64)])
def test_no_clips_and_no_frames_are_refused(name, shape):
    model, none = MAKE[name]().eval(), torch.zeros(shape)
    for verb in (lambda: model.generate(none, ACTION[: shape[0]], T), lambda: model.encode(none)):
        with pytest.raises(ShapeError, match="clips"):
            verb()


@pytest.mark.parametrize("name", AUTOENCODERS)
def test_as_many_motions_as_contents_are_asked_for(name, clips):
    model = MAKE[name]().eval()
    with pytest.raises(ShapeError, match="as many"):
        model.swap(clips, ACTION, clips[:1], ACTION[:1])
    for frames in (0, -1):
        with pytest.raises(ShapeError, match="frames"):
            model.with_prior_content(clips, ACTION, frames, noise("prior"))
    if name in SEQUENTIAL:
        with pytest.raises(ShapeError, match="as many"):
            model.with_prior_motion(clips, ACTION, ACTION[:1], T, noise("prior"))
    else:
        with pytest.raises(ShapeError, match="those of the clips"):
            model.with_prior_content(clips, ACTION, T + 1, noise("prior"))


# The bound of the sequential models


def test_reconstruction_is_half_the_squared_error_per_clip(clips, monkeypatch):
    model = MAKE["dsvae"]().eval()
    monkeypatch.setattr(model, "decode", lambda codes: torch.zeros(*codes.shape[:2], 3, 64, 64))
    expected = -0.5 * clips.square().sum() / B
    torch.testing.assert_close(model.loss(clips, ACTION, noise)["reconstruction"], expected)
    still = clips[:, :1].expand_as(clips)
    some = model.loss(still, ACTION, noise, estimate=Estimate(decoded_frames=3))["reconstruction"]
    torch.testing.assert_close(some, -0.5 * still.square().sum() / B)


def test_kl_of_frames_is_summed(clips):
    """Heads that say N(m, s^2) whatever they see, a prior N(0, 1): closed forms, summed over frames and dimensions."""
    model = MAKE["s3vae"]().eval()
    for head in (model.static_head, model.motion_head, model.prior.head):
        for parameter in head.parameters():
            nn.init.zeros_(parameter)
    mean, log_std = 0.7, -0.4
    for head in (model.static_head, model.motion_head):
        nn.init.constant_(head.mean.bias, mean)
        nn.init.constant_(head.log_std.bias, log_std)
    each = 0.5 * (mean**2 + math.exp(2 * log_std) - 1 - 2 * log_std)
    terms = model.loss(clips, ACTION, noise)
    assert terms["kl_content"].item() == pytest.approx(CONFIG.content * each, rel=1e-5)
    assert terms["kl_motion"].item() == pytest.approx(T * Z * each, rel=1e-5)


def test_total_is_the_sum_of_its_terms(clips):
    for name in SEQUENTIAL:
        terms = MAKE[name]().loss(clips, ACTION, noise, estimate=Estimate(kl_weight=0.3))
        parts = {key: value.item() for key, value in terms.items()}
        divergence = parts.pop("kl_motion") + parts.pop("kl_content")
        total = 0.3 * divergence - parts.pop("reconstruction")
        assert parts.pop("loss") == pytest.approx(total + sum(parts.values()), rel=1e-6)


def test_prior_is_forced_by_the_posteriors_draws(clips, monkeypatch):
    """KL is zero where q(z_t) is the prior given the very draws that came before, and not where it runs freely."""
    model = MAKE["dsvae"]().eval()
    z, other = draws(1, B, T, Z), draws(2, B, T, Z)
    static = Gaussian(torch.zeros(B, 8), torch.zeros(B, 8))

    def kl(given):
        codes = Codes(static, model.prior(given), static.mean, z)
        monkeypatch.setattr(model, "infer", lambda *_: codes)
        return model.loss(clips, ACTION, noise)["kl_motion"].item()

    assert kl(z) == 0
    assert kl(other) > 1e-4


def test_rolling_the_prior_draws_from_it():
    """Ancestral draws are those of the teacher-forced prior, frame by frame."""
    prior = MotionPrior(Z, 12, 2)
    rolled = prior.roll(torch.zeros(B, 0, Z), T, noise("prior"))
    forced, draw = prior(rolled), noise("prior")
    for frame in range(T):
        here = Gaussian(forced.mean[:, frame], forced.log_std[:, frame])
        expected = here.sample(torch.randn(B, 1, Z, generator=draw)[:, 0])
        torch.testing.assert_close(rolled[:, frame], expected, atol=1e-5, rtol=1e-5)
    longer = prior.roll(rolled[:, :3], 6)
    assert torch.equal(longer[:, :3], rolled[:, :3])
    torch.testing.assert_close(longer[:, 3], forced.mean[:, 3], atol=1e-6, rtol=1e-5)
    assert torch.equal(prior.roll(rolled, 5), rolled[:, :5])


def test_z_depends_on_f_in_the_full_posterior_only(clips):
    for name, depends in {"dsvae": True, "dsvae-factorised": False, "s3vae": False}.items():
        model = MAKE[name]().eval()
        features = model.features(clips)
        one, two = (model.motion(features, f).mean for f in (draws(1, B, 8), draws(2, B, 8)))
        assert torch.equal(one, two) != depends


def test_factorised_posterior_sees_one_frame(clips):
    model = MAKE["dsvae-factorised"]().eval()
    features = model.features(clips)
    altered = features.clone()
    altered[:, 3] += 1
    changed = (model.motion(features, features).mean != model.motion(altered, features).mean).any(-1)
    assert (changed == (torch.arange(T) == 3)).all()


def test_single_frame_content(clips):
    """With a share of 1 the static code is that of one frame repeated (Deviation D17)."""
    model = MAKE["dsvae"]().eval()
    still = clips[:, 2:3].expand_as(clips)
    full, single = (
        model.loss(still, ACTION, noise, estimate=Estimate(single_frame_content=share))["kl_content"]
        for share in (0.0, 1.0)
    )
    torch.testing.assert_close(full, single)
    moving = [model.loss(clips, ACTION, noise, estimate=Estimate(single_frame_content=s))["kl_content"] for s in (0, 1)]
    assert moving[0] != moving[1]


# S3VAE


def test_triplet():
    """One where the three agree; falls only as the positive comes near or the negative goes away."""
    one = draws(1, B, 6)
    assert static_triplet(one, one, one).item() == pytest.approx(1, abs=1e-4)
    near, far = one + 0.01, one + 10
    assert static_triplet(one, near, far) == 0
    assert static_triplet(one, far, near) > 20
    values = [static_triplet(one, one + gap, one + 0.5).item() for gap in (1.0, 0.5, 0.25, 0.0)]
    assert values == sorted(values, reverse=True)


def test_triplet_of_a_static_code_blind_to_order(clips, monkeypatch):
    """A code that is the mean over frames does not see the shuffle: only the distance to another clip counts."""
    model = MAKE["s3vae"]().train()
    monkeypatch.setattr(model, "static", lambda h: Gaussian(100 * h.mean(1)[:, :8], torch.zeros(len(h), 8)))
    assert model.loss(clips, ACTION, noise)["triplet"] < 1e-3
    monkeypatch.setattr(model, "static", lambda h: Gaussian(100 * h[:, 0, :8], torch.zeros(len(h), 8)))
    assert model.loss(clips, ACTION, noise)["triplet"] > 1


def test_motion_cells():
    clips = torch.full((1, 3, 3, 64, 64), -1.0)
    assert not motion_cells(clips).any()
    clips[0, 1, :, 50:60, 25:35] = 1
    cells = motion_cells(clips)
    assert cells.shape == (1, 2, 9)
    assert cells[0].tolist() == [[number == 7 for number in range(9)]] * 2, "the bottom row's middle, there and back"
    clips[0, 1] = -0.995
    assert not motion_cells(clips).any(), "below the threshold"


@pytest.mark.parametrize(("name", "least"), [("sprites-procedural", 0.7), ("sprites", 0.95)])
def test_motion_cells_tell_the_action_views_apart(name, least):
    if name == "sprites" and not os.environ.get("HAMREPRO_LPC"):
        pytest.skip("HAMREPRO_LPC does not name the LPC sheets")
    data = load(name, "test")
    index = (torch.arange(9)[:, None] * (len(data) // 9) + torch.arange(8)).flatten()
    masks = motion_cells(normalise(data.clips(index))).flatten(1).float().unflatten(0, (9, 8))
    nearest = torch.cdist(masks[:, 4:], masks[:, :4].mean(1)).argmin(-1)
    assert (nearest == torch.arange(9)[:, None]).float().mean() > least


def test_area_is_a_log_likelihood_in_nats_per_clip(clips):
    model = MAKE["s3vae"]()
    for parameter in model.area.parameters():
        nn.init.zeros_(parameter)
    assert model.area_loss(clips, draws(1, B, T, Z)).item() == pytest.approx((T - 1) * 9 * math.log(2), rel=1e-5)
    z = draws(1, B, T, Z).requires_grad_()
    MAKE["s3vae"]().area_loss(clips, z).backward()
    assert (z.grad[:, 0] == 0).all(), "the first frame has moved from nowhere"
    assert (z.grad[:, 1:] != 0).any()


# Mutual information


def aggregated(correlation, count, spread):
    """Codes of one dimension: posteriors N(mean, spread^2) whose means correlate, aggregate N(0, 1)."""
    means = draws(1, count, 2)
    means[:, 1] = correlation * means[:, 0] + math.sqrt(1 - correlation**2) * means[:, 1]
    means = means * math.sqrt(1 - spread**2)
    log_std = torch.full((count, 1), math.log(spread))
    static, motion = Gaussian(means[:, :1], log_std), Gaussian(means[:, None, 1:], log_std[:, None])
    f, z = static.sample(draws(2, count, 1)), motion.sample(draws(3, count, 1, 1))
    return mutual_information(f, static, z, motion).item(), -0.5 * math.log(1 - (correlation * (1 - spread**2)) ** 2)


def test_information():
    independent, _ = aggregated(0.0, 512, 0.5)
    assert abs(independent) < 0.1
    some, truth = aggregated(0.9, 512, 0.4)
    assert some == pytest.approx(truth, abs=0.15)
    much, truth = aggregated(0.999, 512, 0.1)
    assert much > 1.4
    assert much == pytest.approx(truth, abs=0.35)


def test_information_ends_at_log_m_and_goes_flat():
    """With 64 dimensions and narrow posteriors no two overlap: log M, dependent or not, and no gradient."""
    count = 32
    mean = draws(1, count, 64).requires_grad_()
    static = Gaussian(mean, torch.full((count, 64), math.log(0.3)))
    for other in (draws(2, count, 1, 64), mean.detach()[:, None]):
        motion = Gaussian(other, torch.full((count, 1, 64), math.log(0.3)))
        z = motion.sample(draws(5, count, 1, 64))
        value = mutual_information(static.sample(draws(4, count, 64)), static, z, motion)
        assert value.item() == pytest.approx(math.log(count), abs=1e-4)
        assert torch.autograd.grad(value, mean, retain_graph=True)[0].abs().max() < 1e-6


def test_information_is_minimised():
    """Descending on what S3VAE adds to its loss makes dependent codes less dependent."""
    mean = draws(1, 128, 1)
    weight = torch.tensor(1.0, requires_grad=True)
    narrow = torch.full((128, 1), math.log(0.5))
    static = Gaussian(mean, narrow)
    motion = Gaussian((weight * mean)[:, None], narrow[:, None])
    value = mutual_information(static.sample(draws(2, 128, 1)), static, motion.sample(draws(3, 128, 1, 1)), motion)
    assert S3vae.information_weight > 0 and Cdsvae.information_weight > 0
    assert torch.autograd.grad(value, weight)[0] > 0, "a descent step shrinks the dependence"


# C-DSVAE


def test_nt_xent_by_definition():
    first, second = draws(1, 6, 4).double(), draws(2, 6, 4).double()
    views = torch.cat([first, second])
    total = 0.0
    for i in range(12):
        scores = {j: functional.cosine_similarity(views[i], views[j], dim=0) / 0.5 for j in range(12) if j != i}
        total -= (scores[(i + 6) % 12].exp() / sum(score.exp() for score in scores.values())).log()
    torch.testing.assert_close(nt_xent(first, second), total / 12)


def test_nt_xent_chance_and_agreement():
    same = torch.ones(7, 3)
    assert nt_xent(same, same).item() == pytest.approx(math.log(13), rel=1e-5)
    one = draws(1, 7, 16)
    assert nt_xent(one, one) < nt_xent(one, one.roll(1, 0))
    assert nt_xent(one, 5 * one).item() == pytest.approx(nt_xent(one, one).item(), rel=1e-5), "lengths do not count"


def test_shuffled_frames_are_the_same_frames():
    frames = torch.arange(B * T).view(B, T, 1).float()
    shuffled = shuffle_frames(frames, noise("augment"))
    assert torch.equal(shuffled.sort(1).values, frames)
    assert len({tuple((row - row.min()).flatten().tolist()) for row in shuffled}) > 1, "an order for every clip"


def test_distorted_colours_keep_the_motion(clips):
    distorted = distort_colour(clips, noise("augment"))
    assert distorted.shape == clips.shape
    assert distorted.abs().max() <= 1 + 1e-5
    assert (distorted - clips).abs().amax((1, 2, 3, 4)).count_nonzero() >= 2
    still = clips[:, :1].expand_as(clips)
    assert distort_colour(still, noise("augment")).diff(dim=1).abs().max() < 1e-5, "one draw per clip"


def test_grey_stays_grey_under_a_change_of_hue():
    grey = torch.rand(64, 1, 1, 4, 4, generator=generator(1, "window")).expand(-1, 2, 3, -1, -1) * 2 - 1
    distorted = distort_colour(grey, noise("augment"))
    assert (distorted - distorted.mean(2, keepdim=True)).abs().max() < 5e-3


def test_views_leave_running_statistics_alone(clips):
    model = MAKE["cdsvae"]().train()
    plain = MAKE["cdsvae"]().train()
    plain.load_state_dict(model.state_dict())
    model.loss(clips, ACTION, noise)
    plain.features(clips)
    norms = [name for name in model.state_dict() if name.startswith("encoder") and "running" in name]
    assert norms
    assert all(torch.equal(model.state_dict()[name], plain.state_dict()[name]) for name in norms)
    with frozen_statistics(model.encoder):
        assert all(norm.momentum == 0 for norm in model.encoder if isinstance(norm, nn.BatchNorm2d))
    assert all(norm.momentum == 0.1 for norm in model.encoder if isinstance(norm, nn.BatchNorm2d))


# SKD


def rotation(angle, radius=1.0):
    c, s = radius * math.cos(angle), radius * math.sin(angle)
    return torch.tensor([[c, s], [-s, c]])


@pytest.fixture(scope="module")
def operator():
    """Two static modes, a near-static rotating pair and two rotating pairs in a skewed basis, float64."""
    blocks = torch.block_diag(torch.eye(2), rotation(0.05), rotation(0.8), rotation(2.0, 0.9)).double()
    basis = torch.eye(8) + 0.3 * draws(4, 8, 8)
    return torch.linalg.inv(basis.double()) @ blocks @ basis.double()


def test_operator_is_recovered_from_its_paths(operator):
    path = [draws(1, 64, 8).double()]
    for _ in range(7):
        path.append(path[-1] @ operator)
    states = torch.stack(path, 1)
    before, after = states[:, :-1].flatten(0, 1), states[:, 1:].flatten(0, 1)
    torch.testing.assert_close(koopman_operator(before.mT @ before, before.mT @ after), operator, atol=1e-4, rtol=0)


def test_pairs_are_one_mode(operator):
    values = torch.linalg.eigvals(operator)
    for count, size in ((1, 1), (2, 2), (3, 4), (4, 6), (5, 8), (9, 8)):
        mask = static_modes(values, count)
        assert mask.sum() == size
        assert values[mask].sum().imag.abs() < 1e-9, "conjugates stay together"
    assert (values[static_modes(values, 3)] - 1).abs().max() < (values[~static_modes(values, 3)] - 1).abs().min()


def test_static_and_moving_part_add_up(operator):
    projector = static_projector(operator, 3)
    torch.testing.assert_close(projector @ projector, projector, atol=1e-9, rtol=0)
    torch.testing.assert_close(projector @ operator, operator @ projector, atol=1e-9, rtol=0)
    states = draws(2, 5, 8).double()
    still = states @ static_projector(operator, 2)
    torch.testing.assert_close(still @ operator, still, atol=1e-9, rtol=0)
    assert static_projector(operator, 3).trace().item() == pytest.approx(4)


def test_spectral_loss():
    good = torch.tensor([1, 1, 0.2 + 0.9j, 0.2 - 0.9j], dtype=torch.complex128)
    assert spectral_loss(good, 2) == 0
    drifting = torch.tensor([1, 0.8, 0.2 + 0.9j, 0.2 - 0.9j], dtype=torch.complex128)
    assert spectral_loss(drifting, 2).item() == pytest.approx(0.02)
    sluggish = torch.tensor([1, 1, 0.7 + 0.6j, 0.7 - 0.6j], dtype=torch.complex128)
    assert spectral_loss(sluggish, 2).item() == pytest.approx(0.7)
    assert spectral_loss(good[:2], 2) == 0, "with nothing that moves"


def test_skd_weights_are_fifteen_to_one(clips, monkeypatch):
    """In eval mode with a decoder that draws nothing: nats of a clip against the published mean squares."""
    model = MAKE["skd"]().eval()
    monkeypatch.setattr(model, "decode", lambda codes: torch.zeros(*codes.shape[:2], 3, 64, 64))
    terms = model.loss(clips, ACTION, noise)
    published = 15 * ((clips / 2).square().mean())
    nats = -terms["reconstruction"] / published
    torch.testing.assert_close(terms["reconstruction"], -0.5 * clips.square().sum() / B)
    states = model.states(clips)
    operator = model.fit(states)
    latent = torch.cat([torch.zeros(B, 1, 10), states[:, 1:] - states[:, :-1] @ operator], 1).square().mean()
    torch.testing.assert_close(terms["latent"], nats * latent, rtol=1e-3, atol=1e-6)
    assert terms["prediction"] == 0


def test_running_operator(clips):
    model = MAKE["skd"]().train()
    assert not model.operator.any()
    first = model.fit(model.states(clips).detach())
    torch.testing.assert_close(model.operator, first, atol=1e-4, rtol=1e-3)
    for _ in range(3):
        model.loss(clips.flip(1), ACTION, noise)
    frozen = model.operator.clone()
    assert not torch.equal(frozen, first)
    model.eval().loss(clips, ACTION, noise)
    assert torch.equal(model.operator, frozen), "evaluation does not move it"


def test_skd_content_stays_near_the_data(clips):
    """The published random content: a convex mixture of other clips' static parts, never their motion."""
    model = MAKE["skd"]().train()
    model.fit(model.states(clips).detach())
    model.eval()
    alike = clips[:1].expand_as(clips)
    with torch.inference_mode():
        made = model.with_prior_content(alike, ACTION, T, noise("prior"))
        torch.testing.assert_close(made, model.swap(alike, ACTION, alike, ACTION), atol=1e-5, rtol=0)


# MoCoGAN


@pytest.mark.parametrize("frames", [8, 16])
def test_critics(frames):
    assert ClipDiscriminator(4, 9, frames)(torch.zeros(2, 3, frames, 64, 64)).shape == (2, 10)
    assert FrameDiscriminator(4)(torch.zeros(2, 3, 64, 64)).shape == (2, 1, 4, 4)


def test_motion_path_changes_with_the_category():
    model = MAKE["mocogan"]().eval()
    motion = model.draw_motion(torch.tensor([2, 2]), T, noise("prior"))
    one = Motion(*(part[:1].expand(2, *part.shape[1:]) for part in motion))
    two = one._replace(category=torch.tensor([2, 5]))
    alike, apart = model.generator.path(one), model.generator.path(two)
    torch.testing.assert_close(alike[0], alike[1])
    states = apart[..., 9:]
    assert (states[0] - states[1]).abs().amax(-1).min() > 1e-3, "in every frame, the noise being the same"
    assert apart[1, :, :9].argmax(-1).eq(5).all()


@torch.inference_mode()
def test_content_and_motion_are_separate_draws():
    model = MAKE["mocogan"]().eval()
    content, motion = model.draw_content(B, noise("prior")), model.draw_motion(ACTION, T, noise("prior"))
    first = model.draw(content, motion)
    assert torch.equal(first, model.draw(content, motion))
    assert not torch.equal(first, model.draw(content.roll(1, 0), motion))
    assert not torch.equal(first, model.draw(content, model.draw_motion(ACTION, T, noise("pairing"))))
    still = Motion(motion.category, torch.zeros_like(motion.start), torch.zeros_like(motion.steps))
    assert model.draw(content, still).shape == (B, T, 3, 64, 64)


def gradients(model, loss):
    made = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, retain_graph=True)
    named = zip(dict(model.named_parameters()), made, strict=True)
    return {name.split(".")[0] for name, gradient in named if gradient is not None and gradient.any()}


def test_each_player_moves_only_itself(clips):
    model = MAKE["mocogan"]().train()
    terms = model.loss(clips, ACTION, noise)
    assert gradients(model, terms["generator"]) == {"generator"}
    assert gradients(model, terms["category_made"]) == {"generator"}
    assert gradients(model, terms["frame_critic"]) == {"frame_critic"}
    assert gradients(model, terms["clip_critic"]) == {"clip_critic"}
    assert gradients(model, terms["category_real"]) == {"clip_critic"}
    total = sum(value for name, value in terms.items() if name != "loss")
    torch.testing.assert_close(terms["loss"], total)


def test_fooling_leaves_the_critic_as_it_was():
    critic = FrameDiscriminator(4).train()
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    made = draws(1, 4, 3, 64, 64).requires_grad_()
    fooled(critic, made).sum().backward()
    assert made.grad.any()
    assert all(p.grad is None for p in critic.parameters())
    assert all(torch.equal(value, before[name]) for name, value in critic.state_dict().items())


def test_an_undecided_critic_costs_log_two():
    assert is_real(torch.zeros(3), 1).item() == pytest.approx(math.log(2))
    assert is_real(torch.full((3,), 20.0), 1) < 1e-6
    assert is_real(torch.full((3,), 20.0), 0) > 19


def test_samples_come_from_averaged_weights(clips):
    model = MAKE["mocogan"]().eval()
    weights = model.generator.state_dict()
    assert all(torch.equal(getattr(model, model._averaged_name(name)), value) for name, value in weights.items())
    before = model.sample(ACTION, T, noise("prior"))
    with torch.no_grad():
        model.generator.gru.weight_hh_l0.add_(1)
        model.generator.gru.weight_ih_l0.add_(1)
    assert torch.equal(model.sample(ACTION, T, noise("prior")), before), "until an update follows"
    model.train().loss(clips, ACTION, noise)
    assert not torch.equal(model.eval().sample(ACTION, T, noise("prior")), before)
    assert model.updates == 1


def test_variety_is_that_of_the_samples():
    model = MAKE["mocogan"]().train()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    assert model.diagnostics()["variety"] >= 0
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


def test_mocogan_is_told_the_action_view():
    sprites, faces = (configure("laptop", name, "mocogan") for name in ("sprites", "faces-procedural"))
    assert (sprites.network.actions, sprites.network.label) == (9, "action_view")
    assert (faces.network.actions, faces.network.label) == (6, "action")
    assert sprites.training.optimiser == "adam" and sprites.training.betas == (0.5, 0.999)
    data = load("sprites-procedural", "test")
    batch = draw_batch(data, replace(sprites.training, batch=40), 0, 0, torch.device("cpu"), sprites.network.label)
    assert torch.equal(batch.action, data.targets["action_view"][batch.index])
    assert batch.action.max() > 2


def test_a_setting_at_its_default_leaves_the_hash():
    config = configure("laptop", "sprites", "halo-sp")
    renamed = replace(config, network=replace(config.network, label="action_view"))
    assert config.sha256 != renamed.sha256
    settings = config.as_dict()
    assert settings["network"]["label"] == "action"


def test_an_operator_that_is_not_finite_gives_terms_that_say_so(clips):
    model = MAKE["skd"]()
    with torch.no_grad():
        model.encoder_lstm.weight_hh_l0[0, 0] = torch.nan
    assert not model.loss(clips, ACTION, noise)["loss"].isfinite()
    model.operator[0, 0] = torch.nan
    assert math.isnan(model.diagnostics()["spectral_radius"])
