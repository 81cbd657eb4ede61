"""One number of a table with its spread and origin, or why there is none; and how tables of them are kept short."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean, stdev

import pandas as pd

from hamrepro import records
from hamrepro.errors import RecordError

UNASKED = {"A-category": "not asked for", "A-bank": "asked under A"}  # why a judged model has no such accuracy
_SHARE = re.compile(r" (\(\d+, \d+ clips\))$")


class Cell:
    """One quantity over the seeds that have it, or of one seed, of a part of their records.

    The parts: `metrics`, all test clips; `subset`, a fixed share of them; `shown`, the first of the two there is.

    Attributes:
        values: per seed. mean; spread: standard deviation over seeds (0 for one); low, high: the seeds' 95 %
        intervals, widest ends. n: clips. hardware: trained on. missing: why there is no number, else "".
    """

    def __init__(
        self,
        preset: str,
        dataset: str,
        model: str,
        key: str,
        part: str = "metrics",
        results: Path = records.RESULTS,
        *,
        seed: int | None = None,
    ) -> None:
        self.values: list[float] = []
        self.low, self.high, self.n = float("inf"), float("-inf"), 0
        self.seeds: list[int] = []
        self.hardware, self.share = "", part == "subset"
        found = [number for number in records.seeds(preset, dataset, model, results) if seed in (None, number)]
        why = "needs the MUG licence" if dataset == "mug" else f"no record of preset {preset}"
        self.missing = "" if found else f"not run: {why}"
        for number in found:
            try:
                record = records.read(preset, dataset, model, number, results)
                entries = record.get(part, {})
                if part == "shown":
                    whole, share = record["metrics"], record.get("subset", {})
                    entries, self.share = (share, True) if key in share and key not in whole else (whole, self.share)
            except RecordError as error:
                self.missing = f"refused: {error.given}"
                continue
            entry, (metric, asked, _) = entries.get(key, {"value": None}), key.split("/")
            if entry["value"] is None:
                told = [e for other, e in entries.items() if other.split("/")[1:2] == [asked] and e["value"] is None]
                scored = told or any(other.startswith(f"{metric}/{asked}/") for other in entries)
                reason = next((e["why"] for e in (entry, *told) if e.get("why")), "")
                why = f"not applicable: {reason}" if reason else "not applicable"
                judged = metric == "accuracy" and any(other.startswith("accuracy/") for other in entries)
                if not scored:
                    unasked = judged and UNASKED.get(asked)
                    why = f"not applicable: {unasked}" if unasked else f"not run: no {metric} under {asked}"
                self.missing = self.missing or why
                continue
            self.values.append(entry["value"])
            self.seeds.append(number)
            self.low, self.high = min(self.low, entry["ci95"][0]), max(self.high, entry["ci95"][1])
            self.n, self.hardware = entry["n"], record["provenance"]["hardware"]
        if self.missing.startswith("refused"):
            self.values, self.seeds = [], []
        elif self.values:
            self.missing = ""

    @property
    def mean(self) -> float | None:
        return fmean(self.values) if self.values else None

    @property
    def spread(self) -> float:
        return stdev(self.values) if len(self.values) > 1 else 0.0

    def text(self, digits: int = 3, clips: bool = True) -> str:
        """`.964 ± .002 (3)`: mean, sd over seeds, their number (and, if `clips`, of clips if not all); or why not."""
        if self.missing or self.mean is None:
            return self.missing
        spread = f" ± {self.spread:.{digits}f}" if len(self.values) > 1 else ""
        share = f", {self.n} clips" if self.share and clips else ""
        return f"{self.mean:.{digits}f}{spread} ({len(self.values)}{share})"

    def interval(self, digits: int = 3) -> str:
        """95 % interval over characters or subjects, widest over the seeds."""
        return "" if self.mean is None else f"{self.low:.{digits}f} to {self.high:.{digits}f}"


def briefly(table: pd.DataFrame) -> pd.DataFrame:
    """A table of texts in which nothing is said twice.

    The reason why a number is missing stands once a row, in the first cell that lacks one; the number of seeds and of
    clips of a share stands in the heading of a column whose numbers all have the same.
    """
    short = table.replace(r"^(not run|not applicable|refused):.*", r"\1", regex=True)
    table = table.where((short != table).cumsum(axis=1) <= 1, short)
    heads = {}
    for name in table:
        numbers = [text for text in table[name] if isinstance(text, str) and text[:1].isdigit()]
        found = {match and match[1] for match in map(_SHARE.search, numbers)}
        if len(numbers) > 1 and len(found) == 1 and (share := found.pop()):
            heads[name] = f"{name} {share}"
            table = table.assign(**{name: table[name].str.removesuffix(f" {share}")})
    return table.rename(columns=heads)
