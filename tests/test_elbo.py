"""The bound against evidence known in closed form, and HALO's loss against its definition. Eqs. (10)-(17)."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal
from torch.func import functional_call

from hamrepro.dynamics import HamiltonianOperators, PhaseSpace, embed
from hamrepro.elbo import Elbo, Estimate, Posterior
from hamrepro.gaussian import Gaussian, emission_log_prob
from hamrepro.halo import Halo
from hamrepro.presets import configure
from hamrepro.randomness import generator

FRAMES, CONTENT, SHAPE = 8, 2, (3, 2, 2)
PIXELS = math.prod(SHAPE)


class LinearToy:
    """HALO with a linear decoder: x = W (q, p, z) + unit noise, so that log p(x) is a Gaussian's.

    One oscillator of period T and a decoder whose columns for q and z are orthogonal make the true posterior
    diagonal, the shape the inference networks can reach.
    """

    def __init__(self, draw, family="u", omega=2 * math.pi / FRAMES, actions=2):
        self.actions = actions
        self.operators = HamiltonianOperators(actions, 1, family).double()
        with torch.no_grad():
            for parameter in self.operators.parameters():
                parameter.zero_()
            self.operators.symmetric.add_(omega * torch.eye(self.operators.symmetric.shape[-1], dtype=torch.float64))
        columns = torch.linalg.qr(draw(0, PIXELS, actions + CONTENT).double().cpu())[0]
        self.weight = columns * torch.linspace(0.6, 1.4, actions + CONTENT, dtype=torch.float64)

    def means(self, state, z, action, reference):
        positions = embed(self.operators.flow(state, action, reference, FRAMES).q, action, self.actions)
        codes = torch.cat([positions, z[:, None].expand(-1, FRAMES, -1)], -1)
        return (codes @ self.weight.mT).unflatten(-1, SHAPE)

    def matrix(self, action, reference):
        """W (T m, 2 + |Z|) for one action and one reference frame, column by column."""
        eye = torch.eye(2 + CONTENT, dtype=torch.float64)
        batch = torch.full((2 + CONTENT,), 1, dtype=torch.int64)
        state = PhaseSpace.from_state(eye[:, :2])
        return self.means(state, eye[:, 2:], action * batch, reference * batch).flatten(1).mT.detach()

    def log_evidence(self, clip, action, reference):
        w = self.matrix(action, reference)
        covariance = w @ w.mT + torch.eye(len(w), dtype=torch.float64)
        return MultivariateNormal(torch.zeros(len(w), dtype=torch.float64), covariance).log_prob(clip.flatten())

    def true_posterior(self, clip, action, reference):
        """Mean and covariance of (q, p, z) given the clip."""
        w = self.matrix(action, reference)
        covariance = torch.linalg.inv(w.mT @ w + torch.eye(2 + CONTENT, dtype=torch.float64))
        return covariance @ w.mT @ clip.flatten(), covariance

    def bound(self, clip, mean, log_std, action, reference):
        """The library's ELBO for one clip, the expectation taken exactly: 2n points +-sqrt(n) e_i do a quadratic."""
        n = 2 + CONTENT
        noise = math.sqrt(n) * torch.cat([torch.eye(n), -torch.eye(n)]).double()
        columns = (slice(2, None), slice(0, 1), slice(1, 2))  # z, q, p
        whole = Gaussian(mean.expand(2 * n, n), log_std.expand(2 * n, n))
        parts = [Gaussian(whole.mean[:, part], whole.log_std[:, part]) for part in columns]
        frames = torch.full((2 * n,), reference)
        posterior = Posterior(*parts, frames)
        z, q, p = (gaussian.sample(noise[:, part]) for gaussian, part in zip(parts, columns, strict=True))
        means = self.means(PhaseSpace(q, p), z, torch.full((2 * n,), action), frames)
        likelihood = emission_log_prob(clip.expand_as(means), means, constant=True)
        return Elbo.of(posterior, likelihood)

    def clip(self, draw, seed, action, reference):
        code = draw(seed, 1, 2 + CONTENT).double().cpu()
        means = self.means(
            PhaseSpace.from_state(code[:, :2]), code[:, 2:], torch.tensor([action]), torch.tensor([reference])
        )
        return (means[0] + draw(seed + 1, FRAMES, *SHAPE).double().cpu()).detach()


