"""What a check of a claim is, and where it looks: the records and the shipped weights of one preset and data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from hamrepro import records, tables
from hamrepro.dynamics import LinearDynamics
from hamrepro.errors import CheckpointError, ConfigError
from hamrepro.halo import Halo
from hamrepro.shipping import load_shipped
from hamrepro.tables import HIGHER, Cell, label, paper

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
        name = f"{label(model)}: {key}"
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
                return _absent(cell, f"{label(model)}: {asked}")
        up = HIGHER[key.split("/")[0]]
        low, high = (one.low, two.high) if up else (two.low, one.high)
        gap = (one.mean - two.mean) if up else (two.mean - one.mean)
        holds = gap >= by if by else low > high
        digits = tables.DIGITS.get(key.split("/")[0], 3)
        second = f"{other}: " if other else ""
        return Check(holds, f"{key}: {label(ours)} {one.text(digits)}, {second}{label(theirs)} {two.text(digits)}")

    def steady(self, model: str) -> Check:
        """SSIM of frames 9 to 16 no more than 0.005 below that of frames 1 to 8."""
        trained = self.cell(model, "ssim/clip/1-8").mean
        least = 1.0 if trained is None else trained - 0.005
        return self.holds(model, "ssim/clip/9-16", lambda value: value >= least, f">= {least:.3f}")

    def far(self, model: str, how: str) -> Check:
        """SSIM of frames 993 to 1,000 at least 95 % of that of frames 1 to 8."""
        near = self.cell(model, "ssim/clip/1-8", part="subset").mean
        least = 1.0 if near is None else ENOUGH * near
        return self.holds(model, f"ssim/{how}/993-1000", lambda v: v >= least, f">= {least:.3f}", part="subset")

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
                evidence = f"{label(model)}, {what} {side} {bound:g} ({len(found)})"
                checks.append(Check(max(found) <= bound, evidence))
            else:
                checks.append(Check(None, f"{label(model)}: no shipped weights of preset {self.preset}"))
        return checks
