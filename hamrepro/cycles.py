"""Cycles of the learning rate: what follows the first, on Sprites and on faces. Deviations D19 to D21, D24 to D27."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hamrepro.config import TrainConfig

# Variants that say which cycle of the recipe a run is, or how long one is.
FIRST_CYCLE, SECOND_CYCLE, SHORT, NO_MMD = "first-cycle", "second-cycle", "short", "no-mmd"
BRIEF, LONG, ONE_CYCLE, RUNNING_AVERAGES = "brief", "long", "one-cycle", "running-averages"

CONTENT_MMD, CONTENT_ADVERSARY = 4000.0, 1000.0
POPULATION = 100  # batches
ONSET = 0.5  # share of the steps of the one cycle
SHIFT, LONGER = 2, 16  # of faces: pixels by which a clip is moved; T of the later cycles, as many frames as are scored


def on_sprites(first: TrainConfig, model: str, variants: Sequence[str]) -> TrainConfig:
    """The cycle of the recipe for Sprites that the variants name; the third, where they name none.

    The second: six steps for every ten of the first at half of its rate, with states from the prior and with content
    that must not tell the action (Deviations D19, D20, D21). The third: five for every eighteen of the second, an
    adversary in place of the discrepancy (D24). Or one cycle, six steps for every five of the first, in whose second
    half all of this sets in but the discrepancy; the adversary tells contents from draws of the prior, too (D27).

    Args:
        first: the first cycle. model: its name without variants.
    """
    named, long, second = {*variants}, LONG in variants, SECOND_CYCLE in variants
    shorter = named & {SHORT, NO_MMD}
    if named & {FIRST_CYCLE, BRIEF} or (long and not second):
        return first
    if ONE_CYCLE in named:
        changes = {"content_frames": "apart", "content_adversary": CONTENT_ADVERSARY, "adversary_prior": True}
        return replace(first, steps=first.steps * 6 // 5, prior_states=0.5, periods=16, onset=ONSET, **changes)
    before = "+".join([model, *(name for name in variants if name not in {SECOND_CYCLE, *shorter})])
    tenths = 3 if shorter else 2 if long else 6
    training = replace(
        _halved(first), continues=before if long else f"{before}+{FIRST_CYCLE}", steps=first.steps * tenths // 10,
        prior_states=0.5, periods=16, content_mmd=0.0 if NO_MMD in named else CONTENT_MMD,
        content_frames="apart" if first.content_frames == "window" else first.content_frames,
    )  # fmt: skip
    if second or shorter:
        return training
    after, steps = f"{before}+{SECOND_CYCLE}", training.steps * 5 // 18
    return replace(training, continues=after, steps=steps, content_mmd=0.0, content_adversary=CONTENT_ADVERSARY)


def on_faces(first: TrainConfig, model: str, variants: Sequence[str]) -> TrainConfig:
    """The same of the recipe for faces, every cycle on clips that are moved. Deviations D25, D26.

    The second and the third: five and six steps for every eighteen of the first, at half of its rate, on windows of
    16 frames; after the third, statistics of the population for the batch norms.

    Args:
        first: the first cycle. model: its name without variants.
    """
    first = replace(first, shift=SHIFT)
    if {*variants} & {FIRST_CYCLE, BRIEF, LONG}:
        return first
    second, running = SECOND_CYCLE in variants, RUNNING_AVERAGES in variants
    steps, after = (5, FIRST_CYCLE) if second else (6, SECOND_CYCLE)
    before = "+".join([model, *(name for name in variants if name not in {SECOND_CYCLE, RUNNING_AVERAGES}), after])
    batches = 0 if second or running else POPULATION
    changes = {"continues": before, "steps": first.steps * steps // 18, "population_batches": batches}
    return replace(_halved(first), frames=LONGER, **changes)


def _halved(first: TrainConfig) -> TrainConfig:
    """At half of its learning rates, the KL terms in full from the first step."""
    rates = ("learning_rate", "scale_learning_rate", "muon_learning_rate")
    halves = {name: rate / 2 for name in rates if (rate := getattr(first, name)) is not None}
    return replace(first, kl_warmup=0.0, **halves)