@pytest.fixture(scope="module")
def toy(draw):
    return LinearToy(draw)


@pytest.mark.parametrize("action", [0, 1])
@pytest.mark.parametrize("reference", [0, 3, 7])
def test_bound_is_the_evidence_at_the_true_posterior(toy, draw, action, reference):
    clip = toy.clip(draw, reference, action, reference)
    mean, covariance = toy.true_posterior(clip, action, reference)
    off_diagonal = covariance - covariance.diagonal().diag()
    assert off_diagonal.abs().max() <= 1e-12, "within reach of a diagonal posterior"
    total = toy.bound(clip, mean, covariance.diagonal().log() / 2, action, reference).total.mean()
    assert abs(total - toy.log_evidence(clip, action, reference)) <= 1e-9


def test_evidence_does_not_depend_on_the_reference_frame(toy, draw):
    """An orthogonal flow keeps N(0, I): the assumption behind Eqs. (20), (21), which only u(d) fulfils."""
    clip = toy.clip(draw, 5, 0, 0)
    values = [toy.log_evidence(clip, 0, reference) for reference in range(FRAMES)]
    assert max(values) - min(values) <= 1e-9
    saddle = LinearToy(draw, "sp", omega=0.0)
    with torch.no_grad():
        saddle.operators.symmetric[:] = torch.tensor([[0.0, 0.3], [0.3, 0.0]])
    values = [saddle.log_evidence(clip, 0, reference) for reference in range(FRAMES)]
    assert max(values) - min(values) > 0.1


@given(st.integers(0, 10**6), st.integers(0, 7), st.integers(0, 1))
def test_bound_never_exceeds_the_evidence(toy, draw, seed, reference, action):
    clip = toy.clip(draw, seed, action, reference)
    best, covariance = toy.true_posterior(clip, action, reference)
    mean = best + 0.3 * draw(seed + 2, 2 + CONTENT).double().cpu()
    log_std = covariance.diagonal().log() / 2 + 0.3 * draw(seed + 3, 2 + CONTENT).double().cpu()
    total = toy.bound(clip, mean, log_std, action, reference).total.mean()
    evidence = toy.log_evidence(clip, action, reference)
    q = Gaussian(mean, log_std)
    gap = q.kl_from(Gaussian(best, covariance.diagonal().log() / 2))
    assert total < evidence and abs(evidence - gap - total) <= 1e-8, "the gap is KL[q || p(. | x)]"


def test_gradient_of_the_bound(toy, draw):
    """Reparametrised gradients against finite differences with common noise, down to H."""
    clip = toy.clip(draw, 0, 1, 2)

    def total(mean, log_std, symmetric, skew):
        replaced = {"symmetric": symmetric, "skew": skew}
        flow = toy.operators.flow
        toy.operators.forward = flow
        toy.operators.flow = lambda *inputs: functional_call(toy.operators, replaced, inputs)
        try:
            return toy.bound(clip, mean, log_std, 1, 2).total
        finally:
            del toy.operators.flow, toy.operators.forward

    parts = [0.3 * draw(seed, 2 + CONTENT).double().cpu() for seed in (1, 2)]
    free = [parameter.detach().clone() + 0.1 for parameter in (toy.operators.symmetric, toy.operators.skew)]
    inputs = [part.requires_grad_() for part in (*parts, *free)]
    assert torch.autograd.gradcheck(total, inputs)
    assert torch.autograd.gradgradcheck(total, inputs, fast_mode=True)


def test_terms(toy, draw):
    clip = toy.clip(draw, 0, 0, 0)
    elbo = toy.bound(clip, torch.zeros(4).double(), torch.full((4,), -0.5).double(), 0, 0)
    terms = elbo.terms()
    assert list(terms) == ["loss", "reconstruction", "kl_position", "kl_momentum", "kl_content"]
    assert all(term.ndim == 0 for term in terms.values())
    divergences = terms["kl_position"] + terms["kl_momentum"] + terms["kl_content"]
    assert torch.allclose(terms["loss"], divergences - terms["reconstruction"])
    assert min(terms[name] for name in terms if name.startswith("kl")) >= 0


BATCH = 3


@pytest.fixture(scope="module")
def halo():
    torch.manual_seed(0)
    return Halo(configure("smoke", "sprites", "halo-sp").network).eval()


