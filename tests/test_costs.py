"""What costs how long: only what records say, and nothing of records that were edited."""

from __future__ import annotations

import json

from test_records import result, write

from hamrepro import costs, records


def test_a_run_is_a_row(tmp_path):
    results, weights = tmp_path / "results", tmp_path / "weights"
    measured = {"train_seconds": 2232, "evaluate_seconds": 90, "clips_seen": 144000, "hardware": "CPU, 2 x x86_64"}
    write(results, result(("laptop", "sprites", "halo-sp", 1), origin=measured))
    write(results, result(("any", "sprites", "copy-first", 0)))
    row = costs.trainings(results, weights).loc["laptop"]
    assert row[["data", "model", "seed", "clips seen"]].tolist() == ["Sprites", "HALO, H", 1, "144,000"]
    assert row[["training, min", "Table 1, min", "machine"]].tolist() == ["37", "1.5", "CPU, 2 x x86_64"]
    assert row["threads"] == ""
    card = records.weights_path("laptop", "sprites", "halo-sp", 1, weights).with_suffix(".json")
    card.parent.mkdir()
    card.write_text(json.dumps({"trained_on": {"threads": 1, "precision": "bfloat16"}}))
    row = costs.trainings(results, weights).loc["laptop"]
    assert row[["threads", "precision"]].tolist() == [1, "bfloat16"]


def test_edited_records_and_none(tmp_path):
    assert costs.trainings(tmp_path, tmp_path).empty
    path = write(tmp_path, result(("laptop", "sprites", "halo-sp", 0), origin={"train_seconds": 60}))
    path.write_text(path.read_text().replace("60", "61"))
    assert costs.trainings(tmp_path, tmp_path).empty
