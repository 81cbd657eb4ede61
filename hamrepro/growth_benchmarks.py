"""How memory and time grow with the sizes of clips, networks and data."""

from __future__ import annotations

import multiprocessing
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from hamrepro.batches import Batch, order
from hamrepro.benchmarks import Conditions, Entries, flow_work, operators
from hamrepro.elbo import EXACT
from hamrepro.precision import choose_precision
from hamrepro.presets import configure
from hamrepro.randomness import generator
from hamrepro.symplectic import flow_powers
from hamrepro.timing import alone
from hamrepro.training_benchmarks import Work, batch_of, halo, update


def _peak(on: Conditions, steps: int) -> int:
    torch.set_num_threads(1)
    config, batch = batch_of(on, on.clips)
    if steps:
        low = choose_precision("auto", on.device) == "bfloat16"
        work = update(halo(config.network, on.device), batch, config.training, low)
        for _ in range(steps):
            work()
    if on.device.type == "cuda":
        return torch.cuda.max_memory_allocated(on.device)
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def memory(on: Conditions) -> Entries:
    """Largest memory of a process that has the data and one batch, and of one that trains."""
    found = {}
    for name, steps in (("data and a batch", 0), (f"training, B={on.clips}", 2)):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            found[f"memory/{name}"] = {"value": pool.submit(_peak, on, steps).result(), "unit": "B", "n": 1}
    return found


def growth(on: Conditions) -> Entries:
    """How cost grows: seconds over sizes, and the exponent of the power law through them."""
    smoke, device = configure("smoke", on.dataset, on.model), on.device

    def trained(clips: int = 4, frames: int = 8, **sizes: object) -> Work:
        pixels = torch.rand(clips, frames, 3, 64, 64, generator=generator(0, "init")).to(device) * 2 - 1
        zeros = torch.zeros(clips, dtype=torch.int64, device=device)
        network = replace(smoke.network, **sizes)
        return update(halo(network, device), Batch(pixels, zeros, zeros.bool(), zeros), smoke.training, False, EXACT)

    def flowing(actions: int = 3, d: int = 6) -> Work:
        return flow_work(flow_powers, operators(actions, d, device).generators().detach(), 8, True)

    axes = {
        "a step, with B": [(n, trained(clips=n)) for n in (4, 8, 16)],
        "a step, with T": [(n, trained(frames=n)) for n in (4, 8, 16)],
        "a step, with K": [(n, trained(actions=n)) for n in (3, 12, 48)],
        "a step, with d": [(n, trained(half_dimension=n)) for n in (6, 24, 96)],
        "a step, with width": [(n, trained(encoder_widths=(n,) * 5, decoder_widths=(n,) * 5)) for n in (8, 16, 32)],
        "the flow, with K": [(n, flowing(actions=n)) for n in (3, 12, 48)],
        "the flow, with d": [(n, flowing(d=n)) for n in (6, 12, 24, 48)],
        "an order, with characters": [
            (n, lambda n=n: order(9 * n, 24, 0, 0)) for n in (1_000, 10_000, 100_000, 1_000_000)
        ],
    }
    found = {}
    for name, works in axes.items():
        sizes = [size for size, _ in works]
        entries = [alone(work, min(on.rounds, 3)) for _, work in works]
        seconds = [entry["value"] for entry in entries]
        exponent = float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])
        shown = {"value": exponent, "unit": "exponent", "n": len(sizes), "sizes": sizes, "seconds": seconds}
        found[f"growth/{name}"] = shown
    return found