@pytest.fixture(scope="module")
def clips():
    return torch.rand(BATCH, FRAMES, 3, 64, 64, generator=generator(0, "augment")) * 2 - 1


ACTION = torch.tensor([0, 1, 2])


def noise(step=0):
    """Stream name -> one generator each, as a training step hands it over."""
    made = {}
    return lambda name: made.setdefault(name, generator(0, name, step))


def by_hand(halo, clips, step=0, cyclic=None):
    """Eq. (17) clip by clip and frame by frame, from the model's parts, with the step's own noise."""
    reference = torch.randint(FRAMES, (BATCH,), generator=generator(0, "reference", step))
    features = halo.encoder(clips.flatten(0, 1)).unflatten(0, (BATCH, FRAMES))
    content = halo.content(features)
    windows, frames = [], torch.arange(FRAMES)
    for clip, t in enumerate(reference.tolist()):
        past = [t - 3, t - 2, t - 1, t]
        around = cyclic is not None and bool(cyclic[clip])
        windows.append([frame % FRAMES if around else max(frame, 0) for frame in past])
    position = halo.position(torch.stack([features[i, t] for i, t in enumerate(reference)]), ACTION)
    momentum = halo.momentum(torch.stack([features[i, window] for i, window in enumerate(windows)]), ACTION)
    draw = generator(0, "posterior", step)
    z, q, p = (part.sample(torch.randn(part.mean.shape, generator=draw)) for part in (content, position, momentum))
    h, d = halo.operators.generators(), halo.config.half_dimension
    likelihood = torch.zeros(BATCH)
    for clip in range(BATCH):
        for frame in frames.tolist():
            flow = torch.linalg.matrix_exp((frame - reference[clip]) * h[ACTION[clip]].double()).float()
            state = flow @ torch.cat([q[clip], p[clip]])
            code = torch.zeros(3 * d)
            code[ACTION[clip] * d : (ACTION[clip] + 1) * d] = state[:d]
            mean = halo.decoder(torch.cat([z[clip], code])[None])[0]
            likelihood[clip] += -0.5 * (clips[clip, frame] - mean).square().sum()
    return Elbo(likelihood, position.kl(), momentum.kl(), content.kl()), reference


@pytest.mark.parametrize("step", range(3))
def test_loss_is_equation_17(halo, clips, step):
    with torch.no_grad():
        terms = halo.loss(clips, ACTION, noise(step))
        expected, _ = by_hand(halo, clips, step)
    for name, value in expected.terms().items():
        assert terms[name].item() == pytest.approx(value.item(), rel=2e-5), name


def test_momentum_of_a_cyclic_clip_looks_round_the_cut(halo, clips):
    cyclic = torch.tensor([True, False, True])
    with torch.no_grad():
        for step in range(4):
            terms = halo.loss(clips, ACTION, noise(step), cyclic=cyclic)
            expected, reference = by_hand(halo, clips, step, cyclic)
            assert terms["loss"].item() == pytest.approx(expected.terms()["loss"].item(), rel=2e-5)
            plain = halo.loss(clips, ACTION, noise(step))
            early = bool((reference[cyclic] < 3).any())
            assert (terms["kl_momentum"] != plain["kl_momentum"]) == early


def test_momentum_never_looks_ahead(halo, clips):
    with torch.no_grad():
        features = halo.features(clips)
        for t in range(FRAMES):
            changed = features.clone()
            changed[:, t + 1 :] += 10
            reference = torch.full((BATCH,), t)
            before, after = (halo.infer(part, ACTION, reference) for part in (features, changed))
            assert torch.equal(before.momentum.mean, after.momentum.mean)
            assert torch.equal(before.position.mean, after.position.mean)
            if t < FRAMES - 1:
                assert not torch.equal(before.content.mean, after.content.mean)


def test_some_frames_estimate_all(halo, clips, monkeypatch):
    """Deviation D15: frames drawn without replacement, scaled by T over their number; unbiased."""
    with torch.no_grad():
        features, gaps = halo.features(clips), []

        def decode(z, q):
            return q.sum(-1).tanh()[..., None, None, None].expand(-1, -1, 3, 64, 64)

        monkeypatch.setattr(halo, "features", lambda clips: features)
        monkeypatch.setattr(halo, "decode", decode)
        for step in range(100):
            estimates = (Estimate(), Estimate(decoded_frames=3))
            terms = [halo.loss(clips, ACTION, noise(step), estimate=estimate) for estimate in estimates]
            gaps.append((terms[1]["reconstruction"] - terms[0]["reconstruction"]).item())
            assert terms[0]["kl_content"] == terms[1]["kl_content"]
    gaps = torch.tensor(gaps)
    assert gaps.std() > 1 and gaps.mean().abs() <= 4 * gaps.std() / math.sqrt(len(gaps))


