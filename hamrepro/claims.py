"""The claims ledger: what the paper claims, a test of each that could fail, and a verdict by one rule.

Claims and the words of their tests stand in `data/claims.json`. A check reads records, or asks shipped operators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from hamrepro import conservation, records, tables
from hamrepro.dynamics import HamiltonianOperators, LinearDynamics, PhaseSpace, embed
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.halo import Halo
from hamrepro.presets import configure
from hamrepro.shipping import load_shipped
from hamrepro.tables import HIGHER, LABELS, Cell, paper

CLAIMS = records.ROOT / "data" / "claims.json"
ATTRIBUTES = ("skin", "tops", "pants", "hair")
VERDICTS = ("reproduced", "partly", "not reproduced", "not run", "not testable here")
ENOUGH = 0.95  # of what the judge gives real clips
MODELS = ("halo-sp", "halo-u")
Rule = Callable[[float], bool]


class Check(NamedTuple):
    """One thing looked at.

    Attributes:
        holds: whether it is so; None where it could not be looked at. evidence: what was seen, or why nothing was.
        possible: False where the data cannot be had here.
    """

    holds: bool | None
    evidence: str
    possible: bool = True


def verdict(checks: Sequence[Check]) -> str:
    """`reproduced` where every check holds; `not reproduced` where none that was made does; `partly` between.

    Without any check made: `not testable here` where none could be, else `not run`.
    """
    made = [check.holds for check in checks if check.holds is not None]
    if not made:
        return "not run" if any(check.possible for check in checks) else "not testable here"
    if all(made):
        return "reproduced" if len(made) == len(checks) else "partly"
    return "partly" if any(made) else "not reproduced"


def _absent(cell: Cell, name: str) -> Check:
    why = cell.missing if cell.missing != "not applicable" else "not in its record"
    return Check(None, f"{name}: {why}", possible="licence" not in why)


class Evidence:
    """Where checks look: the records and the shipped weights of one preset and data set."""

    def __init__(
        self, preset: str = "laptop", dataset: str = "sprites",
        results: Path = records.RESULTS, weights: Path = records.WEIGHTS,
    ) -> None:  # fmt: skip
        self.preset, self.dataset, self.results, self.weights = preset, dataset, results, weights

    def cell(self, model: str, key: str, *, dataset: str = "", part: str = "shown") -> Cell:
        """A quantity of a record; `any` is the preset of the rows without training."""
        preset = "any" if model in ("ground-truth", "copy-first") else self.preset
        return Cell(preset, dataset or self.dataset, model, key, part, self.results)

    def holds(self, model: str, key: str, rule: Rule, wanted: str, *, dataset: str = "", part: str = "shown") -> Check:
        """Whether the mean over seeds obeys a rule."""
        cell, digits = self.cell(model, key, dataset=dataset, part=part), tables.DIGITS.get(key.split("/")[0], 3)
        name = f"{LABELS[model]}: {key}"
        if cell.mean is None or cell.missing:
            return _absent(cell, name)
        found = f"{cell.text(digits, clips=False)}, n = {cell.n}"
        return Check(rule(cell.mean), f"{name} = {found}; asked: {wanted}")

    def as_seen(self, model: str, protocol: str, reading: str) -> Check:
        """Accuracy of a reading at least 95 % of what the judge reaches on real clips."""
        ceiling = self.cell("ground-truth", f"accuracy/R/{reading}").mean
        if ceiling is None:
            return Check(None, f"accuracy/R/{reading} of real clips: not run")
        least = ENOUGH * ceiling
        return self.holds(model, f"accuracy/{protocol}/{reading}", lambda value: value >= least, f">= {least:.3f}")

    def printed(self, table: str, dataset: str, model: str) -> list[Check]:
        """Every number the paper prints for a model: as good, or short of it by its own spread at most."""
        checks = []
        for row in (r for r in paper()[table] if (r["dataset"], r["model"]) == (dataset, model)):
            goal, spread, metric = row["value"], row["spread"] or 0.0, row["metric"]

            def rule(value: float, goal: float = goal, spread: float = spread, metric: str = metric) -> bool:
                return tables.verdict(goal, value, metric, spread) != "missed"

            wanted = f"{goal:.{row['digits']}f}" + (f" ± {spread:g}" if spread else "")
            checks.append(self.holds(model, row["key"], rule, wanted, dataset=dataset))
        return checks

    def better(self, key: str, ours: str, theirs: str, by: float = 0.0, *, dataset: str = "", other: str = "") -> Check:
        """Whether one model is better than another on a metric, by more than `by` (negative: short of it by less)."""
        one, two = self.cell(ours, key, dataset=dataset), self.cell(theirs, other or key, dataset=dataset)
        for model, cell, asked in ((ours, one, key), (theirs, two, other or key)):
            if cell.mean is None or cell.missing:
                return _absent(cell, f"{LABELS[model]}: {asked}")
        up = HIGHER[key.split("/")[0]]
        low, high = (one.low, two.high) if up else (two.low, one.high)
        gap = (one.mean - two.mean) if up else (two.mean - one.mean)
        holds = gap >= by if by else low > high
        digits = tables.DIGITS.get(key.split("/")[0], 3)
        second = f"{other}: " if other else ""
        return Check(holds, f"{key}: {LABELS[ours]} {one.text(digits)}, {second}{LABELS[theirs]} {two.text(digits)}")

    def steady(self, model: str) -> Check:
        """SSIM of frames 9 to 16 no more than 0.005 below that of frames 1 to 8."""
        trained = self.cell(model, "ssim/clip/1-8").mean
        least = 1.0 if trained is None else trained - 0.005
        return self.holds(model, "ssim/clip/9-16", lambda value: value >= least, f">= {least:.3f}")

    def operators(self, measure: Callable[[LinearDynamics], float], bound: float, what: str) -> list[Check]:
        """Measure the shipped operators, H and skew-H, of every recorded seed: the largest must stay below a bound.

        Only on which side of the bound it lies is printed: the digits beyond depend on the machine's rounding.
        """
        checks = []
        for model in MODELS:
            found = []
            for seed in records.seeds(self.preset, self.dataset, model, self.results):
                try:
                    network = load_shipped(self.preset, self.dataset, model, seed, weights=self.weights)[0]
                except (CheckpointError, ConfigError):
                    continue
                if isinstance(network, Halo) and isinstance(network.operators, LinearDynamics):
                    found.append(measure(network.operators.float()))
            if found:
                side = "at most" if max(found) <= bound else "above"
                evidence = f"{LABELS[model]}, {what} {side} {bound:g} ({len(found)})"
                checks.append(Check(max(found) <= bound, evidence))
            else:
                checks.append(Check(None, f"{LABELS[model]}: no shipped weights of preset {self.preset}"))
        return checks


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
    return [Check(blocks < whole, f"{blocks:,} operations against {whole:,}, {whole / blocks:.0f} times fewer")]


def _told_apart(look: Evidence) -> list[Check]:
    torch.manual_seed(0)
    network = Halo(configure("smoke", "sprites-procedural", "halo-sp").network).eval()
    with torch.inference_mode():
        features = network.features(torch.rand(1, 8, 3, 64, 64))
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
        near = look.cell(model, "ssim/clip/1-8", part="subset").mean
        least = 1.0 if near is None else ENOUGH * near
        rule = (lambda v, m=least: v >= m, f">= {least:.3f}")
        checks.append(look.holds(model, "ssim/clip/993-1000", *rule, part="subset"))
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
    "control": lambda e: _seen(e, ("A", "3way")),
    "swapping": lambda e: _seen(e, ("C", "both")),
    "diverse-actions": lambda e: [
        e.holds("halo-sp", "ssim/strict/1-16", lambda v: v >= 0.977, "0.982 ± 0.005"), *_seen(e, ("A", "3way"))
    ],
    "unconditional": lambda e: _seen(e, ("A-category", "3way")),
    "beyond-physics": lambda e: e.printed("table-1", "mug", "halo-sp"),
    "cheaper": _cheaper,
    "single-action": lambda e: _seen(e, ("A", "3way"), *(("A", name) for name in ATTRIBUTES)),
    "h-beats-skew": lambda e: [e.better(f"{m}/clip/1-16", "halo-sp", "halo-u") for m in ("ssim", "psnr", "mse")],
    "close-to-truth": lambda e: [check for model in MODELS for check in e.printed("table-1", "sprites", model)],
    "best-on-mug": _beats_baselines,
    "like-s3vae": lambda e: [e.better("accuracy/A/9way", "halo-sp", "s3vae", -0.01, other="accuracy/B/9way")],
    "keeps-identity": lambda e: e.printed("table-2b", "sprites", "halo-sp"),
    "long-trajectories": lambda e: [e.steady(model) for model in MODELS],
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
