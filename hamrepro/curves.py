"""The curve of a training, as it is shipped: terms of the bound and growth rates over the steps."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

from hamrepro import records
from hamrepro.errors import CheckpointError


def curve_path(preset: str, dataset: str, model: str, seed: int, weights: Path = records.WEIGHTS) -> Path:
    """data/curves/<preset>-<dataset>-<model>-seed<k>.csv: the terms of the bound over the steps."""
    return weights.parent / "curves" / f"{preset}-{dataset}-{model}-seed{seed}.csv"


def as_csv(stats: Path) -> bytes:
    """The rows that training logged, as CSV.

    Raises:
        CheckpointError: no rows, or torn ones.
    """
    text = io.StringIO()
    try:
        rows = [json.loads(line) for line in stats.read_text().splitlines()]
        rows[0]["step"]
        table = csv.DictWriter(text, rows[0], lineterminator="\n")
        table.writeheader()
        table.writerows({name: round(value, 5) for name, value in row.items()} for row in rows)
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{stats}: {error!r}", "the rows that training logged", "train again elsewhere"
        ) from error
    return text.getvalue().encode()
