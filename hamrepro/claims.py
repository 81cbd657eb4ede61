"""The claims ledger: what the paper claims, a test of each that could fail, and a verdict by one rule.

Claims and the words of their tests stand in `data/claims.json`. A check reads records, or asks shipped operators.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from hamrepro import bench, conservation, records
from hamrepro.cycles import FIRST_CYCLE
from hamrepro.dynamics import HamiltonianOperators, PhaseSpace, embed
from hamrepro.evidence import ENOUGH, MODELS, Check, Evidence, verdict
from hamrepro.models import build
from hamrepro.presets import configure
from hamrepro.randomness import generator

CLAIMS = records.DATA / "claims.json"
ATTRIBUTES = ("skin", "tops", "pants", "hair")


def _own_subspace(look: Evidence) -> list[Check]:
    sizes = configure("paper", look.dataset, "halo-sp").network
    operators, k = HamiltonianOperators(sizes.actions, sizes.half_dimension), 1
    state = PhaseSpace.from_state(torch.ones(1, 2 * sizes.half_dimension))
    position = embed(operators.flow(state, torch.tensor([k]), torch.tensor([0]), 8).q, torch.tensor([k]), sizes.actions)
    position.square().sum().backward()
    moved = position.detach().unflatten(-1, (sizes.actions, -1)).abs().amax((0, 1, 3)).nonzero().flatten().tolist()
    taught = operators.symmetric.grad.abs().amax((1, 2)).nonzero().flatten().tolist()
    return [
        Check(moved == [k], f"subspaces of {sizes.actions} that a clip of action {k + 1} moves: {len(moved)}"),
        Check(taught == [k], f"operators that it teaches: {len(taught)}"),
    ]


def multiplications(actions: int, half_dimension: int) -> tuple[int, int]:
    """Multiplications and additions of one product of flows: K blocks, and one matrix of the whole space."""
    counts = []
    for blocks, size in ((actions, 2 * half_dimension), (1, 2 * actions * half_dimension)):
        matrices = torch.zeros(blocks, size, size)
        with FlopCounterMode(display=False) as counter:
            matrices @ matrices
        counts.append(counter.get_total_flops())
    return counts[0], counts[1]


def _cheaper(look: Evidence) -> list[Check]:
    sizes = configure("paper", look.dataset, "halo-sp").network
    blocks, whole = multiplications(sizes.actions, sizes.half_dimension)
    name = f"blocks/d={sizes.half_dimension} K={sizes.actions} T=8"
    found = {path.stem: bench.entries_of(path).get(name) for path in sorted((look.results / "bench").glob("*.json"))}
    timed = [
        Check(entry["ratio"]["iqr"][0] > 1, f"{machine}: {bench.rows({'': entry})['']['ratio']} times as fast")
        for machine, entry in found.items() if entry
    ]  # fmt: skip
    counted = f"{blocks:,} operations against {whole:,}, {whole / blocks:.0f} times fewer"
    return [Check(blocks < whole, counted), *(timed or [Check(None, f"{name}: not run")])]


def _told_apart(look: Evidence) -> list[Check]:
    network = build(configure("smoke", "sprites-procedural", "halo-sp"), 0).eval()
    with torch.inference_mode():
        features = network.features(torch.rand(1, 8, 3, 64, 64, generator=generator(0, "window")))
        one, two = (network.infer(features, torch.tensor([k]), torch.tensor([0])).mean_state().q for k in (0, 1))
    return [Check(not torch.equal(one, two), "the state of the same frames under another label is another one")]


def _beats_baselines(look: Evidence) -> list[Check]:
    keys = {"dsvae": "B", "mocogan": "A-category", "s3vae": "B"}
    return [
        look.better(f"{metric}/A/6way", "halo-sp", model, dataset="mug", other=f"{metric}/{protocol}/6way")
        for model, protocol in keys.items() for metric in ("accuracy", "h_y_given_x", "h_y")
    ]  # fmt: skip


def _late(look: Evidence) -> list[Check]:
    checks = []
    for model in MODELS:
        asked = look.cell(model, "accuracy/A/3way").mean
        least = 1.0 if asked is None else asked - 0.01
        checks.append(look.holds(model, "accuracy-9-16/A/3way", lambda v, m=least: v >= m, f">= {least:.3f}"))
        checks.append(look.far(model, "clip"))
    return checks


def _seen(look: Evidence, *asked: tuple[str, str]) -> list[Check]:
    return [look.as_seen("halo-sp", protocol, reading) for protocol, reading in asked]


TESTS: dict[str, Callable[[Evidence], list[Check]]] = {
    "content-and-motion": lambda e: _seen(e, ("C", "3way"), *(("C", name) for name in ATTRIBUTES)),
    "one-operator-each": _own_subspace,
    "reversible": lambda e: e.operators(conservation.reversal_error, 1e-3, "error after 15 frames on and back"),
    "conserves": lambda e: [check for frames in (16, 1000) for check in e.operators(
        lambda o, n=frames: conservation.energy_drift(o, n), 1e-3, f"energy drift over {frames:,} frames")],
    "symmetry-groups": lambda e: e.operators(conservation.symplectic_defect, 1e-3, "symplectic residual"),
    "long-term": _late,
    "control": lambda e: [*_seen(e, ("A", "3way")), e.far("halo-sp", "tuned")],
    "swapping": lambda e: [
        *_seen(e, ("C", "both")),
        e.holds("halo-sp", "in-phase/C/all", lambda v: v >= ENOUGH, f">= {ENOUGH}", part="subset"),
    ],
    "diverse-actions": lambda e: [
        e.holds("halo-sp", "ssim/strict/1-16", lambda v: v >= 0.977, "0.982 ± 0.005"), *_seen(e, ("I", "3way"))
    ],
    "unconditional": lambda e: _seen(e, ("A-category", "3way")),
    "beyond-physics": lambda e: e.printed("table-1", "mug", "halo-sp"),
    "cheaper": _cheaper,
    "single-action": lambda e: _seen(e, ("A", "3way"), *(("A", name) for name in ATTRIBUTES)),
    "h-beats-skew": lambda e: [e.better(f"{m}/clip/1-16", "halo-sp", "halo-u") for m in ("ssim", "psnr", "mse")],
    "close-to-truth": lambda e: [check for model in MODELS for check in e.printed("table-1", "sprites", model)],
    "best-on-mug": _beats_baselines,
    "like-s3vae": lambda e: [
        e.better("accuracy/A/9way", "halo-sp", "s3vae", -0.01, other="accuracy/B/9way"),
        e.holds("s3vae", "accuracy/B/9way", lambda v: v >= 0.974, "0.994, less two points"),
    ],
    "keeps-identity": lambda e: e.printed("table-2b", "sprites", "halo-sp"),
    "long-trajectories": lambda e: [e.steady(model + cycle) for cycle in ("", f"+{FIRST_CYCLE}") for model in MODELS],
    "needs-labels": _told_apart,
}  # fmt: skip


def ledger(evidence: Evidence | None = None) -> pd.DataFrame:
    """One row a claim: where, the paper's words, the test, the evidence (a list), the verdict."""
    look, rows = evidence or Evidence(), []
    for claim in records.document(CLAIMS):
        checks = TESTS[claim["id"]](look)
        row = {name: claim[name] for name in ("id", "where", "quote", "test")}
        rows.append(row | {"evidence": checks, "verdict": verdict(checks)})
    return pd.DataFrame(rows).set_index("id")
