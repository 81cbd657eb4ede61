"""Options, seeds and hypothesis profiles of the test suite.

`pytest tests --device cuda --dtype float32` repeats the mathematics elsewhere;
`pytest tests --hypothesis-profile deep` repeats it with many more examples.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor

from hamrepro.randomness import generator

settings.register_profile(
    "ci", derandomize=True, deadline=None, max_examples=25, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "deep", deadline=None, max_examples=400, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

Draw = Callable[..., Tensor]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where, and in which floating type, the mathematics is checked."""
    parser.addoption("--device", default="cpu", help="torch device of the mathematics' tests")
    parser.addoption("--dtype", default="float64", choices=["float64", "float32"], help="their floating type")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """Device under test."""
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Floating type under test."""
    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture(scope="session")
def tolerance(dtype: torch.dtype) -> float:
    """Relative error allowed to a handful of operations in the type under test."""
    return 1e-12 if dtype == torch.float64 else 5e-6


@pytest.fixture(scope="session")
def draw(device: torch.device, dtype: torch.dtype) -> Draw:
    """Standard normal tensors as a function of (seed, *shape), on the device and in the type under test."""

    def normal(seed: int, *shape: int) -> Tensor:
        return torch.randn(shape, generator=generator(seed, "init"), dtype=torch.float64).to(device, dtype)

    return normal


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)