def test_all_frames_asked_for_are_all_frames(halo, clips):
    with torch.no_grad():
        whole = Estimate(decoded_frames=FRAMES)
        assert halo.loss(clips, ACTION, noise(), estimate=whole) == halo.loss(clips, ACTION, noise())


def test_kl_of_every_frame(halo, clips):
    with torch.no_grad():
        terms = halo.loss(clips, ACTION, noise(), estimate=Estimate(kl_frames="all"))
        features = halo.features(clips)
        sums = torch.zeros(2)
        for t in range(FRAMES):
            posterior = halo.infer(features, ACTION, torch.full((BATCH,), t))
            sums += torch.stack([posterior.position.kl().mean(), posterior.momentum.kl().mean()])
    assert terms["kl_position"].item() == pytest.approx(sums[0].item(), rel=1e-4)
    assert terms["kl_momentum"].item() == pytest.approx(sums[1].item(), rel=1e-4)


def test_content_of_a_single_frame(halo, clips):
    with torch.no_grad():
        terms = halo.loss(clips, ACTION, noise(), estimate=Estimate(single_frame_content=1.0))
        reference = torch.randint(FRAMES, (BATCH,), generator=generator(0, "reference"))
        still = clips[torch.arange(BATCH), reference][:, None].expand(-1, FRAMES, -1, -1, -1)
        content = halo.content(halo.features(still))
    assert terms["kl_content"].item() == pytest.approx(content.kl().mean().item(), rel=1e-5)


def test_content_of_the_window(halo, clips):
    cyclic = torch.tensor([True, False, True])
    with torch.no_grad():
        for step in range(3):
            terms = halo.loss(clips, ACTION, noise(step), cyclic=cyclic, estimate=Estimate(content_frames="window"))
            whole = halo.loss(clips, ACTION, noise(step), cyclic=cyclic)
            reference = torch.randint(FRAMES, (BATCH,), generator=generator(0, "reference", step))
            seen = clips[torch.arange(BATCH)[:, None], halo.window(FRAMES, reference, cyclic)]
            content = halo.content(halo.features(seen))
            assert terms["kl_content"].item() == pytest.approx(content.kl().mean().item(), rel=1e-5)
            for name in ("kl_position", "kl_momentum"):
                assert terms[name].item() == pytest.approx(whole[name].item(), rel=1e-5)


def test_weight_of_the_divergences(halo, clips):
    with torch.no_grad():
        bound, weighted = (halo.loss(clips, ACTION, noise(), estimate=Estimate(kl_weight=w)) for w in (1.0, 0.25))
    divergence = sum(value for name, value in bound.items() if name.startswith("kl_"))
    assert weighted["loss"].item() == pytest.approx((bound["loss"] - 0.75 * divergence).item(), rel=1e-6)
    assert all(weighted[name] == value for name, value in bound.items() if name != "loss"), "terms are told unweighted"


def test_the_default_is_the_paper():
    assert Estimate() == Estimate(None, "clip", 0.0, "reference", 1.0)


def test_every_parameter_learns(clips):
    torch.manual_seed(0)
    for family in ("sp", "u", "u_sym", "elliptic"):
        variant = {"u_sym": "halo-u+u_sym", "elliptic": "halo-sp+elliptic"}.get(family, f"halo-{family}")
        model = Halo(configure("smoke", "sprites", variant).network)
        model.loss(clips, ACTION, noise())["loss"].backward()
        silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        assert not silent, family


def test_other_operators_get_exactly_nothing(clips):
    torch.manual_seed(0)
    model = Halo(configure("smoke", "sprites", "halo-u").network)
    for action in range(3):
        model.zero_grad()
        model.loss(clips, torch.full((BATCH,), action), noise())["loss"].backward()
        for parameter, other in itertools.product(model.operators.parameters(), range(3)):
            assert bool(parameter.grad[other].any()) == (other == action)
