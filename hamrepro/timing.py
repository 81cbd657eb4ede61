"""Times of two ways to do one thing, taken by turns, and the limits of the machine they are taken on."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.benchmark import Measurement, Timer
from torch.utils.benchmark.utils.timer import timer as benchmark_clock

from hamrepro.train import environment

Work = Callable[[], object]
CLOCK = benchmark_clock  # of a race; time.process_time leaves out what other programs take
BLOCK = 0.2  # seconds a way runs at its turn, where one call takes less


def quartiles(values: list[float], unit: str) -> dict[str, Any]:
    """An entry of a record: the median as `value`, the quartiles as `iqr`, how many, and the unit."""
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return {"value": middle, "iqr": [low, high], "n": len(values), "unit": unit}


def race(ours: Work, *others: Work, rounds: int = 5) -> list[dict[str, Any]]:
    """Seconds of each way, taken by turns in one process, so that a noisy neighbour slows all of them.

    Returns:
        An entry of `quartiles` for each. The others' also hold `ratio`, their time over ours turn by turn, and
        `best_ratio`, least time over least time, which noise disturbs least.
    """
    options = {"timer": CLOCK, "num_threads": torch.get_num_threads()}
    timers = [Timer("work()", globals={"work": work}, **options) for work in (ours, *others)]
    turns: list[list[Measurement]] = [
        [timer.blocked_autorange(min_run_time=BLOCK) for timer in timers] for _ in range(rounds)
    ]
    times = [[turn[way].median for turn in turns] for way in range(len(timers))]
    entries = [quartiles(values, "s") for values in times]
    for entry, values in zip(entries[1:], times[1:], strict=True):
        entry["ratio"] = quartiles([other / our for other, our in zip(values, times[0], strict=True)], "")
        entry["best_ratio"] = min(values) / min(times[0])
    return entries


def compared(ours: Work, reference: Work, rounds: int = 5, **more: Any) -> dict[str, Any]:
    """One entry for a fast path: seconds, and under `reference` and `ratio` those of the slow way."""
    entry, other = race(ours, reference, rounds=rounds)
    ratio, best = other.pop("ratio"), other.pop("best_ratio")
    return entry | {"reference": other, "ratio": ratio, "best_ratio": best} | more


def alone(work: Work, rounds: int = 5, **more: Any) -> dict[str, Any]:
    """One entry for something that has nothing to be compared with."""
    return race(work, rounds=rounds)[0] | more


def _rate(entry: dict[str, Any], amount: float, unit: str) -> dict[str, Any]:
    """Seconds of an amount of work to amount per second."""
    low, high = entry["iqr"]
    return entry | {"value": amount / entry["value"], "iqr": [amount / high, amount / low], "unit": unit}


def roofline(device: torch.device, rounds: int = 5) -> dict[str, dict[str, Any]]:
    """What the machine can do: FLOP/s of matrix products and of 5x5 convolutions, bytes/s of a copy.

    The convolutions, of both layouts and precisions, are the ones in the middle of the networks.
    """
    size = 8192 if device.type == "cuda" else 1024
    frames = 512 if device.type == "cuda" else 16
    found = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a = torch.rand(size, size, device=device, dtype=kind)
        entry = alone(lambda a=a: a @ a, rounds)
        found[f"roofline/product/{name}"] = _rate(entry, 2 * size**3, "FLOP/s")
        maps, layer = torch.rand(frames, 64, 32, 32, device=device), nn.Conv2d(64, 64, 5, 1, 2).to(device)
        for layout, form in (("channels-last", torch.channels_last), ("nchw", torch.contiguous_format)):
            x = maps.to(kind, memory_format=form)
            run = layer.to(kind).to(memory_format=form)

            def convolve(x: Tensor = x, run: nn.Module = run) -> None:
                with torch.inference_mode():
                    run(x)

            entry = alone(convolve, rounds)
            found[f"roofline/convolution/{layout}/{name}"] = _rate(entry, 2 * 25 * 64**2 * 32**2 * frames, "FLOP/s")
    source = torch.empty(256 << 20, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    entry = alone(lambda: target.copy_(source), rounds)
    return found | {"roofline/copy": _rate(entry, 2 * source.numel(), "B/s")}


def hardware(device: torch.device) -> tuple[str, str]:
    """Name of the hardware as a file may be called, and in full."""
    full = environment("", device)["hardware"]
    if device.type == "cpu":
        listing = Path("/proc/cpuinfo")
        about = listing.read_text() if listing.exists() else ""
        model = re.search(r"model name\s*: (.*)", about)
        full += ", " + re.sub(r"\((R|TM)\)| Processor", "", model[1]).strip() if model else ""
        full += f", {torch.backends.cpu.get_cpu_capability()}"
        full += ", AMX" if "amx_bf16" in about else ""  # what multiplies bfloat16, and torch's name does not say
    return re.sub(r"[^a-z0-9]+", "-", full.lower()).strip("-"), full
