"""Settings for every test: one thread, paths that do not depend on the current folder, a seeded doctest namespace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Before torch is imported, here and in the notebooks' kernels: two threads on a busy machine are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent
collect_ignore_glob = ["book/*.py"]  # chapters are checked as executed notebooks


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "nbval_sanitize_with", None):
        config.option.nbval_sanitize_with = str(ROOT / "nbval_sanitize.cfg")


@pytest.fixture(autouse=True)
def _seeded_doctest(request: pytest.FixtureRequest) -> None:
    """Doctests draw from a fixed seed, so that their printed numbers stay."""
    if isinstance(request.node, pytest.DoctestItem):
        import torch

        torch.manual_seed(0)
