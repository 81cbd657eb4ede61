"""The verbs of the command line on tiny clips, with records and weights in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import TinyClips

from hamrepro import datasets, presets, records, shipping, tables
from hamrepro.config import RunConfig


def own_folders(monkeypatch: pytest.MonkeyPatch, folder: Path, settings: RunConfig) -> None:
    """Put tiny clips and settings behind every name, and results and weights under `folder`, the working folder."""
    results, weights = folder / "results", folder / "weights"
    monkeypatch.chdir(folder)
    for module in (presets, shipping):
        monkeypatch.setattr(module, "configure", lambda *names: settings)
    for module in (datasets, shipping):
        monkeypatch.setattr(module, "load", lambda name, split: TinyClips())
    monkeypatch.setattr(records, "RESULTS", results)
    monkeypatch.setattr(records.read, "__defaults__", (results,))
    monkeypatch.setattr(records.faults, "__defaults__", (results,))
    monkeypatch.setattr(records.weights_path, "__defaults__", (weights,))
    monkeypatch.setattr(tables.scorecard, "__defaults__", ("laptop", results))
    monkeypatch.setattr(shipping.record, "__defaults__", (None, results))
    monkeypatch.setattr(shipping.ship, "__defaults__", (weights,))
    for function in (shipping.evaluate_shipped, shipping.load_shipped):
        monkeypatch.setitem(function.__kwdefaults__, "weights", weights)
