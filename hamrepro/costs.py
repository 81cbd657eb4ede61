"""What costs how long: read off the cards of shipped weights and the records, measured where they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from hamrepro import records
from hamrepro.errors import RecordError
from hamrepro.tables import DATASETS, label


def _minutes(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds / 60:.1f}" if seconds < 600 else f"{seconds / 60:.0f}"


def trainings(results: Path = records.RESULTS, weights: Path = records.WEIGHTS) -> pd.DataFrame:
    """One row a recorded run: clips seen, minutes to train and to score, and the machine, as the record says.

    Rows without training (the trivial ones) and records that were edited have no place here; threads and precision
    come from the card of the weights, where they are shipped.
    """
    rows = []
    for path in sorted(results.glob("*/*/*/seed*.json")):
        preset, dataset, model = path.parts[-4:-1]
        if (seed := records.seed_of(path)) is None:
            continue
        try:
            record = records.read(preset, dataset, model, seed, results)
        except RecordError:
            continue
        origin = record["provenance"]
        scored = any(key.startswith("ssim/") for key in record["metrics"])
        if not origin.get("train_seconds"):
            continue
        card: dict[str, Any] = {}
        path = records.weights_path(preset, dataset, model, seed, weights).with_suffix(".json")
        if path.exists():
            whole = records.document(path)
            card = whole.get("trained_on", {}) if isinstance(whole, dict) else {}
        rows.append({
            "preset": preset, "data": DATASETS.get(dataset, dataset),
            "model": label(model), "seed": seed,
            "clips seen": f"{origin['clips_seen']:,}" if origin.get("clips_seen") else "",
            "training, min": _minutes(origin["train_seconds"]),
            "Table 1, min": _minutes(origin.get("evaluate_seconds") if scored else None),
            "threads": card.get("threads", ""), "precision": card.get("precision", ""), "machine": origin["hardware"],
        })  # fmt: skip
    names = ["preset", "data", "model", "seed", "clips seen", "training, min", "Table 1, min", "threads", "precision"]
    return pd.DataFrame(rows, columns=[*names, "machine"]).set_index("preset").rename_axis(None)
