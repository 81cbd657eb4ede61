"""What the operators and the data cost, each beside the slow reference. Paper: Eqs. (8), (13), Section 3.1."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import lru_cache, partial
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hamrepro.batches import draw_batch
from hamrepro.config import RunConfig
from hamrepro.datasets import load
from hamrepro.dynamics import HamiltonianOperators, PhaseSpace
from hamrepro.errors import DataError
from hamrepro.layers import sheet_layers
from hamrepro.pixelart import draw_layers
from hamrepro.places import ROOT
from hamrepro.presets import configure, first_cycle
from hamrepro.randomness import generator, initialising
from hamrepro.sprites import Sprites
from hamrepro.symplectic import flow_powers
from hamrepro.timing import alone, compared

Entries = dict[str, dict[str, Any]]
FAR = 10_000  # frames of the long roll-out


class Conditions(NamedTuple):
    """What the benchmarks run on.

    Attributes:
        rounds: turns of each race. clips: of a training step. lengths: T of the flow.
    """

    device: torch.device
    preset: str = "laptop"
    dataset: str = "sprites-procedural"
    model: str = "halo-sp"
    rounds: int = 5
    clips: int = 24
    lengths: tuple[int, ...] = (8, 16, 1000)

    @property
    def few(self) -> int:
        """Clips of a step that is timed many times over: on a processor 8 tell as much."""
        return self.clips if self.device.type == "cuda" else min(8, self.clips)

    @property
    def config(self) -> RunConfig:
        """Settings of the run whose parts are timed, the first cycle."""
        return first_cycle(configure(self.preset, self.dataset, self.model))


@lru_cache(maxsize=1)
def reference() -> ModuleType:
    """The slow reference of a checkout, `bench/slow_reference.py`.

    Raises:
        DataError: the package was installed without its checkout.
    """
    path = ROOT / "bench" / "slow_reference.py"
    if not path.exists():
        raise DataError(f"no {path}", "the slow reference", "run from a checkout of the repository")
    spec = importlib.util.spec_from_file_location("slow_reference", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operators(actions: int, d: int, device: torch.device, family: str = "sp") -> HamiltonianOperators:
    """Operators as a training begins with them."""
    with initialising(0):
        return HamiltonianOperators(actions, d, family).to(device)


def flow_work(powers: Callable[[Tensor, int], Tensor], h: Tensor, frames: int, backward: bool) -> Callable[[], object]:
    """All powers of some operators, and the gradient if asked."""

    def work() -> None:
        leaf = h.detach().requires_grad_(backward)
        value = powers(leaf, frames)
        if backward:
            value.square().sum().backward()

    return work


def flow_of(on: Conditions, actions: int, d: int, frames: int) -> Entries:
    """One exponential an operator and products, against an exponential for every offset."""
    h, found = operators(actions, d, on.device).generators().detach(), {}
    for kind, backward in (("forward", False), ("forward+backward", True)):
        works = [flow_work(way, h, frames, backward) for way in (flow_powers, reference().powers)]
        rounds = on.rounds if frames < 100 else min(on.rounds, 2)
        found[f"flow/d={d} K={actions} T={frames}/{kind}"] = compared(*works, rounds=rounds)
    return found


def flow(on: Conditions) -> Entries:
    """`flow_of` the sizes of both data sets, and of longer clips."""
    sizes = [(actions, d, frames) for d in (6, 12) for actions in (3, 6) for frames in on.lengths]
    return {name: entry for size in sizes for name, entry in flow_of(on, *size).items()}


def blocks_of(on: Conditions, actions: int, d: int, frames: int) -> Entries:
    """K blocks against one full matrix of the whole phase space: the block-diagonal claim of Section 3.1."""
    h = operators(actions, d, on.device).generators().detach()
    whole = reference().whole_generator(h)[None]
    works = [flow_work(flow_powers, matrix, frames, True) for matrix in (h, whole)]
    return {f"blocks/d={d} K={actions} T={frames}": compared(*works, rounds=on.rounds)}


def blocks(on: Conditions) -> Entries:
    """`blocks_of` the sizes of both data sets."""
    return blocks_of(on, 3, 6, 8) | blocks_of(on, 6, 12, 8)


@torch.inference_mode()
def rollout(on: Conditions) -> Entries:
    """States of one clip over 10,000 frames: time, and the largest error against float64, relative to the states."""
    found = {}
    for family in ("u", "sp"):
        single = operators(3, 6, on.device, family)
        double = operators(3, 6, on.device, family).double()
        draw = torch.randn(2, 1, 6, generator=generator(0, "prior"), dtype=torch.float64).to(on.device)
        action = torch.zeros(1, dtype=torch.int64, device=on.device)
        truth = double.flow(PhaseSpace(*draw), action, action, FAR).state
        state = PhaseSpace(*draw.float())

        run = partial(single.flow, state, action, action, FAR)

        error = float((run().state - truth).abs().max() / truth.abs().max())
        found[f"rollout/{family} T={FAR}"] = alone(run, on.rounds) | {"error": error}
    return found


def _few(clip_set: Sprites, count: int) -> Tensor:
    return torch.arange(0, len(clip_set), max(1, len(clip_set) // count))[:count]


def batch(on: Conditions) -> Entries:
    """A batch from layers, against Pillow frame by frame, and against an array of float32 that holds every clip."""
    training, clip_set, slow = on.config.training, load(on.dataset, "train"), reference()
    few = _few(clip_set, training.batch)
    array = slow.ArrayClips(clip_set, few)
    characters, labels = clip_set.groups[few], clip_set.targets["action_view"][few]

    def ours() -> object:
        return draw_batch(clip_set, training, 0, 0, on.device)

    def pillow() -> Tensor:
        return torch.from_numpy(slow.draw_clips(clip_set, characters, labels)).to(on.device).float() / 127.5 - 1

    def stored() -> Tensor:
        return array.batch(training, 0, 0, clip_set).clips.to(on.device)

    return {
        f"batch/{training.batch} clips, against Pillow": compared(ours, pillow, rounds=on.rounds),
        f"batch/{training.batch} clips, against an array": compared(ours, stored, rounds=on.rounds),
    }


def data(on: Conditions) -> Entries:
    """A data set ready to train on: time to make it, and bytes against the array of float32 it stands for."""
    found = {}
    for name in ("sprites", "sprites-procedural"):
        try:
            clip_set = load(name, "train")
        except DataError as error:
            found[f"data/{name}"] = {"value": None, "why": error.given, "unit": "s", "n": 0}
            continue

        def ready(name: str = name) -> None:
            sheet_layers.cache_clear()
            draw_layers.cache_clear()
            load(name, "train")

        held = {"value": clip_set.layers.nbytes, "unit": "B", "n": 1}
        held["reference"] = {"value": len(clip_set) * clip_set.frames * 3 * 64 * 64 * 4, "unit": "B", "n": 1}
        found |= {f"data/{name}": alone(ready, on.rounds), f"data/{name}, held": held}
    return found
