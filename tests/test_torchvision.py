"""torchvision imports beside any build of torch, and does the part this project needs."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch

from hamrepro._torchvision import import_torchvision


@pytest.fixture(scope="module")
def torchvision():
    return import_torchvision()


def test_is_the_installed_package(torchvision):
    assert torchvision.__name__ == "torchvision"
    assert import_torchvision() is sys.modules["torchvision"]


def test_grid_of_images(torchvision):
    images = torch.arange(4.0)[:, None, None, None].expand(4, 3, 2, 2)
    grid = torchvision.utils.make_grid(images, nrow=2, padding=0)
    assert grid.shape == (3, 4, 4)
    assert grid[0, 0, 0] == 0 and grid[0, 3, 3] == 3


def test_transform_is_applied(torchvision):
    transforms = import_torchvision("transforms.v2")
    image = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    assert torch.equal(transforms.RandomHorizontalFlip(p=1)(image), image.flip(-1))


def test_another_fault_is_not_hidden(monkeypatch):
    def broken(name: str) -> None:
        raise RuntimeError(f"{name} is damaged")

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(RuntimeError, match="is damaged"):
        import_torchvision()


def test_absent_package_says_so():
    with pytest.raises(ModuleNotFoundError):
        import_torchvision("no_such_part")
