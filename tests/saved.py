"""Saved states of a few numbers, whose content says which step they are of; and writes that are cut short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from hamrepro import checkpoint

CONFIG = "c" * 64


def parts(step: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A model and an optimiser of that step."""
    weight = torch.full((40,), float(step))
    return {"weight": weight, "count": torch.tensor(step)}, {"weight/exp_avg": -weight}


def save_step(folder: Path, step: int) -> Path:
    """Save the state of a step."""
    origin = {"data_sha256": "d" * 64, "seed": 0, "train_seconds": 1.5, "environment": {}}
    return checkpoint.save_state(folder, step, *parts(step), {"config_sha256": CONFIG} | origin)


def loaded_step(folder: Path) -> int:
    """Step of the newest state, once all of it has been found right."""
    model, optimiser, meta = checkpoint.load_latest(folder, CONFIG)
    expected = parts(meta["step"])
    assert all(torch.equal(model[name], value) for name, value in expected[0].items())
    assert all(torch.equal(optimiser[name], value) for name, value in expected[1].items())
    return meta["step"]


def leftovers(folder: Path) -> list[str]:
    """Names of half-written files and folders."""
    return [path.name for path in folder.rglob("*.tmp")]


def cut_short(write: Callable[[Path, bytes], None], after: int) -> Callable[[Path, bytes], None]:
    """A way to write that works so many times, and then is killed."""
    written: list[Path] = []

    def writes(path: Path, data: bytes) -> None:
        if len(written) == after:
            raise KeyboardInterrupt
        written.append(path)
        write(path, data)

    return writes
